"""Stack weights: the optimum that SciPy finds on the simplex."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax
from scipy.stats import norm

from landmass.train.weights import mixture_log_prob, mixture_weights, stack_weights, standard_error


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
    np.testing.assert_allclose(mixture_weights(log_probs(), prior=prior), optimum(log_probs(), prior), atol=1e-5)


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


def two_normals(events=1000):
    """Log-densities of N(-2, 1), of N(2, 1), and of a uniform density on [-100, 100], at draws from the first two."""
    rng = np.random.default_rng(0)
    x = rng.normal(np.where(rng.random(events) < 0.7, -2.0, 2.0), 1.0)
    return np.column_stack([norm.logpdf(x, -2.0), norm.logpdf(x, 2.0), np.full(events, -np.log(200.0))])


def test_parts_that_need_each_other_come_in_and_a_useless_one_stays_out():
    scores = two_normals()
    weights = stack_weights(scores)
    assert weights[2] == 0.0
    np.testing.assert_allclose(weights[:2], optimum(scores[:, :2], 0.02 * len(scores)), atol=1e-5)


def test_parts_that_noise_cannot_tell_apart_share_the_stack():
    noise = np.random.default_rng(1).normal(0.0, 0.5, (1000, 2))
    weights = stack_weights(noise)
    assert (weights > 0.3).all()


def test_part_that_excludes_an_event_comes_in_only_where_it_helps():
    useless, useful = two_normals(), two_normals()
    useless[0, 2] = -np.inf
    useful[0, 1] = -np.inf
    assert stack_weights(useless)[2] == 0.0
    assert stack_weights(useful)[1] > 0.2


def test_when_every_part_excludes_some_event_all_come_in():
    scores = two_normals()[:, :2]
    scores[0, 0] = scores[1, 1] = -np.inf
    np.testing.assert_allclose(stack_weights(scores), mixture_weights(scores))


def test_mixture_of_parts_is_the_log_of_the_weighted_sum():
    scores, weights = log_probs(), np.array([0.5, 0.0, 0.3, 0.2])
    np.testing.assert_allclose(mixture_log_prob(scores, weights), logsumexp(scores, b=weights, axis=1), rtol=1e-12)


def test_standard_error_is_that_of_the_distinct_events():
    rng = np.random.default_rng(0)
    copies = rng.integers(0, 50, 500)
    means = [(values := rng.standard_normal(50)[copies]).mean() for _ in range(4_000)]
    assert standard_error(values, copies) == pytest.approx(np.std(means), rel=0.25)
    assert standard_error(values) < 0.6 * np.std(means)
    assert standard_error(values, np.arange(500)) == pytest.approx(values.std(ddof=1) / np.sqrt(500), rel=1e-12)
    assert np.isnan(standard_error(values, np.zeros(500, int)))
