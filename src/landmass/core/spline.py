"""The monotonic rational-quadratic spline: closed-form inverse, finite values and gradients everywhere."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from landmass.types import Scalar

Values = Float[Array, "*events"]
"""One number, or one for each event."""


class Spline(eqx.Module):
    """A smooth increasing map of an interval onto itself through knots; beyond it goes on as a straight line.

    It is kept as what a network gives, not as knots: only the one bin that holds a value is ever completed. Where
    each event has a spline of its own, events stand behind the bins, shape (bins, events): sums over bins then run
    over whole rows.

    Args:
        low: lower end of the interval.
        high: upper end.
        widths: of the bins, above zero, summing to the interval's length, shape (bins,) or (bins, events).
        heights: of the bins, likewise.
        slopes: unconstrained derivatives at the knots, shape (bins + 1,) or (bins + 1, events); `slope` has them as
            they are.
        first: derivative at the lower end, which takes the place of the first one of `slopes`.
        last: derivative at the upper end, likewise.
        smallest: least derivative.

    Source: Gregory & Delbourgo 1982; Durkan, Bekasov, Murray & Papamakarios 2019 (neural spline flows).
    """

    low: Scalar
    high: Scalar
    widths: Float[Array, "bins *events"]
    heights: Float[Array, "bins *events"]
    slopes: Float[Array, "knots *events"]
    first: Float[Array, "*events"]
    last: Float[Array, "*events"]
    smallest: float = eqx.field(static=True)

    @property
    def x(self) -> Float[Array, "knots *events"]:
        """The knots' positions."""
        return self._knots(self.widths)

    @property
    def y(self) -> Float[Array, "knots *events"]:
        """The knots' values."""
        return self._knots(self.heights)

    @property
    def slope(self) -> Float[Array, "knots *events"]:
        """The derivatives at the knots."""
        return jnp.concatenate([self.first[None], _slope(self.slopes[1:-1], self.smallest), self.last[None]])

    def __call__(self, x: Values) -> tuple[Values, Values]:
        """Map x; also the log of the derivative there."""
        inside = _clamp(x, self.low, self.high)
        x0, width, y0, height, d0, d1 = self._bin(self.widths, inside)
        s = height / width
        t = _clamp((inside - x0) / width, 0.0, 1.0)
        y, log_slope = _rational_quadratic(t, y0, height, s, d0, d1)
        return self._beyond(x, self.first, self.last) + self._within(y), log_slope

    def inverse(self, y: Values) -> tuple[Values, Values]:
        """The x whose value is y; also the log of the inverse's derivative there."""
        inside = _clamp(y, self.low, self.high)
        x0, width, y0, height, d0, d1 = self._bin(self.heights, inside)
        s = height / width
        # t is a root of a·t² + b·t + c = 0; this form of the root does not cancel when a is small.
        rise, bend = _clamp((inside - y0) / height, 0.0, 1.0), (d0 + d1) / s - 2.0
        a = 1.0 - d0 / s + rise * bend
        b = d0 / s - rise * bend
        t = _clamp(2.0 * rise / (b + jnp.sqrt(jnp.maximum(b**2 + 4.0 * a * rise, 1e-12))), 0.0, 1.0)
        _, log_slope = _rational_quadratic(t, y0, height, s, d0, d1)
        return self._beyond(y, 1.0 / self.first, 1.0 / self.last) + self._within(x0 + width * t), -log_slope

    def mean_slope(self, middle: Values, width: Values) -> Values:
        """The mean derivative between two places of the interval; the derivative, where they are one.

        Times the width it is what the value grows by: in this form nothing cancels, however near the places are.

        Args:
            middle: between the places.
            width: how far they are apart.
        """
        x, slope = self.x, self.slope
        left, right, low, high = x[:-1], x[1:], middle - 0.5 * width, middle + 0.5 * width
        s, d0, d1 = self.heights / self.widths, slope[:-1], slope[1:]
        a, b = (_clamp((each[None] - left) / self.widths, 0.0, 1.0) for each in (low, high))
        bend = d0 + d1 - 2.0 * s
        # (f(b) - f(a)) / (b - a) of one bin, its factor b - a taken out of f(b) - f(a); all terms are above zero.
        within = d0 * (1.0 - a) * (1.0 - b) + s * (a * (1.0 - b) + b * (1.0 - a)) + d1 * a * b
        within = s**2 * within / ((s + bend * a * (1.0 - a)) * (s + bend * b * (1.0 - b)))
        started = jnp.concatenate([jnp.ones_like(middle)[None], (middle[None] >= x[1:-1]).astype(middle.dtype)])
        own = started - jnp.concatenate([started[1:], jnp.zeros_like(middle)[None]])
        overlap = jnp.maximum(jnp.minimum(high[None], right) - jnp.maximum(low[None], left), 0.0)
        crosses = ((low[None] < x[1:-1]) & (x[1:-1] < high[None])).any(0)
        share = jnp.where(crosses[None], overlap / jnp.where(crosses, overlap.sum(0), 1.0)[None], own)
        return (share * within).sum(0)

    def _bin(self, sizes: Float[Array, "bins *events"], value: Values) -> tuple[Values, ...]:
        """Left end, width, lower value, height and both slopes of the bin that holds `value`, by widths or heights."""
        # Products with rows of ones and zeros: many times faster than a gather, on every device.
        started = (value[None] >= self._inner(sizes)).astype(value.dtype)
        started = jnp.concatenate([jnp.ones_like(value)[None], started, jnp.zeros_like(value)[None]])
        before, chosen = started[1:], started[:-1] - started[1:]
        is_first, is_last = chosen[0] > 0.0, chosen[-1] > 0.0
        x0, y0 = (self.low + (each * before).sum(0) for each in (self.widths, self.heights))
        # The last bin ends where the interval ends, whatever the sums have lost to rounding.
        width = jnp.where(is_last, self.high - x0, (self.widths * chosen).sum(0))
        height = jnp.where(is_last, self.high - y0, (self.heights * chosen).sum(0))
        d0, d1 = (_slope((each * chosen).sum(0), self.smallest) for each in (self.slopes[:-1], self.slopes[1:]))
        return x0, width, y0, height, jnp.where(is_first, self.first, d0), jnp.where(is_last, self.last, d1)

    def _inner(self, sizes: Float[Array, "bins *events"]) -> Float[Array, "inner *events"]:
        """The knots between the ends. A product with a triangle of ones: `cumsum` takes bins² steps on a CPU."""
        triangle = np.triu(np.ones((len(sizes), len(sizes) - 1), sizes.dtype))
        return self.low + jnp.einsum("b...,bk->k...", sizes, triangle)

    def _knots(self, sizes: Float[Array, "bins *events"]) -> Float[Array, "knots *events"]:
        ends = (jnp.broadcast_to(end, sizes.shape[1:])[None] for end in (self.low, self.high))
        return jnp.concatenate([next(ends), self._inner(sizes), next(ends)])

    def _beyond(self, value: Values, first: Values, last: Values) -> Values:
        """What the straight lines beyond the ends add."""
        below = jnp.where(value < self.low, value - self.low, 0.0)
        above = jnp.where(value > self.high, value - self.high, 0.0)
        return first * below + last * above

    def _within(self, value: Values) -> Values:
        """The value without the rounding that carries it past an end."""
        return value + jax.lax.stop_gradient(jnp.clip(value, self.low, self.high) - value)


def _rational_quadratic(
    t: Values, y0: Values, height: Values, s: Values, d0: Values, d1: Values
) -> tuple[Values, Values]:
    """Value and log-derivative at share t of a bin with mean slope s and end slopes d0, d1."""
    u = 1.0 - t
    denominator = s + (d0 + d1 - 2.0 * s) * t * u
    y = y0 + height * (s * t**2 + d0 * t * u) / denominator
    numerator = d1 * t**2 + 2.0 * s * t * u + d0 * u**2
    return y, 2.0 * jnp.log(s) + jnp.log(numerator) - 2.0 * jnp.log(denominator)


def spline_from_parameters(
    raw: Float[Array, "parameters *events"],
    low: Scalar,
    high: Scalar,
    *,
    unit_ends: Bool[Array, ""],
    periodic: Bool[Array, ""],
    smallest: float = 1e-3,
) -> Spline:
    """Build a spline from [low, high] onto itself out of unconstrained numbers; all zeros give the identity.

    Args:
        raw: 3·bins + 1 numbers: bins' widths, bins' heights, knots' slopes; events, if there are many, stand behind.
        low: lower end of the interval.
        high: upper end.
        unit_ends: whether both end slopes are 1, so that the identity continues the map beyond the interval.
        periodic: whether both ends share one slope, so that the density is continuous across them.
        smallest: least share of the interval that a bin's width, a bin's height, or a slope can have.
    """
    bins = (len(raw) - 1) // 3
    slopes = raw[2 * bins :]
    first, last = _slope(slopes[0], smallest), _slope(slopes[-1], smallest)
    return Spline(
        low,
        high,
        (high - low) * _shares(raw[:bins], smallest),
        (high - low) * _shares(raw[bins : 2 * bins], smallest),
        slopes,
        jnp.where(unit_ends, 1.0, first),
        jnp.where(unit_ends, 1.0, jnp.where(periodic, first, last)),
        smallest,
    )


def _shares(raw: Float[Array, "bins *events"], smallest: float) -> Float[Array, "bins *events"]:
    return smallest + (1.0 - smallest * len(raw)) * jax.nn.softmax(raw, axis=0)


def _slope(raw: Array, smallest: float) -> Array:
    # softplus(v + log(e - 1)) is 1 at v = 0.
    return smallest + (1.0 - smallest) * jax.nn.softplus(raw + 0.541324854612918)


def _clamp(value: Values, low: Scalar | float, high: Scalar | float) -> Values:
    """Clip whose gradient is 1 on both ends: `jnp.clip` halves it there, and knots are often hit exactly."""
    return jnp.where(value < low, low, jnp.where(value > high, high, value))
