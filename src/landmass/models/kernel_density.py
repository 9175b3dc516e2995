"""Kernel density: a small Gaussian bump on every training event."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Bool, Float, Integer

from landmass.core.capabilities import AbstractDensity, Context
from landmass.core.distributions import LOG_2PI, Blend
from landmass.data.space import Space
from landmass.estimator.density import require
from landmass.estimator.learned import FLOOR_MARGIN, SelectingEstimator, floored
from landmass.train.learner import Learner, Search, Selection, fixed
from landmass.types import Event, Key, Scalar

# A bump ends here, in bandwidths: the mass beyond is below 1e-9.
REACH = 6.0


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
        # Column by column: an array of events × points × columns would be twenty times slower on a CPU.
        squares = [((x[i] - self.points[:, i]) / self.bandwidth[i]) ** 2 for i in range(x.size)]
        bumps = self.log_weight - 0.5 * sum(squares[1:], squares[0])
        inside = jnp.all((self.low <= x) & (x <= self.high))
        scale = jnp.log(self.bandwidth).sum() + 0.5 * x.size * LOG_2PI + jnp.log(self.count.astype(x.dtype))
        return jnp.where(inside, logsumexp(bumps) - scale, -jnp.inf)

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
        # Scott's rule, twice as wide as it is right for one Gaussian.
        best = 2.0 * z.std(axis=0) * len(z) ** (-1.0 / (z.shape[1] + 4))
        best_score, worse = -np.inf, 0
        for bandwidth in best * 0.8 ** np.arange(40)[:, None]:
            score = yield candidate(bandwidth)
            worse = 0 if score > best_score else worse + 1
            best, best_score = (bandwidth, score) if score > best_score else (best, best_score)
            if worse == 2:
                break
        for column in range(len(best)) if len(best) > 1 else ():
            for factor in (1.25, 0.8):
                while True:
                    tried = best * np.where(np.arange(len(best)) == column, factor, 1.0)
                    score = yield candidate(tried)
                    if score <= best_score:
                        break
                    best, best_score = tried, score

    def _settle(self, model: Blend) -> Blend:
        # Only the search needs the padding.
        bumps = model.parts[0]
        used = np.isfinite(np.asarray(bumps.log_weight))
        bumps = eqx.tree_at(lambda b: (b.points, b.log_weight), bumps, (bumps.points[used], bumps.log_weight[used]))
        return Blend(model.log_weights, (bumps, model.parts[1]))

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
    padding = _round_up(len(points)) - len(points)
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


def _round_up(n: int) -> int:
    """The next power of two: few sizes, hence few compiled programs."""
    return 1 << (n - 1).bit_length()


def _fold(x: Event, low: Event, high: Event, periodic: Bool[Array, " columns"]) -> Event:
    """Bring x inside: around circles, and reflected at bounds as often as it takes. Lower bounds are 0."""
    span = jnp.where(jnp.isfinite(high), high, 1.0)
    bounced = span - jnp.abs(jnp.mod(x, 2.0 * span) - span)
    reflected = jnp.where(jnp.isfinite(high), bounced, jnp.abs(x))
    return jnp.where(jnp.isfinite(low), jnp.where(periodic, jnp.mod(x, span), reflected), x)
