"""Uniform box: the floor that every other density must beat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from landmass.core.capabilities import AbstractDensity
from landmass.core.distributions import Columnwise
from landmass.estimator.base import require
from landmass.estimator.density import EventKind, WeighsEvents
from landmass.estimator.learned import LearnedEstimator
from landmass.train.learner import Learner, fixed
from landmass.train.rows import Coordinates


@dataclass(kw_only=True, eq=False, repr=False)
class UniformBox(WeighsEvents, LearnedEstimator):
    """Uniform density on the sample space's bounds, or on the data's bounding box: the floor that all must beat.

    Of images it holds all alike: 8 bits a number.

    Args:
        margin: widening of each unbounded side, as a share of that column's range; None takes 1/n.
    """

    _reads_pieces: ClassVar[bool] = True
    _takes: ClassVar[frozenset[EventKind]] = frozenset({"row", "image"})

    margin: float | None = None

    def _learner(self, space: Any, z: Coordinates) -> Learner:
        return fixed(space.box(1.0 / z.total if self.margin is None else self.margin))

    def _empty(self, space: Any, sizes: Mapping[str, int]) -> AbstractDensity:
        return space.box(0.0)

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """`low` and `high`: the box's corners, in the units of the data, shape (columns,) each; of images none."""
        if not isinstance(self.model_, Columnwise):
            return {}
        corners = self.space_.inverse(np.stack([self.model_.low, self.model_.high]))
        return {"low": corners[0], "high": corners[1]}

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "margin", self.margin is None or 0.0 <= self.margin <= 1e4, "None or from 0 to 10000")
