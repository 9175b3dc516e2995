"""The probability of a byte: a bell's integral over the byte's cell, quick, and true to the last of its tails."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped
from numpy.polynomial import Chebyshev, Polynomial
from scipy.special import erfcx

from landmass.core.distributions import LOG_2PI

# Half of the range of bytes, and half of a cell's width in units of that.
HALF, HALF_CELL = 127.5, 0.5 / 127.5


def _scaled(u: Float[np.ndarray, " places"]) -> Float[np.ndarray, " places"]:
    """log(erfcx(x) / t) for t = 1 / (1 + x / 2) from 0 to 1, where u = 2 t - 1: smooth enough for a polynomial."""
    t = (u + 1.0) / 2.0
    return np.log(erfcx(2.0 / t - 2.0) / t)


# Its polynomial, to 1e-7 and to 1e-14, from the highest power down.
POWERS = {
    4: np.asarray(Chebyshev.interpolate(_scaled, 10).convert(kind=Polynomial).coef[::-1], np.float32),
    8: Chebyshev.interpolate(_scaled, 24).convert(kind=Polynomial).coef[::-1],
}


@jax.custom_jvp
def log_cell(
    x: Shaped[Array, "*shape"], mean: Float[Array, "*shape"], log_scale: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Log-probability of each byte under a bell, integrated over the byte's cell; the outer cells have no end outside.

    The slopes by mean and logarithm of the scale are formulae of their own.

    Args:
        x: bytes.
        mean: of each bell, in units of half the range of bytes, from their middle.
        log_scale: logarithm of its standard deviation in the same units.
    """
    return _Cell(x, mean, log_scale).log_prob


@log_cell.defjvp
def _slopes(given: tuple[Array, Array, Array], moved: tuple[Any, Array, Array]) -> tuple[Array, Array]:
    cell = _Cell(*given)
    return cell.log_prob, cell.by_mean * moved[1] + cell.by_log_scale * moved[2]


class _Cell:
    """Cells turned about the bell's middle, so that each lies on its right, from a to b, or around it with a below 0.

    What is outside, Q(a) - Q(b), is kept as a factor of exp(-a²/2): neither tail nor slope is lost in a difference.
    """

    def __init__(self, x: Array, mean: Array, log_scale: Array) -> None:
        narrow = jnp.exp(-log_scale)
        middle, half = (x.astype(mean.dtype) / HALF - 1.0 - mean) * narrow, HALF_CELL * narrow
        first, last = x == 0, x == 255
        sign = jnp.where(first, -1.0, jnp.where(last | (middle > 0.0), 1.0, -1.0)).astype(mean.dtype)
        middle = sign * middle
        a, b = middle - half, middle + half
        # (b² - a²) / 2
        apart = jnp.where(first | last, jnp.inf, 2.0 * half * middle)
        tail, far = _tail(jnp.abs(a)), _tail(jnp.abs(b))
        right = jnp.log(-jnp.expm1(far - tail - jnp.maximum(apart, 0.0))) + tail
        square = 0.5 * a**2
        both = jnp.exp(tail - square) + jnp.where(first | last, 0.0, jnp.exp(far - 0.5 * b**2))
        rest = jnp.where(a < 0.0, jnp.log1p(-both) + square, right)
        # The bell's density at both ends, over the probability.
        at_a = jnp.exp(-0.5 * LOG_2PI - rest)
        at_b = at_a * jnp.exp(-apart)
        self.log_prob = rest - square
        self.by_mean = sign * narrow * (at_a - at_b)
        self.by_log_scale = a * at_a - jnp.where(first | last, 0.0, b * at_b)


def _tail(x: Array) -> Array:
    """log(Q(x) exp(x²/2)) for x from 0, where Q is the chance of a standard normal number above x."""
    t = 1.0 / (1.0 + x * (0.5 / math.sqrt(2.0)))
    return jnp.log(t) + jnp.polyval(jnp.asarray(POWERS[x.dtype.itemsize]), 2.0 * t - 1.0, unroll=32) - math.log(2.0)
