"""Normal distributions that vary widely along a few directions and evenly along all others, of rows and of bytes.

Their numbers may be on the host in double precision: then many events are scored there, in that precision.
"""

from collections.abc import Iterator
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Integer, UInt8

from landmass.core.capabilities import AbstractBound, AbstractDensity, AbstractLatent, Context
from landmass.core.distributions import LOG_2PI
from landmass.types import Event, HostEvents, Key, LogDensities, Scalar

# Events that the host scores at a time. Always as many, so that an event's last bits do not depend on its batch.
AT_ONCE = 128

Numbers = Array | np.ndarray
"""On the device, or on the host."""

Code = Float[Array, " components"]
"""An event's place along each direction, standard normal before anything is seen."""


class LowRankNormal(AbstractDensity, AbstractLatent):
    """Normal distribution with covariance W Wᵀ + σ² I, where W has few columns.

    The columns of W are orthogonal: an event is μ + W z + σ ε, with z and ε standard normal. Its log-density costs
    no more than a product with W (Woodbury's formula), and no inverse.

    Args:
        mean: μ.
        directions: of W's columns, each of length one and orthogonal to the others.
        variances: along each direction, σ² included; at least σ².
        noise: σ², above zero.

    Source: Tipping & Bishop 1999.
    """

    mean: Float[Numbers, " columns"]
    directions: Float[Numbers, "columns components"]
    variances: Float[Numbers, " components"]
    noise: Float[Numbers, ""]

    @classmethod
    def of(cls, mean: np.ndarray, loadings: np.ndarray, noise: float) -> Self:
        """The distribution of any W, on the host.

        Args:
            mean: μ, shape (columns,).
            loadings: W, shape (columns, components); its columns need not be orthogonal.
            noise: σ².
        """
        directions, lengths, _ = np.linalg.svd(loadings, full_matrices=False)
        return cls(mean, upright(directions), lengths**2 + noise, np.array(noise))

    @property
    def loadings(self) -> Float[Numbers, "columns components"]:
        """W."""
        return self.directions * _library(self.mean).sqrt(self.variances - self.noise)[None]

    @property
    def trace_of_precision(self) -> Any:
        """Sum of the inverse covariance's diagonal."""
        return (1.0 / self.variances).sum() + (self.mean.size - self.variances.size) / self.noise

    def log_prob(self, x: Event, context: Context = None) -> Scalar:
        return self.log_probs(x[None])[0]

    def log_probs(self, x: Float[Array, "events columns"], context: Context = None) -> Float[Array, " events"]:
        return self._log_probs(x)

    def quick_log_probs(self, x: HostEvents) -> LogDensities | None:
        return self.on_host(x) if isinstance(self.mean, np.ndarray) else None

    def on_host(self, x: HostEvents) -> LogDensities:
        """Log-densities of events by a distribution that is on the host."""
        found = np.empty(len(x))
        for start in range(0, len(x), AT_ONCE):
            few = x[start : start + AT_ONCE]
            filled = np.pad(few, ((0, AT_ONCE - len(few)), (0, 0)))
            # Far enough away the density is zero.
            with np.errstate(over="ignore"):
                found[start : start + AT_ONCE] = self._log_probs(filled)[: len(few)]
        return found

    def _log_probs(self, x: Any) -> Any:
        log, columns, components = _library(x).log, self.mean.size, self.variances.size
        steps = x - self.mean[None]
        along = steps @ self.directions
        across = steps - along @ self.directions.T
        distance = (along**2 / self.variances[None]).sum(1) + (across**2).sum(1) / self.noise
        log_det = log(self.variances).sum() + (columns - components) * log(self.noise)
        return -0.5 * (distance + log_det + columns * LOG_2PI)

    def sample(self, key: Key, context: Context = None) -> Event:
        code, rest = jax.random.split(key)
        spread = _library(self.noise).sqrt(self.noise)
        noise = spread * jax.random.normal(rest, self.mean.shape)
        return self.decode(jax.random.normal(code, self.variances.shape)) + noise

    def encode(self, x: Event) -> Code:
        """Mean of the code given the event, (WᵀW + σ² I)⁻¹ Wᵀ (x − μ)."""
        return (x - self.mean) @ self.loadings / self.variances

    def decode(self, z: Code) -> Event:
        """Mean of the event given the code, μ + W z."""
        return jnp.asarray(self.loadings) @ z + self.mean

    @property
    def code_covariance(self) -> Float[Numbers, "components components"]:
        """Covariance of the code given any event, σ² (WᵀW + σ² I)⁻¹."""
        return _library(self.mean).diag(self.noise / self.variances)

    def posterior(
        self, x: Float[np.ndarray, "events columns"]
    ) -> tuple[Float[np.ndarray, "events components"], Float[np.ndarray, "events components"]]:
        """Mean and standard deviation of the codes of events, in whose cells NaN is missing. On the host."""
        codes = np.empty((2, len(x), self.variances.size))
        for rows, means, covariance in self._posteriors(x):
            codes[0, rows], codes[1, rows] = means, np.sqrt(np.diagonal(covariance))
        return codes[0], codes[1]

    def codes_of(
        self, x: Float[np.ndarray, "events columns"], noise: Float[np.ndarray, "events components"]
    ) -> Float[np.ndarray, "events components"]:
        """Draw a code of each event from its posterior, in which the numbers of a code hang together. On the host.

        Args:
            x: the events, in whose cells NaN is missing.
            noise: standard normal.
        """
        codes = np.empty(noise.shape)
        for rows, means, covariance in self._posteriors(x):
            codes[rows] = means + noise[rows] @ np.linalg.cholesky(covariance).T
        return codes

    def _posteriors(
        self, x: Float[np.ndarray, "events columns"]
    ) -> Iterator[tuple[Integer[np.ndarray, " rows"], Float[np.ndarray, "rows components"], np.ndarray]]:
        """Of each pattern of missing cells the events that have it, the means of their codes, and these' covariance."""
        mean, loadings, noise = (
            np.asarray(self.mean, np.float64),
            np.asarray(self.loadings, np.float64),
            float(self.noise),
        )
        patterns, which = np.unique(~np.isnan(x), axis=0, return_inverse=True)
        for number, seen in enumerate(patterns):
            rows = np.flatnonzero(which.ravel() == number)
            within = loadings[seen]
            inverse = np.linalg.inv(within.T @ within + noise * np.eye(loadings.shape[1]))
            yield rows, (x[np.ix_(rows, seen)] - mean[seen]) @ within @ inverse, noise * inverse

    def marginal(self, columns: Bool[np.ndarray, " columns"]) -> "LowRankNormal":
        """The distribution of some of the columns: their rows of W. On the host."""
        mean, loadings = np.asarray(self.mean, np.float64), np.asarray(self.loadings, np.float64)
        return LowRankNormal.of(mean[columns], loadings[columns], float(self.noise))


class DequantisedNormal(AbstractBound, AbstractLatent):
    """Arrays of bytes that are a normal distribution's draws, rounded down and brought within 0 to 255.

    The probability of a byte array x is the normal's mass on the cell from x to x + 1. No formula gives it; by
    Jensen's inequality it is at least the mean of log p over the cell, which is log p(x + ½) − tr(Σ⁻¹) / 24,
    as an even draw from a cell has variance 1/12 along each number. What falls beyond 0 and 255 only adds to it.

    Args:
        normal: of all numbers of an array, one after the other.
        shape: of an array.

    Source: Theis, van den Oord & Bethge 2016 (the bound).
    """

    normal: LowRankNormal
    shape: tuple[int, ...] = eqx.field(static=True)

    def log_prob_bound(self, x: UInt8[Array, "..."], key: Key, context: Context = None) -> Scalar:
        """The bound, which is not random."""
        return self.normal.log_prob(_centre(x)) - self.normal.trace_of_precision / 24.0

    def quick_log_probs(self, x: HostEvents) -> LogDensities | None:
        """The bounds of many arrays, in double precision."""
        if not isinstance(self.normal.mean, np.ndarray):
            return None
        blocks = (x[start : start + AT_ONCE] for start in range(0, len(x), AT_ONCE))
        found = [self.normal.on_host(block.reshape(len(block), -1) + 0.5) for block in blocks]
        return np.concatenate([np.empty(0), *found]) - self.normal.trace_of_precision / 24.0

    def sample(self, key: Key, context: Context = None) -> UInt8[Array, "..."]:
        return self._bytes(self.normal.sample(key))

    def encode(self, x: UInt8[Array, "..."]) -> Code:
        """Mean of the code given the middle of the array's cell."""
        return self.normal.encode(_centre(x))

    def decode(self, z: Code) -> UInt8[Array, "..."]:
        """The array in whose cell the mean lies, given the code."""
        return self._bytes(self.normal.decode(z))

    def _bytes(self, x: Event) -> UInt8[Array, "..."]:
        return jnp.clip(jnp.floor(x), 0.0, 255.0).astype(jnp.uint8).reshape(self.shape)


class Incomplete(AbstractDensity, AbstractLatent):
    """Rows some of whose cells are missing (NaN), each column's on its own and whatever the values are.

    An event is its pattern of missing cells and the values of the others; those that are missing are integrated out.

    Args:
        normal: of complete rows.
        missing: how often a cell of each column is missing, between zero and one.
    """

    normal: LowRankNormal
    missing: Float[Numbers, " columns"]

    def log_prob(self, x: Event, context: Context = None) -> Scalar:
        seen, noise = ~jnp.isnan(x), jnp.asarray(self.normal.noise, x.dtype)
        steps, loadings, inner = self._seen(x)
        cells = seen.sum().astype(x.dtype)
        code = jnp.linalg.solve(inner, steps @ loadings)
        # What the code leaves over: the same as xᵀ Σ⁻¹ x, and no difference of large numbers.
        distance = ((steps - loadings @ code) ** 2).sum() / noise + code @ code
        log_det = jnp.linalg.slogdet(inner)[1] + (cells - code.size) * jnp.log(noise)
        pattern = jnp.log(jnp.where(seen, 1.0 - self.missing, self.missing)).sum()
        return pattern - 0.5 * (distance + log_det + cells * LOG_2PI)

    def quick_log_probs(self, x: HostEvents) -> LogDensities | None:
        if not isinstance(self.missing, np.ndarray):
            return None
        seen, found = ~np.isnan(x), np.empty(len(x))
        patterns, which = np.unique(seen, axis=0, return_inverse=True)
        chances = np.log(np.where(patterns, 1.0 - self.missing, self.missing)).sum(1)
        for number, (pattern, chance) in enumerate(zip(patterns, chances, strict=True)):
            rows = np.flatnonzero(which.ravel() == number)
            known = self.normal if pattern.all() else self.normal.marginal(pattern)
            found[rows] = chance + known.on_host(x[rows][:, pattern])
        return found

    def sample(self, key: Key, context: Context = None) -> Event:
        values, gaps = jax.random.split(key)
        x = self.normal.sample(values)
        return jnp.where(jax.random.uniform(gaps, x.shape) < self.missing, jnp.nan, x)

    def encode(self, x: Event) -> Code:
        """Mean of the code given the cells that are there."""
        steps, loadings, inner = self._seen(x)
        return jnp.linalg.solve(inner, steps @ loadings)

    def decode(self, z: Code) -> Event:
        """Mean of the complete event given the code."""
        return self.normal.decode(z)

    def _seen(self, x: Event) -> tuple[Event, Array, Array]:
        """Steps from the mean and rows of W, zero where a cell is missing, and WᵀW + σ² I of these rows."""
        seen = ~jnp.isnan(x)
        loadings = jnp.where(seen[:, None], self.normal.loadings, 0.0)
        inner = loadings.T @ loadings + self.normal.noise * jnp.eye(loadings.shape[1])
        return jnp.where(seen, x - self.normal.mean, 0.0), loadings, inner


def _library(numbers: Any) -> Any:
    """NumPy for what is on the host."""
    return np if isinstance(numbers, np.ndarray) else jnp


def _centre(x: UInt8[Array, "..."]) -> Event:
    """The middle of a byte array's cell, as one row."""
    return x.ravel().astype(jnp.float32) + 0.5


def upright(directions: Float[np.ndarray, "columns components"]) -> Float[np.ndarray, "columns components"]:
    """Of the two directions that each line has, the one whose largest number is positive."""
    if not directions.size:
        return directions
    largest = np.abs(directions).argmax(0)
    return directions * np.sign(directions[largest, np.arange(directions.shape[1])])
