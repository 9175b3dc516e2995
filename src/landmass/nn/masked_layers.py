"""Layers that tell numbers of columns in an order, each from features of the columns before it and of no others."""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from landmass.nn.layers import coins
from landmass.types import Key


class MaskedLayers(eqx.Module):
    """Dense layers with masks, whose hidden ones add to what passes through.

    Args:
        into: from features to the first hidden units, shape (features, units).
        between: from hidden units to the next, shape (units, units) each.
        out: from the last hidden units to what is told, shape (units, numbers).
        biases: of the hidden layers, shape (units,) each.
        start: what is told where nothing is known, shape (numbers,).
        rank: each column's place in the order, shape (columns,).
        dropout: share of the hidden units that a training step sets to zero.

    Source: Germain, Gregor, Murray & Larochelle 2015 (MADE); Nash & Durkan 2019 (residual layers).
    """

    into: Float[Array, "features units"]
    between: tuple[Float[Array, "units units"], ...]
    out: Float[Array, "units numbers"]
    biases: tuple[Float[Array, " units"], ...]
    start: Float[Array, " numbers"]
    rank: Integer[Array, " columns"]
    dropout: float = eqx.field(static=True, kw_only=True)

    @property
    @abstractmethod
    def features_of(self) -> Integer[np.ndarray, " features"]:
        """The column of each feature."""

    @property
    @abstractmethod
    def numbers_of(self) -> Integer[np.ndarray, " numbers"]:
        """The column that each number tells of."""

    def weights(self) -> tuple[Float[Array, "features units"], Float[Array, "units numbers"]]:
        """From features to units and from units to numbers."""
        return self.into, self.out

    @property
    def degree(self) -> Integer[np.ndarray, " units"]:
        """Units of degree d see the columns of rank d and before, and tell those after."""
        units, degrees = np.arange(len(self.biases[0]), dtype=np.int32), max(len(self.rank) - 1, 1)
        # Of more columns than units every so many share one.
        return units % degrees if len(units) >= degrees else units * degrees // len(units)

    def begin(self, count: int) -> Float[Array, "events units"]:
        """What comes to the first units of so many events of which nothing is known."""
        return jnp.repeat(self.biases[0][None], count, axis=0)

    def numbers(self, features: Float[Array, "events features"], key: Key | None) -> Float[Array, "events numbers"]:
        """What is told of events, with dropout where a key is given."""
        into, out = self.weights()
        sees = self.rank[self.features_of][:, None] <= self.degree[None]
        first = features @ jnp.where(sees, into, 0.0) + self.biases[0][None]
        told = jnp.where(self.degree[:, None] < self.rank[self.numbers_of][None], out, 0.0)
        return self.start[None] + self.deeper(first, key) @ told

    def deeper(self, hidden: Float[Array, "events units"], key: Key | None) -> Float[Array, "events units"]:
        """What the last layer gives, of what has come to the first."""
        for i, (weight, bias) in enumerate(zip(self.between, self.biases[1:], strict=True)):
            seen = jnp.where(self.degree[:, None] <= self.degree[None], weight, 0.0)
            hidden = hidden + self._dropped(jax.nn.silu(hidden), key, i) @ seen + bias[None]
        return self._dropped(jax.nn.silu(hidden), key, -1)

    def _dropped(self, hidden: Float[Array, "events units"], key: Key | None, layer: int) -> Float[Array, "..."]:
        if key is None or not self.dropout:
            return hidden
        kept, share = coins(jax.random.fold_in(key, layer + 1), 1.0 - self.dropout, hidden.shape)
        return jnp.where(kept, hidden / share, 0.0)
