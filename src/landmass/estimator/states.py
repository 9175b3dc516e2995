"""Estimators that see rows of any columns as states."""

from abc import ABC
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from sklearn.utils import Tags

from landmass.core.many import draw
from landmass.core.states import Layout
from landmass.data.dataset import Dataset
from landmass.data.door import read as read_any
from landmass.data.images import Images
from landmass.data.pixels import PixelSpace
from landmass.data.read import read
from landmass.data.states import StateSpace
from landmass.estimator.base import require
from landmass.estimator.density import EventKind
from landmass.estimator.learned import SelectingEstimator
from landmass.train.rows import Coordinates
from landmass.types import HostEvents


@dataclass(kw_only=True, eq=False, repr=False)
class StatesEstimator(SelectingEstimator, ABC):
    """A density of rows of any columns, by how their states go together.

    Args:
        cells: how many cells each column of numbers is cut into; None takes two times the cube root of the events'
            number, from 8 to 96.
    """

    _takes: ClassVar[frozenset[EventKind]] = frozenset({"row", "table"})

    cells: int | None = None

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def breakpoints(self) -> list[Float[np.ndarray, " _"]]:
        """For each column, its bounds, and the ends of its cells."""
        ends = [[end for end in (c.low, c.high) if np.isfinite(end)] for c in self.data_.schema.columns]
        return [np.concatenate(pair) for pair in zip(self.space_.breakpoints(), ends, strict=True)]

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "cells", self.cells is None or 2 <= self.cells <= 1000, "None or from 2 to 1000")

    def _fit_space(self, train: Any) -> StateSpace | PixelSpace:
        if isinstance(train, Images):
            return PixelSpace(train.schema)
        return StateSpace.fit(train.schema, train.blocks(), self.cells)

    def _draw(self, n: int, random_state: np.random.RandomState) -> HostEvents:
        drawn = draw(self.model_, n, random_state)
        if isinstance(self.space_, PixelSpace):
            return self.space_.inverse(drawn)
        return self.space_.inverse(drawn, random_state)

    def _read(self, X: Any) -> Dataset | Images:
        return read_any(X, find=True) if "image" in self._takes else read(X, find=True)


def counted(layout: Layout, z: Coordinates) -> Float[np.ndarray, " states"]:
    """How often events are in each state.

    Args:
        layout: how many states each column has.
        z: the events' states.
    """
    counts = np.zeros(layout.total)
    for codes, weight in z.blocks():
        for start, column in zip(layout.starts, codes.T, strict=True):
            counts[start:] += np.bincount(column, weight, layout.total - start)
    return counts
