"""Shares and areas: those of SciPy and scikit-learn, and intervals that cover."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from sklearn.metrics import roc_auc_score

from landmass.evaluate.roc import Interval, Placements, blind_variance, true_positives

RNG = np.random.default_rng(0)
POSITIVE = np.arange(500) < 200
SCORES = RNG.normal(size=500) + POSITIVE


@pytest.mark.parametrize("hits, trials", [(0, 20), (3, 20), (20, 20), (13, 1000)])
def test_interval_of_a_share_is_that_of_scipy(hits, trials):
    expected = binomtest(hits, trials).proportion_ci(method="exact")
    assert Interval.of_share(hits / trials, trials) == pytest.approx((hits / trials, expected.low, expected.high))


def test_interval_is_printed_with_its_ends():
    assert str(Interval(0.5, 0.4567, 0.55)) == "0.500 (0.457 to 0.550)"
    assert Interval(0.5, 0.4567, 0.55).percent == "50.0% (45.7% to 55.0%)"


@pytest.mark.parametrize("scores", [SCORES, SCORES.round(), np.zeros(500)])
def test_area_is_that_of_scikit_learn(scores):
    placed = Placements.of(scores, POSITIVE)
    assert placed.area == pytest.approx(roc_auc_score(POSITIVE, scores))
    # The mean is the same from both sides.
    assert placed.negative.mean() == pytest.approx(placed.area)


def test_variance_of_the_area_is_what_repeats_show():
    found = []
    for _ in range(500):
        found.append(Placements.of(RNG.normal(size=500) + POSITIVE, POSITIVE))
    areas = np.array([each.area for each in found])
    # Standard deviations of 500 normal numbers are within 5 · 1/√1000 of the truth but once in a million times.
    assert np.sqrt(np.mean([each.variance for each in found])) == pytest.approx(areas.std(), rel=0.16)
    assert areas.mean() == pytest.approx(norm.cdf(np.sqrt(0.5)), abs=5 * areas.std() / np.sqrt(500))


def test_variance_of_a_difference_counts_what_both_share():
    placed = Placements.of(SCORES, POSITIVE)
    assert (placed - placed).variance == 0.0
    near = Placements.of(SCORES + 0.01 * RNG.normal(size=500), POSITIVE)
    assert (placed - near).variance < 0.01 * placed.variance


def test_one_score_for_all_is_no_more_certain_than_blind_scores():
    blind = [Placements.of(RNG.normal(size=500), POSITIVE).area for _ in range(500)]
    expected = Placements.of(np.ones(500), POSITIVE).variance
    assert expected == blind_variance(200, 300)
    assert np.sqrt(expected) == pytest.approx(np.std(blind), rel=0.16)


def test_true_positives_are_those_above_a_threshold_that_few_others_exceed():
    # Of 300 others three lie above 0.99; members lie above the fourth largest of the others.
    scores = np.concatenate([np.linspace(0.5, 1.5, 200), np.linspace(0.0, 1.0, 300)])
    assert true_positives(scores, POSITIVE, 0.01) == pytest.approx((np.linspace(0.5, 1.5, 200) > 296 / 299).mean())


def test_ties_at_the_threshold_count_in_part():
    assert true_positives(np.zeros(500), POSITIVE, 0.01) == pytest.approx(0.01)
    assert true_positives(POSITIVE.astype(float), POSITIVE, 0.01) == 1.0
    # Of 300 others 30 share the highest score, a tenth of which is 1% of all; so do all members.
    scores = np.where(POSITIVE | (np.arange(500) >= 470), 1.0, 0.0)
    assert true_positives(scores, POSITIVE, 0.01) == pytest.approx(0.1)
