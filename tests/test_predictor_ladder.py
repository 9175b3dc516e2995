"""The ladder of predictors: what its parts hold, and what it says of them."""

import numpy as np
import pandas as pd
import pytest

import landmass
from landmass import DataError, Ladder, NeuralClassifier
from landmass.data.batches import split_rows
from landmass.report.page import write_report

COMPILES = True

QUICK = NeuralClassifier(hidden=4, depth=1, max_steps=8)


def towns(n=200, seed=0):
    """People of two towns, of whom the older ones buy."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"town": rng.choice(["Ulm", "Bonn"], n), "age": rng.normal(40.0, 9.0, n).round(3)})
    frame["buys"] = np.where(frame["age"] > 40.0, "yes", "no")
    return frame


def test_rare_word_of_the_test_part_is_unknown_and_noted(tmp_path):
    frame = towns()
    frame.loc[7, "town"] = "Oslo"
    copies = landmass.examples(frame, "buys").copies()
    seed = next(seed for seed in range(99) if 7 in split_rows(copies, seed, 0.1, 0.1).test)
    ladder = Ladder([QUICK], random_state=seed).fit(frame, target="buys", folder=tmp_path / "run")
    assert ladder.ledger_.notes == (
        "column 'town' holds 1 words in 1 held-out rows that no training row has ('Oslo'); they count as unknown",
    )
    asked = frame.drop(columns="buys")
    found = landmass.load(tmp_path / "run").rungs_["neural_classifier"]
    np.testing.assert_array_equal(found.predict_proba(asked), ladder.rungs_["neural_classifier"].predict_proba(asked))
    with pytest.raises(DataError, match="column 'town' holds 'Riga'"):
        ladder.predict(asked.assign(town="Riga"))


def test_new_word_of_a_test_set_is_unknown_too():
    later = towns(50, seed=1)
    later.loc[7, "town"], later.loc[9, "age"] = "Oslo", np.nan
    ladder = Ladder([QUICK]).fit(towns(), test=later, target="buys")
    assert np.isfinite(ladder.test_scores_["neural_classifier"]).all()
    assert len(ladder.ledger_.notes) == 2


def test_class_of_a_single_event_is_learned_from():
    frame = towns()
    frame.loc[[5, 60], "buys"] = ["never", "often"]
    for seed in range(3):
        ladder = Ladder([QUICK], random_state=seed).fit(frame, target="buys")
        assert {5, 60} <= set(ladder.split_.train)
        assert ladder.last_.classes_.tolist() == ["never", "no", "often", "yes"]


def test_new_class_of_a_test_set_has_density_zero(tmp_path):
    later = towns(60, seed=1)
    later.loc[7, "buys"] = "never"
    ladder = Ladder([QUICK]).fit(towns(), test=later, target="buys", folder=tmp_path / "run")
    assert [(rung.nats, rung.zero_density) for rung in ladder.ledger_.rungs] == [(None, 1), (None, 1)]
    page = write_report(ladder, tmp_path / "run").read_text()
    assert "density zero" in page
    assert "&#x27;never&#x27;" in page


def test_test_set_may_be_a_pair_of_events_and_answers():
    rng = np.random.default_rng(0)
    X, X_test = rng.standard_normal((100, 2)), rng.standard_normal((30, 2))
    ladder = Ladder([QUICK]).fit(X, target=X[:, 0] > 0.0, test=(X_test, X_test[:, 0] > 0.0))
    assert ladder.ledger_.n == {"train": 90, "validation": 10, "test": 30}
    expected = ladder.rungs_["neural_classifier"].log_prob(X_test, X_test[:, 0] > 0.0).mean()
    assert ladder.ledger_.rung("neural_classifier").nats == pytest.approx(expected)
