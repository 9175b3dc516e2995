"""Distributions of rows of states: every column is in one of a few states, and the base measure is counting."""

import math
from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Integer

from landmass.core.capabilities import AbstractConditional, AbstractDensity, Context
from landmass.core.distributions import reached, safe_logsumexp
from landmass.types import Key, Scalar

States = Integer[Array, " columns"]

Evidence = Integer[Array, " columns"]
"""What is known of each column: `FREE`, `GIVEN` or `PRESENT`."""

FREE, GIVEN, PRESENT = 0, 1, 2
"""Nothing; its state; or that it is not missing, and no more."""


class Layout(eqx.Module):
    """Where each column's states stand in one row of all states.

    Args:
        sizes: how many states each column has.
        nullable: whether the last of them is "missing".
    """

    sizes: tuple[int, ...] = eqx.field(static=True)
    nullable: tuple[bool, ...] = eqx.field(static=True)

    @property
    def total(self) -> int:
        """How many states there are in all."""
        return sum(self.sizes)

    @property
    def starts(self) -> Integer[np.ndarray, " columns"]:
        """The first state of each column."""
        return np.cumsum([0, *self.sizes[:-1]]).astype(np.int32)

    @property
    def column_of(self) -> Integer[np.ndarray, " states"]:
        """The column of each state."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def absent(self) -> Integer[np.ndarray, " columns"]:
        """The place of each column's state "missing"; of one that has none its last state's."""
        return (np.cumsum(self.sizes) - 1).astype(np.int32)

    def groups(self) -> list[tuple[Integer[np.ndarray, " some"], Integer[np.ndarray, "some each"]]]:
        """Columns of one size together, with the places of their states."""
        sizes = np.array(self.sizes)
        found = [(np.flatnonzero(sizes == size), size) for size in np.unique(sizes)]
        return [(columns, self.starts[columns][:, None] + np.arange(size)[None]) for columns, size in found]

    def log_softmax(self, logits: Float[Array, "*events states"]) -> Float[Array, "*events states"]:
        """Each column's log-probabilities, of any numbers that stand for them."""
        found = []
        groups = self.groups()
        for _, places in groups:
            part = _taken(logits, places)
            found.append(jax.nn.log_softmax(part, axis=-1).reshape(*part.shape[:-2], -1))
        order = np.argsort(np.concatenate([places.ravel() for _, places in groups]))
        joined = jnp.concatenate(found, axis=-1)
        return joined if (np.diff(order) == 1).all() else joined[..., order]

    def log_present(self, log_probs: Float[Array, "states classes"]) -> Float[Array, "columns classes"]:
        """Log-probability that a column is not missing, added up from its other states: next to 1 is no room for it."""
        found, nullable = jnp.zeros((len(self.sizes), log_probs.shape[1])), np.array(self.nullable)
        for columns, places in self.groups():
            if (some := nullable[columns]).any():
                there = jax.nn.logsumexp(log_probs[places[some, :-1]], axis=1)
                found = found.at[columns[some]].set(there)
        return found

    def draw(self, share: Float[Array, " columns"], log_probs: Float[Array, " states"]) -> States:
        """A state for each column.

        Args:
            share: random, from 0 to below 1.
            log_probs: of all columns' states.
        """
        # All columns as wide as the largest: a program for each width would take long to compile.
        places, inside = jax.vmap(self.places)(jnp.arange(len(self.sizes)))
        return reached(share, jnp.where(inside, log_probs[places], -jnp.inf))

    def places(self, column: Integer[Array, ""]) -> tuple[Integer[Array, " most"], Bool[Array, " most"]]:
        """Where a column's states stand: as many places as the largest column has, and which of them are its own."""
        place = jnp.arange(max(self.sizes), dtype=jnp.int32)
        inside = place < jnp.array(self.sizes, jnp.int32)[column]
        return jnp.where(inside, jnp.asarray(self.starts)[column] + place, 0), inside

    @property
    def within(self) -> Integer[np.ndarray, " states"]:
        """The number of each state within its column."""
        return np.concatenate([np.arange(size) for size in self.sizes]).astype(np.int32)

    def ones(self, x: Integer[Array, "events columns"]) -> Float[Array, "events states"]:
        """A row for each event: one at its states, zero elsewhere."""
        return (
            jnp.repeat(x, np.array(self.sizes), axis=1, total_repeat_length=self.total) == self.within[None]
        ).astype(jnp.float32)


class AbstractStates(AbstractDensity, AbstractConditional):
    """A distribution of rows of states, of which any can be summed out or given."""

    @abstractmethod
    def log_marginal(self, x: States, known: Evidence) -> Scalar:
        """Log-probability of what is known of some columns, whatever the others are."""

    def complete(self, key: Key, x: States, known: Evidence) -> States:
        """States of the columns that are not given, drawn given what is known."""
        return self.complete_by(jax.random.uniform(key, (len(x) + 1,)), x, known)

    @abstractmethod
    def complete_by(self, share: Float[Array, " shares"], x: States, known: Evidence) -> States:
        """The same by random shares from 0 to below 1, one more than columns: to make them takes long to compile."""


class StateMixture(AbstractStates):
    """Mixture of classes, within each of which columns do not depend on each other.

    Args:
        log_weights: of the classes, shape (classes,); normalised here.
        tables: log-probability of each state in each class, shape (states, classes).
        layout: how many states each column has.
    """

    log_weights: Float[Array, " classes"]
    tables: Float[Array, "states classes"]
    layout: Layout

    def log_prob(self, x: States, context: Context = None) -> Scalar:
        return safe_logsumexp(self._joint(x, None))

    def sample(self, key: Key, context: Context = None) -> States:
        choose, draw = jax.random.split(key)
        chosen = jax.random.categorical(choose, self.log_weights)
        share = jax.random.uniform(draw, (len(self.layout.sizes),))
        return self.layout.draw(share, self.tables.T[chosen])

    def log_marginal(self, x: States, known: Evidence) -> Scalar:
        return safe_logsumexp(self._joint(x, known))

    def complete_by(self, share: Float[Array, " shares"], x: States, known: Evidence) -> States:
        chosen = reached(share[:1], jax.nn.log_softmax(self._joint(x, known))[None])[0]
        drawn = self.layout.draw(share[1:], without_missing(self.layout, self.tables.T[chosen], known))
        return jnp.where(known == GIVEN, x, drawn)

    def given_others(self, x: States) -> Float[Array, "columns classes"]:
        """For each column the log-probability of all other columns' states together with each class."""
        rows = self.tables[self.layout.starts + x]
        none = jnp.zeros_like(rows[:1])
        # What the columns before and after each one say of the class.
        before = jnp.concatenate([none, jnp.cumsum(rows, axis=0)[:-1]])
        after = jnp.concatenate([jnp.cumsum(rows[::-1], axis=0)[::-1][1:], none])
        return jax.nn.log_softmax(self.log_weights)[None] + before + after

    def _joint(self, x: States, known: Evidence | None) -> Float[Array, " classes"]:
        """Log-probability of what is known together with each class."""
        rows = self.tables[self.layout.starts + x]
        if known is not None:
            there = jnp.where(known[:, None] == PRESENT, self.layout.log_present(self.tables), 0.0)
            rows = jnp.where(known[:, None] == GIVEN, rows, there)
        return jax.nn.log_softmax(self.log_weights) + rows.sum(0)


def without_missing(layout: Layout, log_probs: Float[Array, " states"], known: Evidence) -> Float[Array, " states"]:
    """The same, with "missing" impossible in the columns that are known to be present."""
    there = (known == PRESENT) & jnp.array(layout.nullable)
    absent = jnp.zeros(layout.total, bool).at[layout.absent].set(there)
    return jnp.where(absent, -jnp.inf, log_probs)


def uniform(layout: Layout, classes: int = 1) -> StateMixture:
    """All states of each column alike, in every class."""
    rows = np.repeat(-np.log(np.array(layout.sizes)), layout.sizes).astype(np.float32)
    tables = np.broadcast_to(rows[:, None], (layout.total, classes))
    return StateMixture(jnp.full(classes, -math.log(classes)), jnp.asarray(tables), layout)


def _taken(row: Float[Array, "*events states"], places: Integer[np.ndarray, "some each"]) -> Float[Array, "..."]:
    """Some places of the last axis, as a slice where they follow on each other."""
    flat = places.ravel()
    if (np.diff(flat) == 1).all():
        return row[..., flat[0] : flat[-1] + 1].reshape(*row.shape[:-1], *places.shape)
    return row[..., flat].reshape(*row.shape[:-1], *places.shape)
