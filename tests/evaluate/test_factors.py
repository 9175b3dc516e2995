"""Factors: codes made of them tell them, turned ones share them, and noise tells nothing.

Bounds on chance are five standard errors or more: one false alarm in a million.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, norm
from sklearn.feature_selection import mutual_info_classif

from landmass.errors import DataError
from landmass.evaluate.factors import Recovery, compare, equal_mass, recovery

RNG = np.random.default_rng(0)
N = 4000
WIDTH, HEIGHT, TILT = RNG.normal(size=N), RNG.uniform(-1.7, 1.7, N), RNG.normal(size=N)
FACTORS = {"width": WIDTH, "height": HEIGHT, "hat": np.where(TILT > 0.0, "yes", "no")}
NOISE = RNG.normal(size=(N, 3))


@pytest.fixture(scope="module")
def aligned():
    return recovery(np.column_stack([WIDTH, -5.0 * HEIGHT, TILT, NOISE[:, 0]]), FACTORS)


@pytest.fixture(scope="module")
def turned():
    return recovery(np.column_stack([WIDTH + HEIGHT, WIDTH - HEIGHT, TILT]), FACTORS)


@pytest.fixture(scope="module")
def noise():
    return recovery(NOISE, FACTORS)


def test_latents_that_are_factors_are_recovered_and_apart(aligned):
    assert aligned.scores == ("R²", "R²", "accuracy")
    assert aligned.linear == pytest.approx([1.0, 1.0, 1.0], abs=0.03)
    assert aligned.nonlinear == pytest.approx([1.0, 1.0, 1.0], abs=0.02)
    assert aligned.mutual_information_gap > 0.95
    assert aligned.disentanglement > 0.99
    assert aligned.completeness > 0.99
    assert aligned.information.argmax(axis=0).tolist() == [0, 1, 2]


def test_turned_pair_is_recovered_but_shared(turned):
    assert turned.linear[:2] == pytest.approx([1.0, 1.0])
    assert turned.nonlinear[:2] == pytest.approx([1.0, 1.0], abs=0.03)
    assert (turned.gaps[:2] < 0.05).all()
    assert turned.gaps[2] > 0.9
    # Two latents share two factors evenly, the third has its own: 1 - log_3(2) for two of three.
    assert turned.disentanglement == pytest.approx(1 - 2 / 3 * np.log(2) / np.log(3), abs=0.05)
    assert turned.completeness == pytest.approx(turned.disentanglement, abs=0.05)


def test_noise_recovers_nothing(noise):
    # Five standard errors of a correlation of 2,000 events; balanced accuracy varies by twice 0.011.
    assert (np.abs(noise.linear) < 0.12).all()
    # Trees fit a little of it, and so do worse than a blind guess.
    assert ((noise.nonlinear > -0.2) & (noise.nonlinear < 0.12)).all()
    assert noise.mutual_information_gap < 0.02
    assert noise.disentanglement < 0.02
    assert noise.completeness < 0.02


def test_what_is_not_linear_is_told_by_trees_only():
    found = recovery(np.column_stack([WIDTH, NOISE[:, 0]]), {"size": WIDTH**2, "far": np.abs(WIDTH) > 1.0})
    assert (np.abs(found.linear) < 0.15).all()
    assert (found.nonlinear > 0.9).all()


def test_linear_score_is_the_share_of_variance_that_the_code_holds():
    # A code of correlation 0.8; ten standard errors of its square.
    found = recovery((0.8 * WIDTH + 0.6 * NOISE[:, 0])[:, None], {"width": WIDTH})
    assert found.linear[0] == pytest.approx(0.64, abs=10 * 2 * 0.8 * 0.36 / np.sqrt(N / 2))
    assert np.isnan([found.mutual_information_gap, found.disentanglement, found.completeness]).all()


def test_mutual_information_of_correlated_gaussians_in_bins():
    n, correlation = 20_000, 0.7
    x = RNG.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], n)
    found = recovery(x[:, :1], {"y": x[:, 1]}).information[0, 0]
    edges = norm.ppf(np.arange(21) / 20).clip(-9, 9)
    corners = np.stack(np.meshgrid(edges, edges), axis=-1)
    joint = np.diff(np.diff(multivariate_normal([0, 0], [[1, correlation], [correlation, 1]]).cdf(corners), axis=0))
    joint = np.maximum(joint, 1e-300)
    expected = (joint * np.log(joint * 400)).sum()
    # What counts of so many cells add on average (Miller 1955); a standard error is 0.005.
    assert found - 19 * 19 / (2 * n) == pytest.approx(expected, abs=0.025)


def test_information_about_classes_is_that_of_scikit_learn(turned):
    codes = np.column_stack([WIDTH + HEIGHT, WIDTH - HEIGHT, TILT])
    binned = np.column_stack([equal_mass(latent) for latent in codes.T])
    expected = mutual_info_classif(binned, FACTORS["hat"], discrete_features=True)
    assert turned.information[:, 2] == pytest.approx(expected)


def test_classes_are_not_merged_however_many():
    town = np.repeat([f"town {i:02}" for i in range(40)], 25)
    found = recovery(RNG.normal(size=(1000, 1)), {"town": town})
    assert found.entropy == pytest.approx([np.log(40)])


def test_factors_may_be_a_table():
    found = recovery(np.column_stack([WIDTH, TILT])[:200], pd.DataFrame(FACTORS)[:200])
    assert found.names == ("width", "height", "hat")
    with pytest.raises(DataError, match="no factors"):
        recovery(NOISE, pd.DataFrame())


def test_bins_hold_equally_many_and_keep_equal_values_together():
    assert np.bincount(equal_mass(WIDTH)).tolist() == [N // 20] * 20
    assert equal_mass(np.array([5.0, 1.0, 5.0, 2.0])).tolist() == [2, 0, 2, 1]
    many = equal_mass(np.array([0.0] * 900 + list(range(1, 101))), 10)
    assert many[:900].tolist() == [many[0]] * 900
    assert len(set(many)) == 2


def told(importance):
    importance = np.array(importance)
    none = np.zeros(importance.shape[1])
    return Recovery(("a", "b"), ("R²", "R²"), none, none, importance, none + 1.0, importance)


def test_disentanglement_and_completeness_of_importances_by_hand():
    found = told([[1.0, 0.5], [0.0, 0.5]])
    # The first latent has 3/4 of the weight and 1 - H(1/3) = 0.0817 bits; the second is of one factor.
    assert found.disentanglement == pytest.approx(0.75 * 0.0817042 + 0.25)
    assert found.completeness == pytest.approx(0.5)
    assert found.gaps == pytest.approx([1.0, 0.0])
    assert told([[0.5, 0.5], [0.5, 0.5]]).disentanglement == pytest.approx(0.0)
    # An unused latent does not count; nothing told is nothing apart.
    assert told([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).disentanglement == pytest.approx(1.0)
    assert told([[0.0, 0.0], [0.0, 0.0]]).disentanglement == 0.0


def test_events_without_a_value_are_left_out_of_that_factor(aligned):
    width, hat = WIDTH.copy(), FACTORS["hat"].astype(object)
    codes = np.column_stack([WIDTH, TILT])
    codes[:1000] = RNG.normal(size=(1000, 2))
    width[:1000], hat[:500], hat[500:1000] = np.nan, None, ""
    found = recovery(codes, {"width": width, "hat": hat})
    assert found.linear == pytest.approx([1.0, 1.0], abs=0.03)


def test_same_seed_gives_the_same_and_another_seed_another():
    codes = np.column_stack([WIDTH + NOISE[:, 0], HEIGHT])[:300]
    factors = {"width": WIDTH[:300], "hat": FACTORS["hat"][:300]}
    first, second, third = (recovery(codes, factors, seed).measures() for seed in (0, 0, 1))
    assert first == second
    assert first != third


def test_models_stand_side_by_side_and_seeds_in_one_column(aligned, noise):
    lines = compare([("VAE", aligned), ("PCA", noise), ("VAE", aligned)]).splitlines()
    assert lines[0].split() == ["VAE", "PCA"]
    assert lines[1].split() == ["width:", "R²,", "linear", "1.000", "±", "0.000", f"{noise.linear[0]:.3f}"]
    assert lines[-4].startswith("mutual information gap")
    with pytest.raises(DataError, match="compared on the same factors"):
        compare([("VAE", aligned), ("other", told([[1.0, 0.0]]))])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones(50), "'width' has one class only: it is 1.0 in all of 50"),
        ([1.0] * 12 + [2.0] * 12 + [np.nan] * 26, "'width' has 24 labelled events, of which 40 are needed"),
        (["yes"] * 48 + ["no"] * 2, "'width' has 2 events of class 'no', of which 5 are needed"),
        (np.arange(49.0), r"labels of shape \(49,\), but there are 50 events"),
        (np.r_[np.arange(49.0), np.inf], "infinite labels"),
    ],
)
def test_factor_that_nothing_can_be_learned_of_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        recovery(NOISE[:50], {"width": values})
