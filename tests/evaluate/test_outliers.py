import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

import landmass
from landmass import (
    Autoregressive,
    DataError,
    Gaussian,
    Histogram,
    Independent,
    LatentClass,
    MixedSplineFlow,
    OutlierDetector,
    SettingError,
    Stack,
    UniformBox,
)
from landmass.data.dataset import Dataset
from landmass.evaluate.cells import in_words
from tests.models.table_cases import COUNTED, counted, every, measured

COMPILES = True

FALSE_ALARM = 1e-6
COVARIANCE = np.array([[1.0, 0.95, 0.0], [0.95, 1.0, 0.0], [0.0, 0.0, 4.0]])
TRUTH = stats.multivariate_normal([1.0, 2.0, 3.0], COVARIANCE)

# A first column far too low beside the second, a third one far too high.
STRANGE = np.array([[0.0, 3.0, 3.0], [1.0, 2.0, 30.0]])


@parametrize_with_checks([OutlierDetector(Gaussian(shrinkage=0.1))])
def test_scikit_learns_check_passes(estimator, check, monkeypatch):
    if check.func.__name__ == "check_do_not_raise_errors_in_init_or_set_params":
        # It gives settings of wrong types on purpose, which are to be refused by `fit`, not by the tests' type checker.
        monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    check(estimator)


@pytest.fixture(scope="module")
def detector():
    return OutlierDetector(Gaussian(), random_state=0).fit(TRUTH.rvs(4_000, random_state=0))


@pytest.fixture(scope="module")
def tables():
    """Densities of small tables, by family."""
    rows = counted(500)
    parts = {
        "independent": Independent(smoothing=1.0),
        "latent_class": LatentClass(n_components=3, random_state=0),
        "autoregressive": Autoregressive(members=2, hidden=8, depth=1, max_steps=60, random_state=0),
        "mixed_spline_flow": MixedSplineFlow(members=2, hidden=8, depth=1, n_bins=4, max_steps=60, random_state=0),
    }
    return {**{name: part.fit(rows) for name, part in parts.items()}, "stack": Stack(estimators=parts).fit(rows)}


def test_tail_probabilities_of_fresh_events_are_uniform(detector):
    """Up to steps of 1 / 801, and to the 800 events that they are ranked against: two samples of one distribution."""
    fresh = TRUTH.rvs(20_000, random_state=1)
    found = stats.ks_2samp(detector.tail_probability(fresh), np.arange(1, 802) / 801.0).pvalue
    assert found > FALSE_ALARM
    assert stats.ks_2samp(detector.tail_probability(2.0 * fresh), np.arange(1, 802) / 801.0).pvalue < FALSE_ALARM


def test_tail_probabilities_hold_though_the_density_is_wrong():
    """Over many detectors of 19 events each: at most a share of 0.1 has a tail probability of at most 0.1."""
    rng, wrong = np.random.default_rng(0), Gaussian(shrinkage=0.5).fit(TRUTH.rvs(9, random_state=2))
    alarms = 0
    for _ in range(250):
        events = rng.standard_t(2.0, size=(20, 3))
        detector = OutlierDetector(wrong, false_alarms=0.1).calibrate(events[:19])
        alarms += int(detector.predict(events[19:])[0] == -1)
    # Of 20 exchangeable events two are ranked so low: the share is 0.1 exactly.
    assert stats.binomtest(alarms, 250, 0.1).pvalue > FALSE_ALARM
    assert stats.binomtest(alarms, 250, 0.25).pvalue < FALSE_ALARM


def test_outliers_are_the_events_whose_tail_probability_is_small_enough(detector):
    events = np.concatenate([TRUTH.rvs(2_000, random_state=3), STRANGE])
    for false_alarms in (0.001, 0.01, 0.05, 1.0 / 801.0, 0.5):
        judge = clone(detector).set_params(density=detector.density_, false_alarms=false_alarms)
        judge.calibrate(detector.calibration_)
        expected = np.where(judge.tail_probability(events) <= false_alarms, -1, 1)
        np.testing.assert_array_equal(judge.predict(events), expected)
        np.testing.assert_array_equal(judge.decision_function(events) < 0.0, expected == -1)


def test_tail_probability_counts_events_that_are_no_likelier(detector):
    scores = detector.density_.score_samples(detector.calibration_)
    events = TRUTH.rvs(50, random_state=4)
    expected = [(1 + (scores <= score).sum()) / (len(scores) + 1) for score in detector.score_samples(events)]
    np.testing.assert_array_equal(detector.tail_probability(events), expected)


def test_with_too_few_events_nothing_is_called_an_outlier():
    detector = OutlierDetector(Gaussian(), false_alarms=0.01).fit(TRUTH.rvs(100, random_state=0))
    assert detector.offset_ == -np.inf
    assert (detector.predict([*STRANGE, [1e9, 0.0, 0.0]]) == 1).all()


def test_events_of_density_zero_are_the_strangest():
    events = np.random.default_rng(0).uniform(size=(500, 2))
    detector = OutlierDetector(UniformBox(), random_state=0).fit(events)
    found = detector.decision_function([[0.5, 0.5], [7.0, 7.0]])
    assert found[0] >= 0.0 and found[1] == -np.inf
    impossible = OutlierDetector(detector.density_, false_alarms=0.5).calibrate(events + 5.0)
    assert (impossible.ranked_ == -np.inf).all()
    np.testing.assert_array_equal(impossible.decision_function([[7.0, 7.0]]), [0.0])


def test_mode_of_fifty_columns_is_untypical_though_it_is_likeliest():
    rng = np.random.default_rng(0)
    detector = OutlierDetector(Gaussian(), random_state=0).fit(rng.normal(size=(5_000, 50)))
    fresh, mode = rng.normal(size=(2_000, 50)), np.zeros((1, 50))
    assert detector.tail_probability(mode)[0] == 1.0 and detector.predict(mode)[0] == 1
    assert detector.typicality(mode)[0] == pytest.approx(2.0 / 1_001.0)
    # Closed form: no event in a hundred thousand million lies as near to the mode as a tenth of the usual distance.
    assert stats.chi2.cdf(0.1**2 * 50, 50) < 1e-11
    # Twice the smaller rank is uniform but for its steps.
    grid = np.minimum(2.0 * np.minimum(np.arange(1, 1_002), np.arange(1, 1_002)[::-1]) / 1_001.0, 1.0)
    assert stats.ks_2samp(detector.typicality(fresh), grid).pvalue > FALSE_ALARM


def test_events_taken_together_are_found_out_that_none_of_them_is_alone(detector):
    usual, narrow = TRUTH.rvs(300, random_state=5), 0.8 * (TRUTH.rvs(300, random_state=6) - TRUTH.mean) + TRUTH.mean
    assert detector.typicality_of_all(usual) > FALSE_ALARM
    assert detector.typicality_of_all(narrow) < FALSE_ALARM
    assert detector.typicality(narrow).min() > FALSE_ALARM
    expected = stats.mannwhitneyu(detector.score_samples(usual), detector.ranked_).pvalue
    assert detector.typicality_of_all(usual) == pytest.approx(expected)


def test_cells_of_a_gaussian_have_its_conditional_densities_and_tails(detector):
    events = np.concatenate([TRUTH.rvs(100, random_state=7), STRANGE, [[40.0, -40.0, 3.0]]])
    fitted = detector.density_
    mean, covariance = fitted.parameters_["mean"], fitted.parameters_["covariance"]
    place, scale = np.empty_like(events), np.empty(3)
    for i in range(3):
        others = [j for j in range(3) if j != i]
        told = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, i])
        scale[i] = np.sqrt(covariance[i, i] - covariance[i, others] @ told)
        place[:, i] = (events[:, i] - mean[i] - (events[:, others] - mean[others]) @ told) / scale[i]
    scores, tails = fitted.score_cells(events), fitted.cell_tails(events)
    # Beside a hundred thousand nats single precision leaves a hundredth.
    np.testing.assert_allclose(scores, stats.norm.logpdf(place) - np.log(scale), rtol=1e-5, atol=0.01)
    expected = 2.0 * stats.norm.sf(np.abs(place))
    told = expected > 1e-300
    np.testing.assert_allclose(np.log(tails[told]), np.log(expected[told]), rtol=0.005, atol=0.1)
    drawn = detector.usual_
    np.testing.assert_allclose(detector.contributions(events), scores - drawn, atol=1e-9)
    # A bell's mean log-density is minus its entropy; of 512 draws its standard error is the square root of 1 / 1,024.
    entropy = np.log(scale) + 0.5 * np.log(2.0 * np.pi * np.e)
    assert np.abs(drawn + entropy).max() < stats.norm.isf(FALSE_ALARM / 6.0) / 32.0


def test_cells_of_a_histogram_are_shares_of_its_cells():
    events = np.random.default_rng(0).normal(size=(600, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    model = Histogram(n_cells=8).fit(events)
    rows = events[:20]
    found = model.score_cells(rows)
    # By the midpoint rule on so fine a grid that no jump matters.
    for i in range(2):
        line = np.linspace(-9.0, 9.0, 30_001)
        for row, score in zip(rows[:2], found[:2, i], strict=True):
            along = np.repeat(row[None], len(line), axis=0)
            along[:, i] = line
            total = logsumexp(model.score_samples(along)) + np.log(line[1] - line[0])
            assert score == pytest.approx(model.score_samples(row[None])[0] - total, abs=0.02)


@pytest.mark.parametrize("family", ["independent", "latent_class", "autoregressive", "mixed_spline_flow", "stack"])
def test_cells_of_tables_agree_with_enumeration(tables, family):
    model, rows = tables[family], every()
    chances = np.exp(model.score_samples(rows))
    X = np.nan_to_num(rows.X, nan=-9.0)
    expected = np.empty_like(X)
    for i in range(X.shape[1]):
        others = np.delete(X, i, axis=1)
        group = np.unique(others, axis=0, return_inverse=True)[1].ravel()
        expected[:, i] = np.log(chances) - np.log(np.bincount(group, chances))[group]
    np.testing.assert_allclose(model.score_cells(rows), expected, atol=1e-4)


@pytest.mark.parametrize("family", ["independent", "latent_class", "autoregressive", "mixed_spline_flow"])
def test_tails_of_tables_agree_with_enumeration(tables, family):
    model, rows = tables[family], every()
    chances = np.exp(model.score_samples(rows))
    X, found = np.nan_to_num(rows.X, nan=-9.0), model.cell_tails(rows)
    for i in range(X.shape[1]):
        group = np.unique(np.delete(X, i, axis=1), axis=0, return_inverse=True)[1].ravel()
        for row in range(0, len(X), 7):
            alike = chances[group == group[row]]
            expected = alike[alike <= chances[row] * 1.0001].sum() / alike.sum()
            assert found[row, i] == pytest.approx(expected, rel=2e-3)


def test_tails_of_a_stack_lie_between_those_of_its_parts(tables):
    model, rows = tables["stack"], every()
    each = np.stack([part.cell_tails(rows) for part in model._used()])
    found = model.cell_tails(rows)
    assert (each.min(0) - 1e-9 <= found).all() and (found <= each.max(0) + 1e-9).all()


def test_tails_of_a_column_of_numbers_are_as_rare_as_they_say():
    """Of a long-tailed column with a pile at zero: on average over fresh rows, and far out."""
    rng = np.random.default_rng(0)

    def incomes(n):
        return pd.DataFrame({"income": np.where(rng.random(n) < 0.4, 0.0, rng.lognormal(7.0, 1.0, n))})

    model = Independent(smoothing=1.0).fit(incomes(4_000))
    tails = model.cell_tails(incomes(4_000))[:, 0]
    for level in (0.5, 0.1, 0.01):
        assert stats.binomtest(int((tails <= level).sum()), 4_000, level, alternative="greater").pvalue > FALSE_ALARM
    far = model.cell_tails(pd.DataFrame({"income": [0.0, 2e4, 2e5]}))[:, 0]
    assert far[0] == pytest.approx(1.0) and far[1] < 0.02 and far[2] < 1e-3


@pytest.mark.parametrize("family", ["latent_class", "stack"])
def test_pointwise_information_agrees_with_enumeration(tables, family):
    model, rows = tables[family], every()
    teller = model if family == "latent_class" else model.parts_["latent_class"]
    chances = np.exp(teller.score_samples(rows))
    first, second = np.nan_to_num(rows.X[:, 1], nan=-9.0), np.nan_to_num(rows.X[:, 3], nan=-9.0)
    found = model.pointwise_information(rows, "city")
    for row in (0, 57, 130):
        one, other = first == first[row], second == second[row]
        expected = np.log(chances[one & other].sum()) - np.log(chances[one].sum()) - np.log(chances[other].sum())
        assert found[row, 3] == pytest.approx(expected, abs=1e-4)
    assert (found[:, 1] == 0.0).all()


def test_planted_row_comes_first_with_the_planted_column_as_its_reason():
    rng = np.random.default_rng(0)
    job = rng.choice(["pupil", "teacher", "retired"], 900, p=[0.3, 0.4, 0.3])
    age = np.select([job == "pupil", job == "teacher"], [rng.integers(6, 19, 900), rng.integers(25, 66, 900)], 0)
    people = pd.DataFrame({"age": np.where(job == "retired", rng.integers(66, 95, 900), age), "job": job})
    people["member"] = rng.random(900) < 0.5
    detector = OutlierDetector(LatentClass(n_components=4, random_state=0), random_state=0).fit(people)
    asked = pd.concat([people[:100], pd.DataFrame({"age": [8], "job": ["retired"], "member": [True]})])
    assert detector.decision_function(asked).argmin() == 100
    assert detector.predict(asked)[100] == -1
    (said,) = detector.explain(asked[100:])
    assert said.startswith(("column 'age' holds 8, beside 'job' = 'retired': ", "column 'job' holds 'retired', beside"))
    assert said.endswith(" given the rest")
    assert detector.contributions(asked[100:])[0].argmin() in (0, 1)


@pytest.mark.parametrize("of_stack", [False, True])
def test_impossible_cell_of_a_table_has_no_tail(of_stack):
    rows, beyond = measured(300), measured(4)
    model = LatentClass(n_components=2, random_state=0)
    model = (Stack(estimators={"one": model, "two": Independent(smoothing=1.0)}) if of_stack else model).fit(rows)
    beyond.X[:, 2] = 5.0
    assert (model.score_samples(beyond) == -np.inf).all()
    assert (model.score_cells(beyond)[:, 2] == -np.inf).all() and np.isnan(model.score_cells(beyond)[:, :2]).all()
    assert (model.cell_tails(beyond)[:, 2] == 0.0).all()
    by_cells = OutlierDetector(model, by="cells").calibrate(measured(50, seed=1))
    assert (by_cells.predict(beyond) == -1).all()


def test_row_that_piles_hide_comes_first_by_its_cells():
    rng = np.random.default_rng(0)
    kind = rng.random(900) < 0.5
    pay = np.where(kind, 0.0, rng.lognormal(7.0, 1.0, 900))
    table = pd.DataFrame({"kind": np.where(kind, "off", "on"), "pay": pay, "height": rng.normal(170.0, 9.0, 900)})
    planted = pd.concat([table[:100], pd.DataFrame({"kind": ["on"], "pay": [0.0], "height": [170.0]})])
    detector = OutlierDetector(LatentClass(n_components=2, random_state=0), random_state=0).fit(table)
    assert detector.decision_function(planted).argmin() != 100
    by_cells = OutlierDetector(detector.density_, by="cells").calibrate(table)
    assert by_cells.score_samples(planted).argmin() == 100
    assert by_cells.predict(planted)[100] == -1
    least = np.log(detector.density_.cell_tails(planted).min(1))
    np.testing.assert_allclose(by_cells.score_samples(planted), least)


def test_column_of_numbers_is_the_reason(detector):
    assert detector.contributions(STRANGE).argmin(1)[1] == 2
    said = detector.explain([*STRANGE, TRUTH.mean.tolist()])
    assert said[1].startswith("column 'x3' holds 30: ")
    assert said[2] == "no single cell stands out"


def test_cells_are_told_in_words():
    event = np.array([np.nan, 1.0, 3.0, 0.5])
    assert in_words(event, COUNTED.columns, 0, 1) == "column 'member' is empty, beside 'city' = 'Oslo'"
    assert in_words(event, COUNTED.columns, 2, 0) == "column 'rooms' holds 3, beside 'member' = nothing"
    assert in_words(event, COUNTED.columns, 3, None) == "column 'price' holds 0.5"


def test_impossible_column_is_the_reason_and_two_of_them_hide_each_other():
    box = OutlierDetector(UniformBox(), random_state=0).fit(np.random.default_rng(0).uniform(size=(200, 2)))
    found = box.contributions([[0.5, 7.0], [7.0, 7.0]])
    assert found[0, 1] == -np.inf and np.isnan(found[0, 0])
    assert np.isnan(found[1]).all()
    said = "column 'x2' holds 7: tail probability 0 given the rest"
    assert box.explain([[0.5, 7.0], [7.0, 7.0]]) == [said, "no single cell stands out"]
    by_cells = OutlierDetector(box.density_, by="cells").calibrate(np.random.default_rng(1).uniform(size=(99, 2)))
    np.testing.assert_array_equal(by_cells.predict([[0.5, 0.5], [0.5, 7.0], [7.0, 7.0]]), [1, -1, -1])


def test_copies_of_an_event_stay_on_one_side():
    events = np.repeat(TRUTH.rvs(40, random_state=0), 5, axis=0)
    detector = OutlierDetector(Gaussian(), random_state=0).fit(events)
    kept = detector.calibration_.X
    assert len(kept) % 5 == 0
    assert (np.unique(kept, axis=0, return_counts=True)[1] == 5).all()


def test_row_of_a_table_that_comes_often_is_known_on_both_sides():
    table = pd.DataFrame({"kind": ["a"] * 150 + ["b"] * 30 + ["c"] * 20})
    detector = OutlierDetector(Independent(smoothing=1.0), random_state=0).fit(table)
    found = np.exp(detector.score_samples(pd.DataFrame({"kind": ["a", "b", "c"]})))
    assert found == pytest.approx([0.75, 0.15, 0.1], abs=0.06)
    assert set(detector.calibration_.X[:, 0]) == {0.0, 1.0, 2.0}


def test_events_may_come_in_pieces():
    pieces = landmass.pieces([TRUTH.rvs(300, random_state=seed) for seed in range(3)])
    detector = OutlierDetector(Gaussian(), random_state=0).fit(pieces)
    assert 120 < len(detector.ranked_) < 240
    np.testing.assert_array_equal(detector.predict([[1.0, 2.0, 3.0], [9.0, -9.0, 3.0]]), [1, -1])


def test_copies_in_pieces_are_ranked_one_by_one():
    rows = TRUTH.rvs(300, random_state=0)
    detector = OutlierDetector(Gaussian(), random_state=0).fit(landmass.pieces([rows, rows]))
    scores, copies = np.unique(detector.ranked_, return_counts=True)
    assert 30 < len(scores) < 90
    assert (copies == 2).all()


def test_density_is_left_as_it_is_by_fit_and_taken_as_it_is_by_calibrate():
    events, density = TRUTH.rvs(200, random_state=0), Gaussian()
    OutlierDetector(density).fit(events)
    assert not hasattr(density, "model_")
    density.fit(events[:100])
    assert OutlierDetector(density).calibrate(events[100:]).density_ is density


def test_ladder_is_calibrated_on_its_test_events():
    ladder = landmass.Ladder(["uniform_box", "gaussian"]).fit(TRUTH.rvs(300, random_state=0))
    detector = OutlierDetector(ladder.last_).calibrate(ladder.test_)
    np.testing.assert_array_equal(detector.ranked_, np.sort(ladder.test_scores_["stack"]))


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        ({"false_alarms": 0.0}, SettingError, "false_alarms must be a number between 0 and 1, got 0.0"),
        ({"by": "rows"}, SettingError, "by must be 'density' or 'cells', got 'rows'"),
        ({"calibration_fraction": "all"}, SettingError, "calibration_fraction must be a number between 0 and 1"),
        ({"density": landmass.AutoEncoder()}, SettingError, "a density with a likelihood.*got AutoEncoder"),
        ({"density": landmass.NeuralClassifier()}, SettingError, "got NeuralClassifier"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, error, told, monkeypatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(error, match=told):
        OutlierDetector(Gaussian()).set_params(**settings).fit(TRUTH.rvs(50, random_state=0))


def test_weights_are_refused(detector):
    weighed = Dataset(TRUTH.rvs(50, random_state=0), detector.calibration_.schema).weighed(np.full(50, 2.0))
    with pytest.raises(DataError, match="events to calibrate on count once each, and these have weights"):
        OutlierDetector(Gaussian()).fit(weighed)


def test_cells_of_images_and_of_bounds_are_refused(detector, monkeypatch):
    images = landmass.Images(np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1)).astype(np.uint8))
    of_images = OutlierDetector(Independent(smoothing=1.0), random_state=0).fit(images)
    assert of_images.tail_probability(images).min() > 0.0
    with pytest.raises(DataError, match="Independent was fitted to images, whose numbers are not told apart"):
        of_images.explain(images)
    monkeypatch.setattr(Gaussian, "likelihood_", "lower_bound")
    with pytest.raises(SettingError, match="Gaussian knows its likelihood as 'lower_bound'; cells need an exact one"):
        detector.explain(STRANGE)
