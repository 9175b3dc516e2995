"""Where the values of a number line stand among its places from 0 to 1."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from landmass.types import Scalar


class LinePlaces(eqx.Module):
    """Cells of a line from low to high, each with a share of its mass, and the values within them.

    Args:
        below: the mass below each cell, above one where there is none.
        mass: that of each cell.
        values: how many values each has, all alike; of no matter in a tail.
        tails: of the lowest and the highest cell the scale and the shape of a generalised Pareto tail; a scale of 0
            where there is none.
        counted: whether there are values to count: else each place is one.
    """

    below: Float[Array, "*columns cells"]
    mass: Float[Array, "*columns cells"]
    values: Float[Array, "*columns cells"]
    tails: Float[Array, "*columns 2 2"]
    counted: Float[Array, "*columns"]

    def of(self, column: Integer[Array, ""]) -> "LinePlaces":
        """Those of one column of several."""
        return LinePlaces(*(each[column] for each in (self.below, self.mass, self.values, self.tails, self.counted)))

    def snap(self, place: Scalar) -> tuple[Scalar, Scalar]:
        """The middle and the width of the value, on one line, to which a place belongs.

        Args:
            place: from 0 to 1.
        """
        cell = (place >= self.below).sum() - 1
        below, mass, values = self.below[cell], self.mass[cell], jnp.maximum(self.values[cell], 1.0)
        share = jnp.clip((place - below) / mass, 0.0, 1.0)
        middle, width = (jnp.minimum(jnp.floor(share * values), values - 1.0) + 0.5) / values, 1.0 / values
        lowest, highest = cell == 0, cell == (self.below <= 1.0).sum() - 1
        low, high = lowest & (self.tails[0, 0] > 0.0), highest & (self.tails[1, 0] > 0.0)
        # The lowest cell goes the farther the lower a place is.
        tail, far = jnp.where(low, self.tails[0], self.tails[1]), jnp.where(low, 1.0 - share, share)
        excess = jnp.floor(_quantile(far, *tail))
        nearer, farther = _survival(excess, *tail), _survival(excess + 1.0, *tail)
        half = 0.5 * (nearer + farther)
        middle = jnp.where(low, half, jnp.where(high, 1.0 - half, middle))
        width = jnp.where(low | high, nearer - farther, width)
        measured = self.counted == 0.0
        return jnp.where(measured, place, below + mass * middle), jnp.where(measured, 0.0, mass * width)


def _survival(excess: Scalar, scale: Scalar, shape: Scalar) -> Scalar:
    """The chance of a generalised Pareto tail to go farther."""
    bent = jnp.where(shape > 0.0, shape, 1.0)
    return jnp.where(shape > 0.0, (1.0 + bent * excess / scale) ** (-1.0 / bent), jnp.exp(-excess / scale))


def _quantile(share: Scalar, scale: Scalar, shape: Scalar) -> Scalar:
    """The excess that a share of its values does not reach."""
    left, bent = -jnp.log1p(-jnp.minimum(share, 1.0 - 1e-7)), jnp.where(shape > 0.0, shape, 1.0)
    return scale * jnp.where(shape > 0.0, jnp.expm1(bent * left) / bent, left)
