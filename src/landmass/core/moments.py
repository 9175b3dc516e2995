"""Mean and covariance, gathered block by block without loss of digits."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from landmass.types import Event, Scalar


class Moments(NamedTuple):
    """Weight, mean and centred scatter of the events seen so far.

    Source: Chan, Golub & LeVeque 1979.
    """

    weight: Scalar
    mean: Event
    scatter: Float[Array, "columns columns"]


def no_moments(columns: int) -> Moments:
    """The moments of no events.

    Args:
        columns: how many numbers an event has.
    """
    return Moments(jnp.zeros(()), jnp.zeros(columns), jnp.zeros((columns, columns)))


def add_block(seen: Moments, x: Float[Array, "block columns"], weight: Float[Array, " block"]) -> Moments:
    """The moments of the events seen and a block of weighted events (weight 0 for padding)."""
    new = weight.sum()
    mean = (weight @ x) / jnp.maximum(new, 1e-30)
    centred = x - mean[None, :]
    total = seen.weight + new
    shift = mean - seen.mean
    cross = jnp.outer(shift, shift) * (seen.weight * new / jnp.maximum(total, 1e-30))
    return Moments(
        total,
        seen.mean + shift * (new / jnp.maximum(total, 1e-30)),
        seen.scatter + (centred * weight[:, None]).T @ centred + cross,
    )
