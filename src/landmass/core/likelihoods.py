"""Likelihoods: what a decoder's numbers say of an event whose parts are independent of each other, given its code.

An event is a row of coordinates, whose base measure is length, or an image of bytes, whose base measure is counting:
there each density is integrated over the cell of a byte. An image of two levels holds the bytes 0 and 255.
"""

import math
from abc import abstractmethod

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from jaxtyping import Array, Float, Shaped

from landmass.core.cells import HALF, HALF_CELL, log_cell
from landmass.core.distributions import LOG_2PI
from landmass.types import Key

Numbers = Float[Array, "events *shape numbers"]
"""What a decoder gives for each part of each event."""

Parts = Shaped[Array, "events *shape"]
"""Events: coordinates, or bytes."""

# Bounds of the logarithm of a scale: of a column in standard deviations, of a byte in shares of half its range.
LEAST, MOST = math.log(1e-3), math.log(10.0)


class Likelihood(msgspec.Struct, frozen=True, tag_field="likelihood", forbid_unknown_fields=True):
    """Base of all likelihoods.

    Args:
        levels: values that a byte may take, 256 or 2; 0 for coordinates, which are not counted.
    """

    levels: int

    @property
    def numbers(self) -> int:
        """How many numbers a part takes."""
        return 2

    @property
    def decoded(self) -> int:
        """How many of them, the first ones, depend on the code; the others are learned, and alike for all events."""
        return self.numbers

    @abstractmethod
    def log_probs(self, numbers: Numbers, x: Parts) -> Float[Array, "events *shape"]:
        """Log-probability, or density, of each part of each event, in nats."""

    @abstractmethod
    def draw(self, numbers: Numbers, key: Key) -> Parts:
        """Draw events."""

    @abstractmethod
    def mean(self, numbers: Numbers) -> Float[Array, "events *shape"]:
        """The expected events: coordinates, or real numbers from 0 to 255."""

    def tied(self, start: Float[Array, "*shape numbers"]) -> Float[Array, "*shape numbers"]:
        """Learned numbers of the parts, those that all parts share made alike."""
        return start

    def blind(self, x: Shaped[np.ndarray, "events *shape"]) -> Float[np.ndarray, "*shape numbers"]:
        """Numbers that suit all events well, if nothing is known of a code: where each part lies, and how widely."""
        units = x.astype(np.float32) if not self.levels else x / np.float32(HALF) - 1.0
        return np.stack([units.mean(0), np.log(np.maximum(units.std(0), 0.05))], axis=-1)


class Bernoulli(Likelihood, frozen=True, tag="bernoulli"):
    """Black or white, by the log-odds of white."""

    @property
    def numbers(self) -> int:
        return 1

    def log_probs(self, numbers: Numbers, x: Parts) -> Float[Array, "events *shape"]:
        # One of both logits is the other's opposite: log σ(±l).
        logits = numbers[..., 0]
        return jax.nn.log_sigmoid(jnp.where(x > 0, logits, -logits))

    def draw(self, numbers: Numbers, key: Key) -> Parts:
        return jnp.uint8(255) * jax.random.bernoulli(key, jax.nn.sigmoid(numbers[..., 0])).astype(jnp.uint8)

    def mean(self, numbers: Numbers) -> Float[Array, "events *shape"]:
        return 255.0 * jax.nn.sigmoid(numbers[..., 0])

    def blind(self, x: Shaped[np.ndarray, "events *shape"]) -> Float[np.ndarray, "*shape numbers"]:
        chance = (x.mean(0, dtype=np.float64) / 255.0 * len(x) + 0.5) / (len(x) + 1.0)
        return np.log(chance / (1.0 - chance)).astype(np.float32)[..., None]


class Bump(Likelihood, frozen=True):
    """Base of the likelihoods with a mean and the logarithm of a scale."""

    @abstractmethod
    def noise(self, key: Key, shape: tuple[int, ...]) -> Float[Array, "*shape"]:
        """Draws of mean 0 and scale 1."""

    def draw(self, numbers: Numbers, key: Key) -> Parts:
        mean, log_scale = _bump(numbers)
        found = mean + jnp.exp(log_scale) * self.noise(key, mean.shape)
        return _bytes(found) if self.levels else found

    def mean(self, numbers: Numbers) -> Float[Array, "events *shape"]:
        mean = numbers[..., 0]
        return jnp.clip((mean + 1.0) * HALF, 0.0, 255.0) if self.levels else mean


class Normal(Bump, frozen=True, tag="gaussian"):
    """A bell, by its mean and the logarithm of its scale: one for each part, whatever the code.

    Args:
        one_scale: whether all parts have the same.
    """

    one_scale: bool = False

    @property
    def decoded(self) -> int:
        return 1

    def tied(self, start: Float[Array, "*shape numbers"]) -> Float[Array, "*shape numbers"]:
        return start.at[..., 1].set(start[..., 1].mean()) if self.one_scale else start

    def blind(self, x: Shaped[np.ndarray, "events *shape"]) -> Float[np.ndarray, "*shape numbers"]:
        found = super().blind(x)
        if self.one_scale:
            # Alike from the first on, they stay alike, and are what is said of them.
            found[..., 1] = found[..., 1].mean()
        return found

    def log_probs(self, numbers: Numbers, x: Parts) -> Float[Array, "events *shape"]:
        mean, log_scale = _bump(numbers)
        if not self.levels:
            residual = (x - mean) * jnp.exp(-log_scale)
            return -0.5 * (residual**2 + LOG_2PI) - log_scale
        return log_cell(x, mean, log_scale)

    def noise(self, key: Key, shape: tuple[int, ...]) -> Float[Array, "*shape"]:
        return jax.random.normal(key, shape)


class Logistic(Bump, frozen=True, tag="logistic"):
    """A logistic bump, whose tails fall less steeply than a bell's, by its mean and the logarithm of its scale.

    Source: Kingma, Salimans, Jozefowicz, Chen, Sutskever & Welling 2016 (integrated over the cells of bytes).
    """

    def log_probs(self, numbers: Numbers, x: Parts) -> Float[Array, "events *shape"]:
        mean, log_scale = _bump(numbers)
        if not self.levels:
            residual = (x - mean) * jnp.exp(-log_scale)
            return jax.nn.log_sigmoid(residual) + jax.nn.log_sigmoid(-residual) - log_scale
        below, above = _ends(x, mean, log_scale)
        # σ(b) - σ(a) = σ(b) σ(-a) (1 - exp(a - b))
        return jax.nn.log_sigmoid(above) + jax.nn.log_sigmoid(-below) + _log1mexp(above - below)

    def noise(self, key: Key, shape: tuple[int, ...]) -> Float[Array, "*shape"]:
        return jax.random.logistic(key, shape)


class Categorical(Likelihood, frozen=True, tag="categorical"):
    """Any distribution of a byte, by a number for each of its values."""

    @property
    def numbers(self) -> int:
        return self.levels

    def log_probs(self, numbers: Numbers, x: Parts) -> Float[Array, "events *shape"]:
        chosen = jnp.take_along_axis(numbers, self._index(x)[..., None], axis=-1)[..., 0]
        return chosen - jax.nn.logsumexp(numbers, axis=-1)

    def draw(self, numbers: Numbers, key: Key) -> Parts:
        return (jax.random.categorical(key, numbers) * (255 // (self.levels - 1))).astype(jnp.uint8)

    def mean(self, numbers: Numbers) -> Float[Array, "events *shape"]:
        return jax.nn.softmax(numbers) @ jnp.linspace(0.0, 255.0, self.levels)

    def blind(self, x: Shaped[np.ndarray, "events *shape"]) -> Float[np.ndarray, "*shape numbers"]:
        counts = np.stack([(self._index(x) == value).sum(0) for value in range(self.levels)], axis=-1)
        return np.log((counts + 0.1) / (len(x) + 0.1 * self.levels)).astype(np.float32)

    def _index(self, x: Shaped[Array | np.ndarray, "..."]) -> Shaped[Array | np.ndarray, "..."]:
        return x.astype("int32") * (self.levels - 1) // 255


LIKELIHOODS: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "gaussian": Normal,
    "logistic": Logistic,
    "categorical": Categorical,
}
"""By name."""


def _bump(numbers: Numbers) -> tuple[Float[Array, "events *shape"], Float[Array, "events *shape"]]:
    """A mean and the logarithm of a scale."""
    return numbers[..., 0], jnp.clip(numbers[..., 1], LEAST, MOST)


def _ends(x: Parts, mean: Array, log_scale: Array) -> tuple[Array, Array]:
    """Both ends of each byte's cell, less the mean, over the scale; the outer cells have no end outside."""
    residual = x.astype(mean.dtype) / HALF - 1.0 - mean
    narrow = jnp.exp(-log_scale)
    below = jnp.where(x == 0, -jnp.inf, (residual - HALF_CELL) * narrow)
    return below, jnp.where(x == 255, jnp.inf, (residual + HALF_CELL) * narrow)


def _log1mexp(x: Array) -> Array:
    """log(1 - exp(-x)) for x above 0; 0 at infinity, with a slope of 0 there."""
    return jnp.where(jnp.isinf(x), 0.0, jnp.log(-jnp.expm1(-jnp.where(jnp.isinf(x), 1.0, x))))


def _bytes(units: Array) -> Parts:
    return jnp.clip(jnp.round((units + 1.0) * HALF), 0.0, 255.0).astype(jnp.uint8)
