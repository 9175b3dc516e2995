"""Calibration: probabilities that are right have no error beyond chance, wrong ones have theirs."""

import numpy as np
import pytest

from landmass import DataError, NeuralClassifier
from landmass.evaluate.calibration import calibration, reliability


def drawn(n=60_000, seed=0):
    rng = np.random.default_rng(seed)
    probability = rng.beta(0.7, 0.7, n)
    return probability, rng.random(n) < probability


def test_right_probabilities_have_no_error_beyond_chance():
    found = reliability(*drawn(), "rain", 15)
    # 15 bins of 4,000 events: each frequency is off by at most 0.008 on average, by chance.
    assert found.error < 0.01
    assert sum(found.count) == 60_000
    assert "expected calibration error of rain" in str(found)


def test_error_of_overconfidence_is_the_mean_distance():
    probability, came = drawn()
    # Every probability a tenth too high, below the top: the expected error is that tenth.
    below = probability < 0.9
    found = reliability(probability[below] + 0.1, came[below], "rain", 15)
    assert found.error == pytest.approx(0.1, abs=0.01)


def test_events_of_one_probability_share_a_bin_in_whatever_order():
    probability = np.array([0.1, 0.5, 0.5, 0.5, 0.5, 0.9])
    for came in ([0, 1, 1, 1, 0, 1], [0, 0, 1, 1, 1, 1], [0, 1, 0, 1, 1, 1]):
        found = reliability(probability, np.array(came, bool), "rain", 3)
        assert found.count == (1, 4, 1)
        assert found.frequency == (0.0, 0.75, 1.0)
        # One event off by 0.1, four by 0.25, one by 0.1.
        assert found.error == pytest.approx((0.1 + 4 * 0.25 + 0.1) / 6)


def test_bins_of_distinct_probabilities_hold_equally_many():
    found = reliability(np.linspace(1.0, 0.0, 11), np.arange(11) < 5, "rain", 3)
    assert found.count == (4, 4, 3)
    assert found.probability == pytest.approx((0.15, 0.55, 0.9))
    assert found.frequency == pytest.approx((0.0, 0.5, 1.0))


def test_blind_guess_is_off_by_its_distance_from_the_frequency():
    X, y = np.arange(60.0)[:, None], np.arange(60) % 3 == 0
    blind = NeuralClassifier(architecture="constant", max_steps=30, random_state=0).fit(X, y)
    found = calibration(blind, X, y)
    assert found.count == (60,)
    assert found.error == pytest.approx(abs(blind.predict_proba(X)[0, 1] - 1 / 3))


class Oracle:
    """Knows the chances of three classes."""

    classes_ = np.array(["a", "b", "c"])

    def __init__(self, chances):
        self.chances = chances

    def predict_proba(self, X):
        return self.chances


def test_of_many_classes_the_likeliest_is_judged():
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.ones(3), 30_000)
    y = np.array(["a", "b", "c"])[(rng.random(30_000)[:, None] > chances.cumsum(1)).sum(1)]
    found = calibration(Oracle(chances), rng.random((30_000, 2)), y)
    assert found.of == "the likeliest class"
    assert found.error < 0.015
    sharper = chances**3 / (chances**3).sum(1, keepdims=True)
    assert calibration(Oracle(sharper), rng.random((30_000, 2)), y).error > 0.1


def test_fewer_events_than_bins_are_refused():
    with pytest.raises(DataError, match="10 events do not fill 15 bins"):
        reliability(np.full(10, 0.5), np.ones(10, bool), "rain", 15)
