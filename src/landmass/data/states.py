"""States: the space in which models of any table see it, one state a column, with the log-Jacobian of what is inside.

A column's value is a state, and a place within that state: a level of a category, an atom, "missing", or a cell of the
number line. How values lie within a state is fitted once, column by column, and does not depend on the other columns;
models learn how states go together. So each of them gives every row a likelihood in the columns' own base measures.
"""

from collections.abc import Iterable, Sequence
from typing import Self

import msgspec
import numpy as np
from jaxtyping import Float, Integer

from landmass.core.states import Layout
from landmass.data.cuts import Cut, Levels, cut
from landmass.data.dataset import Weighted
from landmass.data.schema import Schema
from landmass.types import CellScores, HostEvents, LogDensities, Precision

# The fewest cells that a column is cut into, and the most.
FEWEST_CELLS, MOST_CELLS = 8, 96

# The most cells of all columns together, as long as each has the fewest: networks weigh every one of them.
MOST_TOGETHER = 16_384

# Seed of the events that a saved model is asked for again.
GOLDEN_SEED = 0

Codes = Integer[np.ndarray, "events columns"]
"""The number of each cell's state."""


class StateSpace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One cut a column, fitted on training events only.

    Args:
        schema: the events' sample space.
        cuts: the columns' states.
    """

    schema: Schema
    cuts: tuple[Cut, ...]

    @classmethod
    def fit(cls, schema: Schema, blocks: Iterable[Weighted], cells: int | None = None) -> Self:
        """Cut every column.

        Args:
            schema: the sample space.
            blocks: training events, block by block, with their weights.
            cells: how many cells a column of numbers is cut into; None takes four times the cube root of the events'
                number, from 8 to 96, and fewer of many columns.
        """
        events, weights = zip(*blocks, strict=True)
        X, weight = np.concatenate(events), np.concatenate(weights)
        wanted = min(4.0 * weight.sum() ** (1.0 / 3.0), MOST_CELLS, MOST_TOGETHER / len(schema.columns))
        most = int(max(wanted, FEWEST_CELLS)) if cells is None else cells
        return cls(schema, tuple(cut(*pair, most, weight) for pair in zip(schema.columns, X.T, strict=True)))

    def __len__(self) -> int:
        return len(self.cuts)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many states each column has."""
        return tuple(each.states for each in self.cuts)

    @property
    def layout(self) -> Layout:
        """Where they stand in one row of all states."""
        return Layout(self.sizes, tuple(each.nullable for each in self.cuts))

    @property
    def stretches(self) -> tuple[tuple[int, int], ...]:
        """For each column the first of its line's cells among all states, and their number."""
        starts = self.layout.starts.tolist()
        return tuple((start + each.before, each.cells) for start, each in zip(starts, self.cuts, strict=True))

    @property
    def complete(self) -> bool:
        """Whether every column has states: so of fitted spaces, perhaps not of one that was read from a file."""
        return len(self.cuts) == len(self.schema.columns) and min(self.sizes, default=0) > 0

    def forward(self, X: HostEvents, precision: Precision = np.float32) -> tuple[Codes, LogDensities]:
        """States of events, and how likely each event is, in log, among those of its states: -inf if it cannot be."""
        codes, inside = self.cells(X)
        return codes, inside.sum(axis=1)

    def cells(self, X: HostEvents) -> tuple[Codes, CellScores]:
        """States of events, and how likely each cell is, in log, among those of its state."""
        parts = [self.cell(place, values) for place, values in enumerate(X.T)]
        return np.column_stack([states for states, _ in parts]), np.column_stack([inside for _, inside in parts])

    def cell(
        self, place: int, values: Float[np.ndarray, " events"]
    ) -> tuple[Integer[np.ndarray, " events"], LogDensities]:
        """The same of one column.

        Args:
            place: the column.
            values: in its unit; NaN where a cell is missing.
        """
        return self.cuts[place].forward(values)

    def inverse(self, codes: Codes, random_state: np.random.RandomState) -> HostEvents:
        """A random event of each row of states.

        Args:
            codes: the states.
            random_state: source of all randomness.
        """
        return np.column_stack(
            [each.inverse(states, random_state) for each, states in zip(self.cuts, codes.T, strict=True)]
        )

    def every(self, place: int) -> tuple[Integer[np.ndarray, " states"], Float[np.ndarray, " states"], Levels]:
        """A column's states: what stands for each, what a density there lacks of its probability, and their heights.

        Args:
            place: the column.
        """
        return np.arange(self.sizes[place], dtype=np.int32), np.zeros(self.sizes[place]), self.cuts[place].levels()

    def breakpoints(self) -> list[Float[np.ndarray, " _"]]:
        """For each column, where the density may jump."""
        return [each.breakpoints() for each in self.cuts]

    def golden(self, n: int) -> HostEvents:
        """Made-up events, with no cell missing."""
        rng = np.random.RandomState(GOLDEN_SEED)
        kept: Sequence[int] = [size - each.nullable for size, each in zip(self.sizes, self.cuts, strict=True)]
        return self.inverse(np.column_stack([rng.randint(0, max(size, 1), n) for size in kept]).astype(np.int32), rng)
