"""Likelihoods of images and of columns: they count or integrate to one, agree with SciPy, and draw what they say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from landmass.core.cells import log_cell
from landmass.core.likelihoods import LIKELIHOODS

# Means beyond both ends, and scales from a fraction of a byte to many times its range.
NUMBERS = np.array([[m, s] for m in (-3.0, -1.0, -0.3, 0.0, 0.998, 4.0) for s in (-6.5, -4.0, -1.0, 1.5)], np.float32)
EVERY = np.arange(256, dtype=np.uint8)


def tables(name, levels):
    """Log-probabilities of every byte for some numbers, shape (cases, bytes), and those numbers."""
    likelihood = LIKELIHOODS[name](levels)
    random = np.random.default_rng(0).normal(0.0, 3.0, (6, likelihood.numbers)).astype(np.float32)
    numbers = NUMBERS if likelihood.numbers == 2 else random
    values = EVERY if levels == 256 else np.array([0, 255], np.uint8)
    each = jax.vmap(
        lambda row: likelihood.log_probs(jnp.broadcast_to(row, (len(values), row.size)), jnp.asarray(values))
    )
    return np.asarray(each(jnp.asarray(numbers)), np.float64), jnp.asarray(numbers), values


@pytest.mark.parametrize(
    ("name", "levels"),
    [("gaussian", 256), ("logistic", 256), ("categorical", 256), ("categorical", 2), ("bernoulli", 2)],
)
def test_probabilities_of_all_bytes_sum_to_one(name, levels):
    log_probs, _, _ = tables(name, levels)
    np.testing.assert_allclose(np.exp(log_probs).sum(1), 1.0, atol=2e-5)


@pytest.mark.parametrize(("name", "peer"), [("gaussian", stats.norm), ("logistic", stats.logistic)])
def test_cells_hold_the_differences_of_distribution_functions(name, peer):
    log_probs, numbers, _ = tables(name, 256)
    edges = (np.arange(257) - 0.5) / 127.5 - 1.0
    edges[[0, -1]] = -np.inf, np.inf
    for found, (mean, log_scale) in zip(log_probs, np.asarray(numbers, float), strict=True):
        bump = peer(mean, np.exp(log_scale))
        upper = edges[:-1] > mean
        expected = np.where(upper, bump.sf(edges[:-1]) - bump.sf(edges[1:]), bump.cdf(edges[1:]) - bump.cdf(edges[:-1]))
        known = expected > 1e-30
        np.testing.assert_allclose(found[known], np.log(expected[known]), rtol=2e-4, atol=2e-3)


def test_cells_and_their_slopes_are_true_far_out_in_both_tails():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, 5000).astype(np.uint8)
    means, log_scales = (rng.uniform(*ends, 5000).astype(np.float32) for ends in ((-4.0, 4.0), (-6.9, 2.3)))
    found, slopes = jax.vmap(jax.value_and_grad(log_cell, (1, 2)))(*map(jnp.asarray, (x, means, log_scales)))
    mean, scale = means.astype(float), np.exp(log_scales.astype(float))
    a = np.where(x == 0, -np.inf, (x - 0.5) / 127.5 - 1.0 - mean) / scale
    b = np.where(x == 255, np.inf, (x + 0.5) / 127.5 - 1.0 - mean) / scale
    low, high = np.where(a + b > 0.0, -b, a), np.where(a + b > 0.0, -a, b)
    truth = special.log_ndtr(high) + np.log(-np.expm1(special.log_ndtr(low) - special.log_ndtr(high)))
    at_a, at_b = (np.exp(stats.norm.logpdf(end) - truth) for end in (a, b))
    a, b = (np.where(np.isinf(end), 0.0, end) for end in (a, b))
    for slope, expected in zip(slopes, ((at_a - at_b) / scale, a * at_a - b * at_b), strict=True):
        np.testing.assert_allclose(slope, expected, rtol=5e-3, atol=5e-3)
    np.testing.assert_allclose(found, truth, rtol=2e-4, atol=2e-3)


@pytest.mark.parametrize(("name", "peer"), [("gaussian", stats.norm), ("logistic", stats.logistic)])
def test_columns_have_densities(name, peer):
    x = jnp.linspace(-4.0, 4.0, 41)
    numbers = jnp.broadcast_to(jnp.array([0.4, -0.7]), (41, 2))
    found = LIKELIHOODS[name](0).log_probs(numbers, x)
    np.testing.assert_allclose(found, peer(0.4, np.exp(-0.7)).logpdf(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "levels"), [("gaussian", 256), ("logistic", 256), ("categorical", 256), ("bernoulli", 2)]
)
def test_slopes_are_finite_everywhere(name, levels):
    likelihood = LIKELIHOODS[name](levels)
    _, numbers, values = tables(name, levels)
    each = jax.vmap(jax.grad(lambda row, x: likelihood.log_probs(row[None], x[None])[0]), (0, None))
    slopes = jax.vmap(each, (None, 0))(numbers, jnp.asarray(values))
    assert np.isfinite(slopes).all()


@pytest.mark.parametrize(
    ("name", "levels"), [("gaussian", 256), ("logistic", 256), ("categorical", 256), ("bernoulli", 2)]
)
def test_draws_come_as_often_as_they_are_likely(name, levels):
    log_probs, numbers, values = tables(name, levels)
    likelihood, n = LIKELIHOODS[name](levels), 20_000
    for case in (1, 2):
        drawn = likelihood.draw(jnp.broadcast_to(numbers[case], (n, numbers.shape[1])), jax.random.key(case))
        counts = np.array([(np.asarray(drawn) == value).sum() for value in values])
        expected = np.exp(log_probs[case]) * n
        likely = expected > 5
        seen, owed = (np.append(each[likely], each[~likely].sum() + 1e-9) for each in (counts, expected))
        # False alarm: 1e-6.
        assert stats.chisquare(seen, owed * seen.sum() / owed.sum()).pvalue > 1e-6
        assert stats.chisquare(np.roll(seen, 3), owed * seen.sum() / owed.sum()).pvalue < 1e-6 or levels == 2


def test_blind_numbers_suit_all_events():
    x = np.random.default_rng(0).integers(0, 40, (500, 3), np.uint8)
    for name in ("gaussian", "logistic", "categorical"):
        likelihood = LIKELIHOODS[name](256)
        blind = likelihood.blind(x)
        own = likelihood.log_probs(jnp.broadcast_to(jnp.asarray(blind), (500, *blind.shape)), jnp.asarray(x)).mean()
        assert own > -np.log(256.0) + 1.0
    black = np.where(x < 10, np.uint8(255), np.uint8(0))
    chance = 1.0 / (1.0 + np.exp(-LIKELIHOODS["bernoulli"](2).blind(black)[..., 0]))
    np.testing.assert_allclose(chance, (black == 255).mean(0), atol=2e-3)


def test_density_of_a_column_integrates_to_one():
    likelihood = LIKELIHOODS["logistic"](0)
    numbers = jnp.array([[0.2, -1.0]])

    def density(x):
        return float(jnp.exp(likelihood.log_probs(numbers, jnp.array([x], jnp.float32))[0]))

    assert integrate.quad(density, -20, 20, points=[0.2])[0] == pytest.approx(1.0, abs=1e-4)
