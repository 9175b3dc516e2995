"""Normalisation: the integral of a density over its sample space, which is one if the density is one."""

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from landmass.data.schema import Positive, Schema
from landmass.estimator.density import DensityEstimator
from landmass.types import HostEvents, LogDensities

# Cells of a grid, all columns together, by the number of columns.
CELLS = {1: 9_216, 2: 73_728}

# A grid reaches beyond the events of an unbounded column by this share of their range, on each side.
REACH = 1.0

# Sides are multiples of this, so that the grid's cells fit into a histogram's, and come in threes.
MULTIPLE = 96

# An importance estimate that leans on fewer events than this is no estimate.
LEAST_EFFECTIVE = 100.0


class Integral(NamedTuple):
    """A numerical integral, and how far off it may be.

    Args:
        value: the integral.
        error: of the value: the change from a grid three times as coarse, or a standard error.
    """

    value: float
    error: float


@dataclass(frozen=True, eq=False)
class Grid:
    """Cells that fill a box of one or two columns.

    Args:
        edges: the cells' borders along each column, in the units of the data.
        middles: one place in each cell along each column, where a density stands for the cell.
    """

    edges: tuple[Float[np.ndarray, " _"], ...]
    middles: tuple[Float[np.ndarray, " _"], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each column."""
        return tuple(map(len, self.middles))

    @property
    def points(self) -> HostEvents:
        """The cells' middles as events, the last column changing fastest."""
        return np.stack(np.meshgrid(*self.middles, indexing="ij"), axis=-1).reshape(-1, len(self.middles))

    @property
    def volumes(self) -> Float[np.ndarray, "..."]:
        """The cells' lengths or areas, an axis a column."""
        return _product([np.diff(edges) for edges in self.edges])

    def integrate(self, values: Float[np.ndarray, " points"]) -> Integral:
        """The integral of a function by the midpoint rule.

        The error is the greatest change when the grid is made three times as coarse along one column, or along both:
        too great for a smooth function, and about right for one with jumps.

        Args:
            values: the function at `points`.
        """
        table, widths = values.reshape(self.shape), [np.diff(edges) for edges in self.edges]
        fine = float((table * _product(widths)).sum())
        changes = []
        for thinned in itertools.product((False, True), repeat=len(widths)):
            places = tuple(slice(1, None, 3) if thin else slice(None) for thin in thinned)
            wider = [np.diff(e[::3]) if thin else np.diff(e) for e, thin in zip(self.edges, thinned, strict=True)]
            changes.append(abs(float((table[places] * _product(wider)).sum()) - fine))
        return Integral(fine, max(changes))


def integration_grid(schema: Schema, X: HostEvents, cells: int | None = None) -> Grid:
    """A grid over the declared bounds, or over the events' range widened to hold practically all mass.

    Positive columns get cells of equal ratio, widened on the scale of ratios, because densities there have long tails.

    Args:
        schema: the sample space, of one or two columns.
        X: events that show how far unbounded columns reach.
        cells: in all; None takes 9,216 for one column and 73,728 for two.
    """
    total = CELLS[len(schema.columns)] if cells is None else cells
    lows, highs, ratio_scale = [], [], []
    for column, x in zip(schema.columns, X.T, strict=True):
        ratios = isinstance(column, Positive)
        low, high = (column.low, column.high) if math.isfinite(column.high) else (float(x.min()), float(x.max()))
        low, high = (math.log(low), math.log(high)) if ratios else (low, high)
        reach = 0.0 if math.isfinite(column.high) else REACH * (high - low)
        lows.append(low - reach)
        highs.append(high + reach)
        ratio_scale.append(ratios)
    sides = _sides(schema, np.subtract(highs, lows), total)
    edges, middles = [], []
    for low, high, side, ratios in zip(lows, highs, sides, ratio_scale, strict=True):
        fine = np.linspace(low, high, 2 * side + 1)
        fine = np.exp(fine) if ratios else fine
        edges.append(fine[::2])
        middles.append(fine[1::2])
    return Grid(tuple(edges), tuple(middles))


def integral(density: DensityEstimator, X: HostEvents, cells: int | None = None) -> Integral:
    """The integral of a fitted density of one or two columns over its sample space.

    Args:
        density: anything with `score_samples` and a sample space.
        X: events that show how far unbounded columns reach.
        cells: of the grid, in all.
    """
    grid = integration_grid(density.data_.schema, X, cells)
    return grid.integrate(np.exp(density.score_samples(grid.points)))


def importance_integral(log_ratio: LogDensities) -> Integral | None:
    """The integral of a density of any number of columns, estimated by importance sampling.

    Args:
        log_ratio: the density's logarithm minus that of another one, which is known to have an integral of one and
            is wider, at events drawn from the other.

    Returns:
        The mean of the ratio of both densities with its standard error; None where the effective sample is below 100
        events, so that the mean hangs on a few of them.
    """
    ratio = np.exp(log_ratio)
    squares = float((ratio**2).sum())
    if not math.isfinite(squares) or squares == 0.0 or ratio.sum() ** 2 / squares < LEAST_EFFECTIVE:
        return None
    return Integral(float(ratio.mean()), float(ratio.std(ddof=1) / math.sqrt(len(ratio))))


def _sides(schema: Schema, widths: Float[np.ndarray, " columns"], total: int) -> list[int]:
    """Cells along each column: squares where two columns share a unit, as many on each otherwise."""
    if len(widths) == 1:
        return [max(total // MULTIPLE, 1) * MULTIPLE]
    units = {column.unit for column in schema.columns}
    alike = len(units) == 1 and units != {""}
    ratio = float(np.clip(widths[0] / widths[1], 1 / 3, 3)) if alike else 1.0
    return [max(round(math.sqrt(total * r) / MULTIPLE), 1) * MULTIPLE for r in (ratio, 1.0 / ratio)]


def _product(widths: list[Float[np.ndarray, " _"]]) -> Float[np.ndarray, "..."]:
    return widths[0] if len(widths) == 1 else np.multiply.outer(widths[0], widths[1])
