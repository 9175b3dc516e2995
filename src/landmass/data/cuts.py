"""Cuts: the states that one column's values fall into, and how values lie within each."""

import math
from typing import NamedTuple, Self

import msgspec
import numpy as np
from jaxtyping import Float, Integer

from landmass.data.schema import AnyColumn, Category, Circular, Continuous, Grid, Positive
from landmass.errors import DataError
from landmass.types import LogDensities

# A category has no more states; its rarest levels share the last one.
MOST_LEVELS = 256

# Rows that each level of a shared state is given besides those that it has.
RARE = 0.5

States = Integer[np.ndarray, " events"]
Floats = Float[np.ndarray, " events"]


class Tail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How values lie beyond the outermost cells: excesses follow a generalised Pareto distribution.

    Args:
        scale: of the excess, in steps of a counted column, else in its unit.
        shape: 0 is exponential; above it far values are more likely.

    Source: Hosking & Wallis 1987 (fitted by moments).
    """

    scale: float
    shape: float

    def __post_init__(self) -> None:
        if not (0.0 < self.scale < math.inf and 0.0 <= self.shape < 1.0):
            raise DataError(f"a tail needs a scale above 0 and a shape from 0 to 1, got {self.scale} and {self.shape}")

    @classmethod
    def fit(cls, excess: Float[np.ndarray, " values"], count: Float[np.ndarray, " values"], width: float) -> Self:
        """A tail of the mean and variance that some excesses have.

        Args:
            excess: above 0.
            count: how often each was seen.
            width: the mean excess where none was seen.
        """
        if not count.sum():
            return cls(width, 0.0)
        mean = float(count @ excess / count.sum())
        variance = float(count @ (excess - mean) ** 2 / count.sum())
        shape = min(max(0.5 * (1.0 - mean**2 / variance), 0.0), 0.45) if variance > 0.0 else 0.0
        return cls(mean * (1.0 - shape), shape)

    def log_survival(self, excess: Float[np.ndarray, " values"]) -> LogDensities:
        """Log of the chance to go farther."""
        if not self.shape:
            return -excess / self.scale
        return -np.log1p(self.shape * excess / self.scale) / self.shape

    def log_density(self, excess: Float[np.ndarray, " values"]) -> LogDensities:
        """Log of the density, per unit."""
        return (1.0 + self.shape) * self.log_survival(excess) - math.log(self.scale)

    def log_mass(self, steps: Float[np.ndarray, " values"]) -> LogDensities:
        """Log of the chance to end between so many steps and the next."""
        first, after = self.log_survival(steps), self.log_survival(steps + 1.0)
        return first + np.log(-np.expm1(after - first))

    def quantile(self, share: Float[np.ndarray, " values"]) -> Float[np.ndarray, " values"]:
        """The excess that a share of the values does not reach."""
        if not self.shape:
            return -self.scale * np.log1p(-share)
        return self.scale / self.shape * np.expm1(-self.shape * np.log1p(-share))


class Levels(NamedTuple):
    """How high the density of each state is at its highest place, and how steeply its mass falls with the height.

    Args:
        tops: log of the density, among the values of the state.
        powers: the share of a state's values that are no likelier than a share `h` of the top is `h` to this power.
    """

    tops: Float[np.ndarray, " states"]
    powers: Float[np.ndarray, " states"]


# Of states whose values are all alike: none is less likely than the top.
FLAT = 1e6


class Cut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The states of one column: single values, then the cells of its line from low to high, then "missing".

    Within a cell all values are alike; the outermost cells of an unbounded column are tails.

    Args:
        points: values with a state of their own, ascending: atoms, or the levels of a category.
        rare: values that share one more state, and how likely each of them is within it; levels of a category.
        edges: between the cells, ascending, in steps of a counted column, else in its unit.
        low: the tail below the first edge; None if the first cell begins there.
        high: the tail above the last edge; None if the last cell ends there.
        step: of a counted column; 0 of one whose density is per length.
        period: of a circular column; 0 of others.
        nullable: whether cells may be missing.
    """

    points: tuple[float, ...] = ()
    rare: dict[int, float] = {}
    edges: tuple[float, ...] = ()
    low: Tail | None = None
    high: Tail | None = None
    step: float = 0.0
    period: float = 0.0
    nullable: bool = False

    @property
    def before(self) -> int:
        """How many states come before the cells."""
        return len(self.points) + bool(self.rare)

    @property
    def cells(self) -> int:
        """How many states are stretches of the line."""
        return len(self.edges) - 1 + (self.low is not None) + (self.high is not None) if self.edges else 0

    @property
    def states(self) -> int:
        """How many there are."""
        return self.before + self.cells + self.nullable

    def forward(self, values: Float[np.ndarray, " events"]) -> tuple[States, LogDensities]:
        """Each value's state, and the log of how likely it is among the values of that state: -inf if it cannot be.

        Args:
            values: in the column's unit; NaN where a cell is missing.
        """
        missing = np.isnan(values)
        states, inside = np.zeros(len(values), np.int32), np.full(len(values), -np.inf)
        states[missing], inside[missing] = self.states - 1, 0.0 if self.nullable else -np.inf
        there = ~missing
        if self.points:
            points = np.array(self.points)
            near = np.minimum(np.searchsorted(points, values), len(points) - 1)
            hit = there & (points[near] == values)
            states[hit], inside[hit] = near[hit], 0.0
            there &= ~hit
        if self.rare:
            shares = [math.log(self.rare.get(int(x), 1e-300)) if x in self.rare else -np.inf for x in values[there]]
            states[there], inside[there] = len(self.points), shares
        elif self.edges:
            states[there], inside[there] = self._into_cells(values[there])
        return states, inside

    def inverse(self, states: States, rng: np.random.RandomState) -> Float[np.ndarray, " events"]:
        """A random value of each state, NaN for a missing cell.

        Args:
            states: the states.
            rng: source of all randomness.
        """
        values, share = np.full(len(states), np.nan), rng.random_sample(len(states))
        points = states < len(self.points)
        values[points] = np.array(self.points)[states[points]]
        if self.rare:
            shared = states == len(self.points)
            total = np.cumsum(list(self.rare.values()))
            chosen = np.searchsorted(total, share[shared] * total[-1], side="right")
            values[shared] = np.array(list(self.rare), np.float64)[np.minimum(chosen, len(total) - 1)]
        cell = states - len(self.points)
        stretch = (cell >= 0) & (cell < self.cells)
        values[stretch] = self._from_cells(cell[stretch], share[stretch])
        return values

    def places(self, values: Float[np.ndarray, " events"]) -> tuple[Floats, Floats]:
        """Where values of cells stand among those of their cell: the shares of its values below them, and up to them.

        Args:
            values: in the column's unit, each in a cell; the two shares differ where the column is counted.
        """
        edges, x, half = np.array(self.edges), self._on_line(values), 0.5 * bool(self.step)
        cell = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, max(len(edges) - 2, 0))
        width = np.diff(edges)[cell] if len(edges) > 1 else np.ones(len(x))
        low, high = ((x + sign * half - edges[cell]) / width for sign in (-1.0, 1.0))
        # A value on the last edge lies in the tail beyond it, where there is one.
        above = x >= edges[-1] if self.high is not None else x > edges[-1]
        below = ~above if len(edges) == 1 else x < edges[0]
        if self.low is not None:
            excess = edges[0] - x[below]
            low[below], high[below] = (np.exp(self.low.log_survival(excess + sign * half)) for sign in (1.0, -1.0))
        if self.high is not None:
            excess = x[above] - edges[-1]
            low[above], high[above] = (-np.expm1(self.high.log_survival(excess + sign * half)) for sign in (-1.0, 1.0))
        return low, high

    def at(self, states: States, share: Floats) -> Floats:
        """The value of cells up to which so much of their mass lies.

        Args:
            states: of cells.
            share: from 0 to below 1, one a state.
        """
        cell = states - self.before
        far_first = (cell == 0) & (self.low is not None)
        return self._from_cells(cell, np.where(far_first, np.nextafter(1.0, 0.0) - share, share))

    def levels(self) -> Levels:
        """How high each state is, and how its mass falls with the height."""
        tops, powers = np.zeros(self.states), np.full(self.states, FLAT)
        first = self.before
        if self.rare:
            # About right: how the rare levels share their state is not looked at.
            tops[first - 1], powers[first - 1] = math.log(max(self.rare.values())), 1.0
        if self.edges:
            inner = first + (self.low is not None)
            tops[inner : inner + len(self.edges) - 1] = -np.log(np.diff(self.edges))
            for tail, state in ((self.low, first), (self.high, first + self.cells - 1)):
                if tail is not None:
                    tops[state], powers[state] = -math.log(tail.scale), 1.0 / (1.0 + tail.shape)
        return Levels(tops, powers)

    def breakpoints(self) -> Float[np.ndarray, " edges"]:
        """Where the density may jump."""
        return np.array(self.edges)

    def _into_cells(self, values: Float[np.ndarray, " events"]) -> tuple[States, LogDensities]:
        edges, x = np.array(self.edges), self._on_line(values)
        cell = np.searchsorted(edges, x, side="right") - 1
        # The last cell has both of its ends, unless there is a tail.
        cell = np.where((x == edges[-1]) & (self.high is None), len(edges) - 2, cell)
        width = np.diff(edges)[np.clip(cell, 0, len(edges) - 2)] if len(edges) > 1 else np.ones(len(x))
        inside = np.where((cell >= 0) & (cell < len(edges) - 1), -np.log(width), -np.inf)
        for tail, there, excess in (
            (self.low, cell < 0, edges[0] - x),
            (self.high, cell >= len(edges) - 1, x - edges[-1]),
        ):
            if tail is not None and there.any():
                found = tail.log_mass(np.rint(excess[there] - 0.5)) if self.step else tail.log_density(excess[there])
                inside[there] = found
        if self.step:
            inside = np.where(np.abs(values / self.step - x) < 1e-6, inside, -np.inf)
        state = np.clip(cell + (self.low is not None), 0, self.cells - 1) + len(self.points)
        return state.astype(np.int32), inside

    def _from_cells(self, cell: States, share: Float[np.ndarray, " events"]) -> Float[np.ndarray, " events"]:
        edges = np.array(self.edges)
        place = cell - (self.low is not None)
        least = edges[np.clip(place, 0, len(edges) - 1)]
        most = edges[np.clip(place + 1, 0, len(edges) - 1)]
        x = least + share * (most - least)
        if self.low is not None:
            x = np.where(place < 0, edges[0] - self._excess(self.low, share), x)
        if self.high is not None:
            x = np.where(place >= len(edges) - 1, edges[-1] + self._excess(self.high, share), x)
        if self.step:
            # Half steps are edges, and no value stands there.
            return self.step * np.clip(np.rint(x), *self._whole_ends(place, edges))
        return x

    def _excess(self, tail: Tail, share: Float[np.ndarray, " events"]) -> Float[np.ndarray, " events"]:
        excess = tail.quantile(share)
        return np.floor(excess) + 0.5 if self.step else excess

    def _whole_ends(self, place: States, edges: Float[np.ndarray, " edges"]) -> tuple[np.ndarray, np.ndarray]:
        least = np.where(place < 0, -np.inf, edges[np.clip(place, 0, len(edges) - 1)] + 0.5)
        most = np.where(place >= len(edges) - 1, np.inf, edges[np.clip(place + 1, 0, len(edges) - 1)] - 0.5)
        return least, most

    def _on_line(self, values: Float[np.ndarray, " events"]) -> Float[np.ndarray, " events"]:
        if self.period:
            return self.edges[0] + np.mod(values - self.edges[0], self.period)
        return np.rint(values / self.step) if self.step else values


class Seen(NamedTuple):
    """The distinct values of a column and how often each was seen."""

    values: Float[np.ndarray, " values"]
    counts: Float[np.ndarray, " values"]


def cut(
    column: AnyColumn,
    values: Float[np.ndarray, " events"],
    most: int,
    weight: Float[np.ndarray, " events"] | None = None,
) -> Cut:
    """Cut a column into states of about as many events each.

    Args:
        column: its kind.
        values: of the training events; NaN where missing.
        most: how many cells, at most about.
        weight: how often each event counts; None counts each once.
    """
    atoms = tuple(sorted(column.atoms)) if isinstance(column, Continuous) else ()
    inside = ~(np.isnan(values) | np.isin(values, atoms))
    kept, weight = values[inside], np.ones(inside.sum()) if weight is None else weight[inside]
    if isinstance(column, Category):
        return _levels(column, kept, weight)
    step = 0.0 if isinstance(column, Continuous) else column.step if isinstance(column, Grid) else 1.0
    # A positive number may be as small as it likes, and not zero.
    low, high = math.nextafter(0.0, 1.0) if isinstance(column, Positive) else column.low, column.high
    period = high - low if isinstance(column, Circular) else 0.0
    if step:
        low, high = low / step - 0.5, high / step + 0.5
        kept = np.rint(kept / step)
    elif period:
        kept = low + np.mod(kept - low, period)
    distinct, place = np.unique(kept, return_inverse=True)
    seen = Seen(distinct, np.bincount(place, weight, len(distinct)))
    edges, tails = _edges(seen, most, bool(step), low, high)
    return Cut(atoms, {}, edges, *tails, step, period, column.nullable)


def _levels(column: Category, known: Float[np.ndarray, " events"], weight: Float[np.ndarray, " events"]) -> Cut:
    counts = np.bincount(known.astype(int), weight, minlength=int(column.high) + 1)
    if len(counts) <= MOST_LEVELS:
        return Cut(tuple(map(float, range(len(counts)))), nullable=column.nullable)
    common = np.sort(np.argsort(-counts, kind="stable")[: MOST_LEVELS - 1])
    rest = np.setdiff1d(np.arange(len(counts)), common)
    shares = (counts[rest] + RARE) / (counts[rest] + RARE).sum()
    rare = dict(zip(rest.tolist(), shares.tolist(), strict=True))
    return Cut(tuple(common.astype(float).tolist()), rare, nullable=column.nullable)


def _edges(
    seen: Seen, most: int, counted: bool, low: float, high: float
) -> tuple[tuple[float, ...], tuple[Tail | None, Tail | None]]:
    """Edges between cells, and the tails beyond them."""
    values, counts = seen
    if not len(values):
        # All values are atoms; a wide tail on both sides of zero keeps others possible.
        middle = 0.5 if counted else 0.0
        ends = tuple(end for end in (low, high) if math.isfinite(end)) or (middle,)
        return ends, (None if math.isfinite(low) else Tail(1.0, 0.0), None if math.isfinite(high) else Tail(1.0, 0.0))
    total = counts.sum()
    alone = counts >= total / most
    if counted and len(values) <= most:
        alone = np.ones(len(values), bool)
    # The light values between two that stand alone are parted evenly.
    group = np.floor((np.cumsum(counts) - counts) * most / total).astype(int)
    parted = (np.diff(group) > 0) | alone[1:] | alone[:-1]
    first, second = values[:-1][parted], values[1:][parted]
    if counted:
        middle = np.floor((first + second) / 2.0) + 0.5
        after = np.where(alone[:-1][parted], first + 0.5, middle)
        before = np.where(alone[1:][parted], second - 0.5, middle)
        inner = np.concatenate([after[alone[:-1][parted] | ~alone[1:][parted]], before[alone[1:][parted]]])
    else:
        inner = first + (second - first) / 2.0
    inner = np.unique(inner)
    reach = max(float(values[-1] - values[0]) / most, 1.0 if counted else 1e-12 * max(abs(float(values[-1])), 1e-300))
    lower, upper = float(values[0]) - 0.5 * counted, float(values[-1]) + 0.5 * counted
    # An outermost value that stands alone is a cell, and what lies beyond it was not seen.
    edges = [
        *([low] if math.isfinite(low) else []),
        *([lower] if alone[0] and counted else []),
        *inner,
        *([upper] if alone[-1] and counted else []),
        *([high] if math.isfinite(high) else []),
    ]
    edges = np.unique(edges) if edges else np.array([float(values[0]) + (0.5 if counted else 0.0)])
    tails: list[Tail | None] = []
    for end, beyond, excess in (
        (low, values < edges[0], edges[0] - values),
        (high, values > edges[-1], values - edges[-1]),
    ):
        # A counted value lies half a step beyond its edge.
        tails.append(None if math.isfinite(end) else Tail.fit(excess[beyond], counts[beyond].astype(float), reach))
    return tuple(edges.tolist()), (tails[0], tails[1])
