"""Latents, edits and nearest events: against closed forms, SciPy and sums by hand."""

import sys

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.spatial.distance import cdist, mahalanobis
from scipy.stats import chi, fisher_exact, norm

from landmass.errors import DataError
from landmass.evaluate.edits import what_changed
from landmass.evaluate.latents import active_units, divergences, effects
from landmass.evaluate.nearest import copies, copying, nearest
from landmass.evaluate.readers import Reader
from landmass.train.cloud import Cloud

RNG = np.random.default_rng(0)


def posterior_means(variances, n=5000):
    """What a linear Gaussian encoder gives: means of variance v, a spread of 1 - v, and so -log(1 - v) / 2 nats."""
    v = np.array(variances)
    z = RNG.normal(size=(n, len(v)))
    return (z - z.mean(0)) / z.std(0) * np.sqrt(v), -0.5 * np.log(1.0 - v)


def test_used_latents_are_those_whose_posterior_mean_varies():
    means, kl = posterior_means([0.9, 0.0001, 0.5, 0.011, 0.009, 0.0])
    found = active_units(means, kl=kl)
    assert found.active.tolist() == [True, False, True, True, False, False]
    assert found.variance == pytest.approx([0.9, 0.0001, 0.5, 0.011, 0.009, 0.0])
    assert found.kl == pytest.approx(kl)


def test_posterior_collapse_is_said_in_words():
    means, kl = posterior_means([0.9, 0.0001, 0.5, 0.0])
    assert str(active_units(means, kl=kl)) == (
        "Posterior collapse: 2 of 4 latents are unused (counted from 0: 1, 3): their posterior is the prior for every "
        "event (5e-05 nats). The others carry 1.5 nats an event."
    )
    # -log(0.1) / 2 - log(0.5) / 2 = 1.498.
    assert str(active_units(means[:, [0, 2]], kl=kl[[0, 2]])) == "All 2 latents are used; they carry 1.5 nats an event."
    assert "4 of 4 latents are unused: their posterior is the prior" in str(active_units(0.0 * means, kl=0.0 * kl))


def test_divergence_of_each_event_is_averaged():
    means, kl = posterior_means([0.9, 0.0])
    assert active_units(means, kl=np.tile(kl, (len(means), 1))).kl == pytest.approx(kl)
    with pytest.raises(DataError, match=r"divergences have shape \(3,\)"):
        active_units(means, kl=np.zeros(3))


def test_constant_posterior_that_is_not_the_prior_is_not_called_so():
    means, kl = posterior_means([0.9, 0.0])
    assert "1 of 2 latents is unused (counted from 0: 1): the mean of its posterior hardly moves" in str(
        active_units(means)
    )
    found = str(active_units(means, kl=kl + np.array([0.0, 0.7])))
    assert "its posterior is not the prior (up to 0.7 nats from it)" in found
    assert "collapse" not in found


def correlated(n=4000):
    return RNG.normal(size=(n, 3)) @ RNG.normal(size=(3, 3)) + np.array([3.0, 0.0, -5.0])


def test_distance_from_the_data_is_mahalanobis_distance():
    z = correlated()
    cloud = Cloud.of(z)
    inverse = np.linalg.inv(np.cov(z.T, bias=True))
    expected = [mahalanobis(each, z.mean(0), inverse) for each in z[:50]]
    assert cloud.ratios(z[:50]) * cloud.typical == pytest.approx(expected)
    # Of Gaussian codes the mean distance is that of a chi distribution; ten standard errors.
    assert cloud.typical == pytest.approx(chi(3).mean(), abs=10 * chi(3).std() / np.sqrt(len(z)))


def test_fewer_than_one_code_in_a_thousand_is_outside():
    z = correlated()
    assert Cloud.of(z).outside(z).sum() == 3
    # Of few codes none.
    assert not Cloud.of(z[:300]).outside(z[:300]).any()


def test_code_far_from_the_data_is_said_to_be():
    z = correlated()
    cloud = Cloud.of(z)
    assert cloud.sentence(z.mean(0)) == (
        "The code lies within the data: 0 times as far from the middle as the training codes on average, farther than "
        "0 of 4,000."
    )
    far = z.mean(0) + 8.0 * np.array([z[:, 0].std(), 0.0, 0.0])
    assert "lies outside the data" in cloud.sentence(far)
    assert "farther than 4,000 of 4,000" in cloud.sentence(far)


def test_code_of_a_constant_latent_is_far_from_any_other_value():
    z = correlated()
    z[:, 1] = 2.0
    cloud = Cloud.of(z)
    assert np.isfinite(cloud.distances).all()
    assert not cloud.outside(z[:10] * 0.5 + z.mean(0) * 0.5).any()
    assert cloud.outside(z[:10] + np.array([0.0, 0.1, 0.0])).all()


def test_codes_without_spread_are_refused():
    with pytest.raises(DataError, match="all 30 codes are the same"):
        Cloud.of(np.full((30, 2), 0.1))
    with pytest.raises(DataError, match="one code has no spread"):
        Cloud.of(np.zeros((1, 2)))
    with pytest.raises(DataError, match="1 of 3 codes are not finite, the first in row 1"):
        Cloud.of(np.array([[0.0], [np.nan], [1.0]]))


def test_edit_is_told_in_shares_of_range_and_in_standard_deviations():
    before = {"smile": np.array([0.0, 1.0, 2.0, 3.0]), "width": np.array([1.0, 1.0, 5.0, 5.0]), "hat": np.zeros(4)}
    after = {"smile": np.array([2.0, 3.0, 4.0, 5.0]), "width": np.array([2.0, 0.0, 6.0, np.nan]), "hat": np.ones(4)}
    found = what_changed(before, after, {"smile": 2.0})
    # A range of 3 and a variance of 5/4; a range of 4 and a variance of 4, in three events.
    assert found["smile"] == (
        "smile",
        True,
        2.0,
        2 / 3,
        pytest.approx(2 / np.sqrt(1.25)),
        pytest.approx(1.789, abs=1e-3),
        4,
    )
    assert found["width"] == ("width", False, pytest.approx(1 / 3), pytest.approx(1 / 12), pytest.approx(1 / 6), 0.5, 3)
    assert found["hat"].mean == 1.0
    assert np.isnan(found["hat"].in_sds)
    lines = str(found).splitlines()
    assert [line.split()[0] for line in lines] == ["attribute", "smile", "width", "hat"]
    assert lines[1].split() == ["smile", "yes", "+2", "+66.7%", "+1.79", "1.79", "4"]


def test_edit_of_one_event_is_scaled_by_the_data():
    data = {"smile": np.array([False, True] * 50)}
    found = what_changed({"smile": np.array([0.1])}, {"smile": np.array([0.6])}, "smile", data)["smile"]
    assert (found.of_range, found.in_sds) == pytest.approx((0.5, 1.0))


def test_words_of_an_edit_count_as_a_reader_tells_them():
    # The probability of "yes", and the data's own words: a variance of 1/4.
    read = {"smiling": np.array([0.25, 0.5])}, {"smiling": np.array([0.75, 1.0])}
    words = np.array(["no", "yes", None, "yes", "no", ""], object)
    found = what_changed(*read, "smiling", {"smiling": words})["smiling"]
    assert (found.mean, found.of_range, found.in_sds, found.n) == pytest.approx((0.5, 0.5, 1.0, 2))
    # Before and after may be words too, of which one shows a single class.
    before, after = np.array(["no", "no", "", "no"]), np.array(["yes", "no", "yes", "yes"])
    found = what_changed({"hat": before}, {"hat": after}, "hat", {"hat": np.array(["no", "yes"])})["hat"]
    assert (found.mean, found.in_sds, found.n) == pytest.approx((2 / 3, 4 / 3, 3))
    with pytest.raises(DataError, match="'hat' has words of 3 classes, cap, no, yes; give numbers, or make"):
        what_changed({"hat": before}, {"hat": after}, "hat", {"hat": np.array(["no", "cap"])})


def test_edit_measured_differently_before_and_after_is_refused():
    one, two = {"smile": np.zeros(3)}, {"smile": np.zeros(2)}
    with pytest.raises(DataError, match="asked for hat"):
        what_changed(one, one, "hat")
    with pytest.raises(DataError, match="'smile' was measured in 3 events before the edit, 2 after"):
        what_changed(one, two, "smile")
    with pytest.raises(DataError, match="in no event both"):
        what_changed(one, {"smile": np.full(3, np.nan)}, "smile")


def test_nearest_events_are_those_of_all_distances(monkeypatch):
    train, events = RNG.normal(size=(83, 4)), RNG.normal(size=(31, 4))
    expected = cdist(events, train)
    # Blocks of seven rows.
    # The package's `nearest` is the function of that name.
    nearest_module = sys.modules[nearest.__module__]
    for block in (nearest_module.BLOCK, 7 * 8 * 4):
        monkeypatch.setattr(nearest_module, "BLOCK", block)
        found = nearest(events, train, 9)
        assert (found.indices == expected.argsort(axis=1)[:, :9]).all()
        assert found.distances == pytest.approx(np.sort(expected, axis=1)[:, :9])


def test_copy_of_a_picture_is_at_distance_zero():
    train = RNG.integers(0, 256, (200, 8, 8, 3), np.uint8)
    found = nearest(train[[17, 150]], train, 2)
    assert found.indices[:, 0].tolist() == [17, 150]
    assert (found.distances[:, 0] == 0.0).all()
    assert (found.distances[:, 1] > 0.0).all()


def test_nearest_of_too_few_or_other_events_are_refused():
    with pytest.raises(DataError, match="6 nearest of 5 training events"):
        nearest(np.zeros((1, 2)), np.zeros((5, 2)), 6)
    with pytest.raises(DataError, match=r"shape \(3,\), training events \(2,\)"):
        nearest(np.zeros((1, 3)), np.zeros((5, 2)))


def test_effect_is_the_mean_squared_change_along_the_strip():
    W = RNG.normal(size=(3, 10)) * np.array([[1.0], [0.0], [5.0]])
    code, middle, spread = np.array([0.3, -0.2, 0.5]), np.array([0.1, 0.0, -0.4]), np.array([1.0, 2.0, 0.5])
    # Of a linear decoder the change is the step times W's row.
    steps = middle[:, None] + spread[:, None] * np.linspace(-2.0, 2.0, 9) - code[:, None]
    expected = (steps**2).mean(1) * (W**2).mean(1)
    assert effects(lambda z: z @ W, code, middle, spread) == pytest.approx(expected)


def test_divergence_from_the_prior_is_the_integral():
    means, scales = np.array([[0.7, -2.0]]), np.array([[0.3, 1.5]])

    def nats(m, s):
        return quad(lambda z: norm.pdf(z, m, s) * (norm.logpdf(z, m, s) - norm.logpdf(z)), m - 12 * s, m + 12 * s)[0]

    expected = [[nats(m, s) for m, s in zip(means[0], scales[0], strict=True)]]
    assert divergences(means, scales) == pytest.approx(np.array(expected), rel=1e-6)


def test_copies_are_told_from_new_events():
    # In 20 dimensions a new event is as near to one training event as to others; seeds are fixed.
    train, held, new = (np.random.default_rng(seed).normal(size=(n, 20)) for seed, n in ((1, 300), (2, 64), (3, 64)))
    by_heart = train[:64] + 0.01 * new
    found, honest = copying(by_heart, held, np.concatenate([train, train])), copying(new, held, train)
    assert found.found and np.array_equal(found.drawn.indices[:, 0], np.arange(64))
    assert "64 of 64 drawn events lie at least three times as near" in str(found) and "by heart." in str(found)
    assert not honest.found and "That is no sign that the model knows training events by heart." in str(honest)
    # SciPy's own test gives the same chance.
    table = [[int(copies(each).sum()), int((~copies(each)).sum())] for each in (found.drawn, found.held_out)]
    assert found.chance == pytest.approx(fisher_exact(table, alternative="greater").pvalue)


def test_reader_reads_what_pixels_show_and_refuses_what_it_cannot_learn():
    X = RNG.integers(0, 60, (400, 6, 40, 1), np.uint8)
    bright, left = RNG.integers(0, 120, 400), RNG.random(400) < 0.5
    X[:, :, :20][left] += 60
    X[:, :, 20:] += bright.astype(np.uint8)[:, None, None, None]
    labels = {"bright": np.where(RNG.random(400) < 0.1, np.nan, bright), "left": np.where(left, "yes", "no")}
    read = Reader(X[:300], {name: values[:300] for name, values in labels.items()})
    quality = read.quality(X[300:], {name: values[300:] for name, values in labels.items()})
    assert quality["bright"] > 0.9
    assert quality["left"] > 0.99
    assert list(read(X[:3])) == ["bright", "left"]
    with pytest.raises(DataError, match="'three' has more than two classes"):
        Reader(X, {"three": np.resize(["a", "b", "c"], 400)})
    with pytest.raises(DataError, match="0 images have labels of all of one, other"):
        half = np.where(np.arange(400) < 200, np.nan, bright)
        Reader(X, {"one": half, "other": half[::-1].copy()})
