"""Answers that are classes: their types, their weights, and how rare they may be."""

import numpy as np
import pytest

from landmass import NeuralClassifier
from tests.estimator.test_conditional import QUICK, shop


@pytest.mark.parametrize("kind", [bool, int, np.int8, str])
def test_column_of_a_table_predicts_the_same_as_its_answers_alone(kind):
    frame = shop(60)
    frame["buys"] = frame["buys"].astype(kind)
    settings = {**QUICK, "max_steps": 3}
    named = NeuralClassifier(**settings).fit(frame, "buys")
    apart = NeuralClassifier(**settings).fit(frame.drop(columns="buys"), frame["buys"])
    assert named.classes_.dtype == apart.classes_.dtype == (object if kind is str else kind)
    assert named.classes_.tolist() == sorted({kind(False), kind(True)})
    asked = frame.drop(columns="buys")
    np.testing.assert_array_equal(named.predict_proba(asked), apart.predict_proba(asked))


def test_class_weight_may_name_classes_as_text():
    frame = shop(60).astype({"buys": int})
    settings = {**QUICK, "max_steps": 3}
    as_text, as_numbers = (
        NeuralClassifier(class_weight=weight, **settings).fit(frame, "buys") for weight in ({"1": 3.0}, {1: 3.0})
    )
    np.testing.assert_array_equal(as_text._class_weights, as_numbers._class_weights)
    assert as_text._class_weights[1] == pytest.approx(3 * as_text._class_weights[0])


def test_every_class_is_learned_from():
    X = np.random.default_rng(0).random((40, 2))
    y = np.array(["many"] * 37 + ["a", "b", "c"])
    for seed in range(5):
        model = NeuralClassifier(**{**QUICK, "max_steps": 2, "random_state": seed}).fit(X, y)
        assert model.classes_.tolist() == ["a", "b", "c", "many"]
