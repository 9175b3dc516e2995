"""Weights that neighbouring cells of a number line share, so that a network learns of a cell from those beside it."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Hat functions at so many even knots, coarse and fine ones.
KNOTS = (4, 12)

# Of fewer cells than this each has weights of its own alone.
FEWEST = 5


class HatWeights(eqx.Module):
    """Weights from cells to units, and from units to cells, that are piecewise linear along each column's line.

    Args:
        into: for each column of numbers the weights of its hats to units.
        out: those from units to its hats.
        stretches: of each such column the first of its cells among all states, and their number.
    """

    into: Float[Array, "*members columns hats units"]
    out: Float[Array, "*members columns hats units"]
    stretches: tuple[tuple[int, int], ...] = eqx.field(static=True)

    @classmethod
    def draw(
        cls, stretches: tuple[tuple[int, int], ...], units: int, normal: Callable[..., Array], scale: float
    ) -> "HatWeights | None":
        """Random weights into units and none out of them; None where no column has many cells.

        Args:
            stretches: of each column the first of its cells among all states, and their number.
            units: how many units there are.
            normal: gives normal numbers of a scale and a shape.
            scale: of the weights that a cell comes to.
        """
        some = tuple(each for each in stretches if each[1] >= FEWEST)
        if not some:
            return None
        shape = len(some), sum(KNOTS), units
        return cls(normal(scale / len(KNOTS) ** 0.5, *shape), normal(0.0, *shape), some)

    def spread(self, states: int) -> tuple[Float[Array, "states units"], Float[Array, "units states"]]:
        """The weights that each state comes to; zero of what is no cell of these columns.

        Args:
            states: how many there are in all.
        """
        most = max(cells for _, cells in self.stretches)
        heights = np.zeros((len(self.stretches), most, sum(KNOTS)), np.float32)
        # What is no cell takes a row of zeros after the last.
        place = np.full(states, len(self.stretches) * most)
        for i, (first, cells) in enumerate(self.stretches):
            heights[i, :cells] = hats(cells)
            place[first : first + cells] = i * most + np.arange(cells)

        def taken(weights: Float[Array, "columns hats units"]) -> Float[Array, "states units"]:
            rows = jnp.einsum("cmh,chu->cmu", heights, weights).reshape(-1, weights.shape[2])
            return jnp.concatenate([rows, jnp.zeros_like(rows[:1])])[place]

        return taken(self.into), taken(self.out).T


def hats(cells: int) -> Float[np.ndarray, "cells hats"]:
    """The height of each hat over the middle of each of some cells, which lie evenly from 0 to 1."""
    middle = (np.arange(cells)[:, None] + 0.5) / cells
    return np.concatenate([np.maximum(0.0, 1.0 - np.abs(middle * (n - 1) - np.arange(n))) for n in KNOTS], axis=1)
