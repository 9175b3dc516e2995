"""Histogram: NumPy's counts over a floor."""

import numpy as np
import pytest

from landmass import Histogram
from landmass.core.many import log_prob
from tests.models.cases import data


@pytest.fixture(scope="module")
def model(fitted):
    return fitted("histogram", "plane")


@pytest.fixture(scope="module")
def train():
    """The plane's events: once validation has chosen, `fit` learns from all of them."""
    return data("plane").X


def numpys(model, train):
    """NumPy's density on the model's own edges."""
    return np.histogram2d(*train.T, bins=list(model.parameters_["edges"]), density=True)


def test_cells_are_numpys(model, train):
    np.testing.assert_allclose(model.parameters_["density"], numpys(model, train)[0], rtol=1e-5, atol=1e-9)


def test_edges_reach_one_nth_beyond_the_training_events(model, train):
    width = np.ptp(train, axis=0)
    edges = model.parameters_["edges"]
    assert edges.shape == (2, 9)
    np.testing.assert_allclose(edges[:, 0], train.min(0) - width / len(train), atol=1e-5)
    np.testing.assert_allclose(edges[:, -1], train.max(0) + width / len(train), atol=1e-5)


def test_log_density_without_the_floor_is_that_of_numpys_cells(model, train):
    density, *edges = numpys(model, train)
    cell = [np.searchsorted(e, x) - 1 for e, x in zip(edges, train.T, strict=True)]
    Z, log_det = model.space_.forward(train)
    found = log_prob(model.model_.parts[0], Z) + log_det
    np.testing.assert_allclose(found, np.log(density[tuple(cell)]), atol=1e-4)


def test_floor_has_a_small_weight_that_reaches_beyond_the_data(model, train):
    weights = np.exp(np.asarray(model.model_.log_weights))
    assert 0.0 < weights[1] < 0.1
    beyond = train.max(0) + 0.5 * np.ptp(train, axis=0)
    volume = np.prod(3.0 * np.ptp(train, axis=0))
    assert model.score_samples(beyond[None])[0] == pytest.approx(np.log(weights[1] / weights.sum() / volume), abs=1e-3)


def test_number_of_cells_is_chosen_on_validation():
    model = Histogram(random_state=0).fit(data("line"))
    assert model.chosen_ == model.parameters_["density"].size
    assert 4 <= model.chosen_ <= 64


def test_cells_of_declared_bounds_start_at_the_bounds(fitted):
    edges = fitted("histogram", "land").parameters_["edges"]
    np.testing.assert_allclose(edges, [np.linspace(-180, 180, 9), np.linspace(-90, 90, 9)], atol=1e-4)
