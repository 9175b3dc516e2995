"""Distances of rows: Gower's, written out cell by cell."""

import numpy as np
import pandas as pd
import pytest

from landmass.data.alike import alike
from landmass.evaluate.gower import BLOCK, Gower, row_distances

RNG = np.random.default_rng(0)
N = BLOCK + 7


def frame(rows):
    age = RNG.integers(18, 90, rows).astype(float)
    age[RNG.random(rows) < 0.2] = np.nan
    return pd.DataFrame(
        {"length": RNG.normal(size=rows), "age": age, "city": RNG.choice(["Bonn", "Rome", "Oslo", None], rows)}
    )


def between(values, a, b):
    """The share of values between two of them, each of their own counted half."""
    if np.isnan(a) or np.isnan(b):
        return float(np.isnan(a) != np.isnan(b))
    known = values[~np.isnan(values)]
    rank = [((known < x).mean() + (known <= x).mean()) / 2.0 for x in (a, b)]
    return abs(rank[0] - rank[1])


def test_distances_are_those_of_gower():
    data, other = alike(frame(N), frame(20))
    scale = Gower.fit(data.schema, np.concatenate([data.X, other.X]))
    found = np.concatenate(list(row_distances(scale.places(data.X), scale.places(other.X))))
    pooled = np.concatenate([data.X, other.X]).T
    expected = np.zeros((N, 20))
    for i, j in np.ndindex(expected.shape):
        x, y = data.X[i], other.X[j]
        words = float(x[2] != y[2] and not (np.isnan(x[2]) and np.isnan(y[2])))
        expected[i, j] = (between(pooled[0], x[0], y[0]) + between(pooled[1], x[1], y[1]) + words) / 3.0
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_row_is_at_no_distance_from_itself_and_one_at_most_from_any():
    (data,) = alike(frame(N))
    places = Gower.fit(data.schema, data.X).places(data.X)
    found = np.concatenate(list(row_distances(places, places)))
    assert (np.diag(found) == 0.0).all()
    np.testing.assert_array_equal(found, found.T)
    assert found.max() <= 1.0


@pytest.mark.parametrize("far", [5.0, 1e6])
def test_one_far_value_does_not_bring_others_together(far):
    data, drawn = alike(np.append(np.linspace(0.0, 1.0, 99), far)[:, None], np.linspace(0.0, 1.0, 99)[:, None])
    places = Gower.fit(data.schema, data.X).places(drawn.X)
    assert next(row_distances(places[:1], places))[0, 98] == pytest.approx(0.98)
