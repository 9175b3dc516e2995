"""Predictors of little data: the floor that all must beat, linear ones, and answers that look impossible."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression, LogisticRegression

from landmass import NeuralClassifier, NeuralRegressor
from landmass.data.examples import Examples, read_inputs


def test_a_predictor_that_looks_at_nothing_says_how_frequent_the_answers_are():
    X, y = np.random.default_rng(0).standard_normal((100, 2)), np.repeat(["often", "rare"], [90, 10])
    model = NeuralClassifier(architecture="constant", random_state=0)
    model.fit_parts(Examples(read_inputs(X)[0], y), Examples(read_inputs(X[:20])[0], y[:20]))
    # Krichevsky and Trofimov's estimate.
    np.testing.assert_allclose(model.predict_proba(X)[0], [90.5 / 101, 10.5 / 101], rtol=1e-5)
    weighed = NeuralClassifier(architecture="constant", class_weight="balanced", random_state=0).fit(X, y)
    np.testing.assert_allclose(weighed.predict_proba(X)[0], [0.5, 0.5], atol=0.02)
    numbers = np.random.default_rng(1).gamma(2.0, size=500)
    for head, best in (("gaussian", stats.norm), ("laplace", stats.laplace)):
        model = NeuralRegressor(architecture="constant", head=head, random_state=0)
        parts = [Examples(read_inputs(np.zeros((n, 1)) + numbers[:n, None])[0], numbers[:n]) for n in (500, 50)]
        model.fit_parts(*parts)
        expected = best(*best.fit(numbers)).logpdf(numbers).mean()
        assert model.log_prob(numbers[:, None], numbers).mean() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("n", [100, 300])
def test_linear_predictors_of_little_data_come_near_least_squares_and_logistic_regression(n):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n + 2000, 3))
    y = X @ [1.0, 2.0, -1.0] + 0.1 * rng.standard_normal(len(X))
    train, test = slice(n), slice(n, None)
    known = LinearRegression().fit(X[train], y[train]).score(X[test], y[test])
    model = NeuralRegressor(architecture="linear", random_state=0).fit(X[train], y[train])
    assert model.score(X[test], y[test]) > known - 0.002
    labels = rng.random(len(X)) < 1.0 / (1.0 + np.exp(-y))
    chances = LogisticRegression().fit(X[train], labels[train]).predict_proba(X[test])
    known = np.log(chances[np.arange(2000), labels[test].astype(int)]).mean()
    classifier = NeuralClassifier(architecture="linear", random_state=0).fit(X[train], labels[train])
    assert classifier.log_prob(X[test], labels[test]).mean() > known - 0.03


def test_numbers_that_little_data_makes_look_impossible_are_held_possible():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2100, 3))
    y = X @ [1.0, 2.0, -1.0] + 0.1 * rng.standard_normal(2100)
    model = NeuralRegressor(random_state=0).fit(X[:100], y[:100])
    scores = model.log_prob(X[100:], y[100:])
    blind = stats.norm(y[:100].mean(), y[:100].std()).logpdf(y[100:])
    assert scores.mean() > blind.mean() + 0.5
    # The floor's share is not below 1/100 or so, and it is as wide as the answers.
    assert scores.min() > blind.min() - np.log(1000.0)
