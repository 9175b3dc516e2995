"""Histogram: constant density in each cell of a grid."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from landmass.core.capabilities import AbstractDensity, Context
from landmass.core.distributions import Blend, Columnwise
from landmass.data.space import Space
from landmass.estimator.base import require
from landmass.estimator.density import WeighsEvents
from landmass.estimator.learned import FLOOR_MARGIN, SelectingEstimator, floored
from landmass.train.learner import Learner, Selection, closed_form, in_order
from landmass.train.rows import Coordinates
from landmass.types import Event, Key, Scalar

# The most cells a histogram may have: beyond it most are empty whatever the data, and memory goes.
MAX_CELLS = 2**20

# The most cells an event that are tried.
CELLS_AN_EVENT = 8

# Blocks of events that are counted apart: a million events.
APART = 256

# Candidates for the number of cells along a column: half-way steps between powers of two.
SIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)


class Cells(AbstractDensity):
    """Piecewise-constant density on a regular grid.

    Args:
        box: the grid's outer corners, as a uniform density.
        counts: events a cell, row-major over the columns; perhaps with unused places behind.
        side: number of cells along every column.
    """

    box: Columnwise
    counts: Float[Array, " places"]
    side: Integer[Array, ""]

    def log_prob(self, x: Event, context: Context = None) -> Scalar:
        share = self.counts[self.cell_of(x)] / self.counts.sum()
        return self.box.log_prob(x) + jnp.log(share) + x.size * jnp.log(self.side.astype(x.dtype))

    def cell_of(self, x: Event) -> Integer[Array, ""]:
        """Number of the cell that holds an event; events outside count to the nearest cell."""
        place = (x - self.box.low) / (self.box.high - self.box.low) * self.side.astype(x.dtype)
        corner = jnp.clip(jnp.floor(place).astype(jnp.int32), 0, self.side - 1)
        return (corner * self._strides(x.size)).sum()

    def sample(self, key: Key, context: Context = None) -> Event:
        choose, place = jax.random.split(key)
        return self._within(jax.random.choice(choose, self.counts.size, p=self.counts / self.counts.sum()), place)

    def samples(self, key: Key, n: int, context: Context = None) -> Float[Array, "events columns"]:
        # The counts are added up once, not for each event.
        choose, place = jax.random.split(key)
        cells = jax.random.choice(choose, self.counts.size, (n,), p=self.counts / self.counts.sum())
        return jax.vmap(self._within)(cells, jax.random.split(place, n))

    def _within(self, cell: Integer[Array, ""], key: Key) -> Event:
        """A place in a cell."""
        corner = (cell // self._strides(self.box.low.size) % self.side).astype(self.box.low.dtype)
        share = (corner + jax.random.uniform(key, corner.shape)) / self.side.astype(corner.dtype)
        return self.box.low + share * (self.box.high - self.box.low)

    def _strides(self, columns: int) -> Integer[Array, " columns"]:
        return self.side ** jnp.arange(columns)[::-1]


@dataclass(kw_only=True, eq=False, repr=False)
class Histogram(WeighsEvents, SelectingEstimator):
    """Equal cells on the sample space's bounds, or on the data's range, over a small uniform floor.

    Args:
        n_cells: cells along each column; None chooses on validation.
    """

    _reads_pieces: ClassVar[bool] = True

    n_cells: int | None = None

    def _learner(self, space: Space, z: Coordinates) -> Selection:
        return Selection(lambda: in_order(self._candidates(space, z.total), give_up=3), setting="n_cells")

    def _candidates(self, space: Space, n: float) -> Iterator[tuple[int, Learner]]:
        # Declared bounds stay; where there are none, the grid reaches a little beyond the data.
        box, floor = space.box(1.0 / n), space.box(FLOOR_MARGIN)
        # With many more cells than events nearly all are empty.
        most = min(_most_cells(len(space)), (CELLS_AN_EVENT * n) ** (1.0 / len(space)))
        sides = [self.n_cells] if self.n_cells else [side for side in SIDES if side <= most] or [1]
        # Room for the largest candidate, so that all share one compiled program.
        room = jnp.zeros(max(sides) ** len(space))
        for side in sides:
            cells = Cells(box, room, jnp.int32(side))
            empty = Counted(floored(cells, floor), room, jnp.int32(0))
            yield side, closed_form(empty, _count, _counted)

    def _settle(self, model: Blend) -> Blend:
        cells = model.parts[0]
        used = int(cells.side) ** self.n_features_in_
        return eqx.tree_at(lambda b: b.parts[0].counts, model, cells.counts[:used])

    def _empty(self, space: Space, sizes: Mapping[str, int]) -> AbstractDensity:
        return floored(Cells(space.box(0.0), jnp.zeros(sizes["cells"]), jnp.int32(0)), space.box(0.0))

    def _sizes(self) -> dict[str, int]:
        return {"cells": len(self.model_.parts[0].counts)}

    def breakpoints(self) -> list[Float[np.ndarray, " _"]]:
        """The cells' edges, and the floor's corners."""
        pairs = zip(super().breakpoints(), self.parameters_["edges"], strict=True)
        return [np.concatenate(pair) for pair in pairs]

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """`density`: of each cell, in the units of the data; `edges`: of the cells along each column."""
        cells = self.model_.parts[0]
        side = int(cells.side)
        ticks = np.linspace(np.asarray(cells.box.low), np.asarray(cells.box.high), side + 1)
        edges = self.space_.inverse(ticks)
        counts = np.asarray(cells.counts, np.float64).reshape((side,) * len(self.space_))
        return {"density": counts / counts.sum() / np.prod(edges[1] - edges[0]), "edges": edges.T}

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "n_cells", self.n_cells is None or self.n_cells >= 1, "None or at least 1")

    def _check_space(self, space: Space) -> None:
        most = _most_cells(len(space))
        require(self, "n_cells", (self.n_cells or 1) <= most, f"at most {most} with {len(space)} columns")


def _most_cells(columns: int) -> int:
    return max(int(MAX_CELLS ** (1.0 / columns) + 1e-9), 1)


class Counted(NamedTuple):
    """A histogram while events are counted: the last blocks apart, as float32 does not count by ones beyond 2^24."""

    blend: Blend
    lately: Float[Array, " places"]
    blocks: Integer[Array, ""]


def _count(seen: Counted, x: Float[Array, "block columns"], weight: Float[Array, " block"]) -> Counted:
    lately = seen.lately.at[jax.vmap(seen.blend.parts[0].cell_of)(x)].add(weight)
    seen, full = Counted(seen.blend, lately, seen.blocks + 1), seen.blocks % APART == APART - 1
    return jax.lax.cond(full, _put_together, lambda seen: seen, seen)


def _put_together(seen: Counted) -> Counted:
    counts = seen.blend.parts[0].counts + seen.lately
    blend = eqx.tree_at(lambda b: b.parts[0].counts, seen.blend, counts)
    return Counted(blend, jnp.zeros_like(seen.lately), seen.blocks)


def _counted(seen: Counted) -> Blend:
    return _put_together(seen).blend
