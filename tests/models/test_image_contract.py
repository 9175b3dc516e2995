"""What every density of images must do: count to one, draw what it says, come back as it was, refuse what it cannot."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

import landmass
from landmass import DataError, Images, Ladder, SettingError
from landmass.catalog import OF_IMAGES
from tests.models.cases import estimator

RNG = np.random.default_rng(0)


def stripes(n, shape=(1, 2, 1), seed=0):
    """Images whose bytes are dark or bright together, most of them in a few values."""
    rng = np.random.default_rng(seed)
    bright = rng.random((n, 1, 1, 1)) < 0.3
    return np.where(bright, 250, 3).astype(np.uint8) + rng.integers(0, 4, (n, *shape), np.uint8)


@pytest.fixture(scope="module", params=OF_IMAGES)
def fitted(request):
    # The parts of a stack are those of images.
    fresh = landmass.Stack() if request.param == "stack" else estimator(request.param)
    return fresh.fit(stripes(300))


def test_probabilities_of_all_images_sum_to_one(fitted):
    every = np.array(list(itertools.product(range(256), repeat=2)), np.uint8).reshape(-1, 1, 2, 1)
    log_probs, error = fitted.score_samples(every), 1e-5
    if fitted.likelihood_ == "lower_bound" and not hasattr(fitted, "bound"):
        assert 0.1 < np.exp(log_probs).sum() <= 1.0
        return
    if fitted.likelihood_ == "lower_bound":
        # The mean of a bound's draws is unbiased, so that they count to one too, but for their noise.
        log_probs, noise = fitted.bound(every, 200)
        error = 5.0 * np.sqrt((np.exp(2.0 * log_probs) * noise**2).sum())
        assert error < 0.5
    assert np.exp(log_probs).sum() == pytest.approx(1.0, abs=error)


def test_draws_come_as_often_as_they_are_likely(fitted):
    drawn = fitted.sample(20_000, random_state=0)
    assert drawn.shape == (20_000, 1, 2, 1)
    assert drawn.dtype == np.uint8
    every = np.array(list(itertools.product(range(256), repeat=2)), np.uint8).reshape(-1, 1, 2, 1)
    if fitted.likelihood_ == "lower_bound" and not hasattr(fitted, "bound"):
        pytest.skip("a bound that more draws do not bring closer to the chances")
    chances = np.exp(fitted.score_samples(every)).reshape(16, 16, 16, 16).sum((1, 3))
    counts = np.zeros((16, 16))
    np.add.at(counts, tuple(drawn[:, 0, :, 0].T // 16), 1)
    likely = chances * 20_000 > 5
    expected = np.append(chances[likely], chances[~likely].sum() + 1e-12) * 20_000
    seen = np.append(counts[likely], counts[~likely].sum())
    assert stats.chisquare(seen, expected * seen.sum() / expected.sum()).pvalue > 1e-6


def test_saved_density_comes_back_to_the_bit(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    read = landmass.load(tmp_path / "model")
    np.testing.assert_array_equal(read.score_samples(stripes(50, seed=1)), fitted.score_samples(stripes(50, seed=1)))
    np.testing.assert_array_equal(read.sample(5, random_state=1), fitted.sample(5, random_state=1))
    assert read.n_features_in_ == 2


def test_arrays_without_channels_and_images_are_the_same_events(fitted):
    X = stripes(20, seed=2)
    expected = fitted.score_samples(X)
    np.testing.assert_array_equal(fitted.score_samples(X[..., 0]), expected)
    np.testing.assert_array_equal(fitted.score_samples(Images(X)), expected)


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (stripes(5, (2, 2, 1)), "images are 2×2×1, and the model was fitted to 1×2×1"),
        (stripes(5, (1, 2, 3)), "images are 1×2×3"),
        (np.zeros((5, 2)), r"found shape \(5, 2\); reshape"),
        (np.full((5, 1, 2), 0.5), "whole numbers from 0 to 255"),
    ],
)
def test_other_events_are_refused(fitted, events, told):
    with pytest.raises(DataError, match=told):
        fitted.score_samples(events)


def test_independent_bytes_are_frequencies_with_a_share_for_every_value():
    X = stripes(400, (3, 2, 3))
    model = landmass.Independent(smoothing=0.25).fit(X)
    counts = np.stack([(value == X).sum(0) for value in range(256)], axis=-1) + 0.25
    log_p = np.log(counts / counts.sum(-1, keepdims=True))
    new = RNG.integers(0, 256, (30, 3, 2, 3), np.uint8)
    expected = np.take_along_axis(log_p[None], new[..., None].astype(int), axis=-1).sum((1, 2, 3, 4))
    np.testing.assert_allclose(model.score_samples(new), expected, rtol=1e-5)
    np.testing.assert_allclose(model.parameters_["probabilities"], np.exp(log_p), rtol=1e-5)


def test_ladder_of_images_tells_bits_and_the_uniform_one_needs_eight(tmp_path):
    X = stripes(300, (4, 5, 1))
    ladder = Ladder(["uniform_box", "independent", estimator("vae")]).fit(Images(X), folder=tmp_path / "run")
    ledger = ladder.ledger_
    assert [rung.family for rung in ledger.rungs] == ["uniform_box", "independent", "vae", "stack"]
    assert [rung.label for rung in ledger.rungs] == ["exact", "exact", "lower_bound", "exact"]
    assert list(ladder.rungs_["stack"].parts_) == ["uniform_box", "independent"]
    assert "≥" in repr(ladder)
    assert ledger.dimensions == 20
    assert ledger.bits(ledger.rung("uniform_box")) == pytest.approx(8.0, abs=1e-6)
    independent = ledger.rung("independent")
    assert ledger.bits(independent) == pytest.approx(-independent.nats / (20 * math.log(2)))
    assert "bits a dimension" in repr(ladder)
    read = landmass.load(tmp_path / "run")
    np.testing.assert_array_equal(read.score_samples(X[:9]), ladder.score_samples(X[:9]))
    assert read.ledger_ == ledger
    read.recall(Images(X))
    np.testing.assert_array_equal(read.test_.X, ladder.test_.X)


def test_labels_are_predicted_unless_densities_are_asked_for():
    images = Images(stripes(60, (4, 4, 1)), {"kind": np.repeat(["a", "b"], 30)})
    densities = Ladder(["uniform_box", "independent"]).fit(images)
    assert densities.target_ is None
    assert "kind" not in densities.train_.joined(densities.test_).labels


def test_families_of_rows_and_of_images_say_what_they_are_for():
    with pytest.raises(DataError, match="Gaussian is a density of rows, and images holds images"):
        Ladder(["gaussian"]).fit(Images(stripes(60)))
    with pytest.raises(DataError, match="1 images; a density needs two"):
        landmass.Independent().fit(stripes(1))
    with pytest.raises(SettingError, match="smoothing must be None or above 0"):
        landmass.Independent(smoothing=0.0).fit(stripes(20))
