"""Mixed spline flow: numbers by splines and words by chances, each given the columns before it, in several orders."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Integer

from landmass.core.capabilities import AbstractDensity, Context
from landmass.core.distributions import Mixture
from landmass.core.lines import LinePlaces
from landmass.core.particles import AbstractChain, Column, follow
from landmass.core.spline import Spline, spline_from_parameters
from landmass.core.states import FREE, Layout
from landmass.data.dataset import Dataset
from landmass.data.lines import MIDDLE, STATE, WIDTH, LineSpace
from landmass.estimator.base import require
from landmass.estimator.ordered import OrderedEstimator
from landmass.nn.masked_layers import MaskedLayers
from landmass.nn.waves import cosines
from landmass.types import Key, Scalar

# The amplitude of wave k falls as k to the power of minus this.
SMOOTHNESS = 0.5

# A bin is no narrower and no lower than so much of the whole line, and a slope no flatter than so much of an even one.
SMALLEST = 1e-3

# Draws lie between these places: in single precision the next ones are the ends, where tails are endless.
ENDS = 2.0**-25, 1.0 - 2.0**-24

Cells = Float[Array, "events columns 3"]


class SplineChain(MaskedLayers, AbstractDensity, AbstractChain):
    """One member: a network that tells columns' states, and how numbers lie on their line, from the columns before.

    Its features are ones at the states of events, and waves of where numbers stand on their lines.

    Args:
        layout: how many states each column has.
        lines: the state of each column that is its line; -1 of one that has none.
        bins: of each spline.
        waves: by which the network sees where a number stands.
        places: where the values of lines stand, to draw them; None while the network learns.
    """

    layout: Layout
    lines: tuple[int, ...] = eqx.field(static=True)
    bins: int = eqx.field(static=True)
    waves: int = eqx.field(static=True)
    places: LinePlaces | None = None

    def log_prob(self, x: Float[Array, "columns 3"], context: Context = None) -> Scalar:
        return self.log_probs(x[None])[0]

    def log_probs(self, x: Cells, context: Context = None) -> Float[Array, " events"]:
        return self.trained_log_probs(x, None)

    def trained_log_probs(self, x: Cells, key: Key | None) -> Float[Array, " events"]:
        """Log-densities of events relative to each line's marginal one, with dropout where a key is given."""
        state, total = x[..., STATE].astype(jnp.int32), self.layout.total
        ones, numbers = self.layout.ones(state), x[:, self._numeric]
        on_line = (state == np.array(self.lines)[None])[:, self._numeric]
        seen = jnp.where(on_line[..., None], self._seen(numbers[..., MIDDLE]), 0.0)
        seen = seen.reshape(len(x), len(self._numeric) * self.waves)
        told = self.numbers(jnp.concatenate([ones, seen], axis=1), key)
        log_states = (self.layout.log_softmax(told[:, :total]) * ones).sum(1)
        # Bins stand first: sums over them then run over whole rows.
        raw = told[:, total:].reshape(len(x), len(self._numeric), 3 * self.bins + 1).transpose(2, 0, 1)
        slope = _spline(raw).mean_slope(numbers[..., MIDDLE], numbers[..., WIDTH])
        return log_states + jnp.where(on_line, jnp.log(slope), 0.0).sum(1)

    def sample(self, key: Key, context: Context = None) -> Float[Array, "columns 3"]:
        return self.samples(key, 1)[0]

    def samples(self, key: Key, n: int, context: Context = None) -> Cells:
        """Column by column, in the member's order."""
        columns = len(self.layout.sizes)
        return follow(self, key, jnp.zeros((columns, 3)), jnp.full(columns, FREE, jnp.int32), n).states

    def see(
        self, known: Float[Array, "events units"], column: Column, cell: Float[Array, "events 3"]
    ) -> Float[Array, "events units"]:
        state = self.state_of(cell)
        waves = jnp.where(self._on_line(column, state)[:, None], self._seen(cell[:, MIDDLE]), 0.0)
        first = self.layout.total + self._line_of(column) * self.waves
        rows = self.into[first + jnp.arange(self.waves)]
        gain = self.into[jnp.asarray(self.layout.starts)[column] + state] + waves @ rows
        return known + jnp.where((self.rank[column] <= self.degree)[None], gain, 0.0)

    def tell(
        self, known: Float[Array, "events units"], column: Column
    ) -> tuple[Float[Array, "events most"], Float[Array, "parameters events"]]:
        places, inside = self.layout.places(column)
        each = 3 * self.bins + 1
        spline = self.layout.total + self._line_of(column) * each + jnp.arange(each)
        wanted = jnp.concatenate([places, spline])
        told = jnp.where((self.degree < self.rank[column])[:, None], self.out[:, wanted], 0.0)
        numbers = self.start[wanted][None] + self.deeper(known, None) @ told
        logits, raw = numbers[:, : len(places)], numbers[:, len(places) :]
        return jax.nn.log_softmax(jnp.where(inside[None], logits, -jnp.inf), axis=1), raw.T

    def state_of(self, cell: Float[Array, "events 3"]) -> Integer[Array, " events"]:
        return cell[:, STATE].astype(jnp.int32)

    def draw_inside(
        self,
        inside: Float[Array, "parameters events"],
        column: Column,
        state: Integer[Array, " events"],
        share: Float[Array, " events"],
    ) -> Float[Array, "events 3"]:
        place = jnp.clip(_spline(inside).inverse(share)[0], *ENDS)
        middle, width = place, jnp.zeros_like(place)
        if self.places is not None:
            middle, width = jax.vmap(self.places.of(column).snap)(place)
            middle = jnp.clip(middle, *ENDS)
        cell = jnp.stack([state.astype(place.dtype), middle, width], axis=1)
        return jnp.where(self._on_line(column, state)[:, None], cell, cell.at[:, MIDDLE:].set(0.0))

    def log_inside(
        self, inside: Float[Array, "parameters events"], column: Column, cell: Float[Array, "events 3"]
    ) -> Float[Array, " events"]:
        slope = _spline(inside).mean_slope(cell[:, MIDDLE], cell[:, WIDTH])
        return jnp.where(self._on_line(column, self.state_of(cell)), jnp.log(slope), 0.0)

    @property
    def features_of(self) -> Integer[np.ndarray, " features"]:
        return np.concatenate([self.layout.column_of, np.repeat(self._numeric, self.waves)])

    @property
    def numbers_of(self) -> Integer[np.ndarray, " numbers"]:
        return np.concatenate([self.layout.column_of, np.repeat(self._numeric, 3 * self.bins + 1)])

    @property
    def _numeric(self) -> Integer[np.ndarray, " lines"]:
        """The columns that have a line."""
        return np.flatnonzero(np.array(self.lines) >= 0)

    def _line_of(self, column: Column) -> Integer[Array, ""]:
        """The place of a column among those that have a line; of one that has none any."""
        place = np.maximum(np.cumsum(np.array(self.lines) >= 0) - 1, 0)
        return jnp.asarray(place, jnp.int32)[column]

    def _on_line(self, column: Column, state: Integer[Array, " events"]) -> Bool[Array, " events"]:
        return state == jnp.array(self.lines, jnp.int32)[column]

    def _seen(self, middle: Float[Array, "*events"]) -> Float[Array, "*events waves"]:
        amplitudes = (np.sqrt(2.0) * np.arange(1, self.waves + 1) ** -SMOOTHNESS).tolist()
        waves = zip(amplitudes, cosines(np.pi * middle, self.waves), strict=True)
        return jnp.stack([height * wave for height, wave in waves], axis=-1)


def _spline(raw: Float[Array, "parameters *events"]) -> Spline:
    """The share of a column's mass below each place, given the columns before it."""
    no, zero, one = jnp.array(False), jnp.zeros(()), jnp.ones(())
    return spline_from_parameters(raw, zero, one, unit_ends=no, periodic=no, smallest=SMALLEST)


@dataclass(kw_only=True, eq=False, repr=False)
class MixedSplineFlow(OrderedEstimator):
    """Autoregressive rational-quadratic splines for rows of any columns; a mixture of members, each with its own order.

    A number is seen by its marginal cumulative probability (probability integral transform), and its distribution given
    the columns before it is a monotonic spline of that: exact chances of counted values, exact densities of measured
    ones. Words, atoms and empty cells have chances of their own. What is asked of some columns given others is
    estimated by particles; draws, and what is given once, are refused where too few particles count.

    Args:
        hidden: units of each hidden layer.
        depth: hidden layers of each network.
        dropout: share of the hidden units that each training step sets to zero.
        n_bins: bins of each spline.
        waves: cosines by which a network sees where a number stands among those of its column.

    Source: Durkan, Bekasov, Murray & Papamakarios 2019 (neural spline flows).
    """

    n_bins: int = 8
    waves: int = 16

    def _fit_space(self, train: Dataset) -> LineSpace:
        return LineSpace.fit(train.schema, train.blocks(), self.cells)

    def _shaped(self, space: LineSpace, normal: Callable[..., Array], start: Array, ranks: Array) -> SplineChain:
        layout, lines = space.layout, sum(line >= 0 for line in space.lines)
        features, numbers = layout.total + lines * self.waves, layout.total + lines * (3 * self.n_bins + 1)
        weights = self._layers(features, numbers, len(layout.sizes), normal)
        sizes = {"lines": space.lines, "bins": self.n_bins, "waves": self.waves, "dropout": self.dropout}
        made: Callable[..., SplineChain] = partial(SplineChain, layout=layout, **sizes)
        # No spline bends at first: each column is as it is by itself.
        even = jnp.zeros((self.members, numbers - layout.total))
        return eqx.filter_vmap(made)(*weights, jnp.concatenate([start, even], axis=1), ranks)

    def _empty(self, space: LineSpace, sizes: Mapping[str, int]) -> Mixture:
        made: Any = super()._empty(space, sizes)
        shape = self.members, len(space), space.most_cells
        each, tails = jnp.zeros(shape), jnp.zeros((*shape[:2], 2, 2))
        places = LinePlaces(each, each, each, tails, jnp.zeros(shape[:2]))
        return Mixture(made.log_weights, _with_places(made.components, places))

    def _learnt(self) -> SplineChain:
        return _with_places(self.model_.components, None)

    def _settle(self, model: Any) -> Mixture:
        places = jax.tree.map(lambda each: jnp.repeat(each[None], self.members, axis=0), self.space_.places())
        return Mixture(model.log_weights, _with_places(model.components, places))

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "n_bins", 1 <= self.n_bins <= 500, "between 1 and 500")
        require(self, "waves", 1 <= self.waves <= 200, "between 1 and 200")


def _with_places(members: SplineChain, places: LinePlaces | None) -> SplineChain:
    return eqx.tree_at(lambda each: each.places, members, places, is_leaf=lambda leaf: leaf is None)
