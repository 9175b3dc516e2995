"""Bounds on the log-densities of many events, by as many random draws as are asked for, in bounded memory."""

import math
import zlib
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped, UInt32

from landmass.arrays import on_device
from landmass.core.capabilities import AbstractBound, AbstractDensity, AbstractModel, Context
from landmass.core.distributions import Mixture
from landmass.types import Key, Keys, LogDensities, Scalar

# Events that one call answers for, and few of them where there are few.
EVENTS, FEW_EVENTS = 1024, 64

# The most events at a time within a call, and the most numbers that stand in memory for their draws then.
EVENTS_AT_ONCE, NUMBERS_AT_ONCE = 64, 8_000_000


class SampledMixture(AbstractModel):
    """Mixture of models of one type that can only be sampled, stacked along a leading axis.

    Args:
        log_weights: shape (components,); normalised here.
        components: one model whose arrays carry a leading axis of length `components`.
    """

    log_weights: Float[Array, " components"]
    components: Any

    def sample(self, key: Key, context: Context = None) -> Array:
        return self.samples(key, 1)[0]

    def samples(self, key: Key, n: int, context: Context = None) -> Array:
        choose, draw = jax.random.split(key)
        chosen = jax.random.categorical(choose, self.log_weights, shape=(n,))
        each = eqx.filter_vmap(lambda part: part.samples(draw, n))(self.components)
        return each[chosen, jnp.arange(n)]


class BoundMixture(SampledMixture, AbstractBound):
    """Mixture of models of one type whose densities are bounded, stacked along a leading axis.

    Args:
        draws: by which a log-density is bounded unless others are asked for.
    """

    draws: int = eqx.field(static=True, default=1)

    @property
    def numbers(self) -> int:
        # Of all members, which stand side by side.
        return self.components.numbers

    def log_prob_bound(self, x: Array, key: Key, context: Context = None) -> Scalar:
        return self.log_weights_of(x[None], key[None], 1)[0, 0]

    def log_weights_of(self, x: Array, keys: Keys, n: int) -> Float[Array, "events n"]:
        # The mean of estimates of the components' densities estimates the mixture's.
        each = eqx.filter_vmap(lambda part: part.log_weights_of(x, keys, n))(self.components)
        return jax.nn.logsumexp(jax.nn.log_softmax(self.log_weights)[:, None, None] + each, axis=0)


def mixture(log_weights: Float[Array, " components"], components: AbstractModel) -> AbstractModel:
    """The mixture of models side by side: a density of densities, a bound of bounds, else what can only be sampled.

    Args:
        log_weights: shape (components,).
        components: one model whose arrays carry a leading axis of length `components`.
    """
    if isinstance(components, AbstractDensity):
        return Mixture(log_weights, components)
    return (BoundMixture if isinstance(components, AbstractBound) else SampledMixture)(log_weights, components)


def bound(model: AbstractBound, Z: Shaped[np.ndarray, "events ..."], draws: int) -> tuple[LogDensities, LogDensities]:
    """The log of the mean of some draws, each an unbiased estimate of an event's density, or of less than it.

    Its expectation lies below log p(x), and comes closer with more draws. An event's noise is its own: the bound does
    not depend on the other events, and is the same each time.

    Args:
        model: the model.
        Z: coordinates of events, in its space.
        draws: how many.

    Returns:
        The bound of each event, and its standard error, both in nats, float64; the error of a single draw is NaN,
        and so is that of a bound of -inf.

    Source: Burda, Grosse & Salakhutdinov 2016 (importance-weighted auto-encoders).
    """
    # A part of an event has a mean and a scale, or more numbers.
    n, size = len(Z), max(2 * math.prod(Z.shape[1:]), model.numbers, 128)
    together = EVENTS_AT_ONCE
    while together > 1 and together * size > NUMBERS_AT_ONCE:
        together //= 2
    at_a_time = max(min(NUMBERS_AT_ONCE // (together * size), draws), 1)
    seeds = np.array([zlib.crc32(np.ascontiguousarray(row).tobytes()) for row in Z], np.uint32)
    rows = EVENTS if n > FEW_EVENTS else FEW_EVENTS
    found = [np.empty((0, 2), np.float32)]
    for start in range(0, n, rows):
        short = max(start + rows - n, 0)
        z, own = (
            on_device(np.pad(each[start : start + rows], ((0, short), *[(0, 0)] * (each.ndim - 1))))
            for each in (Z, seeds)
        )
        found.append(np.asarray(_bounds(model, z, own, draws, together, at_a_time))[: rows - short])
    log_mean, log_square = np.concatenate(found).astype(np.float64).T
    # The error of the log of a mean is the relative error of the mean.
    with np.errstate(invalid="ignore"):
        spread = np.maximum(np.expm1(log_square - 2.0 * log_mean), 0.0)
    return log_mean, np.sqrt(spread / (draws - 1)) if draws > 1 else np.full(n, np.nan)


@eqx.filter_jit
def _bounds(
    model: AbstractBound,
    z: Shaped[Array, "rows ..."],
    seeds: UInt32[Array, " rows"],
    draws: int,
    together: int,
    at_a_time: int,
) -> Float[Array, "rows 2"]:
    """The logs of the means of the draws and of their squares."""
    passes = -(-draws // at_a_time)

    def some(block: tuple[Array, Array]) -> Float[Array, "few 2"]:
        x, own = block

        def add(seen: Array, i: Array) -> tuple[Array, None]:
            keys = jax.vmap(lambda seed: jax.random.fold_in(jax.random.fold_in(jax.random.key(0), seed), i))(own)
            weights = model.log_weights_of(x, keys, at_a_time)
            # The last pass may draw more than is left to draw.
            weights = jnp.where(i * at_a_time + jnp.arange(at_a_time)[None] < draws, weights, -jnp.inf)
            both = jnp.stack([weights, 2.0 * weights], axis=-1)
            return jnp.logaddexp(seen, jax.nn.logsumexp(both, axis=1)), None

        found, _ = jax.lax.scan(add, jnp.full((len(x), 2), -jnp.inf), jnp.arange(passes))
        return found - math.log(draws)

    few = [each.reshape(-1, together, *each.shape[1:]) for each in (z, seeds)]
    return jax.lax.map(some, tuple(few)).reshape(-1, 2)
