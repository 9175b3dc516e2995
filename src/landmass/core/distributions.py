"""Distributions of one event: normal, uniform, categorical, mixtures, and any of them transformed."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import logsumexp
from jaxtyping import Array, Bool, Float, Integer, UInt8

from landmass.core.bijections import AbstractBijection
from landmass.core.capabilities import AbstractDensity, Context
from landmass.types import Event, Key, Scalar

LOG_2PI = 1.8378770664093453

FEW_STATES = 128
"""Up to so many states running sums are taken by a product."""


class Normal(AbstractDensity):
    """Multivariate normal distribution.

    Args:
        mean: shape (columns,).
        factor: lower-triangular Cholesky factor of the covariance, shape (columns, columns), diagonal above zero.
    """

    mean: Event
    factor: Float[Array, "columns columns"]

    def log_prob(self, x: Event, context: Context = None) -> Scalar:
        # The inverse does not depend on x: under vmap over events it is made once, and the rest is products.
        whiten = solve_triangular(self.factor, jnp.eye(x.size, dtype=x.dtype), lower=True)
        residual = whiten @ (x - self.mean)
        log_det = jnp.log(jnp.diagonal(self.factor)).sum()
        return -0.5 * (residual @ residual + x.size * LOG_2PI) - log_det

    def sample(self, key: Key, context: Context = None) -> Event:
        return self.mean + self.factor @ jax.random.normal(key, self.mean.shape, self.mean.dtype)


class IndependentNormal(AbstractDensity):
    """Normal distribution with independent columns.

    Args:
        mean: shape (columns,).
        scale: standard deviations, shape (columns,), above zero.
    """

    mean: Event
    scale: Event

    def log_prob(self, x: Event, context: Context = None) -> Scalar:
        residual = (x - self.mean) / self.scale
        return (-0.5 * (residual**2 + LOG_2PI) - jnp.log(self.scale)).sum()

    def sample(self, key: Key, context: Context = None) -> Event:
        return self.mean + self.scale * jax.random.normal(key, self.mean.shape, self.mean.dtype)


class Uniform(AbstractDensity):
    """Uniform density between two corners, zero outside.

    Args:
        low: lower corner, shape (columns,).
        high: upper corner, shape (columns,), above `low` on every column.
    """

    low: Event
    high: Event

    def log_prob(self, x: Event, context: Context = None) -> Scalar:
        inside = jnp.all((self.low <= x) & (x <= self.high))
        # Sum of logs, not log of the product: the volume of 784 pixels overflows.
        return jnp.where(inside, -jnp.log(self.high - self.low).sum(), -jnp.inf)

    def sample(self, key: Key, context: Context = None) -> Event:
        u = jax.random.uniform(key, self.low.shape, self.low.dtype)
        return jnp.clip(self.low + (self.high - self.low) * u, self.low, self.high)


class Columnwise(AbstractDensity):
    """Independent columns, each either standard normal or uniform.

    Args:
        normal: which columns are standard normal, shape (columns,).
        low: lower ends of the uniform columns, shape (columns,).
        high: upper ends of the uniform columns, shape (columns,).
    """

    normal: Bool[Array, " columns"]
    low: Event
    high: Event

    def log_prob(self, x: Event, context: Context = None) -> Scalar:
        width = jnp.where(self.normal, 1.0, self.high - self.low)
        uniform = jnp.where((self.low <= x) & (x <= self.high), -jnp.log(width), -jnp.inf)
        return jnp.where(self.normal, -0.5 * (x**2 + LOG_2PI), uniform).sum()

    def sample(self, key: Key, context: Context = None) -> Event:
        normal_key, uniform_key = jax.random.split(key)
        normal = jax.random.normal(normal_key, self.low.shape, self.low.dtype)
        uniform = self.low + (self.high - self.low) * jax.random.uniform(uniform_key, self.low.shape, self.low.dtype)
        return jnp.where(self.normal, normal, jnp.clip(uniform, self.low, self.high))


class Categorical(AbstractDensity):
    """Probabilities of the integers 0 … categories - 1; the base measure is counting.

    Args:
        logits: unnormalised log-probabilities, shape (categories,).
    """

    logits: Float[Array, " categories"]

    def log_prob(self, x: Integer[Array, ""], context: Context = None) -> Scalar:
        log_probs = jax.nn.log_softmax(self.logits)
        inside = (x >= 0) & (x < self.logits.size)
        return jnp.where(inside, log_probs[jnp.clip(x, 0, self.logits.size - 1)], -jnp.inf)

    def sample(self, key: Key, context: Context = None) -> Integer[Array, ""]:
        return jax.random.categorical(key, self.logits)


class UniformBytes(AbstractDensity):
    """All arrays of bytes of a shape, each as likely as any other; the base measure is counting.

    Args:
        shape: of an event.
        levels: values that a byte may take: all of them, or 0 and 255 alone.
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    levels: int = eqx.field(static=True, default=256)

    def log_prob(self, x: UInt8[Array, "..."], context: Context = None) -> Scalar:
        return jnp.full((), -math.prod(self.shape) * math.log(self.levels))

    def sample(self, key: Key, context: Context = None) -> UInt8[Array, "..."]:
        bits = jax.random.bits(key, self.shape, jnp.uint8)
        return bits if self.levels == 256 else jnp.where(bits >= 128, jnp.uint8(255), jnp.uint8(0))


class ByteFrequencies(AbstractDensity):
    """Independent bytes, each with its own probabilities; the base measure is counting.

    Args:
        table: log-probability of each value of each byte, shape (*event, 256); or of 0 and 255, shape (*event, 2).
    """

    table: Float[Array, "*event levels"]

    def log_prob(self, x: UInt8[Array, "*event"], context: Context = None) -> Scalar:
        index = x.astype(jnp.int32) // self._step
        return jnp.take_along_axis(self.table, index[..., None], axis=-1).sum()

    def sample(self, key: Key, context: Context = None) -> UInt8[Array, "*event"]:
        # One uniform number a byte: a number for each of its values would take a hundred times as long.
        share = jax.random.uniform(key, (self.table[..., 0].size,))
        index = reached(share, self.table.reshape(len(share), -1)).reshape(self.table.shape[:-1])
        return (index * self._step).astype(jnp.uint8)

    @property
    def _step(self) -> int:
        return 255 // (self.table.shape[-1] - 1)


class Mixture(AbstractDensity):
    """Mixture of distributions of one type, stacked along a leading axis.

    Args:
        log_weights: shape (components,); normalised here, so that any real numbers will do.
        components: one distribution whose arrays carry a leading axis of length `components`.
    """

    log_weights: Float[Array, " components"]
    components: AbstractDensity

    def log_prob(self, x: Array, context: Context = None) -> Scalar:
        each = eqx.filter_vmap(lambda part: part.log_prob(x, context))(self.components)
        return safe_logsumexp(jax.nn.log_softmax(self.log_weights) + each)

    def log_probs(self, x: Array, context: Context = None) -> Float[Array, " events"]:
        each = eqx.filter_vmap(lambda part: part.log_probs(x, context))(self.components)
        return jax.vmap(safe_logsumexp, in_axes=1)(jax.nn.log_softmax(self.log_weights)[:, None] + each)

    def sample(self, key: Key, context: Context = None) -> Array:
        choose, draw = jax.random.split(key)
        chosen = jax.random.categorical(choose, self.log_weights)
        arrays, rest = eqx.partition(self.components, eqx.is_array)
        part = eqx.combine(jax.tree.map(lambda leaf: leaf[chosen], arrays), rest)
        return part.sample(draw, context)


class Blend(AbstractDensity):
    """Mixture of a few distributions of different types on one space.

    Args:
        log_weights: shape (parts,); normalised here.
        parts: the distributions.
    """

    log_weights: Float[Array, " parts"]
    parts: tuple[Any, ...]

    def log_prob(self, x: Array, context: Context = None) -> Scalar:
        each = jnp.stack([part.log_prob(x, context) for part in self.parts])
        return safe_logsumexp(jax.nn.log_softmax(self.log_weights) + each)

    def sample(self, key: Key, context: Context = None) -> Array:
        choose, draw = jax.random.split(key)
        chosen = jax.random.categorical(choose, self.log_weights)
        return jax.lax.switch(chosen, [lambda k, p=part: p.sample(k, context) for part in self.parts], draw)


class Transformed(AbstractDensity):
    """The distribution of `bijection(z)` where z follows `base` (change of variables).

    Args:
        base: density of z.
        bijection: map from z to the event.
    """

    base: AbstractDensity
    bijection: AbstractBijection

    def log_prob(self, x: Array, context: Context = None) -> Scalar:
        z, log_det = self.bijection.inverse(x, context)
        return self.base.log_prob(z, context) + log_det

    def log_probs(self, x: Float[Array, "events columns"], context: Context = None) -> Float[Array, " events"]:
        z, log_det = self.bijection.inverse(x.T, context)
        return self.base.log_probs(z.T, context) + log_det

    def sample(self, key: Key, context: Context = None) -> Array:
        return self.bijection.forward(self.base.sample(key, context), context)[0]

    def samples(self, key: Key, n: int, context: Context = None) -> Float[Array, "events columns"]:
        return self.bijection.forward(self.base.samples(key, n, context).T, context)[0].T


def safe_logsumexp(values: Float[Array, " n"]) -> Scalar:
    """Log of a sum of exponentials whose value and gradient stay defined when every term is -inf."""
    empty = jnp.all(values == -jnp.inf)
    return jnp.where(empty, -jnp.inf, logsumexp(jnp.where(empty, 0.0, values)))


def reached(share: Float[Array, " rows"], log_probs: Float[Array, "rows states"]) -> Integer[Array, " rows"]:
    """The state in which a share of the probability is reached: of a random share a random state.

    Args:
        share: from 0 to below 1, one a row.
        log_probs: of each row's states; they need not be normalised.
    """
    chances, states = jnp.exp(log_probs), log_probs.shape[1]
    # Of few states a product adds them up in less time.
    below = chances @ jnp.triu(jnp.ones((states, states))) if states <= FEW_STATES else jnp.cumsum(chances, axis=-1)
    state = (below <= share[:, None] * below[:, -1:]).sum(-1)
    return jnp.minimum(state, states - 1).astype(jnp.int32)
