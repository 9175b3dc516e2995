"""Kernel density: a small Gaussian bump on every training event."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Bool, Float, Integer

from landmass.core.capabilities import AbstractDensity, Context
from landmass.core.distributions import LOG_2PI
from landmass.core.gauss_transform import gauss_transform, pays
from landmass.data.space import Space
from landmass.estimator.density import require
from landmass.estimator.learned import FLOOR_MARGIN, SelectingEstimator, floored
from landmass.train.learner import Learner, Search, Selection, fixed
from landmass.types import Event, HostEvents, Key, LogDensities, Scalar

# A bump ends here, in bandwidths: the mass beyond is below 1e-9.
REACH = 6.0

# The most bandwidths that are tried in one direction: 0.8 to this power is a ten-thousandth.
MOST_TRIES = 40

# Sums of bumps above this have lost nothing to underflow.
LEAST = 1e-25


class Kernels(AbstractDensity):
    """Equal Gaussian bumps, folded back at bounds and around circles.

    Args:
        points: the bumps' centres: `count` training events, then their mirror images beyond bounds, then padding.
        log_weight: 0 for centres, -inf for padding.
        bandwidth: standard deviation of the bumps along each column.
        count: number of training events.
        low: lower bounds, -inf where there are none.
        high: upper bounds, inf where there are none.
        periodic: columns whose two bounds are one place.
    """

    points: Float[Array, "points columns"]
    log_weight: Float[Array, " points"]
    bandwidth: Event
    count: Integer[Array, ""]
    low: Event
    high: Event
    periodic: Bool[Array, " columns"]

    def log_prob(self, x: Event, context: Context = None) -> Scalar:
        return self.log_probs(x[None])[0]

    def log_probs(self, x: Float[Array, "events columns"], context: Context = None) -> Float[Array, " events"]:
        inverse = 1.0 / self.bandwidth

        # Events stand last: sums over points then run over whole rows of them, and nothing is kept.
        def bumps() -> Float[Array, "points events"]:
            steps = [(self.points[:, i, None] - x[None, :, i]) * inverse[i] for i in range(x.shape[1])]
            return self.log_weight[:, None] - 0.5 * sum(step**2 for step in steps)

        total = jnp.exp(bumps()).sum(0)
        # Far from all points the bumps are below the least float.
        log_total = jax.lax.cond((total < LEAST).any(), lambda: logsumexp(bumps(), axis=0), lambda: jnp.log(total))
        inside = jnp.all((self.low[None] <= x) & (x <= self.high[None]), axis=1)
        return jnp.where(inside, log_total - self._log_scale(), -jnp.inf)

    def quick_log_probs(self, x: HostEvents) -> LogDensities | None:
        bandwidth = np.asarray(self.bandwidth, np.float64)
        points = np.asarray(self.points)[np.isfinite(np.asarray(self.log_weight))] / bandwidth
        if not pays(points, len(x)):
            return None
        inside = ((np.asarray(self.low) <= x) & (x <= np.asarray(self.high))).all(axis=1)
        return np.where(inside, gauss_transform(points, x / bandwidth) - float(self._log_scale()), -np.inf)

    def _log_scale(self) -> Scalar:
        """Log of the bumps' number and of the integral of one."""
        return jnp.log(self.bandwidth).sum() + 0.5 * self.low.size * LOG_2PI + jnp.log(self.count.astype(jnp.float32))

    def sample(self, key: Key, context: Context = None) -> Event:
        choose, move = jax.random.split(key)
        centre = self.points[jax.random.randint(choose, (), 0, self.count)]
        x = centre + self.bandwidth * jax.random.normal(move, centre.shape, centre.dtype)
        return _fold(x, self.low, self.high, self.periodic)


@dataclass(kw_only=True, eq=False, repr=False)
class KernelDensity(SelectingEstimator):
    """Gaussian kernel density estimate with one bandwidth a column, over a small uniform floor.

    Bumps are mirrored at bounds and wrapped around circles, so that none of their mass is lost. The fitted
    density contains the training events.

    Args:
        bandwidth: the kernel's standard deviation in the units of the data: one number for all columns, or one a
            column; None chooses it on validation.
    """

    bandwidth: float | tuple[float, ...] | None = None

    def _learner(self, space: Space, z: Float[Array, "events columns"]) -> Selection:
        return Selection(lambda: self._search(space, np.asarray(z)), setting="bandwidth")

    def _search(self, space: Space, z: Float[np.ndarray, "events columns"]) -> Search:
        """Shrink all bandwidths together from a wide start; then try each column wider and narrower."""
        unit, floor = np.array(space.scale), space.box(FLOOR_MARGIN)

        def candidate(bandwidth: Float[np.ndarray, " columns"]) -> tuple[tuple[float, ...], Learner]:
            value = tuple(float(f"{h:.6g}") for h in bandwidth * unit)
            return value, fixed(floored(kernels(z, bandwidth, space), floor))

        if self.bandwidth is not None:
            yield candidate(np.broadcast_to(self.bandwidth, len(space)) / unit)
            return
        # Scott's rule, twice as wide as it is right for one Gaussian. Quartiles, because one outlier spoils the other.
        inner = np.subtract(*np.quantile(z, [0.75, 0.25], axis=0)) / 1.349
        spread = np.where(inner > 0.0, np.minimum(z.std(axis=0), inner), z.std(axis=0))
        best = 2.0 * spread * len(z) ** (-1.0 / (z.shape[1] + 4))
        # On rounded or counted values ever narrower bumps would score ever better.
        finest = np.array([np.diff(np.unique(column)).min() for column in z.T])
        best_score, worse = -np.inf, 0
        for bandwidth in np.unique(np.maximum(best * 0.8 ** np.arange(MOST_TRIES)[:, None], finest), axis=0)[::-1]:
            score = yield candidate(bandwidth)
            worse = 0 if score > best_score else worse + 1
            best, best_score = (bandwidth, score) if score > best_score else (best, best_score)
            if worse == 2:
                break
        for column in range(len(best)) if len(best) > 1 else ():
            for factor in (1.25, 0.8):
                for _ in range(MOST_TRIES):
                    tried = np.maximum(best * np.where(np.arange(len(best)) == column, factor, 1.0), finest)
                    score = -np.inf if (tried == best).all() else (yield candidate(tried))
                    if not score > best_score:
                        break
                    best, best_score = tried, score

    def _empty(self, space: Space, sizes: Mapping[str, int]) -> AbstractDensity:
        points, row, count = jnp.zeros((sizes["points"], len(space))), jnp.zeros(len(space)), jnp.int32(0)
        bumps = Kernels(points, points[:, 0], row, count, row, row, jnp.zeros(len(space), bool))
        return floored(bumps, space.box(0.0))

    def _sizes(self) -> dict[str, int]:
        return {"points": len(self.model_.parts[0].points)}

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """`points`: the training events; `bandwidth`: one a column; both in the units of the data."""
        fitted = self.model_.parts[0]
        points = self.space_.inverse(np.asarray(fitted.points)[: int(fitted.count)])
        return {"points": points, "bandwidth": np.asarray(fitted.bandwidth, np.float64) * self.space_.scale}

    def _check_settings(self) -> None:
        super()._check_settings()
        above = self.bandwidth is None or bool(np.all(np.asarray(self.bandwidth) > 0.0))
        require(self, "bandwidth", above, "None or above 0")

    def _check_space(self, space: Space) -> None:
        fits = self.bandwidth is None or np.ndim(self.bandwidth) == 0 or np.size(self.bandwidth) == len(space)
        require(self, "bandwidth", fits, f"one number, or one for each of the {len(space)} columns")


def kernels(z: Float[np.ndarray, "events columns"], bandwidth: Float[np.ndarray, " columns"], space: Space) -> Kernels:
    """Bumps on events, with the mirror images that bounds and circles ask for.

    Args:
        z: centres, in the coordinates of `space`.
        bandwidth: standard deviations, in the same coordinates.
        space: knows the bounds.
    """
    low, high = space.support
    points = z
    for i in np.flatnonzero(np.isfinite(low)).tolist():
        images = _images(points, i, float(REACH * bandwidth[i]), float(high[i]), bool(space.periodic[i]))
        points = np.concatenate([points, *images])
    # The next power of two: few sizes, hence few compiled programs.
    padding = (1 << (len(points) - 1).bit_length()) - len(points)
    log_weight = np.where(np.arange(len(points) + padding) < len(points), 0.0, -np.inf)
    return Kernels(
        jnp.asarray(np.pad(points, ((0, padding), (0, 0))), jnp.float32),
        jnp.asarray(log_weight, jnp.float32),
        jnp.asarray(bandwidth, jnp.float32),
        jnp.int32(len(z)),
        jnp.asarray(low),
        jnp.asarray(high),
        jnp.asarray(space.periodic),
    )


def _images(points: np.ndarray, column: int, reach: float, high: float, periodic: bool) -> Iterator[np.ndarray]:
    """Mirror images of points beyond the bounds, 0 and 1 or 0 and infinity, of a column, as far out as `reach`."""
    x = points[:, column]
    turns = range(-int(np.ceil(reach)), int(np.ceil(reach)) + 1)
    if not np.isfinite(high):
        images = [-x]
    elif periodic:
        images = [x + turn for turn in turns if turn]
    else:
        images = [x + 2.0 * turn for turn in turns if turn] + [2.0 * turn - x for turn in turns]
    for image in images:
        near = (image >= -reach) & (image <= high + reach)
        copies = points[near].copy()
        copies[:, column] = image[near]
        yield copies


def _fold(x: Event, low: Event, high: Event, periodic: Bool[Array, " columns"]) -> Event:
    """Bring x inside: around circles, and reflected at bounds as often as it takes. Lower bounds are 0."""
    span = jnp.where(jnp.isfinite(high), high, 1.0)
    bounced = span - jnp.abs(jnp.mod(x, 2.0 * span) - span)
    reflected = jnp.where(jnp.isfinite(high), bounced, jnp.abs(x))
    return jnp.where(jnp.isfinite(low), jnp.where(periodic, jnp.mod(x, span), reflected), x)
