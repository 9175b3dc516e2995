"""Auto-encoders: errors are those that they are trained by, whatever the events, and nothing else is asked of them."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import landmass
from landmass import VAE, AutoEncoder, Ladder, SettingError

SMALL = {"latents": 2, "hidden": 16, "max_steps": 400, "learning_rate": 0.01, "random_state": 0}


def ramps(n, seed=0):
    """Grey images of two numbers: a level, and a slope."""
    rng = np.random.default_rng(seed)
    level, slope = rng.uniform(60.0, 180.0, (n, 1, 1, 1)), rng.uniform(-10.0, 10.0, (n, 1, 1, 1))
    return np.round(level + slope * np.arange(6)[None, :, None, None] * np.ones((1, 1, 4, 1))).astype(np.uint8)


def test_images_come_back_and_their_error_is_the_squared_one_of_half_a_bytes_range():
    model, new = AutoEncoder(**SMALL).fit(ramps(600)), ramps(50, seed=1)
    means = model._means(model.encode(new))
    np.testing.assert_allclose(model.errors(new), (((means - new) / 127.5) ** 2).sum((1, 2, 3)), rtol=1e-3)
    # Two numbers are all that there is to know, but for the rounding; the level alone leaves 10 greys.
    assert np.sqrt(((means - new) ** 2).mean()) < 3.0


def test_every_number_of_a_pixel_is_trained():
    model = AutoEncoder(**SMALL).fit(ramps(200))
    # The decoder's last product gives each of the 24 pixels its mean, and no more.
    assert model.model_.components.coder.decoder.weights[-1]["bias"].shape == (1, 24)


@pytest.mark.parametrize("likelihood", ["categorical", "logistic"])
def test_likelihood_that_no_error_goes_by_is_refused(likelihood):
    with pytest.raises(SettingError, match="likelihood must be 'bernoulli' or 'gaussian' or none, got"):
        AutoEncoder().set_params(likelihood=likelihood).fit(ramps(50))


def test_likelihood_that_does_not_fit_the_events_is_refused_before_any_fit():
    white = landmass.read(ramps(50), binary="draw")
    told = "AutoEncoder's likelihood must be bernoulli for black and white images, got 'gaussian'"
    with pytest.raises(SettingError, match=told):
        AutoEncoder(likelihood="gaussian").fit(white)
    table = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.raises(SettingError, match="likelihood must be gaussian for columns of numbers, got 'bernoulli'"):
        AutoEncoder(likelihood="bernoulli").fit(table)
    with pytest.raises(SettingError, match="one of gaussian, logistic for columns of numbers, got 'bernoulli'"):
        Ladder(["uniform_box", VAE(likelihood="bernoulli")]).fit(table)


def test_errors_need_a_fit():
    with pytest.raises(NotFittedError):
        AutoEncoder().errors(ramps(3))
