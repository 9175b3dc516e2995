"""Heads: what a network's outputs say of an answer y; each is a density, and its loss is what training lowers.

Minus a head's log-density is a loss that people know by another name: cross-entropy is that of `Categorical`, half the
squared error that of `Gaussian` with one scale for all events, absolute error that of `Laplace`
with one scale for all.
"""

import math
from abc import abstractmethod

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from jax.scipy.special import logsumexp, ndtr
from jaxtyping import Array, Float

from landmass.types import Key, Scalar

Outputs = Float[Array, "events outputs"]
Answers = Float[Array, " events"]
Temperature = Scalar | float

LOG_2PI = math.log(2.0 * math.pi)

# Least scale of a bump, in standard deviations of the answers, so that none becomes a spike on one event.
LEAST_SCALE = 1e-3

# Events that a class counts besides those it has, where nothing is known of an event (Krichevsky & Trofimov 1981).
PRIOR_EVENTS = 0.5


class Head(msgspec.Struct, frozen=True, tag_field="head", forbid_unknown_fields=True):
    """Base of all heads. A temperature above 1 makes them less certain, in all that they are asked.

    Each has a floor too, a wide distribution of answers, a share of which is mixed in so that no answer is almost
    impossible.
    """

    @property
    @abstractmethod
    def outputs(self) -> int:
        """How many numbers it takes from a network."""

    @abstractmethod
    def log_probs(self, outputs: Outputs, y: Answers, temperature: Temperature = 1.0) -> Answers:
        """Log-density of each answer, in nats."""

    @abstractmethod
    def draw(self, outputs: Outputs, key: Key, temperature: Temperature = 1.0) -> Answers:
        """A random answer for each event."""

    @abstractmethod
    def floor_log_probs(self, outputs: Outputs, y: Answers) -> Answers:
        """Log-density of each answer under the floor, in nats."""

    @abstractmethod
    def floor_draw(self, outputs: Outputs, key: Key) -> Answers:
        """A random answer of the floor for each event."""

    @abstractmethod
    def blind(self, y: Float[np.ndarray, " events"], weight: Float[np.ndarray, " events"]) -> list[float]:
        """The outputs that suit all answers best, if nothing is known of an event.

        Args:
            y: answers.
            weight: how much each counts.
        """

    @property
    def needs_temperature(self) -> bool:
        """Whether only a temperature makes it a distribution."""
        return False

    @property
    def has_floor(self) -> bool:
        """Whether a share of its floor may be mixed in."""
        return True

    def losses(self, outputs: Outputs, y: Answers) -> Answers:
        """What training lowers, of each event."""
        return -self.log_probs(outputs, y)


class ClassHead(Head, frozen=True):
    """Base of the heads whose answers are classes, numbered from 0; the base measure is counting.

    Args:
        classes: how many there are.
    """

    classes: int

    @property
    def outputs(self) -> int:
        return self.classes

    def logits(self, outputs: Outputs) -> Float[Array, "events classes"]:
        """Log-probabilities of the classes, up to what they share."""
        return outputs

    def log_probs(self, outputs: Outputs, y: Answers, temperature: Temperature = 1.0) -> Answers:
        return (jax.nn.log_softmax(self.logits(outputs) / temperature) * self._chosen(y)).sum(-1)

    def probabilities(self, outputs: Outputs, temperature: Temperature = 1.0) -> Float[Array, "events classes"]:
        """Of each class."""
        return jax.nn.softmax(self.logits(outputs) / temperature)

    def draw(self, outputs: Outputs, key: Key, temperature: Temperature = 1.0) -> Answers:
        return jax.random.categorical(key, self.logits(outputs) / temperature).astype(outputs.dtype)

    def floor_log_probs(self, outputs: Outputs, y: Answers) -> Answers:
        return jnp.full_like(y, -math.log(self.classes))

    def floor_draw(self, outputs: Outputs, key: Key) -> Answers:
        return jax.random.randint(key, outputs.shape[:1], 0, self.classes).astype(outputs.dtype)

    def blind(self, y: Float[np.ndarray, " events"], weight: Float[np.ndarray, " events"]) -> list[float]:
        counts = np.bincount(y.astype(int), weight, self.classes) + PRIOR_EVENTS
        return np.log(counts / counts.sum()).tolist()

    def smoothed(self, outputs: Outputs, y: Answers, share: float) -> Answers:
        """The losses if a share of the labels were drawn anew, each class as likely as any other."""
        if share == 0.0:
            return self.losses(outputs, y)
        every = jnp.arange(self.classes, dtype=y.dtype)
        anew = jax.vmap(lambda other: self.losses(outputs, jnp.full_like(y, other)))(every).mean(0)
        return (1.0 - share) * self.losses(outputs, y) + share * anew

    def _chosen(self, y: Answers) -> Float[Array, "events classes"]:
        return (y[:, None] == jnp.arange(self.classes, dtype=y.dtype)[None]).astype(y.dtype)


class Categorical(ClassHead, frozen=True, tag="categorical"):
    """One of several classes; its loss is cross-entropy."""


class Bernoulli(ClassHead, frozen=True, tag="bernoulli"):
    """One of two classes, by a single output: the log-odds of the second; its loss is binary cross-entropy."""

    @property
    def outputs(self) -> int:
        return 1

    def logits(self, outputs: Outputs) -> Float[Array, "events classes"]:
        return jnp.concatenate([jnp.zeros_like(outputs), outputs], axis=-1)

    def blind(self, y: Float[np.ndarray, " events"], weight: Float[np.ndarray, " events"]) -> list[float]:
        first, second = super().blind(y, weight)
        return [second - first]


class Focal(ClassHead, frozen=True, tag="focal"):
    """Classes, with a loss that looks away from events that are right already; no likelihood of anything.

    Args:
        focus: power of the probability of being wrong that weighs an event's cross-entropy.

    Source: Lin, Goyal, Girshick, He & Dollár 2017.
    """

    focus: float = 2.0

    def losses(self, outputs: Outputs, y: Answers) -> Answers:
        log_p = self.log_probs(outputs, y)
        # The least distance from 1 keeps the power's slope finite.
        return -(jnp.maximum(-jnp.expm1(log_p), 1e-6) ** self.focus) * log_p


class Hinge(ClassHead, frozen=True, tag="hinge"):
    """Classes, with a loss that asks only for a margin of 1 over the best wrong one; no likelihood of anything.

    Source: Crammer & Singer 2001.
    """

    def losses(self, outputs: Outputs, y: Answers) -> Answers:
        right = self._chosen(y)
        # By its place: the slope of `max` is 0 / 0 where a compiler rounds outputs that it computes twice otherwise.
        wrong = jax.nn.one_hot(jnp.where(right > 0.0, -jnp.inf, outputs).argmax(-1), outputs.shape[-1])
        margin = (outputs * (right - wrong)).sum(-1)
        return jnp.maximum(0.0, 1.0 - margin)


class NumberHead(Head, frozen=True):
    """Base of the heads whose answers are numbers; the base measure is length. The temperature scales distances.

    The floor is a Laplace distribution around the expected answer, as wide as the answers of all events.
    """

    @abstractmethod
    def mean(self, outputs: Outputs) -> Answers:
        """The expected answer."""

    @abstractmethod
    def cdf(self, outputs: Outputs, y: Answers, temperature: Temperature = 1.0) -> Answers:
        """The chance of an answer below y."""

    def floor_log_probs(self, outputs: Outputs, y: Answers) -> Answers:
        return -jnp.abs(y - self.mean(outputs)) - math.log(2.0)

    def floor_draw(self, outputs: Outputs, key: Key) -> Answers:
        return self.mean(outputs) + jax.random.laplace(key, outputs.shape[:1])

    def floor_cdf(self, outputs: Outputs, y: Answers) -> Answers:
        """The chance of an answer below y under the floor."""
        return laplace_cdf(y - self.mean(outputs))


class LocationScale(NumberHead, frozen=True):
    """Base of the heads that move and widen one bump: by the first output, and by the second where it varies.

    Args:
        varying: whether each event has its own scale; if not, the temperature alone is the scale of all.
    """

    varying: bool = True

    @property
    def outputs(self) -> int:
        return 2 if self.varying else 1

    @property
    def needs_temperature(self) -> bool:
        return not self.varying

    @property
    def has_floor(self) -> bool:
        # One scale for all is never too sure of one event, and the error stays minus the log-density.
        return self.varying

    def mean(self, outputs: Outputs) -> Answers:
        return outputs[:, 0]

    def scale(self, outputs: Outputs, temperature: Temperature) -> Answers:
        """The bump's."""
        return temperature * (positive(outputs[:, 1]) if self.varying else jnp.ones_like(outputs[:, 0]))

    def _with_scale(self, loc: float, scale: float) -> list[float]:
        return [loc, raw_of(scale)] if self.varying else [loc]


class Gaussian(LocationScale, frozen=True, tag="gaussian"):
    """A normal distribution; with one scale for all events its loss is half the squared error."""

    def log_probs(self, outputs: Outputs, y: Answers, temperature: Temperature = 1.0) -> Answers:
        scale = self.scale(outputs, temperature)
        return -0.5 * (((y - outputs[:, 0]) / scale) ** 2 + LOG_2PI) - jnp.log(scale)

    def cdf(self, outputs: Outputs, y: Answers, temperature: Temperature = 1.0) -> Answers:
        return ndtr((y - outputs[:, 0]) / self.scale(outputs, temperature))

    def blind(self, y: Float[np.ndarray, " events"], weight: Float[np.ndarray, " events"]) -> list[float]:
        return self._with_scale(*moments(y, weight))

    def draw(self, outputs: Outputs, key: Key, temperature: Temperature = 1.0) -> Answers:
        return outputs[:, 0] + self.scale(outputs, temperature) * jax.random.normal(key, outputs.shape[:1])


class Laplace(LocationScale, frozen=True, tag="laplace"):
    """A two-sided exponential distribution; with one scale for all events its loss is the absolute error."""

    def log_probs(self, outputs: Outputs, y: Answers, temperature: Temperature = 1.0) -> Answers:
        scale = self.scale(outputs, temperature)
        return -jnp.abs(y - outputs[:, 0]) / scale - jnp.log(2.0 * scale)

    def blind(self, y: Float[np.ndarray, " events"], weight: Float[np.ndarray, " events"]) -> list[float]:
        order = np.argsort(y)
        middle = float(y[order][np.searchsorted(np.cumsum(weight[order]), 0.5 * weight.sum())])
        return self._with_scale(middle, float(np.average(np.abs(y - middle), weights=weight)))

    def cdf(self, outputs: Outputs, y: Answers, temperature: Temperature = 1.0) -> Answers:
        return laplace_cdf((y - outputs[:, 0]) / self.scale(outputs, temperature))

    def draw(self, outputs: Outputs, key: Key, temperature: Temperature = 1.0) -> Answers:
        return outputs[:, 0] + self.scale(outputs, temperature) * jax.random.laplace(key, outputs.shape[:1])


class GaussianMixture(NumberHead, frozen=True, tag="gaussian_mixture"):
    """Several normal distributions, for answers that may come out in more than one way.

    Args:
        components: how many.

    Source: Bishop 1994.
    """

    components: int = 5

    @property
    def outputs(self) -> int:
        return 3 * self.components

    def log_probs(self, outputs: Outputs, y: Answers, temperature: Temperature = 1.0) -> Answers:
        log_weight, loc, scale = self._bumps(outputs, temperature)
        each = -0.5 * (((y[:, None] - loc) / scale) ** 2 + LOG_2PI) - jnp.log(scale)
        return logsumexp(log_weight + each, axis=-1)

    def mean(self, outputs: Outputs) -> Answers:
        log_weight, loc, _ = self._bumps(outputs, 1.0)
        return (jnp.exp(log_weight) * loc).sum(-1)

    def cdf(self, outputs: Outputs, y: Answers, temperature: Temperature = 1.0) -> Answers:
        log_weight, loc, scale = self._bumps(outputs, temperature)
        return (jnp.exp(log_weight) * ndtr((y[:, None] - loc) / scale)).sum(-1)

    def draw(self, outputs: Outputs, key: Key, temperature: Temperature = 1.0) -> Answers:
        choose, noise = jax.random.split(key)
        log_weight, loc, scale = self._bumps(outputs, temperature)
        chosen = jax.random.categorical(choose, log_weight)[:, None]
        at, wide = (jnp.take_along_axis(each, chosen, axis=1)[:, 0] for each in (loc, scale))
        return at + wide * jax.random.normal(noise, at.shape)

    def blind(self, y: Float[np.ndarray, " events"], weight: Float[np.ndarray, " events"]) -> list[float]:
        mean, spread = moments(y, weight)
        return [*[0.0] * self.components, *[mean] * self.components, *[raw_of(spread)] * self.components]

    def _bumps(self, outputs: Outputs, temperature: Temperature) -> tuple[Array, Array, Array]:
        weight, loc, raw = jnp.split(outputs, 3, axis=-1)
        return jax.nn.log_softmax(weight), loc, temperature * positive(raw)


AnyHead = Categorical | Bernoulli | Focal | Hinge | Gaussian | Laplace | GaussianMixture


# softplus(v + log(e - 1)) is 1 at v = 0.
_AT_ONE = 0.541324854612918


def positive(raw: Array) -> Array:
    """A scale from any number: 1 at zero."""
    return LEAST_SCALE + (1.0 - LEAST_SCALE) * jax.nn.softplus(raw + _AT_ONE)


def raw_of(scale: float) -> float:
    """The number that `positive` makes a scale of."""
    above = max(scale - LEAST_SCALE, LEAST_SCALE) / (1.0 - LEAST_SCALE)
    return float(np.log(np.expm1(above))) - _AT_ONE


def moments(y: Float[np.ndarray, " events"], weight: Float[np.ndarray, " events"]) -> tuple[float, float]:
    """Mean and standard deviation."""
    mean = float(np.average(y, weights=weight))
    return mean, float(np.sqrt(np.average((y - mean) ** 2, weights=weight)))


def laplace_cdf(z: Answers) -> Answers:
    """The chance of a number below z, of scale 1 around zero."""
    tail = 0.5 * jnp.exp(-jnp.abs(z))
    return jnp.where(z < 0.0, tail, 1.0 - tail)
