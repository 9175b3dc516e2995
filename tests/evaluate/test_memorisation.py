"""Memorisation: copies are caught, near-copies too, and fresh samples are not."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom, norm
from sklearn.metrics import roc_auc_score, roc_curve

from landmass.errors import DataError
from landmass.evaluate.memorisation import Attack, memorisation

RNG = np.random.default_rng(0)
N = 400


def rows(n=N):
    x = RNG.normal(size=n)
    return pd.DataFrame(
        {"x": x, "y": x + RNG.normal(size=n), "city": RNG.choice(["Bonn", "Rome"], n), "age": RNG.integers(0, 90, n)}
    )


TRAIN, TEST, FRESH = rows(), rows(), rows()


@pytest.fixture(scope="module")
def fresh():
    return memorisation(TRAIN, TEST, FRESH)


@pytest.fixture(scope="module")
def copied():
    return memorisation(TRAIN, TEST, TRAIN.sample(frac=1.0, random_state=0))


def test_fresh_samples_tell_nothing(fresh):
    assert not fresh.found
    # Five standard errors, one false alarm in a million.
    assert fresh.nearer.value == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(fresh.independent))
    assert fresh.copied == (0.0, 0.0)
    assert fresh.by_distance.area.value == pytest.approx(0.5, abs=5 / np.sqrt(6 * N))
    assert fresh.by_distance.found.value < 0.06
    assert fresh.by_density is None
    assert "no sign of memorisation" in str(fresh)
    assert "may go unseen" in str(fresh)


def test_copies_are_caught(copied):
    assert copied.found
    assert copied.chance < 1e-100
    assert copied.nearer.value == 1.0
    assert copied.copied == (1.0, 0.0)
    assert copied.by_distance.found.value == 1.0
    # Clopper & Pearson's lower end where all succeed.
    assert copied.by_distance.found.low == pytest.approx(0.025 ** (1 / N))
    assert "training rows are memorised" in str(copied)


def test_no_sentence_promises_what_distances_cannot_show(fresh, copied):
    for each in (fresh, copied):
        assert "privat" not in str(each).lower()
        assert "privacy" not in str(each).lower()


def test_copies_of_held_out_rows_are_no_memory():
    found = memorisation(TRAIN, TEST, TEST)
    assert not found.found
    assert found.nearer.value == 0.0
    assert found.copied == (0.0, 1.0)


def test_near_copies_are_caught():
    near = TRAIN.assign(x=TRAIN["x"] + 0.01 * RNG.normal(size=N), y=TRAIN["y"] + 0.01 * RNG.normal(size=N))
    found = memorisation(TRAIN, TEST, near)
    assert found.found
    assert found.copied == (0.0, 0.0)
    assert found.nearer.low > 0.8


def test_copies_among_fresh_samples_are_caught_if_they_are_more_than_a_few():
    some = pd.concat([FRESH[:-40], TRAIN[:40]])
    found = memorisation(TRAIN, TEST, some)
    assert found.found
    assert found.copied == (0.1, 0.0)
    assert found.by_distance.found.low > 0.02
    assert not memorisation(TRAIN, TEST, pd.concat([FRESH[:-2], TRAIN[:2]])).found


def test_one_row_drawn_again_and_again_is_one_observation():
    one = pd.concat([TRAIN[:1]] * N)
    found = memorisation(TRAIN, TEST, one)
    assert found.independent == 1.0
    assert found.nearer == pytest.approx((1.0, 0.025, 1.0))
    assert not found.found


def test_signs_are_as_rare_as_they_say():
    """Of 60 studies without memory one has a chance below 1e-8 once in a million times; copies are below 1e-100."""
    chances = []
    for _ in range(60):
        x, y, z = RNG.normal(size=(3, 60, 1))
        chances.append(memorisation(x, y, z).chance)
    assert min(chances) > 1e-8
    # What is told bounds the chance: no more fall below a tenth than a tenth, and five standard errors of it.
    assert np.mean(np.array(chances) < 0.1) < 0.1 + 5 * np.sqrt(0.1 * 0.9 / 60)


class Density:
    """A normal density that is higher on some rows."""

    def __init__(self, known=()):
        self.known = set(known)

    def score_samples(self, X):
        x = X["x"].to_numpy()
        return norm.logpdf(x) + 3.0 * np.isin(x, list(self.known))


def test_density_that_is_higher_on_training_rows_is_caught():
    found = memorisation(TRAIN, TEST, FRESH, Density(TRAIN["x"]))
    assert found.found
    assert found.by_density.area.low > 0.9
    assert not memorisation(TRAIN, TEST, FRESH, Density()).found
    assert "by the model's density" in str(found)


def test_density_that_gives_no_number_for_each_row_is_refused():
    class Broken:
        def score_samples(self, X):
            return np.full(len(X), np.nan)

    with pytest.raises(DataError, match="400 of them NaN"):
        memorisation(TRAIN, TEST, FRESH, Broken())


def test_tables_of_other_sizes_are_held_against_as_many_rows():
    found = memorisation(pd.concat([TRAIN, rows(N)]), TEST[:100], FRESH)
    assert (found.rows, found.samples) == (100, N)


def test_attack_is_scikit_learns_curve():
    members, others = RNG.normal(size=300) + 0.5, RNG.normal(size=300)
    found = Attack.by(members, others)
    truth, scores = np.arange(600) < 300, np.concatenate([members, others])
    assert found.area.value == pytest.approx(roc_auc_score(truth, scores))
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert found.found.value == pytest.approx(true[false <= 0.01].max())
    # Of the six highest scores so many or more are members by chance.
    highest = np.argsort(-scores)[:6]
    by_rank = hypergeom.sf((highest < 300).sum() - 1, 600, 300, 6)
    by_area = norm.sf((found.area.value - 0.5) / np.sqrt(601 / (12 * 300 * 300)))
    assert found.chance == pytest.approx(2 * min(by_rank, by_area))


def test_attack_by_a_score_that_is_the_same_for_all_finds_what_it_takes():
    found = Attack.by(np.zeros(200), np.zeros(200))
    assert found.area.value == 0.5
    assert found.found.value == pytest.approx(0.01)
    assert found.chance == 1.0
