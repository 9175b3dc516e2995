"""What else than their likelihood can be said of predictions: in figures that people know."""

from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import r2_score, roc_auc_score

from landmass.data.examples import Examples
from landmass.evaluate.calibration import BINS, calibration_of


def measures(model: Any, part: Any) -> dict[str, float]:
    """Figures of a predictor's answers to held-out events; none of a density.

    Args:
        model: fitted.
        part: the events with their answers.

    Returns:
        Of a classifier: the share that is `right`; with two classes the area under the ROC curve, `AUC`; and `ECE`, the
        expected calibration error. Of a regressor: the share of variance explained, `R²`; and the share of answers
        `in 90%`, the interval that should hold nine of ten.
    """
    if not isinstance(part, Examples):
        return {}
    if is_classifier(model):
        chances = model.predict_proba(part.inputs)
        found = {"right": float(np.mean(model.classes_[chances.argmax(axis=1)] == part.answers))}
        if chances.shape[1] == 2 and set(part.answers.tolist()) == set(model.classes_.tolist()):
            found["AUC"] = float(roc_auc_score(part.answers == model.classes_[1], chances[:, 1]))
        if len(part) >= BINS:
            found["ECE"] = calibration_of(chances, model.classes_, part.answers, BINS).error
        return found
    if is_regressor(model):
        answers = np.asarray(part.answers, np.float64)
        low, high = model.predict_quantiles(part.inputs, (0.05, 0.95)).T
        inside = float(np.mean((low <= answers) & (answers <= high)))
        return {"R²": float(r2_score(answers, model.predict(part.inputs))), "in 90%": inside}
    return {}
