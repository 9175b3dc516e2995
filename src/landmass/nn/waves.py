"""Waves: how networks see where a number stands."""

import jax.numpy as jnp
from jaxtyping import Array, Float

Numbers = Float[Array, "*events"]


def cosines(angle: Numbers, count: int) -> list[Numbers]:
    """The cosines of an angle's first multiples."""
    return multiples(jnp.ones_like(angle), jnp.cos(angle), jnp.cos(angle), count)


def multiples(zeroth: Numbers, first: Numbers, cosine: Numbers, count: int) -> list[Numbers]:
    """A wave of an angle, then of its multiples, by Chebyshev's recurrence: many times faster than so many cosines.

    Args:
        zeroth: the wave of zero.
        first: that of the angle.
        cosine: of the angle.
        count: how many multiples, the angle itself among them.
    """
    waves = [zeroth, first]
    while len(waves) <= count:
        waves.append(2.0 * cosine * waves[-1] - waves[-2])
    return waves[1:]
