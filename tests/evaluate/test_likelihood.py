import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

import landmass
from landmass.errors import SettingError
from landmass.evaluate.likelihood import product, surface

RNG = np.random.default_rng(0)
TWO = RNG.normal((1.0, -2.0), (1.0, 3.0), (400, 2))


def test_product_underflows_where_float64_ends():
    found = product(np.full(2000, np.log(1e-10)))
    assert (found.value, found.n) == (0.0, 2000)
    # 1e-330 is the first power of 1e-10 below 5e-324.
    assert found.ended == 33
    assert found.log_likelihood == pytest.approx(-2000 * 10 * np.log(10))


def test_product_overflows_to_infinity():
    found = product(np.full(100, np.log(1e10)))
    assert (found.value, found.ended) == (np.inf, 31)


def test_short_product_is_a_product():
    found = product(np.log([0.5, 0.25]))
    assert found.value == pytest.approx(0.125)
    assert found.ended is None


def test_impossible_event_makes_the_product_zero():
    found = product(np.array([0.0, -np.inf, 0.0]))
    assert (found.value, found.ended, found.log_likelihood) == (0.0, 2, -np.inf)


def test_gaussian_peaks_at_the_sample_mean():
    found = surface(landmass.Gaussian().fit(TWO), TWO)
    assert found.peak == pytest.approx(TWO.mean(axis=0), abs=1e-5)
    assert found.fitted == pytest.approx(TWO.mean(axis=0), abs=1e-5)


def test_gaussian_surface_matches_scipy():
    found = surface(landmass.Gaussian().fit(TWO), TWO)
    covariance = np.cov(TWO.T, bias=True)
    for i, j in ((0, 0), (5, 30), (20, 40)):
        mean = [found.axes[0][i], found.axes[1][j]]
        expected = multivariate_normal(mean, covariance).logpdf(TWO).sum()
        expected -= multivariate_normal(TWO.mean(axis=0), covariance).logpdf(TWO).sum()
        assert found.log_likelihood[i, j] == pytest.approx(expected, abs=2e-3)


def test_one_column_varies_mean_and_standard_deviation():
    x = TWO[:, :1]
    found = surface(landmass.Gaussian().fit(x), x)
    assert found.peak == pytest.approx((x.mean(), x.std()), rel=1e-5)
    expected = norm.logpdf(x, found.axes[0][3], found.axes[1][37]).sum() - norm.logpdf(x, x.mean(), x.std()).sum()
    assert found.log_likelihood[3, 37] == pytest.approx(expected, abs=2e-3)


def test_box_is_impossible_inside_the_outermost_event_and_likeliest_on_it():
    found = surface(landmass.UniformBox().fit(TWO), TWO)
    assert found.peak == pytest.approx(TWO.max(axis=0), rel=1e-5)
    assert np.isneginf(found.log_likelihood[:20]).all()
    assert np.isfinite(found.log_likelihood[20:, 20:]).all()
    # Each event loses the logarithm of the widening.
    low = landmass.UniformBox().fit(TWO).parameters_["low"][0]
    widening = np.log((found.axes[0][40] - low) / (found.axes[0][20] - low))
    assert found.log_likelihood[40, 20] == pytest.approx(-400 * widening, rel=1e-2)


def test_mixture_stands_near_a_peak():
    x = np.concatenate([RNG.normal(-4.0, 1.0, (300, 2)), RNG.normal(4.0, 1.0, (200, 2))])
    mixture = landmass.GaussianMixture(n_components=2, random_state=0).fit(x)
    found = surface(mixture, x)
    assert found.peak == pytest.approx((-4.0, -4.0), abs=0.4)
    assert found.peak == pytest.approx(found.fitted, abs=0.1)


def test_family_without_two_telling_numbers_says_so():
    with pytest.raises(SettingError, match="Histogram has no two numbers"):
        surface(landmass.Histogram(n_cells=4).fit(TWO), TWO)


def test_two_columns_on_bounds_are_varied_in_their_own_units():
    data = landmass.read("land", n=300)
    found = surface(landmass.Gaussian().fit(data), data.X)
    assert found.labels == ("median of longitude", "median of latitude")
    assert -180.0 < found.axes[0][0] < found.peak[0] < found.axes[0][-1] < 180.0
