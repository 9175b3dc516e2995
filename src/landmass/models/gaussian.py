"""Gaussian: one bell with a full covariance."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landmass.core.capabilities import AbstractDensity
from landmass.core.distributions import Normal
from landmass.core.moments import Moments, add_block, no_moments
from landmass.data.schema import Column
from landmass.data.space import EVERY_BOUND, Space
from landmass.errors import DataError
from landmass.estimator.learned import LearnedEstimator
from landmass.train.learner import Learner, closed_form

# A column whose spread, given the columns before it, is below this share of its own is called dependent:
# the model's float32 cannot tell such a spread from zero.
SMALLEST_SPREAD = 1e-3


@dataclass(kw_only=True, eq=False, repr=False)
class Gaussian(LearnedEstimator):
    """Normal density with the maximum-likelihood mean and full covariance.

    Positive columns are normal in their logarithm, bounded and circular ones in their probit, so that no mass
    lies outside the sample space.
    """

    _onto_line: ClassVar[Collection[type[Column]]] = EVERY_BOUND

    def _learner(self, space: Space, z: Float[Array, "events columns"]) -> Learner:
        self._check_independent(np.asarray(z, np.float64))
        return closed_form(no_moments, add_block, _normal)

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

    def _check_independent(self, z: Float[np.ndarray, "events columns"]) -> None:
        # In float64, which tells a dependent column from one that is nearly so; the small term lets the factor exist.
        covariance = np.cov(z.T, bias=True).reshape(z.shape[1], z.shape[1])
        spread = np.diagonal(np.linalg.cholesky(covariance + 1e-9 * np.eye(z.shape[1])))
        for name, share in zip(self.space_.schema.names, spread, strict=True):
            if share < SMALLEST_SPREAD:
                raise DataError(
                    f"column {name!r} is a linear combination of the columns before it (to within {share:.1g} of its "
                    "spread), or there are fewer rows than columns: a full covariance is singular; drop the column"
                )


def _normal(moments: Moments) -> Normal:
    return Normal(moments.mean, jnp.linalg.cholesky(moments.scatter / moments.weight))
