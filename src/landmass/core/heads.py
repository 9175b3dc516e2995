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
from jax.scipy.special import logsumexp, ndtr
from jaxtyping import Array, Float

from landmass.types import Key, Scalar

Outputs = Float[Array, "events outputs"]
Answers = Float[Array, " events"]
Temperature = Scalar | float

LOG_2PI = math.log(2.0 * math.pi)

# Least scale of a bump, in standard deviations of the answers, so that none becomes a spike on one event.
LEAST_SCALE = 1e-3


class Head(msgspec.Struct, frozen=True, tag_field="head", forbid_unknown_fields=True):
    """Base of all heads. A temperature above 1 makes them less certain, in all that they are asked."""

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

    @property
    def needs_temperature(self) -> bool:
        """Whether only a temperature makes it a distribution."""
        return False

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
        margin = (outputs * right).sum(-1) - jnp.where(right > 0.0, -jnp.inf, outputs).max(-1)
        return jnp.maximum(0.0, 1.0 - margin)


class NumberHead(Head, frozen=True):
    """Base of the heads whose answers are numbers; the base measure is length. The temperature scales distances."""

    @abstractmethod
    def mean(self, outputs: Outputs) -> Answers:
        """The expected answer."""

    @abstractmethod
    def cdf(self, outputs: Outputs, y: Answers, temperature: Temperature = 1.0) -> Answers:
        """The chance of an answer below y."""


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

    def mean(self, outputs: Outputs) -> Answers:
        return outputs[:, 0]

    def scale(self, outputs: Outputs, temperature: Temperature) -> Answers:
        """The bump's."""
        return temperature * (positive(outputs[:, 1]) if self.varying else jnp.ones_like(outputs[:, 0]))


class Gaussian(LocationScale, frozen=True, tag="gaussian"):
    """A normal distribution; with one scale for all events its loss is half the squared error."""

    def log_probs(self, outputs: Outputs, y: Answers, temperature: Temperature = 1.0) -> Answers:
        scale = self.scale(outputs, temperature)
        return -0.5 * (((y - outputs[:, 0]) / scale) ** 2 + LOG_2PI) - jnp.log(scale)

    def cdf(self, outputs: Outputs, y: Answers, temperature: Temperature = 1.0) -> Answers:
        return ndtr((y - outputs[:, 0]) / self.scale(outputs, temperature))

    def draw(self, outputs: Outputs, key: Key, temperature: Temperature = 1.0) -> Answers:
        return outputs[:, 0] + self.scale(outputs, temperature) * jax.random.normal(key, outputs.shape[:1])


class Laplace(LocationScale, frozen=True, tag="laplace"):
    """A two-sided exponential distribution; with one scale for all events its loss is the absolute error."""

    def log_probs(self, outputs: Outputs, y: Answers, temperature: Temperature = 1.0) -> Answers:
        scale = self.scale(outputs, temperature)
        return -jnp.abs(y - outputs[:, 0]) / scale - jnp.log(2.0 * scale)

    def cdf(self, outputs: Outputs, y: Answers, temperature: Temperature = 1.0) -> Answers:
        away = (y - outputs[:, 0]) / self.scale(outputs, temperature)
        tail = 0.5 * jnp.exp(-jnp.abs(away))
        return jnp.where(away < 0.0, tail, 1.0 - tail)

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

    def _bumps(self, outputs: Outputs, temperature: Temperature) -> tuple[Array, Array, Array]:
        weight, loc, raw = jnp.split(outputs, 3, axis=-1)
        return jax.nn.log_softmax(weight), loc, temperature * positive(raw)


AnyHead = Categorical | Bernoulli | Focal | Hinge | Gaussian | Laplace | GaussianMixture


def positive(raw: Array) -> Array:
    """A scale from any number: 1 at zero."""
    # softplus(v + log(e - 1)) is 1 at v = 0.
    return LEAST_SCALE + (1.0 - LEAST_SCALE) * jax.nn.softplus(raw + 0.541324854612918)
