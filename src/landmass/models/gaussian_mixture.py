"""Gaussian mixture: several bells, fitted by expectation-maximisation."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float
from sklearn.cluster import kmeans_plusplus

from landmass.arrays import on_device
from landmass.core.capabilities import AbstractDensity
from landmass.core.distributions import LOG_2PI, Blend, Columnwise, Mixture, Normal
from landmass.data.schema import Column
from landmass.data.space import EVERY_BOUND, Space
from landmass.estimator.base import require
from landmass.estimator.density import WeighsEvents
from landmass.estimator.learned import FLOOR_MARGIN, SelectingEstimator, floored
from landmass.train.learner import Learner, Selection, expectation_maximisation, in_order
from landmass.train.rows import Coordinates
from landmass.types import Key, Scalar

# k-means++ looks at no more than this many events.
SEED_EVENTS = 20_000

# Numbers of components that programs are compiled for.
ROOMS = (16, 64, 256)


class Bells(eqx.Module):
    """State of the fit: a mixture, the variances its covariances are drawn towards and how strongly, and its floor."""

    log_weights: Float[Array, " components"]
    means: Float[Array, "components columns"]
    factors: Float[Array, "components columns columns"]
    prior: Float[Array, " columns"]
    prior_strength: Scalar
    floor: Columnwise
    diagonal: bool = eqx.field(static=True)


class Expected(NamedTuple):
    """Expected weight, sum and products of the events of each component, about the component's last mean."""

    weight: Float[Array, " components"]
    first: Float[Array, "components columns"]
    second: Float[Array, "components columns columns"]


@dataclass(kw_only=True, eq=False, repr=False)
class GaussianMixture(WeighsEvents, SelectingEstimator):
    """Mixture of normal densities over a small uniform floor, its size chosen on validation.

    Each covariance is drawn towards a small round one with the weight of `prior_strength` events, so that no
    component collapses onto a few events. Positive columns are mixed in their logarithm, bounded and circular
    ones in their probit, so that no mass lies outside the sample space.

    Args:
        n_components: number of components; None tries 1, 2, 4, … and chooses on validation.
        covariance_type: "full" covariances, or "diag"onal ones.
        max_iter: the most EM passes.
        tol: stop when a pass gains less than this, in nats an event.
        prior_strength: pseudo-events that draw each covariance towards a round one.
    """

    _onto_line: ClassVar[Collection[type[Column]]] = EVERY_BOUND
    _reads_pieces: ClassVar[bool] = True

    n_components: int | None = None
    covariance_type: Literal["full", "diag"] = "full"
    max_iter: int = 100
    tol: float = 1e-3
    prior_strength: float = 1.0

    def _learner(self, space: Space, z: Coordinates) -> Selection:
        fits = self.n_components is None or self.n_components <= z.n
        require(self, "n_components", fits, f"None or at most the {z.n} training events")
        return Selection(lambda: in_order(self._candidates(space, z), give_up=2), setting="n_components")

    def _candidates(self, space: Space, z: Coordinates) -> Iterator[tuple[int, Learner]]:
        for k in [self.n_components] if self.n_components else [2**i for i in range(9) if 4 * 2**i <= z.total] or [1]:
            yield (
                k,
                expectation_maximisation(
                    partial(self._start, k, space.box(FLOOR_MARGIN), z),
                    _nothing,
                    _expect,
                    _maximise,
                    _mixture,
                    max_steps=self.max_iter,
                    tolerance=self.tol,
                ),
            )

    def _start(self, k: int, floor: Columnwise, z: Coordinates, key: Key) -> Bells:
        """Means by k-means++, and round covariances of the size that k cells of the data have."""
        seed = int(np.asarray(jax.random.key_data(key))[-1])
        # In their order, in which the same draws choose the same events whether these have weights or copies.
        events, weight = z.some(SEED_EVENTS, np.random.default_rng(seed))
        means, _ = kmeans_plusplus(events, k, sample_weight=weight, random_state=seed)
        variance = np.average((events - np.average(events, axis=0, weights=weight)) ** 2, axis=0, weights=weight)
        spread = (np.sqrt(variance) * k ** (-1.0 / z.columns)).astype(events.dtype)
        # Places for more components, of weight zero: all sizes up to the next of ROOMS share one compiled program.
        room = next((room for room in ROOMS if room >= k), k)
        return Bells(
            on_device(np.where(np.arange(room) < k, -np.log(k), -np.inf), events.dtype),
            on_device(np.pad(means, ((0, room - k), (0, 0)))),
            on_device(np.broadcast_to(np.diag(spread), (room, *np.diag(spread).shape))),
            on_device(spread**2),
            on_device(self.prior_strength, events.dtype),
            floor,
            self.covariance_type == "diag",
        )

    def _settle(self, model: Blend) -> Blend:
        mixture = model.parts[0]
        used = np.isfinite(np.asarray(mixture.log_weights))
        # On the host: on the device each array would compile a program of its own.
        living = jax.tree.map(lambda leaf: on_device(np.asarray(leaf)[used]), mixture)
        return Blend(model.log_weights, (living, model.parts[1]))

    def _empty(self, space: Space, sizes: Mapping[str, int]) -> AbstractDensity:
        k, d = sizes["components"], len(space)
        bells = eqx.filter_vmap(Normal)(jnp.zeros((k, d)), jnp.zeros((k, d, d)))
        return floored(Mixture(jnp.zeros(k), bells), space.box(0.0))

    def _sizes(self) -> dict[str, int]:
        return {"components": len(self.model_.parts[0].log_weights)}

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """`weights`, `means` and `covariances`, in the units of the data for real columns, of their map for others."""
        mixture, space = self.model_.parts[0], self.space_
        real = np.array(space.maps) == "affine"
        loc, scale = np.where(real, space.loc, 0.0), np.where(real, space.scale, 1.0)
        factors = scale[:, None] * np.asarray(mixture.components.factor, np.float64)
        return {
            "weights": np.asarray(jax.nn.softmax(mixture.log_weights), np.float64),
            "means": loc + scale * np.asarray(mixture.components.mean, np.float64),
            "covariances": factors @ factors.transpose(0, 2, 1),
        }

    @property
    def n_parameters_(self) -> int:
        """Free weights, means, and distinct covariances."""
        d, k = self.n_features_in_, len(self.model_.parts[0].log_weights)
        return k - 1 + k * d + k * (d * (d + 1) // 2 if self.covariance_type == "full" else d)

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "n_components", self.n_components is None or self.n_components >= 1, "None or at least 1")
        require(self, "max_iter", self.max_iter >= 1, "at least 1")
        require(self, "prior_strength", self.prior_strength >= 0.0, "at least 0")


def _mixture(state: Bells) -> AbstractDensity:
    return floored(Mixture(state.log_weights, eqx.filter_vmap(Normal)(state.means, state.factors)), state.floor)


def _nothing(state: Bells) -> Expected:
    return Expected(*(jnp.zeros_like(part) for part in (state.log_weights, state.means, state.factors)))


def _expect(
    state: Bells, stats: Expected, x: Float[Array, "block columns"], weight: Float[Array, " block"]
) -> tuple[Expected, Scalar]:
    """Add a block's responsibilities; also its log-likelihood."""
    # Events stand last, where a CPU's vector units want them.
    steps = x.T[None] - state.means[:, :, None]
    identity = jnp.eye(x.shape[1], dtype=x.dtype)
    whiten = jax.vmap(lambda factor: solve_triangular(factor, identity, lower=True))(state.factors)
    distance = jnp.square(whiten @ steps).sum(1)
    log_det = jnp.log(jnp.diagonal(state.factors, axis1=1, axis2=2)).sum(1)
    joint = (state.log_weights - log_det)[:, None] - 0.5 * (distance + x.shape[1] * LOG_2PI)
    total = logsumexp(joint, axis=0)
    share = jnp.exp(joint - total[None]) * weight[None]
    shared = share[:, None, :] * steps
    first, second = shared.sum(2), shared @ steps.transpose(0, 2, 1)
    added = Expected(stats.weight + share.sum(1), stats.first + first, stats.second + second)
    return added, (total * weight).sum()


def _maximise(state: Bells, stats: Expected) -> Bells:
    weight = stats.weight[:, None]
    shift = stats.first / jnp.maximum(weight, 1e-6)
    scatter = stats.second - weight[:, :, None] * shift[:, :, None] * shift[:, None, :]
    if state.diagonal:
        scatter = scatter * jnp.eye(shift.shape[1])[None]
    drawn = scatter + state.prior_strength * jnp.diag(state.prior)[None]
    # The last term keeps a component on copies of one event from becoming singular in float32.
    share = jnp.maximum(weight + state.prior_strength, 1e-6)[:, :, None]
    covariance = drawn / share + 1e-6 * jnp.eye(shift.shape[1])[None]
    living = state.log_weights > -jnp.inf
    log_weights = jnp.where(living, jnp.log(jnp.maximum(stats.weight, 1e-6) / stats.weight.sum()), -jnp.inf)
    fresh = log_weights, state.means + shift, jnp.linalg.cholesky(covariance)
    return eqx.tree_at(lambda s: (s.log_weights, s.means, s.factors), state, fresh)
