"""Particles: what a model that draws column by column says of some columns given others, by sequential Monte Carlo."""

from abc import abstractmethod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Integer, Shaped

from landmass.core.distributions import reached
from landmass.core.states import GIVEN, PRESENT, Evidence, Layout
from landmass.types import Key, Scalar

# Up to so many particles each is compared with all others, which takes less time than a search.
FEW = 256

Column = Integer[Array, ""]
Cell = Shaped[Array, "events ..."]


class AbstractChain(eqx.Module):
    """A distribution of rows that tells each column from what it has seen of those before it in an order.

    What a row holds in a column is a state, or stands for one together with what lies inside of it.
    """

    rank: eqx.AbstractVar[Integer[Array, " columns"]]
    layout: eqx.AbstractVar[Layout]

    @abstractmethod
    def begin(self, count: int) -> Any:
        """What is known of so many events of which nothing was seen yet: an array or a tree of such, a row an event."""

    @abstractmethod
    def see(self, known: Any, column: Column, cell: Cell) -> Any:
        """What is known once the cells of one more column were seen."""

    @abstractmethod
    def tell(self, known: Any, column: Column) -> tuple[Float[Array, "events most"], Any]:
        """What is said of a column.

        Returns:
            Log-probabilities of its states, at the places that the layout gives them, -inf at places of none; and what
            tells how its values lie inside of a state, None where states are all.
        """

    def state_of(self, cell: Cell) -> Integer[Array, " events"]:
        """The states of some cells."""
        return cell

    def draw_inside(
        self, inside: Any, column: Column, state: Integer[Array, " events"], share: Float[Array, " events"]
    ) -> Cell:
        """A random cell of each state, by random shares from 0 to below 1."""
        return state

    def log_inside(self, inside: Any, column: Column, cell: Cell) -> Float[Array, " events"]:
        """How likely each cell is, in log, among those of its state."""
        return jnp.zeros(len(cell))


class Particles(NamedTuple):
    """Events that agree with what is known, and how much each counts.

    Args:
        states: the events' cells, shape (particles, columns, …).
        log_weights: log of what each counts.
        log_total: an estimate of the log-probability of what is known; its exponential is unbiased.
        effective: as many draws of equal weight would tell as much of what is known; what was lost on the way counts.
    """

    states: Shaped[Array, "particles columns ..."]
    log_weights: Float[Array, " particles"]
    log_total: Scalar
    effective: Scalar


def follow(model: AbstractChain, key: Key, x: Shaped[Array, "columns ..."], known: Evidence, count: int) -> Particles:
    """Draw the columns that are not given, in the model's order, and weigh by how likely the given ones are then.

    What is given before all that is drawn makes all weights equal, and the answer exact. Where few particles are left
    that count, they are drawn anew by their weights.

    Args:
        model: tells the columns one after the other.
        key: source of all randomness.
        x: cells; what they are in columns that are not given is of no matter.
        known: what is known of each column.
        count: how many particles.

    Source: Doucet, de Freitas & Gordon 2001; Kitagawa 1996 (systematic resampling); Kong, Liu & Wong 1994 (effective
    sample size).
    """
    layout = model.layout
    nullable, last = jnp.array(layout.nullable), jnp.array(layout.sizes, jnp.int32) - 1
    places = jnp.arange(max(layout.sizes), dtype=jnp.int32)

    # Made at once, as a program that makes random numbers takes long to compile.
    shares = jax.random.uniform(key, (len(layout.sizes), count + 1))
    inner = jax.random.uniform(jax.random.fold_in(key, 1), (len(layout.sizes), count))

    def step(place: Array, before: tuple[Particles, Any]) -> tuple[Particles, Any]:
        seen, memory = before
        share = shares[place]
        column = jnp.argmax(model.rank == place)
        log_probs, inside = model.tell(memory, column)
        missing = (places == last[column])[None] & nullable[column]
        allowed = jnp.where(missing & (known[column] == PRESENT), -jnp.inf, log_probs)
        drawn = model.draw_inside(inside, column, reached(share[1:], allowed), inner[place])
        cell = jnp.where(known[column] == GIVEN, x[column], drawn)
        # Of what is given counts how likely it was; of what is known to be there, that it is not missing.
        told = jnp.take_along_axis(log_probs, model.state_of(cell)[:, None], axis=1)[:, 0]
        told = told + model.log_inside(inside, column, cell)
        there = logsumexp(allowed, axis=1)
        gain = jnp.where(known[column] == GIVEN, told, jnp.where(known[column] == PRESENT, there, 0.0))
        log_weights = seen.log_weights + gain
        effective = _effective(log_weights)
        few = effective < 0.5 * count
        chosen = jnp.where(few, _systematic(share[0], log_weights), jnp.arange(count))
        total = seen.log_total + jnp.where(few, logsumexp(log_weights) - np.log(count), 0.0)
        lost = seen.effective + jnp.where(few, 1.0 / effective - 1.0 / count, 0.0)
        states = seen.states.at[:, column].set(cell)
        memory = jax.tree.map(lambda each: each[chosen], model.see(memory, column, cell))
        return Particles(states[chosen], jnp.where(few, 0.0, log_weights), total, lost), memory

    start = jnp.zeros((count, *x.shape), x.dtype)
    # On the way the effective number's place holds by how much it is missed: variances of each part add up.
    first = Particles(start, jnp.zeros(count), jnp.zeros(()), jnp.zeros(()))
    found, _ = jax.lax.fori_loop(0, len(layout.sizes), step, (first, model.begin(count)))
    total = found.log_total + logsumexp(found.log_weights) - np.log(count)
    return found._replace(log_total=total, effective=1.0 / (found.effective + 1.0 / _effective(found.log_weights)))


def _effective(log_weights: Float[Array, " particles"]) -> Scalar:
    """As many draws of equal weight would tell as much; none, where no particle has any weight."""
    total = logsumexp(log_weights)
    return jnp.where(total > -jnp.inf, jnp.exp(2.0 * total - logsumexp(2.0 * log_weights)), 0.0)


def _systematic(share: Scalar, log_weights: Float[Array, " particles"]) -> Integer[Array, " particles"]:
    """Which particles to go on from: each as often as its weight says, to one; a random share decides between."""
    count = len(log_weights)
    ends = jnp.cumsum(jax.nn.softmax(log_weights))
    shares = (jnp.arange(count, dtype=ends.dtype) + share) / count
    method = "compare_all" if count <= FEW else "scan"
    return jnp.minimum(jnp.searchsorted(ends, shares, method=method), count - 1)
