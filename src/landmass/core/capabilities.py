"""What a model can do is a type: evaluation asks `isinstance`, never a name.

AbstractModel            sample
├── AbstractDensity      log_prob: exact
├── AbstractBound        log_prob_bound: a lower bound, in expectation
└── AbstractEstimate     log_prob_estimate: a value and its error
AbstractConditional      log_marginal, complete: exact; mixed in where it is true
AbstractLatent           encode, decode; mixed in where it is true

Authors write one event; callers vectorise with `jax.vmap`, and ask densities for many events by `log_probs`.
"""

from abc import abstractmethod
from typing import Literal

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, Shaped

from landmass.types import Key, Keys, LogDensities, Scalar

Likelihood = Literal["exact", "lower_bound", "estimate", "none"]
Context = Shaped[Array, "..."] | None


class AbstractModel(eqx.Module):
    """A distribution that can be sampled."""

    @abstractmethod
    def sample(self, key: Key, context: Context = None) -> Array:
        """Draw one event."""

    def samples(self, key: Key, n: int, context: Context = None) -> Array:
        """Draw events, shape (n, …); overridden where there is a faster way than one by one."""
        return jax.vmap(lambda each: self.sample(each, context))(jax.random.split(key, n))


class AbstractDensity(AbstractModel):
    """A distribution whose density is known exactly."""

    @abstractmethod
    def log_prob(self, x: Array, context: Context = None) -> Scalar:
        """Log-density of one event, in nats, with respect to the base measure of the model's space."""

    def log_probs(self, x: Array, context: Context = None) -> Float[Array, " events"]:
        """Log-densities of events, shape (events, …); overridden where there is a faster way than one by one.

        A density that is given something is given it for each event: the context has a row an event here.
        """
        if context is not None:
            return jax.vmap(self.log_prob)(x, context)
        return jax.vmap(self.log_prob)(x)

    def quick_log_probs(self, x: Shaped[np.ndarray, "events ..."]) -> LogDensities | None:
        """The same for many events by another way, NaN for those it cannot serve; None where it would not pay."""
        return None


class AbstractBound(AbstractModel):
    """A distribution of which only a lower bound on the log-density is known."""

    @abstractmethod
    def log_prob_bound(self, x: Array, key: Key, context: Context = None) -> Scalar:
        """The log of a random number whose expectation is at most p(x): in expectation at most log p(x)."""

    @property
    def numbers(self) -> int:
        """How many numbers stand in memory for each draw of an event; overridden where they are more than the event."""
        return 1

    def log_weights_of(self, x: Array, keys: Keys, n: int) -> Float[Array, "events n"]:
        """Such logs for many events, `n` for each; overridden where there is a faster way than one by one.

        Args:
            x: events, shape (events, …).
            keys: one an event.
            n: how many to draw.
        """

        def each(one: Array, key: Key) -> Float[Array, " n"]:
            return jax.vmap(lambda own: self.log_prob_bound(one, own))(jax.random.split(key, n))

        return jax.vmap(each)(x, keys)

    def quick_log_probs(self, x: Shaped[np.ndarray, "events ..."]) -> LogDensities | None:
        """The same for many events by another way; None where there is no other."""
        return None


class AbstractEstimate(AbstractModel):
    """A distribution whose log-density is known up to a numerical error that is told."""

    @abstractmethod
    def log_prob_estimate(self, x: Array, key: Key, context: Context = None) -> tuple[Scalar, Scalar]:
        """An estimate of log p(x) and its error, both in nats."""


Scored = AbstractDensity | AbstractBound
"""What gives events a number that may be compared: their log-density, or a bound on it."""


class AbstractConditional(eqx.Module):
    """Mixed into densities of which any columns can be summed out or given, exactly."""

    @abstractmethod
    def log_marginal(self, x: Array, known: Array) -> Scalar:
        """Log-density of the columns that are known, whatever the others hold.

        Args:
            x: one event; what it holds in columns that are not known is of no matter.
            known: which are.
        """

    @abstractmethod
    def complete(self, key: Key, x: Array, known: Array) -> Array:
        """The event with the columns that are not known drawn given those that are."""


class AbstractLatent(eqx.Module):
    """Mixed into models whose events have a code."""

    @abstractmethod
    def encode(self, x: Array) -> Array:
        """The code of one event."""

    @abstractmethod
    def decode(self, z: Array) -> Array:
        """The event of one code."""


def likelihood(model: AbstractModel) -> Likelihood:
    """Say how much of a model's likelihood is known: its label in the ledger."""
    if isinstance(model, AbstractDensity):
        return "exact"
    if isinstance(model, AbstractBound):
        return "lower_bound"
    return "estimate" if isinstance(model, AbstractEstimate) else "none"
