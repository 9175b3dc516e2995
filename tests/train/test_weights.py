"""Stack weights: the optimum that SciPy finds on the simplex."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from landmass.train.weights import mixture_weights


def log_probs(events=200, parts=4):
    return np.random.default_rng(0).normal(0.0, 2.0, (events, parts)) + np.linspace(-1.0, 1.0, parts)


def optimum(scores, prior):
    """The maximum a posteriori weights under a Dirichlet prior of `prior` pseudo-events a part, by SciPy."""

    def loss(logits):
        log_weights = logits - logsumexp(logits)
        return -logsumexp(scores + log_weights, axis=1).sum() - prior * log_weights.sum()

    return softmax(minimize(loss, np.zeros(scores.shape[1]), method="BFGS", options={"gtol": 1e-8}).x)


@pytest.mark.parametrize("prior", [0.5, 20.0])
def test_weights_are_scipys_optimum_on_the_simplex(prior):
    np.testing.assert_allclose(mixture_weights(log_probs(), prior), optimum(log_probs(), prior), atol=1e-5)


def test_part_that_excludes_some_events_keeps_its_share_of_the_others():
    scores = log_probs()
    scores[:50, 3] = -np.inf
    finite = np.maximum(scores, -1e3)
    np.testing.assert_allclose(mixture_weights(scores), optimum(finite, 0.5), atol=1e-5)


def test_event_that_no_part_explains_says_nothing():
    scores = log_probs()
    with_strangers = np.concatenate([scores, np.full((30, 4), -np.inf)])
    np.testing.assert_array_equal(mixture_weights(with_strangers), mixture_weights(scores))


def test_useless_part_keeps_a_small_weight():
    scores = log_probs()
    scores[:, 0] = -np.inf
    weights = mixture_weights(scores)
    assert weights[0] == pytest.approx(0.5 / (200 + 4 * 0.5))
    assert weights.sum() == pytest.approx(1.0)


def test_without_any_events_all_parts_weigh_the_same():
    np.testing.assert_allclose(mixture_weights(np.empty((0, 3))), 1 / 3)
