"""Gaussian: NumPy's mean and covariance, SciPy's density."""

import numpy as np
import pytest
from scipy import stats

from landmass import DataError, Dataset, Gaussian, Positive, Schema
from tests.models.cases import data


def test_mean_and_covariance_are_numpys(fitted, plane):
    parameters = fitted("gaussian", "plane").parameters_
    np.testing.assert_allclose(parameters["mean"], plane.mean(0), atol=1e-5)
    np.testing.assert_allclose(parameters["covariance"], np.cov(plane.T, bias=True), rtol=1e-4, atol=1e-5)
    assert fitted("gaussian", "plane").n_parameters_ == 5


def test_log_density_is_scipys(fitted, plane):
    truth = stats.multivariate_normal(plane.mean(0), np.cov(plane.T, bias=True))
    X = np.concatenate([plane, 10.0 * plane[:50]])
    np.testing.assert_allclose(fitted("gaussian", "plane").score_samples(X), truth.logpdf(X), rtol=1e-4, atol=1e-4)


def test_positive_column_is_log_normal():
    X = data("mixed").X[:, [1]]
    truth = stats.lognorm(s=np.log(X).std(), scale=np.exp(np.log(X).mean()))
    model = Gaussian().fit(Dataset(X, Schema((Positive(name="a"),))))
    np.testing.assert_allclose(model.score_samples(X), truth.logpdf(X[:, 0]), rtol=1e-4, atol=1e-4)


def test_distant_and_tiny_units_keep_the_density():
    X = 1e6 + 1e-3 * data("plane").X
    truth = stats.multivariate_normal(X.mean(0), np.cov(X.T, bias=True))
    np.testing.assert_allclose(Gaussian().fit(X).score_samples(X), truth.logpdf(X), rtol=1e-3, atol=1e-3)


def test_linear_combination_of_columns_is_named(plane):
    X = np.column_stack([plane, plane @ [1.0, -2.0]])
    with pytest.raises(DataError, match=r"column 'x3' is a linear combination of the columns before it.*drop"):
        Gaussian().fit(X)


def test_copy_of_a_column_is_named(plane):
    with pytest.raises(DataError, match="column 'x2' is a linear combination"):
        Gaussian().fit(np.repeat(plane[:, :1], 2, axis=1))


def test_columns_that_are_nearly_dependent_are_still_fitted(plane):
    X = np.column_stack([plane, plane @ [1.0, -2.0] + 0.05 * np.random.default_rng(0).standard_normal(len(plane))])
    truth = stats.multivariate_normal(X.mean(0), np.cov(X.T, bias=True))
    assert Gaussian().fit(X).score(X) == pytest.approx(truth.logpdf(X).mean(), abs=0.01)


def test_fewer_rows_than_columns_are_refused():
    with pytest.raises(DataError, match="fewer rows than columns"):
        Gaussian().fit(np.random.default_rng(0).standard_normal((3, 5)))


def test_shrunk_covariance_is_that_of_fewer_rows_than_columns():
    X = np.random.default_rng(0).standard_normal((4, 6)) * [1.0, 10.0, 0.1, 3.0, 1.0, 1e3]
    covariance = np.cov(X.T, bias=True)
    shrunk = 0.7 * covariance + 0.3 * np.diag(np.diagonal(covariance))
    truth = stats.multivariate_normal(X.mean(0), shrunk)
    np.testing.assert_allclose(Gaussian(shrinkage=0.3).fit(X).score_samples(X), truth.logpdf(X), rtol=1e-4, atol=1e-4)
