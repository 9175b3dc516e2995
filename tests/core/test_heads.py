"""Heads against SciPy: log-densities, distribution functions, draws, and the losses people know by name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from landmass.core.heads import (
    LEAST_SCALE,
    Bernoulli,
    Categorical,
    Focal,
    Gaussian,
    GaussianMixture,
    Hinge,
    Laplace,
    positive,
)

RNG = np.random.default_rng(0)
N = 6
NUMBERS = [Gaussian(), Gaussian(varying=False), Laplace(), Laplace(varying=False), GaussianMixture(components=3)]
CLASSES = [Categorical(4), Bernoulli(2), Focal(3), Hinge(3)]


def outputs(head, n=N):
    return jnp.asarray(np.random.default_rng(1).standard_normal((n, head.outputs)), jnp.float32)


def expected(head, out, temperature):
    """SciPy's distributions, one an event, as weights and parts."""
    out = np.asarray(out, float)
    scales = temperature * np.asarray(positive(jnp.asarray(out)), float)
    kind = stats.laplace if isinstance(head, Laplace) else stats.norm
    for i, row in enumerate(out):
        if isinstance(head, GaussianMixture):
            k = head.components
            yield special.softmax(row[:k]), [kind(row[k + j], scales[i, 2 * k + j]) for j in range(k)]
        else:
            yield [1.0], [kind(row[0], scales[i, 1] if head.varying else temperature)]


@pytest.mark.parametrize("head", NUMBERS, ids=str)
@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_density_and_distribution_function_are_scipys(head, temperature):
    out, y = outputs(head), RNG.standard_normal(N)
    log_probs = head.log_probs(out, jnp.asarray(y, jnp.float32), temperature)
    below = head.cdf(out, jnp.asarray(y, jnp.float32), temperature)
    for i, (weights, parts) in enumerate(expected(head, out, temperature)):
        density = sum(w * part.pdf(y[i]) for w, part in zip(weights, parts, strict=True))
        assert float(log_probs[i]) == pytest.approx(np.log(density), abs=2e-5)
        chance = sum(w * part.cdf(y[i]) for w, part in zip(weights, parts, strict=True))
        assert float(below[i]) == pytest.approx(chance, abs=2e-6)


@pytest.mark.parametrize("head", NUMBERS, ids=str)
def test_mean_is_the_integral(head):
    out = outputs(head)
    for found, (weights, parts) in zip(head.mean(out), expected(head, out, 1.0), strict=True):
        assert float(found) == pytest.approx(
            sum(w * part.mean() for w, part in zip(weights, parts, strict=True)), abs=1e-5
        )


@pytest.mark.parametrize("head", NUMBERS, ids=str)
def test_draws_follow_the_density(head):
    out = jnp.tile(outputs(head)[:1], (20_000, 1))
    drawn = np.asarray(head.draw(out, jax.random.key(0), 1.3))
    chances = np.asarray(head.cdf(out, jnp.asarray(drawn), 1.3))
    assert stats.kstest(chances, "uniform").pvalue > 1e-6
    moved = np.asarray(head.cdf(out, jnp.asarray(1.05 * drawn + 0.05), 1.3))
    assert stats.kstest(moved, "uniform").pvalue < 1e-6


@pytest.mark.parametrize("head", CLASSES, ids=str)
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_probabilities_of_classes_sum_to_one_and_are_the_densities(head, temperature):
    out = outputs(head)
    found = np.asarray(head.probabilities(out, temperature))
    np.testing.assert_allclose(found.sum(1), 1.0, atol=1e-6)
    logits = np.column_stack([np.zeros(N), out]) if isinstance(head, Bernoulli) else np.asarray(out, float)
    np.testing.assert_allclose(found, special.softmax(logits / temperature, axis=1), rtol=1e-5)
    for label in range(head.classes):
        log_probs = head.log_probs(out, jnp.full(N, float(label)), temperature)
        np.testing.assert_allclose(log_probs, np.log(found[:, label]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("head", CLASSES, ids=str)
def test_drawn_classes_come_as_often_as_they_are_likely(head):
    out = jnp.tile(outputs(head)[:1], (20_000, 1))
    counts = np.bincount(np.asarray(head.draw(out, jax.random.key(0), 1.3)).astype(int), minlength=head.classes)
    expected = 20_000 * np.asarray(head.probabilities(out[:1], 1.3), float)[0]
    assert stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue > 1e-6


@pytest.mark.parametrize("head", NUMBERS, ids=str)
def test_floor_of_numbers_is_a_wide_laplace_distribution_around_the_mean(head):
    out, y = outputs(head), RNG.standard_normal(N)
    wide = stats.laplace(np.asarray(head.mean(out), float))
    np.testing.assert_allclose(head.floor_log_probs(out, jnp.asarray(y, jnp.float32)), wide.logpdf(y), atol=1e-5)
    np.testing.assert_allclose(head.floor_cdf(out, jnp.asarray(y, jnp.float32)), wide.cdf(y), atol=1e-6)
    drawn = np.asarray(head.floor_draw(jnp.tile(out[:1], (20_000, 1)), jax.random.key(0)))
    assert stats.kstest(drawn, stats.laplace(wide.mean()[0]).cdf).pvalue > 1e-6


@pytest.mark.parametrize("head", CLASSES, ids=str)
def test_floor_of_classes_holds_all_alike(head):
    out = outputs(head, 20_000)
    np.testing.assert_allclose(np.exp(head.floor_log_probs(out, jnp.zeros(20_000))), 1.0 / head.classes, rtol=1e-6)
    counts = np.bincount(np.asarray(head.floor_draw(out, jax.random.key(0))).astype(int), minlength=head.classes)
    assert stats.chisquare(counts).pvalue > 1e-6


@pytest.mark.parametrize("head", NUMBERS[:4], ids=str)
def test_no_outputs_suit_all_numbers_better_than_the_blind_ones(head):
    rng = np.random.default_rng(2)
    y, weight = rng.gamma(2.0, size=400), rng.uniform(0.5, 2.0, 400)
    answers, share = jnp.asarray(y, jnp.float32), weight / weight.sum()

    def score(outputs):
        return float(share @ np.asarray(head.log_probs(jnp.tile(jnp.asarray(outputs, jnp.float32), (400, 1)), answers)))

    blind = np.array(head.blind(y, weight))
    for i in range(len(blind)):
        for step in (-0.1, 0.1):
            assert score(blind) > score(blind + step * np.eye(len(blind))[i]) - 1e-6


@pytest.mark.parametrize("head", CLASSES, ids=str)
def test_blind_outputs_of_classes_are_their_frequencies_with_half_an_event_more_of_each(head):
    y, weight = np.array([0.0, 1.0, 1.0, 1.0]), np.array([1.0, 2.0, 1.0, 1.0])
    blind = jnp.asarray(head.blind(y, weight), jnp.float32)[None]
    expected = np.array([1.5, 4.5, 0.5, 0.5])[: head.classes]
    np.testing.assert_allclose(head.probabilities(blind)[0], expected / expected.sum(), rtol=1e-5)


def test_losses_that_people_know_by_name():
    y = jnp.asarray(RNG.standard_normal(N), jnp.float32)
    guess = outputs(Gaussian(varying=False))
    squared = 0.5 * (np.asarray(y) - np.asarray(guess[:, 0])) ** 2 + 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(Gaussian(varying=False).losses(guess, y), squared, rtol=1e-5)
    absolute = np.abs(np.asarray(y) - np.asarray(guess[:, 0])) + np.log(2.0)
    np.testing.assert_allclose(Laplace(varying=False).losses(guess, y), absolute, rtol=1e-5)
    labels = np.array([0, 1, 2, 0, 1, 2])
    out = np.asarray(outputs(Focal(3)), float)
    log_p = special.log_softmax(out, axis=1)[np.arange(N), labels]
    np.testing.assert_allclose(
        Categorical(3).losses(outputs(Focal(3)), jnp.asarray(labels, jnp.float32)), -log_p, rtol=1e-5
    )
    focal = -((1.0 - np.exp(log_p)) ** 2) * log_p
    np.testing.assert_allclose(Focal(3).losses(outputs(Focal(3)), jnp.asarray(labels, jnp.float32)), focal, rtol=1e-4)
    wrong = np.where(np.eye(3)[labels] > 0, -np.inf, out).max(1)
    hinge = np.maximum(0.0, 1.0 - out[np.arange(N), labels] + wrong)
    np.testing.assert_allclose(
        Hinge(3).losses(outputs(Hinge(3)), jnp.asarray(labels, jnp.float32)), hinge, rtol=1e-4, atol=1e-6
    )


def test_smoothed_loss_is_that_of_labels_partly_drawn_anew():
    head, labels = Categorical(4), jnp.asarray([0.0, 1.0, 2.0, 3.0, 0.0, 1.0])
    every = np.stack([np.asarray(head.losses(outputs(head), jnp.full(N, float(k)))) for k in range(4)])
    expected = 0.9 * np.asarray(head.losses(outputs(head), labels)) + 0.1 * every.mean(0)
    np.testing.assert_allclose(head.smoothed(outputs(head), labels, 0.1), expected, rtol=1e-5)


@pytest.mark.parametrize("head", [*NUMBERS, *CLASSES], ids=str)
def test_slopes_stay_finite_far_out(head):
    out = 50.0 * outputs(head)
    y = jnp.asarray([-40.0, 40.0, 0.0, 1.0, 0.0, 1.0]) if head in NUMBERS else jnp.asarray([0.0, 1.0] * 3)
    slopes = jax.grad(lambda o: head.losses(o, y).mean())(out)
    assert np.isfinite(slopes).all()


def test_scale_is_one_at_zero_and_never_a_spike():
    assert float(positive(jnp.zeros(()))) == pytest.approx(1.0, abs=1e-6)
    assert float(positive(jnp.asarray(-1e4))) == pytest.approx(LEAST_SCALE)


def test_mixture_integrates_to_one():
    head = GaussianMixture(components=3)
    one = outputs(head)[:1]
    ask = jax.jit(lambda y: head.log_probs(one, y[None])[0])
    mass, _ = integrate.quad(lambda y: np.exp(float(ask(jnp.float32(y)))), -30, 30, limit=200)
    assert mass == pytest.approx(1.0, abs=1e-4)
