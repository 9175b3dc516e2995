"""Particles: what a model that draws column by column says of some columns given others, by sequential Monte Carlo."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Integer

from landmass.core.states import GIVEN, PRESENT, Evidence, States, without_missing
from landmass.types import Key, Scalar


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


def follow(model: Any, key: Key, x: States, known: Evidence, count: int) -> Particles:
    """Draw the columns that are not given, in the model's order, and weigh by how likely the given ones are then.

    What is given before all that is drawn makes all weights equal, and the answer exact. Where few particles are left
    that count, they are drawn anew by their weights.

    Args:
        model: has `layout`, each column's `rank` in its order, and `log_conditionals` of states.
        key: source of all randomness.
        x: states; what they are in columns that are not given is of no matter.
        known: what is known of each column.
        count: how many particles.

    Source: Doucet, de Freitas & Gordon 2001; Kitagawa 1996 (systematic resampling).
    """
    layout = model.layout
    starts, absent = jnp.asarray(layout.starts), jnp.asarray(layout.absent)
    nullable, places = jnp.array(layout.nullable), jnp.arange(len(layout.sizes))

    def step(place: Array, seen: Particles) -> Particles:
        draw, again = jax.random.split(jax.random.fold_in(key, place))
        column = jnp.argmax(model.rank == place)
        log_probs = model.log_conditionals(seen.states)
        allowed = jax.vmap(lambda row: without_missing(layout, row, known))(log_probs)
        drawn = jax.vmap(layout.draw)(jax.random.split(draw, count), allowed)
        states = jnp.where((places == column)[None], jnp.where(known == GIVEN, x, drawn), seen.states)
        # Of what is given counts how likely it was; of what is known to be there, that it is not missing.
        told = log_probs[jnp.arange(count), starts[column] + states[:, column]]
        there = jnp.where(nullable[column], jnp.log1p(-jnp.exp(log_probs[:, absent[column]])), 0.0)
        gain = jnp.where(known[column] == GIVEN, told, jnp.where(known[column] == PRESENT, there, 0.0))
        log_weights = seen.log_weights + gain
        effective = jnp.exp(2.0 * logsumexp(log_weights) - logsumexp(2.0 * log_weights))
        few = effective < 0.5 * count
        chosen = jnp.where(few, _systematic(again, log_weights), jnp.arange(count))
        total = seen.log_total + jnp.where(few, logsumexp(log_weights) - np.log(count), 0.0)
        least = jnp.minimum(seen.effective, effective)
        return Particles(states[chosen], jnp.where(few, 0.0, log_weights), total, least)

    start = jnp.zeros((count, len(layout.sizes)), jnp.int32)
    first = Particles(start, jnp.zeros(count), jnp.zeros(()), jnp.asarray(float(count)))
    found = jax.lax.fori_loop(0, len(layout.sizes), step, first)
    total = found.log_total + logsumexp(found.log_weights) - np.log(count)
    return found._replace(log_total=total)


def _systematic(key: Key, log_weights: Float[Array, " particles"]) -> Integer[Array, " particles"]:
    """Which particles to go on from: each as often as its weight says, to one."""
    count = len(log_weights)
    ends = jnp.cumsum(jax.nn.softmax(log_weights))
    shares = (jnp.arange(count, dtype=ends.dtype) + jax.random.uniform(key)) / count
    return jnp.minimum(jnp.searchsorted(ends, shares), count - 1)
