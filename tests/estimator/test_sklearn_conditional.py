"""Classifier and regressor are scikit-learn estimators: they pass its own checks."""

import jaxtyping
from sklearn.utils.estimator_checks import parametrize_with_checks

from landmass import NeuralClassifier, NeuralRegressor

COMPILES = True

# Small, to be quick; with steps wide enough for the accuracy that the checks ask for.
QUICK = {"hidden": 16, "depth": 1, "max_steps": 200, "batch_size": 32, "learning_rate": 0.02}


@parametrize_with_checks([NeuralClassifier(**QUICK), NeuralRegressor(**QUICK)])
def test_scikit_learns_check_passes(estimator, check, monkeypatch):
    if check.func.__name__ == "check_do_not_raise_errors_in_init_or_set_params":
        # It gives settings of wrong types on purpose, which are to be refused by `fit`, not by the tests' type checker.
        monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    check(estimator)
