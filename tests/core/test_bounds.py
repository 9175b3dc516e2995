"""Bounds: on a model whose density is known in closed form they rise to it from below, and tell their error."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from landmass.core.bounds import BoundMixture, bound
from landmass.core.capabilities import AbstractBound, likelihood
from landmass.core.many import draw, log_prob

RNG = np.random.default_rng(0)
LOADINGS, NOISE = RNG.normal(size=(3, 2)), 0.5
TRUTH = stats.multivariate_normal(np.zeros(3), LOADINGS @ LOADINGS.T + NOISE**2 * np.eye(3))


class Linear(AbstractBound):
    """x = loadings · z + noise, with z drawn from the prior, which is a poor guess of it."""

    loadings: jax.Array
    noise: jax.Array

    def log_prob_bound(self, x, key, context=None):
        z = jax.random.normal(key, (2,))
        residual = (x - self.loadings @ z) / self.noise
        return -0.5 * (residual @ residual + 3 * jnp.log(2 * jnp.pi)) - 3 * jnp.log(self.noise)

    def sample(self, key, context=None):
        one, two = jax.random.split(key)
        return self.loadings @ jax.random.normal(one, (2,)) + self.noise * jax.random.normal(two, (3,))


MODEL = Linear(jnp.asarray(LOADINGS, jnp.float32), jnp.float32(NOISE))
X = TRUTH.rvs(600, random_state=1).astype(np.float32)


def test_bound_rises_to_the_density_from_below():
    exact = TRUTH.logpdf(X)
    gaps = []
    for draws in (1, 10, 100, 1000):
        values, errors = bound(MODEL, X, draws)
        difference = exact - values
        assert difference.mean() > -5.0 * difference.std() / np.sqrt(len(X))
        gaps.append(difference.mean())
        assert np.isnan(errors).all() == (draws == 1)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.05
    # Of a single draw the expectation is known: that of the squared distance to a draw of the prior.
    square = (X**2).sum(1) + (LOADINGS**2).sum()
    single = -0.5 * square / NOISE**2 - 1.5 * np.log(2 * np.pi * NOISE**2)
    difference = bound(MODEL, X, 1)[0] - single
    assert abs(difference.mean()) < 5.0 * difference.std() / np.sqrt(len(X))


def test_errors_are_those_of_repeated_draws():
    # The same event with a last bit changed has other noise, and nearly the same density.
    same = np.repeat(X[:1], 400, axis=0) + np.arange(400)[:, None] * np.float32(1e-6)
    values, errors = bound(MODEL, same, 400)
    assert np.median(errors) == pytest.approx(values.std(), rel=0.25)


def test_an_event_does_not_look_at_the_others():
    values, _ = bound(MODEL, X[:200], 70)
    np.testing.assert_allclose(bound(MODEL, X[137:140], 70)[0], values[137:140], rtol=1e-6)
    np.testing.assert_array_equal(bound(MODEL, X[:200], 70)[0], values)
    assert len(bound(MODEL, X[:0], 70)[0]) == 0


def test_draws_in_many_passes_are_counted_once():
    # Every estimate the same: however many passes, their mean is that.
    class Even(AbstractBound):
        value: jax.Array

        def log_prob_bound(self, x, key, context=None):
            return self.value

        def sample(self, key, context=None):
            return self.value

    for draws in (1, 7, 1024, 2049):
        values, errors = bound(Even(jnp.float32(-3.0)), np.zeros((5, 100, 100, 1), np.uint8), draws)
        np.testing.assert_allclose(values, -3.0, rtol=1e-6)
        assert draws == 1 or np.abs(errors).max() < 1e-3


@pytest.mark.parametrize("numbers", [1, 784 * 256, 10**7])
def test_draws_that_take_many_numbers_are_made_few_at_a_time(numbers):
    standing = []

    class Wide(AbstractBound):
        @property
        def numbers(self):
            return numbers

        def log_prob_bound(self, x, key, context=None):
            return jnp.float32(-2.0)

        def log_weights_of(self, x, keys, n):
            standing.append(len(x) * n * numbers)
            return jnp.full((len(x), n), -2.0)

        def sample(self, key, context=None):
            return jnp.zeros(3)

    values, _ = bound(Wide(), X[:70], 100)
    np.testing.assert_allclose(values, -2.0, rtol=1e-6)
    # 40 MB of single precision, or a single draw.
    assert max(standing) <= max(10**7, numbers)


def test_mixture_of_bounds_bounds_the_mixture():
    wide = eqx.tree_at(lambda m: m.noise, MODEL, jnp.float32(2.0))
    both = BoundMixture(
        jnp.log(jnp.array([0.25, 0.75])), jax.tree.map(lambda *leaves: jnp.stack(leaves), MODEL, wide), draws=2000
    )
    other = stats.multivariate_normal(np.zeros(3), LOADINGS @ LOADINGS.T + 4.0 * np.eye(3))
    exact = np.logaddexp(np.log(0.25) + TRUTH.logpdf(X), np.log(0.75) + other.logpdf(X))
    found = log_prob(both, X)
    assert likelihood(both) == "lower_bound"
    assert -0.01 < (exact - found).mean() < 0.05
    drawn = draw(both, 4000, np.random.RandomState(0))
    expected = LOADINGS @ LOADINGS.T + np.eye(3) * (0.25 * NOISE**2 + 0.75 * 4.0)
    np.testing.assert_allclose(np.cov(drawn.T), expected, rtol=0.2, atol=0.3)
