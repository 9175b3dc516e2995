"""Autoregressive: each column of any kind given the columns before it, by a masked network; several orders mixed."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from landmass.arrays import on_device
from landmass.core.capabilities import AbstractDensity, Context
from landmass.core.distributions import Mixture
from landmass.core.particles import AbstractChain, Column, follow
from landmass.core.states import FREE, Layout
from landmass.estimator.ordered import OrderedEstimator
from landmass.nn.hats import HatWeights
from landmass.nn.masked_layers import MaskedLayers
from landmass.types import Key, Scalar

States = Integer[Array, "events columns"]


class MaskedStates(MaskedLayers, AbstractDensity, AbstractChain):
    """One member: a network whose numbers for a column see the columns before it in its order, and no others.

    Its features are ones at the states of events, and what it tells are the states' log-probabilities.

    Args:
        layout: how many states each column has.
        shared: while it learns, what neighbouring cells of a number line share of their weights, beside their own.
    """

    layout: Layout
    shared: HatWeights | None = None

    def log_prob(self, x: Integer[Array, " columns"], context: Context = None) -> Scalar:
        return self.log_probs(x[None])[0]

    def log_probs(self, x: States, context: Context = None) -> Float[Array, " events"]:
        return self.trained_log_probs(x, None)

    def trained_log_probs(self, x: States, key: Key | None) -> Float[Array, " events"]:
        """Log-probabilities of events, with dropout where a key is given."""
        ones = self.layout.ones(x)
        return (self.layout.log_softmax(self.numbers(ones, key)) * ones).sum(-1)

    def sample(self, key: Key, context: Context = None) -> Integer[Array, " columns"]:
        return self.samples(key, 1)[0]

    def samples(self, key: Key, n: int, context: Context = None) -> States:
        """Column by column, in the member's order."""
        nothing = jnp.zeros(len(self.layout.sizes), jnp.int32)
        return follow(self, key, nothing, jnp.full_like(nothing, FREE), n).states

    def see(
        self, known: Float[Array, "events units"], column: Column, cell: Integer[Array, " events"]
    ) -> Float[Array, "events units"]:
        sees = self.rank[column] <= self.degree
        return known + jnp.where(sees[None], self.into[jnp.asarray(self.layout.starts)[column] + cell], 0.0)

    def tell(self, known: Float[Array, "events units"], column: Column) -> tuple[Float[Array, "events most"], None]:
        places, inside = self.layout.places(column)
        told = jnp.where((self.degree < self.rank[column])[:, None], self.out[:, places], 0.0)
        logits = self.start[places][None] + self.deeper(known, None) @ told
        return jax.nn.log_softmax(jnp.where(inside[None], logits, -jnp.inf), axis=1), None

    def weights(self) -> tuple[Float[Array, "states units"], Float[Array, "units states"]]:
        """With what cells share."""
        if self.shared is None:
            return self.into, self.out
        into, out = self.shared.spread(self.layout.total)
        return self.into + into, self.out + out

    @property
    def features_of(self) -> Integer[np.ndarray, " states"]:
        return self.layout.column_of

    @property
    def numbers_of(self) -> Integer[np.ndarray, " states"]:
        return self.layout.column_of


@dataclass(kw_only=True, eq=False, repr=False)
class Autoregressive(OrderedEstimator):
    """Masked networks that tell each column given those before it; a mixture of members, each with an order of its own.

    Log-densities of rows are exact, and so are chances of words given all other columns. What else is asked of some
    columns given others is estimated by particles; draws, and what is given once, are refused where too few count.

    Args:
        hidden: units of each hidden layer.
        depth: hidden layers of each network.
        dropout: share of the hidden units that each training step sets to zero.
    """

    def _fresh(self, space: Any, counts: Float[np.ndarray, " states"], rng: np.random.Generator) -> MaskedStates:
        fresh, layout = super()._fresh(space, counts, rng), space.layout

        def normal(scale: float, *shape: int) -> Array:
            return on_device(scale * rng.standard_normal((self.members, *shape)), np.float32)

        shared = HatWeights.draw(space.stretches, self.hidden, normal, 1.0 / math.sqrt(len(layout.sizes)))
        if shared is None:
            return fresh
        # At first cells differ by what they share alone.
        own = np.ones((layout.total, 1), np.float32)
        for first, cells in shared.stretches:
            own[first : first + cells] = 0.0
        return _sharing(eqx.tree_at(lambda each: each.into, fresh, fresh.into * own[None]), shared)

    def _learnt(self) -> MaskedStates:
        """The fitted members, ready to learn on."""

        def nothing(scale: float, *shape: int) -> Array:
            return jnp.zeros((self.members, *shape))

        return _sharing(self.model_.components, HatWeights.draw(self.space_.stretches, self.hidden, nothing, 0.0))

    def _settle(self, model: Any) -> Mixture:
        return _alone(model)

    def _shaped(self, space: Any, normal: Callable[..., Array], start: Array, ranks: Array) -> MaskedStates:
        layout = space.layout
        weights = self._layers(layout.total, layout.total, len(layout.sizes), normal)
        made: Callable[..., MaskedStates] = partial(MaskedStates, layout=layout, dropout=self.dropout)
        return eqx.filter_vmap(made)(*weights, start, ranks)


def _sharing(members: MaskedStates, shared: HatWeights | None) -> MaskedStates:
    return eqx.tree_at(lambda each: each.shared, members, shared, is_leaf=lambda leaf: leaf is None)


@eqx.filter_jit
def _alone(model: Mixture) -> Mixture:
    """The same density, its cells' weights added to what they shared."""
    members = model.components
    weights = eqx.filter_vmap(MaskedStates.weights)(members)
    members = eqx.tree_at(lambda each: (each.into, each.out), members, weights)
    return Mixture(model.log_weights, _sharing(members, None))
