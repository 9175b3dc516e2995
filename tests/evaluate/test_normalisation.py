import numpy as np
import pytest
from scipy.stats import lognorm, norm

import landmass
from landmass.data.schema import Bounded, Positive, Real, Schema
from landmass.evaluate.normalisation import importance_integral, integral, integration_grid


@pytest.fixture(scope="module")
def gaussian():
    return landmass.Gaussian().fit(np.random.default_rng(0).normal(3.0, 2.0, (500, 2)))


def test_grid_covers_the_declared_bounds_exactly():
    schema = Schema(
        (Bounded(name="a", low=-180.0, high=180.0, unit="m"), Bounded(name="b", low=-90, high=90, unit="m"))
    )
    grid = integration_grid(schema, np.zeros((1, 2)))
    assert grid.volumes.sum() == pytest.approx(360.0 * 180.0, rel=1e-12)
    assert grid.shape == (384, 192)


def test_grid_of_an_unbounded_column_is_three_times_as_wide_as_the_events():
    grid = integration_grid(Schema((Real(name="a"),)), np.array([[1.0], [4.0]]))
    assert (grid.edges[0][0], grid.edges[0][-1]) == (-2.0, 7.0)


def test_integral_of_a_normal_density_matches_scipy():
    x = np.array([[-1.0], [1.0]])
    grid = integration_grid(Schema((Real(name="a"),)), x)
    found = grid.integrate(norm.pdf(grid.points[:, 0]))
    assert found.value == pytest.approx(norm.cdf(3.0) - norm.cdf(-3.0), abs=1e-7)


def test_a_long_positive_tail_is_integrated_to_one():
    x = lognorm.rvs(1.5, size=(400, 1), random_state=0)
    grid = integration_grid(Schema((Positive(name="a"),)), x)
    assert grid.integrate(lognorm.pdf(grid.points[:, 0], 1.5)).value == pytest.approx(1.0, abs=1e-4)


def test_error_of_a_jump_covers_the_truth():
    schema = Schema((Bounded(name="a", low=0.0, high=1.0), Bounded(name="b", low=0.0, high=1.0)))
    grid = integration_grid(schema, np.zeros((1, 2)))
    disc = ((grid.points - 0.5) ** 2).sum(axis=1) < 0.4**2
    found = grid.integrate(disc.astype(float))
    assert abs(found.value - np.pi * 0.4**2) <= found.error


def test_fitted_gaussian_integrates_to_one(gaussian):
    found = integral(gaussian, gaussian.sample(500, random_state=0))
    assert found.value == pytest.approx(1.0, abs=1e-6)


def test_half_a_density_integrates_to_one_half(gaussian):
    # The negative control: a density that is not one is found out.
    grid = integration_grid(gaussian.data_.schema, gaussian.sample(500, random_state=0))
    assert grid.integrate(0.5 * np.exp(gaussian.score_samples(grid.points))).value == pytest.approx(0.5, abs=1e-6)


def test_importance_sampling_agrees_with_the_closed_form():
    rng = np.random.default_rng(0)
    x = rng.normal(0.0, 1.5, (20_000, 4))
    log_ratio = norm.logpdf(x).sum(axis=1) - norm.logpdf(x, scale=1.5).sum(axis=1)
    found = importance_integral(log_ratio)
    assert found is not None
    # Five standard errors: a false alarm in 1.7 million.
    assert abs(found.value - 1.0) < 5.0 * found.error
    doubled = importance_integral(log_ratio + np.log(2.0))
    assert doubled is not None and doubled.value == pytest.approx(2.0 * found.value)


def test_importance_sampling_that_hangs_on_a_few_events_is_refused():
    log_ratio = np.full(4096, -30.0)
    log_ratio[:3] = 0.0
    assert importance_integral(log_ratio) is None
    assert importance_integral(np.full(10, -np.inf)) is None
