"""Kernel density: scikit-learn's at the same bandwidth, folded back at bounds."""

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.neighbors import KernelDensity as Peer

from landmass import Bounded, Circular, Dataset, KernelDensity, Positive, Schema
from landmass.core.many import log_prob
from tests.models.cases import data


def without_floor(model, X):
    """Log-density of the bumps alone, in the units of the data."""
    Z, log_det = model.space_.forward(X)
    return log_prob(model.model_.parts[0], Z) + log_det


def peers(points, bandwidth, X):
    """Scikit-learn's log-density, which knows one bandwidth only: the columns are scaled to it."""
    return Peer(bandwidth=1.0).fit(points / bandwidth).score_samples(X / bandwidth) - np.log(bandwidth).sum()


@pytest.mark.parametrize("name", ["line", "plane"])
def test_log_density_is_scikit_learns_at_the_same_bandwidth(fitted, name):
    model, X = fitted("kernel_density", name), data(name, n=200, seed=1).X
    points, bandwidth = model.parameters_["points"], model.parameters_["bandwidth"]
    np.testing.assert_allclose(without_floor(model, X), peers(points, bandwidth, X), rtol=1e-4, atol=1e-4)


def test_bumps_stand_on_the_events(fitted):
    points = fitted("kernel_density", "plane").parameters_["points"]
    assert points.shape == (500, 2)
    X = data("plane").X
    assert np.abs(points[:, None] - X[None]).max(-1).min(1).max() < 1e-5


@pytest.mark.parametrize("bandwidth, each", [(0.5, [0.5, 0.5]), ((0.5, 2.0), [0.5, 2.0])])
def test_bandwidth_is_in_the_units_of_the_data(bandwidth, each):
    model = KernelDensity(bandwidth=bandwidth, random_state=0).fit(data("plane"))
    np.testing.assert_allclose(model.parameters_["bandwidth"], each, rtol=1e-5)


def test_chosen_bandwidth_is_better_than_ones_half_and_twice_as_wide(fitted):
    model = fitted("kernel_density", "plane")
    points, best = model.parameters_["points"], model.parameters_["bandwidth"]
    X = data("plane", n=2000, seed=1).X
    score = [peers(points, factor * best, X).mean() for factor in (0.4, 1.0, 2.5)]
    assert score[1] > max(score[0], score[2])


def one_column(column, X, bandwidth):
    return KernelDensity(bandwidth=bandwidth, random_state=0).fit(Dataset(X[:, None], Schema((column,))))


def reflected(points, h, x):
    """The density on [0, 1] of bumps mirrored at both ends."""
    images = np.concatenate([s * points + 2 * turn for turn in range(-2, 3) for s in (1, -1)])
    return stats.norm.pdf((x[:, None] - images) / h).sum(1) / (h * len(points))


@pytest.mark.parametrize("bandwidth", [0.05, 0.4])
def test_bumps_are_mirrored_at_both_bounds(bandwidth):
    model = one_column(Bounded(name="u", low=0, high=1), np.random.default_rng(0).beta(0.8, 2.0, 100), bandwidth)
    x = np.linspace(0, 1, 50)
    expected = reflected(model.parameters_["points"][:, 0], bandwidth, x)
    np.testing.assert_allclose(np.exp(without_floor(model, x[:, None])), expected, rtol=1e-4)
    x = np.linspace(0, 1, 4001)
    assert integrate.trapezoid(np.exp(without_floor(model, x[:, None])), x) == pytest.approx(1.0, abs=1e-4)


def test_bumps_are_mirrored_at_zero_of_a_positive_column():
    model = one_column(Positive(name="p"), np.random.default_rng(0).exponential(1.0, 100), 0.3)
    points, x = model.parameters_["points"][:, 0], np.linspace(0.01, 8, 50)
    kernel = sum(stats.norm.pdf((x[:, None] - s * points) / 0.3) for s in (1, -1)).sum(1) / (0.3 * len(points))
    np.testing.assert_allclose(np.exp(without_floor(model, x[:, None])), kernel, rtol=1e-3)


def test_bumps_are_wrapped_around_a_circle():
    model = one_column(Circular(name="h", low=0, high=24), np.random.default_rng(0).normal(23.5, 1, 100) % 24, 2.0)
    points, x = model.parameters_["points"][:, 0], np.linspace(0, 24, 50)
    wrapped = sum(stats.norm.pdf((x[:, None] - points + 24 * turn) / 2) for turn in range(-2, 3)).sum(1)
    np.testing.assert_allclose(np.exp(without_floor(model, x[:, None])), wrapped / (2 * len(points)), rtol=1e-3)
    assert model.score_samples(np.array([[0.0]])) == pytest.approx(model.score_samples(np.array([[24.0]])), abs=1e-5)


def test_bandwidth_of_counted_values_stays_at_their_spacing():
    rng = np.random.default_rng(0)
    model = KernelDensity(random_state=0).fit(np.column_stack([rng.poisson(3.0, 400), rng.standard_normal(400)]))
    counted, real = model.parameters_["bandwidth"]
    assert counted >= 1.0 - 1e-6
    assert real < 1.0


def test_one_counted_column_can_be_fitted():
    counted = np.random.default_rng(0).poisson(3.0, (2_000, 1))
    np.testing.assert_allclose(KernelDensity(random_state=0).fit(counted).parameters_["bandwidth"], 1.0, rtol=1e-5)


def test_one_outlier_leaves_the_bandwidth_alone():
    x = np.random.default_rng(0).standard_normal((2_000, 1))
    clean, spoilt = (KernelDensity(random_state=0).fit(each) for each in (x, np.append(x, [[1e9]], axis=0)))
    assert spoilt.score(x) > clean.score(x) - 0.05
