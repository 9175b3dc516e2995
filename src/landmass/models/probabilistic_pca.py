"""Probabilistic PCA: a normal density that varies along a few directions, and by even noise along all others."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.linalg import eigh
from sklearn.utils.validation import check_is_fitted

from landmass.core.capabilities import Scored
from landmass.core.distributions import LOG_2PI
from landmass.core.low_rank import DequantisedNormal, Incomplete, LowRankNormal, upright
from landmass.data.dataset import Dataset
from landmass.data.pixels import PixelSpace
from landmass.data.schema import Column
from landmass.data.space import EVERY_BOUND
from landmass.errors import DataError
from landmass.estimator.base import require
from landmass.estimator.density import EventKind, WeighsEvents
from landmass.estimator.latent import HostCodes, LatentEstimator
from landmass.estimator.learned import SelectingEstimator
from landmass.train.learner import Learner, Selection, expectation_maximisation, fixed, in_order
from landmass.train.rows import Coordinates
from landmass.types import Event, HostEvents, Key, Precision, Scalar

# The most components that are tried where their number is to be chosen.
MOST_TRIED = 256

# Noise of a variance below this, where columns vary by one, is none: the events lie on a plane.
LEAST_NOISE = 1e-6

# Events that products are added up of at a time.
AT_A_TIME = 4096

# Bytes are taken for the numbers from them to the next: those lie half of one further on, and vary by this more.
MIDDLE, WITHIN = 0.5, 1.0 / 12.0


@dataclass(kw_only=True, eq=False, repr=False)
class ProbabilisticPCA(WeighsEvents, LatentEstimator, SelectingEstimator):
    """Normal density with covariance W Wᵀ + σ² I, W of a few columns: the density that belongs to PCA.

    Equal noise in all columns means something only in equal units: columns are standardised first, so that their
    units do not matter, and the directions are those of the correlation matrix. Positive columns are normal in
    their logarithm, bounded and circular ones in their probit. Where cells of rows are missing, it is fitted by "em" to
    the others, and an event is the values that are there and which are not: each column is missing as often as in
    training, whatever the values. Images are taken in bytes as they are, and have a lower
    bound in place of a density.

    Args:
        n_components: columns of W, less than those of the data; None tries 0, 1, 2, 4, … and chooses on validation.
        method: "closed_form" from the covariance's eigenvectors, or "em", which is for rows.
        max_iter: the most passes of "em".
        tol: "em" stops when a pass gains less than this, in nats an event.

    Source: Tipping & Bishop 1999.
    """

    _onto_line: ClassVar[Collection[type[Column]]] = EVERY_BOUND
    _reads_pieces: ClassVar[bool] = True
    _takes: ClassVar[frozenset[EventKind]] = frozenset({"row", "image"})
    _precision: ClassVar[Precision] = np.float64
    _integrates_missing: ClassVar[bool] = True

    n_components: int | None = None
    method: Literal["closed_form", "em"] = "closed_form"
    max_iter: int = 1000
    tol: float = 1e-6

    def _learner(self, space: Any, z: Coordinates) -> Selection:
        columns = space.schema.dimensions
        tried = [0, *(2**i for i in range(9)), columns - 1]
        tried = sorted({k for k in tried if k <= min(columns - 1, MOST_TRIED)})
        sizes = tried if self.n_components is None else [self.n_components]
        by_em = self.method == "em" or self._data_misses
        learners = self._by_em if by_em else self._in_closed_form
        return Selection(lambda: in_order(learners(sizes, space, z), give_up=2), setting="n_components")

    def _in_closed_form(self, sizes: list[int], space: Any, z: Coordinates) -> Iterator[tuple[int, Learner]]:
        mean, covariance = _moments(z, space.schema.dimensions)
        if isinstance(space, PixelSpace):
            mean, covariance = mean + MIDDLE, covariance + WITHIN * np.eye(len(mean))
        principal = _principal(covariance, sizes[-1])
        for k in sizes:
            normal = _normal(mean, *principal, k, float(np.trace(covariance)))
            # Where fewer components leave noise, more that leave none are no candidates.
            if k > sizes[0] and normal.noise <= LEAST_NOISE:
                return
            self._check_noise(normal)
            yield k, fixed(DequantisedNormal(normal, space.image.shape) if isinstance(space, PixelSpace) else normal)

    def _by_em(self, sizes: list[int], space: Any, z: Coordinates) -> Iterator[tuple[int, Learner]]:
        algorithm, stops = (_nothing, _expect, _maximise, _fitted), {"max_steps": self.max_iter, "tolerance": self.tol}
        missing = _how_often_missing(z) if self._data_misses else None
        for k in sizes:
            yield k, expectation_maximisation(partial(_start, len(space), k, missing), *algorithm, **stops)

    def _settle(self, model: Any) -> Scored:
        self._check_noise(_normal_of(model))
        return model

    def _check_noise(self, normal: LowRankNormal) -> None:
        if normal.noise <= LEAST_NOISE:
            raise DataError(
                f"{len(normal.variances)} components leave no noise (a standard deviation of {normal.noise**0.5:.1g} "
                "of the columns' own): the events lie on a plane of so many dimensions; ask for fewer n_components, "
                "or drop columns that follow from others"
            )

    def _empty(self, space: Any, sizes: Mapping[str, int]) -> Scored:
        d, k = space.schema.dimensions, sizes.get("components", 0)
        normal = LowRankNormal(jnp.zeros(d), jnp.zeros((d, k)), jnp.zeros(k), jnp.zeros(()))
        if isinstance(space, PixelSpace):
            return DequantisedNormal(normal, space.image.shape)
        return Incomplete(normal, jnp.zeros(d)) if "gaps" in sizes else normal

    def _sizes(self) -> dict[str, int]:
        k = len(_normal_of(self.model_).variances)
        return {name: size for name, size in (("components", k), ("gaps", int(self._misses))) if size}

    @property
    def _misses(self) -> bool:
        return isinstance(self.model_, Incomplete)

    @property
    def _data_misses(self) -> bool:
        """Whether the events to fit may miss cells."""
        return isinstance(self.data_, Dataset) and self.data_.incomplete

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """`mean`, `components` (Wᵀ) and `noise` (standard deviations), shapes (columns,), (k, columns) and (columns,).

        In the units of the data for real columns, of their map for others, and in bytes for images, where the mean is
        that of the middles of the bytes' cells. The covariance is componentsᵀ · components + diag(noise²). Where cells
        may be missing there is `missing`, how often they are in each column.
        """
        normal, space = _normal_of(self.model_), self.space_
        loc, scale = np.zeros(len(normal.mean)), np.ones(len(normal.mean))
        if not isinstance(space, PixelSpace):
            real = np.array(space.maps) == "affine"
            loc, scale = np.where(real, space.loc, 0.0), np.where(real, space.scale, 1.0)
        found = {
            "mean": loc + scale * normal.mean,
            "components": (scale[:, None] * normal.loadings).T,
            "noise": scale * np.sqrt(normal.noise),
        }
        return {**found, "missing": self.model_.missing} if self._misses else found

    @property
    def n_parameters_(self) -> int:
        """Means, directions with their variances, the noise, and how often cells are missing; turning W is free."""
        d, k = _normal_of(self.model_).directions.shape
        return d * (1 + self._misses) + d * k - k * (k - 1) // 2 + 1

    @property
    def n_latents_(self) -> int:
        """How many numbers a code has: the components."""
        check_is_fitted(self)
        return len(_normal_of(self.model_).variances)

    def _posterior(self, Z: np.ndarray) -> tuple[HostCodes, HostCodes]:
        return _normal_of(self.model_).posterior(self._flat(Z))

    def _draw_codes(self, Z: np.ndarray, random_state: np.random.RandomState) -> HostCodes:
        noise = random_state.standard_normal((len(Z), self.n_latents_))
        return _normal_of(self.model_).codes_of(self._flat(Z), noise)

    def _flat(self, Z: np.ndarray) -> HostEvents:
        """Events as the normal distribution has them: rows, or the middles of the bytes' cells."""
        return Z.reshape(len(Z), -1) + (MIDDLE if isinstance(self.space_, PixelSpace) else 0.0)

    def _means(self, codes: HostCodes) -> np.ndarray:
        normal, space = _normal_of(self.model_), self.space_
        x = codes @ np.asarray(normal.loadings).T + normal.mean
        if not isinstance(space, PixelSpace):
            return x
        return np.clip(x - MIDDLE, 0.0, 255.0).reshape(-1, *space.image.shape)

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "n_components", self.n_components is None or self.n_components >= 0, "None or at least 0")
        require(self, "max_iter", self.max_iter >= 1, "at least 1")

    def _check_space(self, space: Any) -> None:
        columns = space.schema.dimensions
        fits = self.n_components is None or self.n_components < columns
        require(self, "n_components", fits, f"None or less than the {columns} columns (n_features={columns})")
        if isinstance(space, PixelSpace):
            require(self, "method", self.method == "closed_form", "'closed_form' for images")
            if space.image.levels == 2:
                raise DataError(
                    "probabilistic PCA takes the bytes of images for amounts, and these are black or white; take VAE, "
                    "or give it the grey images"
                )


class Factors(NamedTuple):
    """State of EM, in single precision: μ, W, σ², and how often cells are missing, None where none may be."""

    mean: Event
    loadings: Float[Array, "columns components"]
    noise: Scalar
    missing: Event | None


class Expected(NamedTuple):
    """What the events are expected to say of μ and W, about the last ones.

    Args:
        weight: of the events.
        first: sums of residuals times the code and one, a row for each column.
        second: sums of products of the code and one, for each column where cells may be missing.
        squares: sum of squared residuals.
        cells: summed weight of the cells that are there.
    """

    weight: Scalar
    first: Float[Array, "columns inputs"]
    second: Float[Array, "each inputs inputs"]
    squares: Scalar
    cells: Scalar


def _start(columns: int, components: int, missing: Float[np.ndarray, " columns"] | None, key: Key) -> Factors:
    """Standardised columns, any directions."""
    loadings = jax.random.normal(key, (columns, components)) / np.sqrt(max(components, 1))
    rates = None if missing is None else jnp.asarray(missing, jnp.float32)
    return Factors(jnp.zeros(columns), loadings, jnp.ones(()), rates)


def _nothing(state: Factors) -> Expected:
    columns, components = state.loadings.shape
    inputs, each = components + 1, 1 if state.missing is None else columns
    zero = jnp.zeros(())
    return Expected(zero, jnp.zeros((columns, inputs)), jnp.zeros((each, inputs, inputs)), zero, zero)


def _expect(
    state: Factors, stats: Expected, x: Float[Array, "block columns"], weight: Float[Array, " block"]
) -> tuple[Expected, Scalar]:
    """Add a block's expected codes; also its log-likelihood.

    What depends on which cells are there is made once for all events where all are there: axes of length one.
    """
    W, noise = state.loadings, state.noise
    complete, components = state.missing is None, W.shape[1]
    seen = ~jnp.isnan(x)
    there = (seen[:1] if complete else seen).astype(x.dtype)
    inner = W.T[None] @ (there[:, :, None] * W[None]) + noise * jnp.eye(components)[None]
    inverse = jnp.linalg.inv(inner)
    steps = jnp.where(seen, x - state.mean[None], 0.0)
    code = (inverse @ (steps @ W)[:, :, None])[:, :, 0]
    left = jnp.where(seen, steps - code @ W.T, 0.0)
    inputs = jnp.concatenate([code, jnp.ones((len(x), 1))], axis=1)
    # A code is known up to its spread, in which residuals share.
    spread = noise * inverse
    unsure = W[None] @ spread
    counted = there * (weight.sum()[None, None] if complete else weight[:, None])
    first = (left * weight[:, None]).T @ inputs - jnp.pad((counted[:, :, None] * unsure).sum(0), ((0, 0), (0, 1)))
    products = inputs[:, :, None] * inputs[:, None, :] + jnp.pad(spread, ((0, 0), (0, 1), (0, 1)))
    each = weight[:, None] if complete else counted
    second = (each.T @ products.reshape(len(x), -1)).reshape(-1, *products.shape[1:])
    squares = weight @ (left**2).sum(1) + (counted * (unsure * W[None]).sum(2)).sum()
    cells = there.sum(1)
    distance = (left**2).sum(1) / noise + (code**2).sum(1)
    log_det = jnp.linalg.slogdet(inner)[1] + (cells - components) * jnp.log(noise)
    log_prob = -0.5 * (distance + log_det + cells * LOG_2PI)
    if state.missing is not None:
        log_prob = log_prob + jnp.log(jnp.where(seen, 1.0 - state.missing[None], state.missing[None])).sum(1)
    added = Expected(weight.sum(), first, second, squares, counted.sum())
    return Expected(*(before + more for before, more in zip(stats, added, strict=True))), weight @ log_prob


def _maximise(state: Factors, stats: Expected) -> Factors:
    first, second = stats.first / stats.weight, stats.second / stats.weight
    change = (jnp.linalg.inv(second) @ first[:, :, None])[:, :, 0]
    left = (stats.squares - (stats.first * change).sum()) / stats.cells
    # A least one, which is refused in the end.
    noise = jnp.maximum(left, 0.99 * LEAST_NOISE)
    return Factors(state.mean + change[:, -1], state.loadings + change[:, :-1], noise, state.missing)


def _fitted(state: Factors) -> Scored:
    mean, loadings, noise = (np.asarray(part, np.float64) for part in state[:3])
    normal = LowRankNormal.of(mean, loadings, float(noise))
    return normal if state.missing is None else Incomplete(normal, np.asarray(state.missing, np.float64))


def _how_often_missing(z: Coordinates) -> Float[np.ndarray, " columns"]:
    """The share of each column's cells that are missing, counting one more that is so by half.

    Source: Krichevsky & Trofimov 1981.
    """
    missing = np.sum([weight @ np.isnan(block) for block, weight in z.blocks()], axis=0)
    return (missing + 0.5) / (z.total + 1.0)


def _moments(z: Coordinates, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance in double precision.

    Source: Chan, Golub & LeVeque 1979.
    """
    total, mean, scatter = 0.0, np.zeros(columns), np.zeros((columns, columns))
    for block, weights in z.blocks():
        for start in range(0, len(block), AT_A_TIME):
            x, weight = block[start : start + AT_A_TIME].reshape(-1, columns), weights[start : start + AT_A_TIME]
            x, new = x.astype(np.float64), weight.sum()
            shift = weight @ x / new - mean
            x = (x - mean - shift) * np.sqrt(weight)[:, None]
            scatter += x.T @ x + np.outer(shift, shift) * (total * new / (total + new))
            total, mean = total + new, mean + shift * (new / (total + new))
    return mean, scatter / total


def _principal(covariance: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest variances in order, and their directions."""
    if not most:
        return np.empty(0), np.empty((len(covariance), 0))
    variances, directions = eigh(covariance, subset_by_index=(len(covariance) - most, len(covariance) - 1))
    return variances[::-1], upright(directions[:, ::-1])


def _normal(mean: np.ndarray, variances: np.ndarray, directions: np.ndarray, k: int, trace: float) -> LowRankNormal:
    """The likelihood's maximum: σ² is the mean of the variances that are left out."""
    kept = variances[:k]
    noise = max(trace - kept.sum(), 0.0) / (len(mean) - k)
    return LowRankNormal(mean, np.ascontiguousarray(directions[:, :k]), np.maximum(kept, noise), np.array(noise))


def _normal_of(model: Any) -> LowRankNormal:
    return model if isinstance(model, LowRankNormal) else model.normal
