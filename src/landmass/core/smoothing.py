"""Counts of classes smoothed along number lines, as far as the counts themselves ask for it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landmass.arrays import on_device

# Lengths of the walks: after n steps an event is about √n cells away.
LENGTHS = (0, 1, 4, 16, 64)

# Columns of fewer cells are left as they are.
FEWEST = 5

# Columns whose counts walk together: more would take more memory.
AT_ONCE = 32


class Smoother(eqx.Module):
    """Random walks along each column's cells, under which the frequencies of all events stay as they are.

    Args:
        walks: where an event of each cell ends, shape (lengths, columns, to, from).
        cells: of each column the places of its cells among all states, one beyond them where another column has more.
    """

    walks: Float[Array, "lengths columns cells cells"]
    cells: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    @classmethod
    def fit(
        cls, stretches: tuple[tuple[int, int], ...], frequencies: Float[np.ndarray, " states"]
    ) -> "Smoother | None":
        """Walks along the columns that have many cells; None where none has.

        A step goes to a neighbour, or stays; as many events go from a cell to the next as come from there.

        Args:
            stretches: of each column the first of its cells among all states, and their number.
            frequencies: of each state among all events, above 0.
        """
        some = [each for each in stretches if each[1] >= FEWEST]
        if not some:
            return None
        most = max(count for _, count in some)
        steps = np.tile(np.eye(most), (len(some), 1, 1))
        for step, (first, count) in zip(steps, some, strict=True):
            share, here = frequencies[first : first + count], np.arange(count - 1)
            flow = 0.5 * np.minimum(share[1:], share[:-1])
            step[here + 1, here], step[here, here + 1] = flow / share[:-1], flow / share[1:]
            step[here, here] -= flow / share[:-1]
            step[here + 1, here + 1] -= flow / share[1:]
        walks = np.stack([np.linalg.matrix_power(steps, length) for length in LENGTHS])
        beyond = len(frequencies)
        cells = tuple((*range(first, first + n), *[beyond] * (most - n)) for first, n in some)
        return cls(on_device(walks, np.float32), cells)

    def __call__(
        self, counts: Float[Array, "states classes"], drawn: Float[Array, "states 1"]
    ) -> Float[Array, "states classes"]:
        """Counts after walks; by class and column each length is weighed by how it tells every event from the others.

        Args:
            counts: of each state in each class.
            drawn: what is added to the counts of each class, above 0.
        """
        cells = np.array(self.cells)
        seen = jnp.take(counts, cells, axis=0, mode="fill", fill_value=0.0)
        prior = jnp.take(drawn, cells, axis=0, mode="fill", fill_value=1.0)
        found = jax.lax.map(_walked, (self.walks.swapaxes(0, 1), seen, prior), batch_size=AT_ONCE)
        return counts.at[cells].set(found, mode="drop")


def _walked(column: tuple[Array, Array, Array]) -> Float[Array, "cells classes"]:
    walks, seen, prior = column
    walked = walks @ seen
    # Without the event itself, wherever its walk ends.
    own = jnp.diagonal(walks, axis1=1, axis2=2)[..., None] * jnp.minimum(seen, 1.0)[None]
    others = jnp.maximum(walked - own, 0.0) + prior[None]
    weight = jax.nn.softmax((seen[None] * jnp.log(others)).sum(1), axis=0)
    return (weight[:, None] * walked).sum(0)
