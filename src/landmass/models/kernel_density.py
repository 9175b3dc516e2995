"""Kernel density: a small Gaussian bump on every training event."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Bool, Float, Integer

from landmass.arrays import on_device
from landmass.core.capabilities import AbstractDensity, Context
from landmass.core.distributions import LOG_2PI
from landmass.core.gauss_transform import gauss_transform, pays
from landmass.data.dataset import Dataset
from landmass.data.space import Space
from landmass.estimator.base import require
from landmass.estimator.density import WeighsEvents
from landmass.estimator.learned import FLOOR_MARGIN, SelectingEstimator, floored
from landmass.train.learner import Learner, Search, Selection, fixed
from landmass.train.rows import Coordinates
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
        log_weight: of the events, the largest 0; -inf for padding.
        log_total: log of the training events' summed weight.
        bandwidth: standard deviation of the bumps along each column.
        count: number of training events.
        low: lower bounds, -inf where there are none.
        high: upper bounds, inf where there are none.
        periodic: columns whose two bounds are one place.
    """

    points: Float[Array, "points columns"]
    log_weight: Float[Array, " points"]
    log_total: Scalar
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
        weight = np.exp(np.asarray(self.log_weight, np.float64))
        points, weight = np.asarray(self.points)[weight > 0.0] / bandwidth, weight[weight > 0.0]
        if not pays(points, len(x)):
            return None
        inside = ((np.asarray(self.low) <= x) & (x <= np.asarray(self.high))).all(axis=1)
        return np.where(inside, gauss_transform(points, weight, x / bandwidth) - float(self._log_scale()), -np.inf)

    def _log_scale(self) -> Scalar:
        """Log of the bumps' summed weight and of the integral of one."""
        return jnp.log(self.bandwidth).sum() + 0.5 * self.low.size * LOG_2PI + self.log_total

    def sample(self, key: Key, context: Context = None) -> Event:
        choose, move = jax.random.split(key)
        centre = self.points[self._choose(choose)]
        x = centre + self.bandwidth * jax.random.normal(move, centre.shape, centre.dtype)
        return _fold(x, self.low, self.high, self.periodic)

    def _choose(self, key: Key) -> Integer[Array, ""]:
        """A training event, by weight: first a row of events, then one of the row, so that no sum is of very many."""
        places = self.log_weight.size
        rows = 1 << (places.bit_length() // 2)
        counted = jnp.where(jnp.arange(places) < self.count, jnp.exp(self.log_weight), 0.0)
        weight = jnp.pad(counted, (0, -places % rows)).reshape(rows, -1)
        in_rows, in_row = jax.random.uniform(key, (2,))
        row = _by_weight(weight.sum(1), in_rows)
        return row * weight.shape[1] + _by_weight(weight[row], in_row)


@dataclass(kw_only=True, eq=False, repr=False)
class KernelDensity(WeighsEvents, SelectingEstimator):
    """Gaussian kernel density estimate with one bandwidth a column, over a small uniform floor.

    Bumps are mirrored at bounds and wrapped around circles, so that none of their mass is lost. The fitted
    density contains the training events.

    Args:
        bandwidth: the kernel's standard deviation in the units of the data: one number for all columns, or one a
            column; None chooses it on validation.
    """

    bandwidth: float | tuple[float, ...] | None = None

    def _learner(self, space: Space, z: Coordinates) -> Selection:
        return Selection(lambda: self._search(space, *z.whole), setting="bandwidth")

    def _search(
        self, space: Space, z: Float[np.ndarray, "events columns"], weight: Float[np.ndarray, " events"]
    ) -> Search:
        """Shrink all bandwidths together from a wide start; then try each column wider and narrower."""
        unit, floor = np.array(space.scale), space.box(FLOOR_MARGIN)

        def candidate(bandwidth: Float[np.ndarray, " columns"]) -> tuple[tuple[float, ...], Learner]:
            value = tuple(float(f"{h:.6g}") for h in bandwidth * unit)
            return value, fixed(floored(kernels(z, weight, bandwidth, space), floor))

        if self.bandwidth is not None:
            yield candidate(np.broadcast_to(self.bandwidth, len(space)) / unit)
            return
        # Scott's rule, twice as wide as it is right for one Gaussian. Quartiles, because one outlier spoils the other.
        inner = np.array([np.subtract(*_quantiles(column, weight, [0.75, 0.25])) for column in z.T]) / 1.349
        about = z - np.average(z, axis=0, weights=weight)
        spread = np.sqrt(np.average(about**2, axis=0, weights=weight))
        spread = np.where(inner > 0.0, np.minimum(spread, inner), spread)
        best = 2.0 * spread * weight.sum() ** (-1.0 / (z.shape[1] + 4))
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
        bumps = Kernels(points, points[:, 0], jnp.zeros(()), row, count, row, row, jnp.zeros(len(space), bool))
        return floored(bumps, space.box(0.0))

    def _sizes(self) -> dict[str, int]:
        return {"points": len(self.model_.parts[0].points)}

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """`points`: the training events; `bandwidth`: one a column; both in the units of the data.

        Where events were weighed there is `weights`: of each point, summing to one.
        """
        fitted, events = self.model_.parts[0], slice(int(self.model_.parts[0].count))
        points = self.space_.inverse(np.asarray(fitted.points)[events])
        found = {"points": points, "bandwidth": np.asarray(fitted.bandwidth, np.float64) * self.space_.scale}
        weights = np.exp(np.asarray(fitted.log_weight, np.float64)[events])
        return found if (weights == 1.0).all() else {**found, "weights": weights / weights.sum()}

    def check_settings(self) -> None:
        super().check_settings()
        above = self.bandwidth is None or bool(np.all(np.asarray(self.bandwidth) > 0.0))
        require(self, "bandwidth", above, "None or above 0")

    def _check_space(self, space: Space) -> None:
        self._check_columns(len(space))

    def check_for(self, part: Dataset) -> None:
        self._check_columns(len(part.schema.columns))

    def _check_columns(self, columns: int) -> None:
        fits = self.bandwidth is None or np.ndim(self.bandwidth) == 0 or np.size(self.bandwidth) == columns
        require(self, "bandwidth", fits, f"one number, or one for each of the {columns} columns")


def kernels(
    z: Float[np.ndarray, "events columns"],
    weight: Float[np.ndarray, " events"],
    bandwidth: Float[np.ndarray, " columns"],
    space: Space,
) -> Kernels:
    """Bumps on events, with the mirror images that bounds and circles ask for.

    Args:
        z: centres, in the coordinates of `space`.
        weight: how often each counts.
        bandwidth: standard deviations, in the same coordinates.
        space: knows the bounds.
    """
    low, high = space.support
    log_weight = np.log(weight / weight.max())
    # A last column goes with the centres to their images.
    points = np.column_stack([z, log_weight])
    for i in np.flatnonzero(np.isfinite(low)).tolist():
        images = _images(points, i, float(REACH * bandwidth[i]), float(high[i]), bool(space.periodic[i]))
        points = np.concatenate([points, *images])
    # The next power of two: few sizes, hence few compiled programs.
    padding = (1 << (len(points) - 1).bit_length()) - len(points)
    return Kernels(
        on_device(np.pad(points[:, :-1], ((0, padding), (0, 0))), np.float32),
        on_device(np.pad(points[:, -1], (0, padding), constant_values=-np.inf), np.float32),
        on_device(np.log(weight.sum() / weight.max()), np.float32),
        on_device(bandwidth, np.float32),
        jnp.int32(len(z)),
        on_device(low),
        on_device(high),
        on_device(space.periodic),
    )


def _by_weight(weight: Float[Array, " choices"], share: Scalar) -> Integer[Array, ""]:
    """The choice at which a share of the summed weight lies."""
    below = jnp.cumsum(weight)
    # Never one of weight zero: neither before the first nor after the last that counts.
    return jnp.minimum(jnp.searchsorted(below, share * below[-1], side="right"), jnp.argmax(below == below[-1]))


def _quantiles(
    x: Float[np.ndarray, " events"], weight: Float[np.ndarray, " events"], shares: list[float]
) -> Float[np.ndarray, " shares"]:
    """Least values below or at which lie so large shares of the weight."""
    order = np.argsort(x)
    below = np.cumsum(weight[order])
    return x[order][np.searchsorted(below, np.array(shares) * below[-1])]


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
