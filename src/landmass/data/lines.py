"""Lines: the space in which splines see rows of any columns, numbers by their marginal cumulative probability.

Every number is replaced by its place from 0 to 1, the marginal probability of what is below it (probability integral
transform), a counted one by the interval of its own mass. All numbers of a column are of one state, on the line; words,
atoms and empty cells are states as in `landmass.data.states`. So splines of places tell counts as they tell lengths,
in their own units.
"""

from collections.abc import Iterable
from typing import Self

import msgspec
import numpy as np
from jaxtyping import Float

from landmass.arrays import on_device
from landmass.core.lines import LinePlaces
from landmass.core.states import Layout
from landmass.data.cuts import Cut, Levels
from landmass.data.dataset import Weighted
from landmass.data.schema import Schema
from landmass.data.states import StateSpace
from landmass.types import CellScores, HostEvents, LogDensities, Precision

# Events that each cell of a line is given besides those that it has.
SMOOTHING = 0.5

STATE, MIDDLE, WIDTH = 0, 1, 2
"""What stands for each cell: its state, the middle of its two places, and how far they are apart."""

Codes = Float[np.ndarray, "events columns 3"]


class LineSpace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cuts of columns, and how much of each line's mass lies in each of its cells.

    Args:
        states: the columns' cuts.
        masses: for each column the masses of its line's cells, from low to high, which sum to one; empty without one.
    """

    states: StateSpace
    masses: tuple[tuple[float, ...], ...]

    @classmethod
    def fit(cls, schema: Schema, blocks: Iterable[Weighted], cells: int | None = None) -> Self:
        """Cut every column, and weigh its cells.

        Args:
            schema: the sample space.
            blocks: training events, block by block, with their weights.
            cells: how many cells a line's marginal distribution is told by; see `StateSpace.fit`.
        """
        kept = list(blocks)
        states = StateSpace.fit(schema, kept, cells)
        counts = [np.full(each.cells, SMOOTHING) for each in states.cuts]
        for X, weight in kept:
            codes, _ = states.cells(X)
            for count, each, column in zip(counts, states.cuts, codes.T, strict=True):
                cell = column - each.before
                there = (cell >= 0) & (cell < each.cells)
                count += np.bincount(cell[there], weight[there], each.cells)
        return cls(states, tuple(tuple((each / each.sum()).tolist()) for each in counts))

    def __len__(self) -> int:
        return len(self.masses)

    @property
    def schema(self) -> Schema:
        """The events' sample space."""
        return self.states.schema

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """The columns' states."""
        return self.states.cuts

    @property
    def layout(self) -> Layout:
        """How many states each column has: its single values, its line, and "missing"."""
        sizes = tuple(each.before + (each.cells > 0) + each.nullable for each in self.cuts)
        return Layout(sizes, tuple(each.nullable for each in self.cuts))

    @property
    def lines(self) -> tuple[int, ...]:
        """The state of each column that is its line; -1 of one that has none."""
        return tuple(each.before if each.cells else -1 for each in self.cuts)

    @property
    def complete(self) -> bool:
        """Whether every column has states, and every cell a mass: so of fitted spaces, perhaps not of read ones."""
        fits = [len(mass) == each.cells for mass, each in zip(self.masses, self.cuts, strict=False)]
        sums = all(min(mass) > 0.0 and abs(sum(mass) - 1.0) < 1e-6 for mass in self.masses if mass)
        return self.states.complete and len(fits) == len(self.cuts) == len(self.masses) and all(fits) and sums

    def forward(self, X: HostEvents, precision: Precision = np.float32) -> tuple[Codes, LogDensities]:
        """What stands for events, and their log-density where all columns are as they are by themselves."""
        codes, inside = self.cells(X, precision)
        return codes, inside.sum(axis=1)

    def cells(self, X: HostEvents, precision: Precision = np.float64) -> tuple[Codes, CellScores]:
        """The same of each cell: of what is on no line only how likely it is among the values of its state."""
        codes, inside = np.empty((*X.shape, 3), precision), np.empty(X.shape)
        for place, values in enumerate(X.T):
            codes[:, place], inside[:, place] = self.cell(place, values)
        return codes, inside

    def cell(
        self, place: int, values: Float[np.ndarray, " events"]
    ) -> tuple[Float[np.ndarray, "events 3"], LogDensities]:
        """The same of one column.

        Args:
            place: the column.
            values: in its unit; NaN where a cell is missing.
        """
        each, mass = self.cuts[place], np.array(self.masses[place])
        states, inside = each.forward(values)
        cell = states - each.before
        there = (cell >= 0) & (cell < each.cells)
        codes = np.zeros((len(values), 3))
        codes[:, STATE] = np.where(cell < 0, states, each.before + (each.cells > 0) * (cell >= each.cells))
        if there.any():
            cell = cell[there]
            below = np.cumsum(mass) - mass
            low, high = (below[cell] + mass[cell] * share for share in each.places(values[there]))
            codes[there, MIDDLE], codes[there, WIDTH] = np.clip(0.5 * (low + high), 0.0, 1.0), high - low
            inside[there] += np.log(mass[cell])
        return codes, inside

    def inverse(self, codes: Codes, random_state: np.random.RandomState) -> HostEvents:
        """An event for each row of codes: on a line the one at the middle, of a state that several share a random one.

        Args:
            codes: what stands for events.
            random_state: source of all randomness.
        """
        columns = []
        for each, mass, line, code in zip(self.cuts, self.masses, self.lines, codes.swapaxes(0, 1), strict=True):
            state = code[:, STATE].astype(np.int32)
            # What is on no line; "missing" comes after all cells there.
            values = each.inverse(np.where(state > line, state + max(each.cells - 1, 0), state), random_state)
            on_line = state == line
            values[on_line] = _at(each, np.array(mass), code[on_line, MIDDLE].astype(np.float64))
            columns.append(values)
        return np.column_stack(columns)

    def every(self, place: int) -> tuple[Float[np.ndarray, "states 3"], Float[np.ndarray, " states"], Levels]:
        """Of a column's single values, its cells and "missing" what stands for each, as in `StateSpace`.

        Args:
            place: the column.
        """
        each, mass = self.cuts[place], np.array(self.masses[place])
        codes, log_masses = np.zeros((each.states, 3)), np.zeros(each.states)
        cells = slice(each.before, each.before + each.cells)
        codes[:, STATE] = np.minimum(np.arange(each.states), each.before)
        codes[cells.stop :, STATE] = each.before + (each.cells > 0)
        codes[cells, MIDDLE], codes[cells, WIDTH] = np.cumsum(mass) - 0.5 * mass, mass
        log_masses[cells] = np.log(mass)
        return codes, log_masses, each.levels()

    @property
    def most_cells(self) -> int:
        """The cells of the line that has most."""
        return max(1, *(each.cells for each in self.cuts))

    def places(self) -> LinePlaces:
        """Where the values of all columns' lines stand."""
        most, columns = self.most_cells, len(self)
        below, mass, values = np.full((columns, most), 2.0), np.ones((columns, most)), np.ones((columns, most))
        tails = np.zeros((columns, 2, 2))
        for i, (each, shares) in enumerate(zip(self.cuts, self.masses, strict=True)):
            if not each.cells:
                continue
            below[i, : each.cells], mass[i, : each.cells] = np.cumsum(shares) - shares, shares
            first = int(each.low is not None)
            values[i, first : first + len(each.edges) - 1] = np.diff(each.edges)
            tails[i] = [(0.0, 0.0) if tail is None else (tail.scale, tail.shape) for tail in (each.low, each.high)]
        counted = np.array([each.step > 0.0 for each in self.cuts])
        return LinePlaces(*(on_device(part, np.float32) for part in (below, mass, values, tails, counted)))

    def breakpoints(self) -> list[Float[np.ndarray, " _"]]:
        """For each column, where the density may jump."""
        return self.states.breakpoints()

    def golden(self, n: int) -> HostEvents:
        """Made-up events, with no cell missing."""
        return self.states.golden(n)


def _at(each: Cut, mass: Float[np.ndarray, " cells"], place: Float[np.ndarray, " events"]) -> Float[np.ndarray, "_"]:
    """The values of a line at places from 0 to 1."""
    ends = np.cumsum(mass)
    cell = np.minimum(np.searchsorted(ends, place, side="right"), len(mass) - 1)
    share = np.clip((place - (ends - mass)[cell]) / mass[cell], 0.0, np.nextafter(1.0, 0.0))
    return each.at((cell + each.before).astype(np.int32), share)
