"""Every family is a scikit-learn estimator: it passes scikit-learn's own checks, and works in its tools."""

import pickle

import jaxtyping
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import neighbors
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from landmass import Gaussian, KernelDensity, UniformBox
from landmass.catalog import FAMILIES
from tests.models.cases import data, estimator

COMPILES = True

# The checks fit each family to some ten shapes of data, smaller than elsewhere, to be quick; one has fewer rows than
# columns.
NETWORK = {"max_steps": 2, "members": 1, "hidden": 4, "depth": 1}
SMALLER = {
    "gaussian": {"shrinkage": 0.1},
    "histogram": {"n_cells": None},
    "spline_flow": {**NETWORK, "n_bins": 2, "waves": 2, "batch_size": 8},
    "autoregressive": {**NETWORK, "cells": 4},
    "mixed_spline_flow": {**NETWORK, "cells": 4, "n_bins": 2, "waves": 2},
    "stack": {"estimators": {"uniform_box": UniformBox(), "gaussian": Gaussian()}},
}

X = data("plane", n=200).X
FOLDS = KFold(4, shuffle=True, random_state=0)


def smaller(family):
    return estimator(family).set_params(**SMALLER.get(family, {}))


def normal(X):
    """SciPy's normal density with the moments of some events."""
    return stats.multivariate_normal(X.mean(0), np.cov(X.T, bias=True))


@parametrize_with_checks([smaller(family) for family in FAMILIES])
def test_scikit_learns_check_passes(estimator, check, monkeypatch):
    if check.func.__name__ == "check_do_not_raise_errors_in_init_or_set_params":
        # It gives settings of wrong types on purpose, which are to be refused by `fit`, not by the tests' type checker.
        monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    check(estimator)


@pytest.fixture(scope="module", params=FAMILIES)
def model(request):
    """Fitted without a y."""
    return smaller(request.param).fit(X)


def test_pickled_estimator_answers_to_the_same_bits(model):
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.score_samples(X), model.score_samples(X))
    np.testing.assert_array_equal(again.sample(9, random_state=0), model.sample(9, random_state=0))


def test_any_y_is_ignored(model):
    given_y = model.fresh().fit(X, np.arange(len(X)))
    assert given_y.score(X, "no labels") == model.score(X)


def test_pipeline_scores_in_the_units_of_its_last_step():
    pipeline = make_pipeline(StandardScaler(), Gaussian()).fit(X)
    # The density of the scaled events is that of the events times the volume of the scale.
    expected = normal(X).logpdf(X) + np.log(X.std(0)).sum()
    np.testing.assert_allclose(pipeline.score_samples(X), expected, rtol=1e-5, atol=1e-5)
    assert pipeline.score(X) == pytest.approx(expected.mean(), abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_tables_go_through_a_pipeline_and_come_back_with_their_names(family):
    frame = pd.DataFrame(X, columns=["height", "width"])
    scaler = StandardScaler().set_output(transform="pandas")
    pipeline = make_pipeline(scaler, smaller(family)).fit(frame)
    assert np.isfinite(pipeline.score(frame[:50]))
    sample = pipeline[-1].sample(30, random_state=0)
    assert list(sample.columns) == ["height", "width"]
    back = pipeline[0].inverse_transform(sample)
    # A floor reaches once the range of the events beyond them, on each side.
    middle, reach = (X.min(0) + X.max(0)) / 2.0, 1.51 * np.ptp(X, axis=0)
    assert (np.abs(back - middle) <= reach).all()


def test_cross_validation_scores_held_out_events_by_the_density_of_the_others():
    expected = [normal(X[train]).logpdf(X[held_out]).mean() for train, held_out in FOLDS.split(X)]
    np.testing.assert_allclose(cross_val_score(Gaussian(), X, cv=FOLDS), expected, rtol=1e-5)


def test_grid_search_chooses_the_bandwidth_that_it_chooses_for_scikit_learns():
    grid = [0.03, 0.1, 0.3, 1.0, 3.0]
    peer = GridSearchCV(neighbors.KernelDensity(), {"bandwidth": grid}, cv=FOLDS).fit(X)
    ours = GridSearchCV(KernelDensity(random_state=0), {"bandwidth": grid}, cv=FOLDS).fit(X)
    assert ours.best_params_ == peer.best_params_
    # Scikit-learn's score is a sum. Bumps narrower than is best lean on the floor, which scikit-learn's have not.
    fitting = np.array(grid) >= peer.best_params_["bandwidth"]
    scores, expected = (search.cv_results_["mean_test_score"][fitting] for search in (ours, peer))
    np.testing.assert_allclose(scores, expected / (len(X) / FOLDS.n_splits), atol=0.05)


def test_grid_search_reaches_the_settings_of_a_step():
    grid = {"gaussianmixture__n_components": [1, 3]}
    pipeline = make_pipeline(StandardScaler(), smaller("gaussian_mixture"))
    search = GridSearchCV(pipeline, grid, cv=FOLDS).fit(X)
    # The events are of three well parted bells.
    assert search.best_params_ == {"gaussianmixture__n_components": 3}
    assert len(search.best_estimator_[-1].parameters_["weights"]) == 3
