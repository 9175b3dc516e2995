"""The monotonic rational-quadratic spline: closed-form inverse, finite values and gradients everywhere."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from landmass.types import Scalar


class Spline(eqx.Module):
    """A smooth increasing map through knots; beyond the outer knots it goes on as a straight line.

    Args:
        x: knots' positions, increasing, shape (knots,).
        y: knots' values, increasing, shape (knots,).
        slope: derivatives at the knots, above zero, shape (knots,).

    Source: Gregory & Delbourgo 1982; Durkan, Bekasov, Murray & Papamakarios 2019 (neural spline flows).
    """

    x: Float[Array, " knots"]
    y: Float[Array, " knots"]
    slope: Float[Array, " knots"]

    def __call__(self, x: Scalar) -> tuple[Scalar, Scalar]:
        """Map x; also the log of the derivative there."""
        inside = _clamp(x, self.x[0], self.x[-1])
        x0, width, y0, height, d0, d1 = self._bin(self.x, inside)
        s = height / width
        t = _clamp((inside - x0) / width, 0.0, 1.0)
        y, log_slope = _rational_quadratic(t, y0, height, s, d0, d1)
        below = jnp.where(x < self.x[0], x - self.x[0], 0.0)
        above = jnp.where(x > self.x[-1], x - self.x[-1], 0.0)
        return y + self.slope[0] * below + self.slope[-1] * above, log_slope

    def inverse(self, y: Scalar) -> tuple[Scalar, Scalar]:
        """The x whose value is y; also the log of the inverse's derivative there."""
        inside = _clamp(y, self.y[0], self.y[-1])
        x0, width, y0, height, d0, d1 = self._bin(self.y, inside)
        s = height / width
        # q a root of a·t² + b·t + c = 0; this form of the root does not cancel when a is small.
        rise, bend = (inside - y0) / height, (d0 + d1) / s - 2.0
        a = 1.0 - d0 / s + rise * bend
        b = d0 / s - rise * bend
        t = _clamp(2.0 * rise / (b + jnp.sqrt(jnp.maximum(b**2 + 4.0 * a * rise, 1e-12))), 0.0, 1.0)
        _, log_slope = _rational_quadratic(t, y0, height, s, d0, d1)
        below = jnp.where(y < self.y[0], y - self.y[0], 0.0)
        above = jnp.where(y > self.y[-1], y - self.y[-1], 0.0)
        return x0 + width * t + below / self.slope[0] + above / self.slope[-1], -log_slope

    def _bin(self, knots: Float[Array, " knots"], value: Scalar) -> tuple[Scalar, ...]:
        """Left end, width, lower value, height and both slopes of the bin that holds `value` among `knots`."""
        # A product with a one-hot row: many times faster than a gather under vmap, on every device.
        started = jnp.pad((value >= knots[1:-1]).astype(value.dtype), 1, constant_values=(1, 0))
        chosen = started[:-1] - started[1:]
        (x0, x1), (y0, y1), (d0, d1) = (
            ((ends[:-1] * chosen).sum(), (ends[1:] * chosen).sum()) for ends in (self.x, self.y, self.slope)
        )
        return x0, x1 - x0, y0, y1 - y0, d0, d1


def _rational_quadratic(
    t: Scalar, y0: Scalar, height: Scalar, s: Scalar, d0: Scalar, d1: Scalar
) -> tuple[Scalar, Scalar]:
    """Value and log-derivative at share t of a bin with mean slope s and end slopes d0, d1."""
    u = 1.0 - t
    denominator = s + (d0 + d1 - 2.0 * s) * t * u
    y = y0 + height * (s * t**2 + d0 * t * u) / denominator
    numerator = d1 * t**2 + 2.0 * s * t * u + d0 * u**2
    return y, 2.0 * jnp.log(s) + jnp.log(numerator) - 2.0 * jnp.log(denominator)


def spline_from_parameters(
    raw: Float[Array, " parameters"],
    low: Scalar,
    high: Scalar,
    *,
    unit_ends: Bool[Array, ""],
    periodic: Bool[Array, ""],
    smallest: float = 1e-3,
) -> Spline:
    """Build a spline from [low, high] onto itself out of unconstrained numbers; all zeros give the identity.

    Args:
        raw: 3·bins + 1 numbers: bins' widths, bins' heights, knots' slopes.
        low: lower end of the interval.
        high: upper end.
        unit_ends: whether both end slopes are 1, so that the identity continues the map beyond the interval.
        periodic: whether both ends share one slope, so that the density is continuous across them.
        smallest: least share of the interval that a bin's width, a bin's height, or a slope can have.
    """
    bins = (raw.size - 1) // 3
    widths, heights, slopes = raw[:bins], raw[bins : 2 * bins], raw[2 * bins :]
    # softplus(v + log(e - 1)) is 1 at v = 0.
    slope = smallest + (1.0 - smallest) * jax.nn.softplus(slopes + 0.541324854612918)
    first = jnp.where(unit_ends, 1.0, slope[0])
    last = jnp.where(unit_ends, 1.0, jnp.where(periodic, slope[0], slope[-1]))
    slope = jnp.concatenate([first[None], slope[1:-1], last[None]])
    return Spline(_knots(widths, low, high, smallest), _knots(heights, low, high, smallest), slope)


def _knots(raw: Float[Array, " bins"], low: Scalar, high: Scalar, smallest: float) -> Float[Array, " knots"]:
    shares = smallest + (1.0 - smallest * raw.size) * jax.nn.softmax(raw)
    # Sums by a product with a triangle of ones: `cumsum` takes bins² steps on a CPU.
    inner = low + (high - low) * (shares @ np.triu(np.ones((raw.size, raw.size - 1), raw.dtype)))
    return jnp.concatenate([low[None], inner, high[None]])


def _clamp(value: Scalar, low: Scalar | float, high: Scalar | float) -> Scalar:
    """Clip whose gradient is 1 on both ends: `jnp.clip` halves it there, and knots are often hit exactly."""
    return jnp.where(value < low, low, jnp.where(value > high, high, value))
