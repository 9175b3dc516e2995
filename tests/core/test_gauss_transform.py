"""The fast sum of bumps, held against the slow one in float64."""

import numpy as np
import pytest
from scipy.special import logsumexp

from landmass.core import gauss_transform as module
from landmass.core.gauss_transform import gauss_transform, pays


def added_up(points, places):
    squares = ((places[:, None] - points[None]) ** 2).sum(-1)
    return logsumexp(-0.5 * squares, axis=1)


def clusters(columns, n, seed=0):
    """Two clouds far apart in bandwidths, and a lone point."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [3.0 * rng.standard_normal((n, columns)), 40.0 + rng.random((n, columns)), [[-70.0] * columns]]
    )


@pytest.mark.parametrize("columns", [1, 2])
def test_sums_are_those_of_all_bumps(columns):
    points, places = clusters(columns, 400), np.random.default_rng(1).uniform(-30.0, 60.0, (2_000, columns))
    places = np.concatenate([places, points])
    found, expected = gauss_transform(points, np.ones(len(points)), places), added_up(points, places)
    served = ~np.isnan(found)
    np.testing.assert_allclose(found[served], expected[served], atol=1e-5)
    # What it declines is far from all points: here everything within two bandwidths of one is served.
    near = np.sqrt(((places[:, None] - points[None]) ** 2).sum(-1)).min(axis=1) < 2.0
    assert served[near].all()
    assert not served.all()


@pytest.mark.parametrize("columns, most", [(1, 6_000), (2, 300_000)])
def test_sums_by_halves_are_those_of_the_whole(columns, most, monkeypatch):
    points, places = clusters(columns, 400), np.random.default_rng(1).uniform(-30.0, 60.0, (2_000, columns))
    weight = np.random.default_rng(2).exponential(size=len(points))
    whole = gauss_transform(points, weight, places)
    calls, halve = [], module._by_halves
    monkeypatch.setattr(module, "MOST_NODES", most)
    monkeypatch.setattr(module, "_by_halves", lambda *given: calls.append(len(given[0])) or halve(*given))
    halved = gauss_transform(points, weight, places)
    assert len(calls) >= 3
    served = ~np.isnan(whole) & ~np.isnan(halved)
    np.testing.assert_allclose(halved[served], whole[served], atol=1e-7)
    # Which places are served depends on nothing but the error promised.
    assert (np.isnan(whole) == np.isnan(halved)).mean() > 0.995


@pytest.mark.parametrize("columns", [1, 2])
def test_the_promised_error_is_kept_where_many_points_hide_few(columns):
    # A million points' worth of error in one cell, and a place at the edge of what is served.
    points = np.concatenate([np.zeros((20_000, columns)), [[9.0] + [0.0] * (columns - 1)]])
    places = np.linspace(-9.0, 18.0, 300)[:, None] * np.eye(columns)[0]
    found, expected = gauss_transform(points, np.ones(len(points)), places, 1e-6), added_up(points, places)
    served = ~np.isnan(found)
    np.testing.assert_allclose(found[served], expected[served], atol=1e-6)
    assert 0.2 < served.mean() < 0.9


@pytest.mark.parametrize("columns", [1, 2])
def test_weights_multiply_bumps(columns):
    rng = np.random.default_rng(2)
    points, places = rng.standard_normal((300, columns)), rng.standard_normal((500, columns))
    weight = rng.exponential(size=300)
    squares = ((places[:, None] - points[None]) ** 2).sum(-1)
    found = gauss_transform(points, weight, places)
    np.testing.assert_allclose(found, logsumexp(-0.5 * squares, b=weight[None], axis=1), atol=1e-5)


def test_places_outside_the_points_reach_are_declined():
    points = np.zeros((10, 2))
    places = np.array([[1e6, 0.0], [-1e30, 0.0], [0.0, 0.0]])
    np.testing.assert_array_equal(np.isnan(gauss_transform(points, np.ones(len(points)), places)), [True, True, False])


@pytest.mark.parametrize(
    "points, n_places, expected",
    [
        (np.random.default_rng(0).standard_normal((50_000, 2)) * 5.0, 10_000, True),
        (np.random.default_rng(0).standard_normal((50_000, 2)) * 5.0, 10, False),
        (np.random.default_rng(0).standard_normal((50_000, 2)) * 1e6, 10_000, False),
        (np.random.default_rng(0).standard_normal((50_000, 3)), 10_000, False),
        (np.empty((0, 2)), 10_000, False),
    ],
)
def test_it_is_used_where_it_pays(points, n_places, expected):
    assert pays(points, n_places) == expected
