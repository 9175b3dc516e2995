"""Counts are smoothed as far as they ask for it, and all events together not at all."""

import jax.numpy as jnp
import numpy as np
from scipy import stats

from landmass.core.smoothing import Smoother

CELLS = 60


def smoothed(frequencies, counts, strength=1.0):
    smoother = Smoother.fit(((0, len(frequencies)),), frequencies)
    drawn = jnp.asarray(strength * frequencies[:, None], jnp.float32)
    return np.asarray(smoother(jnp.asarray(counts, jnp.float32), drawn), np.float64)


def from_truth(truth, shares):
    """Kullback-Leibler divergence of shares from the truth, in nats; a little of everything is possible."""
    shares = 0.999 * shares / shares.sum() + 0.001 / len(shares)
    return (truth * np.log(truth / shares)).sum()


def test_counts_of_all_events_and_their_sums_stay_as_they_are():
    rng = np.random.default_rng(0)
    frequencies = rng.dirichlet(np.full(CELLS, 0.3)) + 1e-6
    frequencies /= frequencies.sum()
    np.testing.assert_allclose(
        smoothed(frequencies, 500.0 * frequencies[:, None])[:, 0], 500.0 * frequencies, rtol=1e-4
    )
    counts = rng.poisson(3.0, (CELLS, 4)).astype(float)
    np.testing.assert_allclose(smoothed(frequencies, counts).sum(0), counts.sum(0), rtol=1e-5)
    assert (smoothed(frequencies, counts) >= 0.0).all()


def test_a_smooth_class_is_told_better_and_a_rough_one_no_worse():
    rng = np.random.default_rng(1)
    even = np.full(CELLS, 1.0 / CELLS)
    edges = np.linspace(-3.0, 3.0, CELLS + 1)
    smooth = np.diff(stats.norm.cdf(edges, 0.5, 0.8))
    smooth /= smooth.sum()
    rough = np.where(np.arange(CELLS) % 7 == 0, 20.0, 0.2)
    rough /= rough.sum()
    for truth, most in ((smooth, 0.35), (rough, 1.02)):
        counts = rng.multinomial(200, truth, 20).T.astype(float)
        before = np.mean([from_truth(truth, each) for each in counts.T])
        after = np.mean([from_truth(truth, each) for each in smoothed(even, counts).T])
        assert after < most * before


def test_other_states_are_left_alone():
    rng = np.random.default_rng(2)
    counts = rng.poisson(2.0, (3 + 20 + 2 + 8, 5)).astype(np.float32)
    frequencies = np.full(len(counts), 0.1)
    smoother = Smoother.fit(((3, 20), (23, 2), (25, 8)), frequencies)
    found = np.asarray(smoother(jnp.asarray(counts), jnp.full((len(counts), 1), 0.1)))
    np.testing.assert_array_equal(found[:3], counts[:3])
    np.testing.assert_array_equal(found[23:25], counts[23:25])
    for part in (slice(3, 23), slice(25, 33)):
        np.testing.assert_allclose(found[part].sum(0), counts[part].sum(0), rtol=1e-5)
        assert np.abs(found[part] - counts[part]).max() > 0.1
    assert Smoother.fit(((0, 2), (2, 4)), np.full(6, 0.5)) is None
