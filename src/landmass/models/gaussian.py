"""Gaussian: one bell with a full covariance."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from landmass.core.capabilities import AbstractDensity
from landmass.core.distributions import Normal
from landmass.core.moments import Moments, add_block, no_moments
from landmass.data.schema import Column
from landmass.data.space import EVERY_BOUND, Space
from landmass.errors import DataError
from landmass.estimator.base import require
from landmass.estimator.density import WeighsEvents
from landmass.estimator.learned import LearnedEstimator
from landmass.train.learner import Learner, closed_form
from landmass.train.rows import Coordinates

# A column whose spread, given the columns before it, is below this share of its own is called dependent:
# the model's float32 cannot tell such a spread from zero.
SMALLEST_SPREAD = 1e-3


@dataclass(kw_only=True, eq=False, repr=False)
class Gaussian(WeighsEvents, LearnedEstimator):
    """Normal density with the maximum-likelihood mean and full covariance.

    Positive columns are normal in their logarithm, bounded and circular ones in their probit, so that no mass
    lies outside the sample space.

    Args:
        shrinkage: share by which columns' covariances are drawn towards zero, from 0 to 1; above 0 there may be fewer
            rows than columns.
    """

    _onto_line: ClassVar[Collection[type[Column]]] = EVERY_BOUND
    _reads_pieces: ClassVar[bool] = True

    shrinkage: float = 0.0

    def _learner(self, space: Space, z: Coordinates) -> Learner:
        self._check_independent(z)
        return closed_form(no_moments(len(space)), add_block, partial(_normal, self.shrinkage))

    def _empty(self, space: Space, sizes: Mapping[str, int]) -> AbstractDensity:
        return Normal(jnp.zeros(len(space)), jnp.zeros((len(space), len(space))))

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """`mean` and `covariance`, in the units of the data for real columns, of their map for the others."""
        model, space = self.model_, self.space_
        real = np.array(space.maps) == "affine"
        loc, scale = np.where(real, space.loc, 0.0), np.where(real, space.scale, 1.0)
        factor = scale[:, None] * np.asarray(model.factor, np.float64)
        return {"mean": loc + scale * np.asarray(model.mean, np.float64), "covariance": factor @ factor.T}

    @property
    def n_parameters_(self) -> int:
        """Means and distinct covariances."""
        columns = self.n_features_in_
        return columns + columns * (columns + 1) // 2

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "shrinkage", 0.0 <= self.shrinkage <= 1.0, "between 0 and 1")

    def _check_independent(self, z: Coordinates) -> None:
        # In float64, which tells a dependent column from one that is nearly so; the small term lets the factor exist.
        first, second = np.zeros(z.columns), np.zeros((z.columns, z.columns))
        for block, weight in z.blocks():
            events = block.astype(np.float64)
            first, second = first + weight @ events, second + (events * weight[:, None]).T @ events
        covariance = _shrunk(second / z.total - np.outer(first, first) / z.total**2, self.shrinkage)
        spread = np.diagonal(np.linalg.cholesky(covariance + 1e-9 * np.eye(z.columns)))
        for name, share in zip(self.space_.schema.names, spread, strict=True):
            if share < SMALLEST_SPREAD:
                raise DataError(
                    f"column {name!r} is a linear combination of the columns before it (to within {share:.1g} of its "
                    "spread), or there are fewer rows than columns: a full covariance is singular; drop the column, "
                    "or set shrinkage above 0"
                )


def _normal(shrinkage: float, moments: Moments) -> Normal:
    return Normal(moments.mean, jnp.linalg.cholesky(_shrunk(moments.scatter / moments.weight, shrinkage)))


def _shrunk(covariance: Any, shrinkage: float) -> Any:
    """A covariance, on host or device, with a share of what is off its diagonal taken away."""
    return covariance * (1.0 - shrinkage * (1.0 - np.eye(len(covariance), dtype=covariance.dtype)))
