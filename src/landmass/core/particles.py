"""Particles: what a model that draws column by column says of some columns given others, by sequential Monte Carlo."""

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Integer

from landmass.core.states import GIVEN, PRESENT, Evidence, Layout, States, reached
from landmass.types import Key, Scalar

# Up to so many particles each is compared with all others, which takes less time than a search.
FEW = 256

Column = Integer[Array, ""]


class AbstractChain(eqx.Module):
    """A distribution of rows of states that tells each column from what it has seen of those before it in an order."""

    rank: eqx.AbstractVar[Integer[Array, " columns"]]
    layout: eqx.AbstractVar[Layout]

    @abstractmethod
    def begin(self, count: int) -> Any:
        """What is known of so many events of which nothing was seen yet: an array or a tree of such, a row an event."""

    @abstractmethod
    def see(self, known: Any, column: Column, state: Integer[Array, " events"]) -> Any:
        """What is known once the states of one more column were seen."""

    @abstractmethod
    def tell(self, known: Any, column: Column) -> Float[Array, "events most"]:
        """Log-probabilities of a column's states, at the places that the layout gives them; -inf at places of none."""


class Particles(NamedTuple):
    """Events that agree with what is known, and how much each counts.

    Args:
        states: the events, shape (particles, columns).
        log_weights: log of what each counts.
        log_total: an estimate of the log-probability of what is known; its exponential is unbiased.
        effective: as many draws of equal weight would tell as much, where fewest did on the way.
    """

    states: Integer[Array, "particles columns"]
    log_weights: Float[Array, " particles"]
    log_total: Scalar
    effective: Scalar


def follow(model: AbstractChain, key: Key, x: States, known: Evidence, count: int) -> Particles:
    """Draw the columns that are not given, in the model's order, and weigh by how likely the given ones are then.

    What is given before all that is drawn makes all weights equal, and the answer exact. Where few particles are left
    that count, they are drawn anew by their weights.

    Args:
        model: tells the columns one after the other.
        key: source of all randomness.
        x: states; what they are in columns that are not given is of no matter.
        known: what is known of each column.
        count: how many particles.

    Source: Doucet, de Freitas & Gordon 2001; Kitagawa 1996 (systematic resampling).
    """
    layout = model.layout
    nullable, last = jnp.array(layout.nullable), jnp.array(layout.sizes, jnp.int32) - 1
    places = jnp.arange(max(layout.sizes), dtype=jnp.int32)

    # Made at once, as a program that makes random numbers takes long to compile.
    shares = jax.random.uniform(key, (len(layout.sizes), count + 1))

    def step(place: Array, before: tuple[Particles, Any]) -> tuple[Particles, Any]:
        seen, memory = before
        share = shares[place]
        column = jnp.argmax(model.rank == place)
        log_probs = model.tell(memory, column)
        missing = (places == last[column])[None] & nullable[column]
        allowed = jnp.where(missing & (known[column] == PRESENT), -jnp.inf, log_probs)
        state = jnp.where(known[column] == GIVEN, x[column], reached(share[1:], allowed))
        # Of what is given counts how likely it was; of what is known to be there, that it is not missing.
        told = jnp.take_along_axis(log_probs, state[:, None], axis=1)[:, 0]
        there = jnp.log1p(-jnp.exp(jnp.where(missing, log_probs, -jnp.inf).max(axis=1)))
        gain = jnp.where(known[column] == GIVEN, told, jnp.where(known[column] == PRESENT, there, 0.0))
        log_weights = seen.log_weights + gain
        effective = jnp.exp(2.0 * logsumexp(log_weights) - logsumexp(2.0 * log_weights))
        few = effective < 0.5 * count
        chosen = jnp.where(few, _systematic(share[0], log_weights), jnp.arange(count))
        total = seen.log_total + jnp.where(few, logsumexp(log_weights) - np.log(count), 0.0)
        least = jnp.minimum(seen.effective, effective)
        states = seen.states.at[:, column].set(state)
        memory = jax.tree.map(lambda each: each[chosen], model.see(memory, column, state))
        return Particles(states[chosen], jnp.where(few, 0.0, log_weights), total, least), memory

    start = jnp.zeros((count, len(layout.sizes)), jnp.int32)
    first = Particles(start, jnp.zeros(count), jnp.zeros(()), jnp.asarray(float(count)))
    found, _ = jax.lax.fori_loop(0, len(layout.sizes), step, (first, model.begin(count)))
    total = found.log_total + logsumexp(found.log_weights) - np.log(count)
    return found._replace(log_total=total)


def _systematic(share: Scalar, log_weights: Float[Array, " particles"]) -> Integer[Array, " particles"]:
    """Which particles to go on from: each as often as its weight says, to one; a random share decides between."""
    count = len(log_weights)
    ends = jnp.cumsum(jax.nn.softmax(log_weights))
    shares = (jnp.arange(count, dtype=ends.dtype) + share) / count
    method = "compare_all" if count <= FEW else "scan"
    return jnp.minimum(jnp.searchsorted(ends, shares, method=method), count - 1)
