"""Fidelity: how far samples are from real rows, column by column, pair by pair, and row by row."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from landmass.data.alike import alike, has_levels, some
from landmass.data.schema import AnyColumn
from landmass.evaluate.gower import MOST_ROWS, Gower, row_distances
from landmass.text import table

# Groups that a column is brought down to where it is paired: bins of about as many real rows, or the commonest levels
# and all others together. An empty cell is one more.
GROUPS = 10

# Neighbours that a ball around a real row reaches to, as Naeem et al. 2020.
NEIGHBOURS = 5

# Columns and pairs that are printed.
MOST_LISTED = 5

# Rows that are counted at a time.
AT_A_TIME = 4_096

Column = Float[np.ndarray, " _"]


@dataclass(frozen=True, eq=False)
class Distances:
    """How far the columns of two tables are apart, and each two of them together; printed, the worst of both.

    All are largest differences of two probabilities, from 0 to 1, and about 0 only of large tables: what chance gives,
    the same figures of two real tables of these sizes say.

    Args:
        names: of the columns.
        columns: of levels the total variation distance, of numbers that of Kolmogorov and Smirnov. Empty cells are a
            level, and a number above all others.
        pairs: total variation distance of each two columns, brought down to ten groups each; 0 on the diagonal.
    """

    names: tuple[str, ...]
    columns: Float[np.ndarray, " columns"]
    pairs: Float[np.ndarray, "columns columns"]

    @property
    def mean_of_pairs(self) -> float:
        """Mean distance of two columns together; NaN if there is but one."""
        many = len(self.names)
        return float(self.pairs.sum() / (many * (many - 1))) if many > 1 else np.nan

    @property
    def worst(self) -> str:
        """The name of the column that is farthest apart."""
        return self.names[int(self.columns.argmax())]

    @property
    def worst_pair(self) -> tuple[str, str]:
        """The names of the pair that is farthest apart."""
        first, second = np.unravel_index(self.pairs.argmax(), self.pairs.shape)
        return self.names[first], self.names[second]

    def __str__(self) -> str:
        first, second = np.triu_indices(len(self.names), 1)
        columns = dict(zip(self.names, self.columns, strict=True))
        pairs = {f"{self.names[i]} × {self.names[j]}": self.pairs[i, j] for i, j in zip(first, second, strict=True)}
        worst = [sorted(each.items(), key=lambda found: -found[1])[:MOST_LISTED] for each in (columns, pairs)]
        rows = [(name, f"{distance:.3f}") for each in worst for name, distance in each]
        return table([("farthest apart", "distance"), *rows])


def distances(real: Any, synthetic: Any) -> Distances:
    """Tell how far two tables are apart in each column, and in each two columns together.

    Args:
        real: rows that define the columns; see `landmass.read`.
        synthetic: rows to hold against them.

    Raises:
        DataError: a column of the real rows is missing, or holds something else.

    Source: the complements of these distances are KSComplement, TVComplement and, of ten bins of equal width in the
    place of ours of equal mass, ContingencySimilarity in the SDMetrics library.
    """
    first, second = alike(real, synthetic)
    columns = list(zip(first.schema.columns, first.X.T, second.X.T, strict=True))
    groups = [_groups(*column) for column in columns]
    sizes = [int(max(pair[0].max(), pair[1].max())) + 1 for pair in groups]
    starts = np.cumsum([0, *sizes[:-1]])
    shares = [_together(np.column_stack(rows), starts, sum(sizes)) for rows in zip(*groups, strict=True)]
    cells = np.abs(shares[0] - shares[1])
    pairs = 0.5 * np.add.reduceat(np.add.reduceat(cells, starts, 0), starts, 1)
    np.fill_diagonal(pairs, 0.0)
    return Distances(tuple(first.schema.names), np.array([_distance(*column) for column in columns]), pairs)


def _distance(column: AnyColumn, real: Column, synthetic: Column) -> float:
    pair = [np.where(np.isnan(x), np.inf, x) for x in (real, synthetic)]
    values = np.unique(np.concatenate(pair))
    # Shares of rows at or below each value.
    below = [np.searchsorted(np.sort(x), values, side="right") / len(x) for x in pair]
    if has_levels(column):
        return 0.5 * float(np.abs(np.diff(below[0] - below[1], prepend=0.0)).sum())
    return float(np.abs(below[0] - below[1]).max())


def _groups(
    column: AnyColumn, real: Column, synthetic: Column
) -> tuple[Integer[np.ndarray, " real"], Integer[np.ndarray, " synthetic"]]:
    """The group of each cell: 0 of empty ones."""
    values, counts = np.unique(real[~np.isnan(real)], return_counts=True)
    if has_levels(column):
        common = values[np.argsort(-counts, kind="stable")[: GROUPS - 1]].astype(int)
        rank = np.full(int(column.high) + 1, GROUPS - 1)
        rank[common] = np.arange(len(common))
        groups = [rank[np.nan_to_num(x).astype(int)] for x in (real, synthetic)]
    else:
        # A value's group says what share of rows lies below it: so a value that many rows hold stands alone.
        group = (np.cumsum(counts) - counts) * GROUPS // max(counts.sum(), 1)
        edges = values[1:][np.diff(group) > 0]
        groups = [np.searchsorted(edges, x, side="right") for x in (real, synthetic)]
    first, second = (np.where(np.isnan(x), 0, 1 + each) for x, each in zip((real, synthetic), groups, strict=True))
    return first, second


def _together(
    groups: Integer[np.ndarray, "rows columns"], starts: Integer[np.ndarray, " columns"], groups_in_all: int
) -> Float[np.ndarray, "groups groups"]:
    """The share of rows that are in each two groups, those of one column after those of the other."""
    total = np.zeros((groups_in_all, groups_in_all))
    for first in range(0, len(groups), AT_A_TIME):
        block = groups[first : first + AT_A_TIME] + starts
        marks = np.zeros((len(block), groups_in_all), np.float32)
        np.put_along_axis(marks, block, 1.0, axis=1)
        total += marks.T @ marks
    return total / len(groups)


class Coverage(NamedTuple):
    """How much of the real rows' space samples cover, and whether they lie within it.

    Args:
        coverage: the share of real rows with a synthetic row among their five nearest real ones; 1 - 2⁻⁵ is to be had.
        density: in how many of the balls around real rows, which hold five others, a synthetic row lies, over five; 1
            if both are alike.
    """

    coverage: float
    density: float


def coverage(real: Any, synthetic: Any) -> Coverage:
    """Tell whether samples lie where real rows do, and leave no place out, by balls around real rows.

    Distances are those of `landmass.evaluate.gower`. Of more than 20,000 rows so many are drawn, the same each time.

    Args:
        real: rows that define the columns; see `landmass.read`.
        synthetic: rows to hold against them, as many for the figures that are to be had.

    Raises:
        DataError: a column of the real rows is missing, or holds something else.

    Source: Naeem, Oh, Uh, Choi & Yoo 2020.
    """
    first, second = (some(each, MOST_ROWS) for each in alike(real, synthetic))
    scale = Gower.fit(first.schema, first.X)
    rows, drawn = scale.places(first.X), scale.places(second.X)
    covered, inside = 0, 0
    for others, samples in zip(row_distances(rows, rows), row_distances(rows, drawn), strict=True):
        # The nearest is the row itself.
        within = samples <= np.partition(others, NEIGHBOURS, axis=1)[:, NEIGHBOURS, None]
        covered += int(within.any(axis=1).sum())
        inside += int(within.sum())
    return Coverage(covered / len(rows), inside / (NEIGHBOURS * len(drawn)))
