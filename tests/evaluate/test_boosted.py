"""Boosted trees: they cannot tell samples of the truth, tell shifted ones as well as can be, and are fooled by no copy.

Bounds are five standard errors: one false alarm in a million.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

from landmass.errors import DataError
from landmass.evaluate import boosted
from landmass.evaluate.boosted import FOLDS, _folds, train_on_synthetic, two_sample

RNG = np.random.default_rng(0)
N = 500


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    """A tenth of the trees tell what is asked here, and nothing that is not there."""
    monkeypatch.setattr(boosted, "RANKING", {**boosted.RANKING, "max_iter": 40})


def errors(found):
    return (found.high - found.low) / (2 * 1.96)


def mixed(rows):
    age = RNG.integers(18, 90, rows).astype(float)
    city = np.where(RNG.random(rows) < age / 100.0, "Bonn", "Rome").astype(object)
    age[RNG.random(rows) < 0.1] = np.nan
    return pd.DataFrame({"age": age, "city": city, "length": RNG.normal(size=rows)})


def test_samples_of_the_truth_are_not_told_apart():
    found = two_sample(mixed(N), mixed(N))
    assert found.value == pytest.approx(0.5, abs=5 * errors(found))
    # A blind guess of two times 500 rows, whose errors folds double in variance.
    assert errors(found) == pytest.approx(np.sqrt(2 * 1001 / (12 * N**2)), rel=0.15)


@pytest.mark.slow
def test_intervals_cover_a_half_as_often_as_they_say():
    """Of 400 sound intervals more than 44 miss once in a million times; those of folds on their own miss one in six."""
    found = [two_sample(RNG.normal(size=(100, 2)), RNG.normal(size=(100, 2))) for _ in range(400)]
    off = np.array([abs(each.value - 0.5) / errors(each) for each in found])
    assert (off > 1.96).sum() <= 44 < (off * np.sqrt(2.0) > 1.96).sum()


def test_shifted_numbers_are_told_nearly_as_well_as_can_be():
    shift = 1.5
    found = two_sample(RNG.normal(size=(N, 1)), RNG.normal(size=(N, 1)) + shift)
    # The best rule for two normal columns; trees come near to it.
    best = norm.cdf(shift / np.sqrt(2.0))
    assert best - 0.06 < found.value < best + 5 * errors(found)
    assert found.low > 0.5 + 5 * errors(found)


def test_a_dependence_that_is_lost_is_told():
    x = RNG.normal(size=N)
    real = np.column_stack([x, x + 0.3 * RNG.normal(size=N)])
    assert two_sample(real, np.column_stack([x, real[::-1, 1]])).low > 0.7


def test_words_and_empty_cells_are_told():
    real, drawn = mixed(N), mixed(N)
    assert two_sample(real, drawn.assign(city=np.where(drawn["age"] > 50, "Rome", "Bonn"))).low > 0.6
    assert two_sample(real, drawn.assign(age=drawn["age"].fillna(50.0))).low > 0.5


def test_copies_of_real_rows_are_neither_told_nor_told_wrongly():
    real = mixed(N)
    assert two_sample(real, real.sample(frac=1.0, random_state=0)).value == pytest.approx(0.5, abs=1e-9)
    # Rows that come again on one side are copies, not a sign of another distribution.
    again = two_sample(mixed(N), real.sample(N, replace=True, random_state=0))
    assert again.value == pytest.approx(0.5, abs=5 * errors(again))


def test_common_rows_are_told_by_how_often_they_come():
    frames = [pd.DataFrame({"answer": np.where(RNG.random(N) < share, "yes", "no")}) for share in (0.3, 0.7)]
    # The chance that one of each is told rightly, and half of that they are the same.
    found = two_sample(*frames)
    assert found.value == pytest.approx(0.7 * 0.7 + 0.5 * 2 * 0.7 * 0.3, abs=5 * errors(found))


def test_whole_numbers_that_are_none_are_told():
    real, drawn = (RNG.integers(0, 10_000, (N, 1)).astype(float) for _ in range(2))
    assert two_sample(real, drawn + 0.5).value == 1.0


def test_prices_in_single_precision_are_prices():
    frames = [pd.DataFrame({"price": RNG.integers(0, 10_000_000, N) / 100}) for _ in range(2)]
    found = two_sample(frames[0], frames[1].astype("float32"))
    assert found == two_sample(*frames)
    assert found.value == pytest.approx(0.5, abs=5 * errors(found))
    assert two_sample(frames[0], frames[1] + 0.001 * RNG.random((N, 1))).value < 1.0


def test_more_levels_than_trees_tell_apart_are_let_in():
    frames = [pd.DataFrame({"word": RNG.permutation(np.repeat([f"w{i}" for i in range(400)], 2))}) for _ in range(2)]
    found = two_sample(*frames)
    assert found.value == pytest.approx(0.5, abs=5 * errors(found))


def test_copies_stand_in_one_fold_and_folds_have_as_many_of_both():
    numbers = np.concatenate([np.arange(300), np.arange(150, 300), np.full(100, 1000), np.arange(400, 450)])
    drawn = np.arange(600) >= 300
    fold = _folds(numbers, drawn)
    for number in range(150, 300):
        assert len(set(fold[numbers == number])) == 1
    assert set(fold[numbers == 1000]) == set(range(FOLDS))
    assert np.bincount(fold).tolist() == pytest.approx([120] * FOLDS, abs=3)
    assert np.bincount(fold, drawn).tolist() == pytest.approx([60] * FOLDS, abs=3)


@pytest.fixture(scope="module")
def people():
    def rows(n, noise):
        age, hours = RNG.integers(18, 90, n), RNG.normal(40.0, 10.0, n)
        rich = age / 30.0 + hours / 20.0 + noise * RNG.logistic(size=n) > 4.0
        work = np.select([age < 30, age < 60], ["school", "office"], "home")
        return pd.DataFrame({"age": age, "hours": hours, "rich": np.where(rich, "yes", "no"), "work": work})

    return rows(N, 0.3), rows(N, 0.3), rows(2 * N, 0.3), rows(N, 10.0)


def test_what_real_rows_teach_is_what_scikit_learn_finds(people):
    train, _, test, _ = people
    found = train_on_synthetic(train, train, test, "rich")
    X, Z = (each[["age", "hours"]].assign(work=each["work"].astype("category")) for each in (train, test))
    trees = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0).fit(X, train["rich"])
    # The order of levels and single precision are no matter to them, or hardly.
    assert found.scores[0].real == pytest.approx(accuracy_score(test["rich"], trees.predict(Z)), abs=0.01)
    expected = roc_auc_score(test["rich"] == "yes", trees.predict_proba(Z)[:, 1])
    assert found.scores[1].real == pytest.approx(expected, abs=0.01)
    assert [each.measure for each in found.scores] == ["accuracy", "AUC"]
    for each in found.scores:
        assert (each.synthetic, each.error) == (each.real, 0.0)


def test_fresh_rows_teach_as_much_and_noisy_ones_less(people):
    train, fresh, test, noisy = people
    for each in train_on_synthetic(train, fresh, test, "rich").scores:
        assert each.synthetic == pytest.approx(each.real, abs=5 * each.error + 0.02)
    for each in train_on_synthetic(train, noisy, test, "rich").scores:
        assert each.synthetic < each.real - 5 * each.error


def test_error_of_accuracy_is_that_of_paired_rows(people):
    train, _, test, noisy = people
    found = train_on_synthetic(train, noisy, test, "rich").scores[0]
    X, Z = (each[["age", "hours"]].assign(work=each["work"].astype("category")) for each in (train, test))
    right = []
    for table, answers in ((X, train["rich"]), (noisy[X.columns].astype(X.dtypes), noisy["rich"])):
        trees = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0).fit(table, answers)
        right.append(trees.predict(Z) == test["rich"])
    # McNemar's variance: of rows that one is right on and the other is not.
    only = [(right[0] & ~right[1]).mean(), (right[1] & ~right[0]).mean()]
    expected = np.sqrt((sum(only) - (only[0] - only[1]) ** 2) / len(test))
    assert found.error == pytest.approx(expected, rel=0.05)


def test_numbers_are_scored_by_the_variance_that_is_explained(people):
    train, fresh, test, _ = people
    found = train_on_synthetic(train, fresh.assign(hours=RNG.permutation(fresh["hours"])), test, "age")
    assert [each.measure for each in found.scores] == ["R²"]
    guess = np.select([test["work"] == "school", test["work"] == "office"], [23.5, 44.5], 74.5)
    # What the kind of work tells is most of it; the rest are hours of the rich.
    assert found.scores[0].real == pytest.approx(r2_score(test["age"], guess), abs=0.1)
    assert "age, learned from" in str(found)


def test_several_levels_have_an_accuracy_only(people):
    train, fresh, test, _ = people
    found = train_on_synthetic(train, fresh, test, "work")
    assert [each.measure for each in found.scores] == ["accuracy"]
    assert found.scores[0].real > 0.95


def test_samples_of_one_level_teach_nothing(people):
    train, fresh, test, _ = people
    accuracy, area = train_on_synthetic(train, fresh.assign(rich="no"), test, "rich").scores
    assert accuracy.synthetic == pytest.approx((test["rich"] == "no").mean())
    assert area.synthetic == 0.5


@pytest.mark.parametrize(
    "target, change, needed",
    [
        ("wealth", {}, "there is no column 'wealth'; there are: 'age'"),
        ("hours", {"hours": np.nan}, "column 'hours' is empty in one of the tables"),
    ],
)
def test_a_column_that_cannot_be_learned_is_named(people, target, change, needed):
    with pytest.raises(DataError, match=needed):
        train_on_synthetic(people[0], people[1].assign(**change), people[2], target)
