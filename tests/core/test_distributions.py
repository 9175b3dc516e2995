"""Distributions: SciPy's densities, honest samples, -inf and no NaN outside the support."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from landmass.core.bijections import Affine
from landmass.core.capabilities import (
    AbstractBound,
    AbstractDensity,
    AbstractEstimate,
    AbstractModel,
    likelihood,
)
from landmass.core.distributions import (
    Blend,
    ByteFrequencies,
    Categorical,
    Columnwise,
    IndependentNormal,
    Mixture,
    Normal,
    Transformed,
    Uniform,
    safe_logsumexp,
)

FALSE_ALARM = 1e-6
N = 20_000

MEAN = np.array([1.0, -2.0])
FACTOR = np.array([[2.0, 0.0], [-1.0, 0.5]])
SCALE = np.array([0.5, 3.0])
LOW, HIGH = np.array([-1.0, 2.0]), np.array([1.0, 7.0])
WEIGHTS = np.array([0.7, 0.3])


def f32(value):
    return jnp.asarray(value, jnp.float32)


def normal():
    return Normal(f32(MEAN), f32(FACTOR))


def uniform():
    return Uniform(f32(LOW), f32(HIGH))


def two_normals():
    """A mixture of N(MEAN, diag(SCALE²)) and N(0, 1)."""
    return Mixture(
        f32(np.log(WEIGHTS) + 5.0),
        jax.vmap(IndependentNormal)(f32([MEAN, [0.0, 0.0]]), f32([SCALE, [1.0, 1.0]])),
    )


def log_uniform(x):
    inside = ((x >= LOW) & (x <= HIGH)).all(axis=1)
    return np.where(inside, -np.log(2.0 * 5.0), -np.inf)


def log_mixture(x):
    parts = stats.norm(MEAN, SCALE).logpdf(x).sum(axis=1), stats.norm(0, 1).logpdf(x).sum(axis=1)
    return np.logaddexp(*(np.log(WEIGHTS)[:, None] + parts))


# A distribution, and SciPy's log-density of it.
CASES = {
    "normal": (normal, stats.multivariate_normal(MEAN, FACTOR @ FACTOR.T).logpdf),
    "independent normal": (
        lambda: IndependentNormal(f32(MEAN), f32(SCALE)),
        lambda x: stats.norm(MEAN, SCALE).logpdf(x).sum(axis=1),
    ),
    "uniform": (uniform, log_uniform),
    "columnwise": (
        lambda: Columnwise(jnp.array([True, False]), f32(LOW), f32(HIGH)),
        lambda x: stats.norm.logpdf(x[:, 0]) + stats.uniform(2.0, 5.0).logpdf(x[:, 1]),
    ),
    "mixture": (two_normals, log_mixture),
    "blend": (
        lambda: Blend(f32(np.log(WEIGHTS) - 3.0), (normal(), uniform())),
        lambda x: np.logaddexp(
            np.log(WEIGHTS[0]) + stats.multivariate_normal(MEAN, FACTOR @ FACTOR.T).logpdf(x),
            np.log(WEIGHTS[1]) + log_uniform(x),
        ),
    ),
    "blend of unlike uniforms": (
        lambda: Blend(f32(np.log(WEIGHTS)), (uniform(), Uniform(f32(LOW), f32(HIGH + 1.0)))),
        lambda x: np.log(
            WEIGHTS[0] * np.exp(log_uniform(x))
            + WEIGHTS[1] * (((x >= LOW) & (x <= HIGH + 1.0)).all(axis=1) / (3.0 * 6.0))
        ),
    ),
    "transformed": (
        lambda: Transformed(uniform(), Affine(f32([1.0, 9.0]), f32([-2.0, -3.0]))),
        lambda x: log_uniform((x - [1.0, 9.0]) / [-2.0, -3.0]) - np.log(6.0),
    ),
}
EVENTS = np.concatenate(
    [np.random.default_rng(0).normal(0, 4, (40, 2)), [[0.5, 3.0], [0.9, 6.5], [-0.5, -10.0], [300.0, -300.0]]]
).astype(np.float32)

# Both at once, so that each distribution compiles once.
log_prob_and_gradient = eqx.filter_jit(
    lambda model, x: jax.vmap(lambda one: jax.value_and_grad(model.log_prob)(one))(x)
)
draw = eqx.filter_jit(lambda model, keys: jax.vmap(model.sample)(keys))


@pytest.fixture(scope="module", params=CASES)
def case(request):
    make, expected = CASES[request.param]
    return make(), expected


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_log_density_is_scipys(case):
    model, expected = case
    found = np.asarray(log_prob_and_gradient(model, EVENTS)[0])
    np.testing.assert_allclose(found, expected(EVENTS.astype(np.float64)), rtol=2e-5, atol=2e-5)


def test_gradients_are_finite_inside_and_outside_of_the_support(case):
    assert np.isfinite(log_prob_and_gradient(case[0], EVENTS)[1]).all()


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_samples_follow_the_density(case):
    model, expected = case
    x = np.asarray(draw(model, jax.random.split(jax.random.key(0), N)), np.float64)
    assert fit_of(x, expected) > FALSE_ALARM


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_stretched_samples_are_found_out(case):
    model, expected = case
    x = np.asarray(draw(model, jax.random.split(jax.random.key(0), N)), np.float64)
    assert fit_of(1.05 * (x - x.mean(0)) + x.mean(0) + 0.02, expected) < FALSE_ALARM


def fit_of(x, log_density):
    """P-value of the chi-square test of the samples' counts in 24 × 24 cells on [-7, 9] × [-12, 12]."""
    parts, cells = 20, 24
    edges = [np.linspace(a, b, cells * parts + 1) for a, b in ((-7.0, 9.0), (-12.0, 12.0))]
    centres = np.stack(np.meshgrid(*(0.5 * (e[1:] + e[:-1]) for e in edges), indexing="ij"), -1).reshape(-1, 2)
    small = np.exp(log_density(centres)) * (16.0 / (cells * parts)) * (24.0 / (cells * parts))
    masses = small.reshape(cells, parts, cells, parts).sum(axis=(1, 3))
    counts = np.histogram2d(*x.T, bins=[e[::parts] for e in edges])[0]
    common = masses * len(x) >= 5
    counts = np.append(counts[common], len(x) - counts[common].sum())
    expected = np.append(masses[common], max(1 - masses[common].sum(), 1 / len(x))) * len(x)
    return stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1)


def test_uniform_samples_stay_inside():
    x = np.asarray(draw(uniform(), jax.random.split(jax.random.key(1), N)))
    assert ((x >= LOW) & (x <= HIGH)).all()


def test_uniform_holds_its_border_and_nothing_beyond():
    log_p = jax.vmap(uniform().log_prob)(f32([[-1.0, 2.0], [1.0, 7.0], [-1.0, np.nextafter(np.float32(7.0), 8)]]))
    np.testing.assert_allclose(log_p, [-np.log(10), -np.log(10), -np.inf], rtol=1e-6)


def test_volume_of_many_columns_does_not_overflow():
    wide = Uniform(jnp.zeros(784), jnp.full(784, 256.0))
    assert wide.log_prob(jnp.ones(784)) == pytest.approx(-784 * np.log(256.0), rel=1e-6)


PROBABILITIES = np.array([0.5, 0.2, 0.3])


def test_categorical_gives_the_probabilities_of_its_logits():
    model = Categorical(f32(np.log(PROBABILITIES) + 2.0))
    log_p = jax.vmap(model.log_prob)(jnp.array([0, 1, 2, 3, -1]))
    np.testing.assert_allclose(log_p, [*np.log(PROBABILITIES), -np.inf, -np.inf], rtol=1e-6)


def test_categorical_samples_have_its_frequencies():
    model = Categorical(f32(np.log(PROBABILITIES)))
    counts = np.bincount(draw(model, jax.random.split(jax.random.key(2), N)), minlength=3)
    assert stats.chisquare(counts, N * PROBABILITIES).pvalue > FALSE_ALARM
    assert stats.chisquare(counts, N * np.array([0.47, 0.23, 0.3])).pvalue < FALSE_ALARM


@pytest.mark.parametrize("levels", [2, 256])
def test_bytes_are_drawn_as_often_as_their_table_says(levels):
    """What has no probability is never drawn, at either end."""
    chances = np.random.default_rng(0).dirichlet(np.full(levels, 0.3), size=(2, 3))
    chances[0, :, : levels // 3] = chances[1, :, -(levels // 2) :] = 0.0
    chances /= chances.sum(-1, keepdims=True)
    drawn = np.asarray(draw(ByteFrequencies(jnp.log(f32(chances))), jax.random.split(jax.random.key(3), N)))
    values = np.arange(levels) * (255 // (levels - 1))
    counts = (drawn[..., None] == values).sum(0)
    assert not counts[chances == 0.0].any()
    expected = N * chances
    often = expected > 5.0
    surprise = ((counts - expected)[often] ** 2 / expected[often]).sum()
    assert surprise < stats.chi2.isf(FALSE_ALARM, often.sum())


def test_impossible_event_of_a_mixture_has_density_zero_and_a_gradient():
    model = Mixture(jnp.zeros(2), jax.vmap(Uniform)(f32([[0.0], [2.0]]), f32([[1.0], [3.0]])))
    value, slope = jax.value_and_grad(model.log_prob)(f32([1.5]))
    assert value == -np.inf
    assert slope == 0.0


def test_log_of_an_empty_sum_is_minus_infinity_with_a_gradient():
    value, slope = jax.value_and_grad(safe_logsumexp)(f32([-np.inf, -np.inf]))
    assert value == -np.inf
    np.testing.assert_array_equal(slope, 0.0)


def test_log_of_a_sum_is_scipys():
    values = f32([-1e4, 3.0, -np.inf, 2.0])
    assert safe_logsumexp(values) == pytest.approx(np.logaddexp(3.0, 2.0), rel=1e-6)


def test_nan_never_becomes_density_zero():
    assert np.isnan(safe_logsumexp(f32([np.nan, -np.inf])))
    assert np.isnan(normal().log_prob(f32([np.nan, 0.0])))


class Coin(AbstractModel):
    def sample(self, key, context=None):
        return jnp.zeros(1)


class Bound(Coin, AbstractBound):
    def log_prob_bound(self, x, key, context=None):
        return jnp.zeros(())


class Estimate(Coin, AbstractEstimate):
    def log_prob_estimate(self, x, key, context=None):
        return jnp.zeros(()), jnp.ones(())


def test_label_says_how_the_likelihood_is_known():
    labels = [likelihood(model) for model in (normal(), Bound(), Estimate(), Coin())]
    assert labels == ["exact", "lower_bound", "estimate", "none"]
    assert isinstance(normal(), AbstractDensity)
