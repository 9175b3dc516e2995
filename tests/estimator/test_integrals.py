import numpy as np
import pytest
from scipy import stats

from landmass import Bounded, Positive, Real
from landmass.estimator.integrals import integrate_along

NO_JUMPS = np.empty(0)


def along_first(log_prob, X, drawn, column=None, jumps=NO_JUMPS):
    """The log-integrals along the first column."""
    return integrate_along(log_prob, np.asarray(X, float), 0, column or Real(name="x"), drawn, jumps).log_total


@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.99999])
def test_normal_density_leaves_the_marginal_even_far_away_from_all_draws(correlation):
    truth = stats.multivariate_normal([0.0, 0.0], [[1.0, correlation], [correlation, 1.0]])
    X = np.concatenate([truth.rvs(50, random_state=0), [[0.0, 100.0], [-5.0, 5.0], [1e4, -1e4], [0.0, 1e5]]])
    found = along_first(truth.logpdf, X, truth.rvs(1_000, random_state=1)[:, 0])
    np.testing.assert_allclose(found, stats.norm.logpdf(X[:, 1]), rtol=0.0, atol=0.01)


def test_narrow_peak_within_a_wide_bell_is_not_missed():
    def log_prob(X):
        parts = stats.norm.logpdf(X[:, 0], 0.0, 5.0), stats.norm.logpdf(X[:, 0], 3.0, 0.001)
        return np.logaddexp(*parts) - np.log(2.0)

    rng = np.random.default_rng(0)
    drawn = np.concatenate([rng.normal(0.0, 5.0, 500), rng.normal(3.0, 0.001, 500)])
    assert along_first(log_prob, [[0.0], [3.0], [50.0]], drawn) == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize(
    ("truth", "column"),
    [
        (stats.lognorm(2.0), Positive(name="x")),
        (stats.beta(2.0, 1.0), Bounded(name="x", low=0.0, high=1.0)),
        (stats.beta(0.5, 0.5), Bounded(name="x", low=0.0, high=1.0)),
    ],
)
def test_integral_ends_where_the_column_does(truth, column):
    def log_prob(X):
        # SciPy's density is infinite at some ends, landmass's never is.
        return truth.logpdf(np.clip(X[:, 0], 1e-12, column.high - 1e-12))

    found = along_first(log_prob, [[0.5], [0.01]], truth.rvs(1_000, random_state=0), column)
    assert found == pytest.approx(0.0, abs=0.01)


def test_jumps_are_met_where_they_are_told():
    edges, heights = np.linspace(-1.0, 1.0, 51), np.random.default_rng(0).gamma(0.3, size=50)
    heights /= heights.sum() * 0.04

    def log_prob(X):
        cell = np.searchsorted(edges, X[:, 0], side="right") - 1
        inside = (cell >= 0) & (cell < 50)
        return np.where(inside, np.log(heights[np.clip(cell, 0, 49)]), -np.inf)

    drawn = np.random.default_rng(1).uniform(-1.0, 1.0, 1_000)
    assert along_first(log_prob, [[0.3]], drawn, jumps=edges) == pytest.approx(0.0, abs=1e-3)


def test_tail_is_the_chance_of_values_no_likelier():
    drawn, X = stats.norm.rvs(size=1_000, random_state=0), np.array([[0.0], [1.0], [-2.0], [3.0], [6.0]])
    found = integrate_along(lambda X: stats.norm.logpdf(X[:, 0]), X, 0, Real(name="x"), drawn, NO_JUMPS)
    np.testing.assert_allclose(found.log_tail, np.log(2.0 * stats.norm.sf(np.abs(X[:, 0]))), rtol=0.0, atol=0.1)
    np.testing.assert_allclose(found.log_tail[:4], np.log(2.0 * stats.norm.sf(np.abs(X[:4, 0]))), rtol=0.0, atol=0.015)


def test_no_value_of_a_flat_density_is_likelier_than_another():
    drawn, low = np.random.default_rng(0).uniform(size=1_000), np.array([[0.1], [0.5], [2.0]])
    inside = lambda X: np.where((X[:, 0] >= 0.0) & (X[:, 0] <= 1.0), 0.0, -np.inf)  # noqa: E731
    found = integrate_along(inside, low, 0, Real(name="x"), drawn, np.array([0.0, 1.0]))
    np.testing.assert_allclose(found.log_tail, [0.0, 0.0, -np.inf], atol=0.01)


def test_density_that_is_zero_all_along_has_no_mass():
    assert along_first(lambda X: np.full(len(X), -np.inf), [[0.3]], np.linspace(0.0, 1.0, 99)) == -np.inf


def test_integral_that_does_not_settle_is_not_told():
    rng = np.random.default_rng(0)
    assert np.isnan(along_first(lambda X: rng.normal(0.0, 50.0, len(X)), [[0.3]], np.linspace(0.0, 1.0, 99))).all()
