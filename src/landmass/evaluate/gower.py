"""Distances between rows of any columns, words beside numbers, a few rows at a time."""

from collections.abc import Iterator
from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landmass.arrays import on_device
from landmass.data.alike import has_levels
from landmass.data.schema import Schema
from landmass.types import HostEvents

# Rows that are compared with all others: of more, so many are drawn.
MOST_ROWS = 20_000

# Rows whose distances to all others are in memory at once.
BLOCK = 64

# Where an empty cell lies beside a scale from 0 to 1, and beside the numbers of levels: at least 1 from everything.
EMPTY = -2.0

Places = Float[np.ndarray, "_ columns"]
"""Rows on the scales of their columns, in single precision."""

Knots = tuple[Float[np.ndarray, " values"], Float[np.ndarray, " values"]]
"""A column's distinct values in order, and the share of rows below each, half of its own counted in."""


class Gower(NamedTuple):
    """The distance of two rows: the mean over columns of how far their cells are apart, from 0 to 1.

    Two levels are 0 apart if they are the same, else 1; two numbers by the share of the reference rows that lie between
    them, as one far value would stretch their range; two empty cells by 0, an empty cell and another by 1.

    Args:
        knots: of each column of numbers, the scale that the reference rows give it; none of a column of levels.

    Source: Gower 1971.
    """

    knots: tuple[Knots, ...]

    @classmethod
    def fit(cls, schema: Schema, X: HostEvents) -> Self:
        """Take the scales of numbers from reference rows.

        Args:
            schema: the columns.
            X: the reference rows.
        """
        return cls(tuple(_knots(x[:0] if has_levels(c) else x) for c, x in zip(schema.columns, X.T, strict=True)))

    def places(self, X: HostEvents) -> Places:
        """Rows as points whose distance is the mean over columns of differences, each of them cut at 1.

        Args:
            X: the rows.
        """
        found = [np.interp(x, *knots) if len(knots[0]) else x for x, knots in zip(X.T, self.knots, strict=True)]
        return np.where(np.isnan(X), EMPTY, np.column_stack(found)).astype(np.float32)


def _knots(x: Float[np.ndarray, " rows"]) -> Knots:
    values, counts = np.unique(x[~np.isnan(x)], return_counts=True)
    return values, (np.cumsum(counts) - 0.5 * counts) / max(counts.sum(), 1)


def row_distances(rows: Places, others: Places) -> Iterator[Float[np.ndarray, "block others"]]:
    """Distances of rows to all others, block of rows by block.

    Args:
        rows: their places.
        others: those of the others.
    """
    columns = on_device(np.ascontiguousarray(others.T))
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        # The last block is filled up, so that one program serves all.
        filled = np.resize(block, (BLOCK, block.shape[1]))
        yield np.asarray(_of_block(on_device(filled), columns))[: len(block)]


@jax.jit
def _of_block(
    rows: Float[Array, "block columns"], others: Float[Array, "columns others"]
) -> Float[Array, "block others"]:
    def add(total: Array, column: tuple[Array, Array]) -> tuple[Array, None]:
        return total + jnp.minimum(jnp.abs(column[0][:, None] - column[1][None]), 1.0), None

    nothing = jnp.zeros((rows.shape[0], others.shape[1]), rows.dtype)
    return jax.lax.scan(add, nothing, (rows.T, others), unroll=8)[0] / rows.shape[1]
