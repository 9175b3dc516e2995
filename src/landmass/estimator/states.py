"""Estimators that see rows of any columns as states."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import numpy as np
from jaxtyping import Float
from sklearn.utils import Tags

from landmass.core.many import draw, log_prob
from landmass.core.states import Layout
from landmass.data.dataset import Dataset
from landmass.data.door import read as read_any
from landmass.data.images import Images
from landmass.data.pieces import Pieces
from landmass.data.pixels import PixelSpace
from landmass.data.read import read
from landmass.data.states import StateSpace
from landmass.estimator.base import require
from landmass.estimator.density import EventKind
from landmass.estimator.learned import AnySpace, SelectingEstimator, coordinates
from landmass.train import loop
from landmass.train.checkpoint import NOWHERE, Checkpoint
from landmass.train.learner import Learner
from landmass.train.progress import Listener
from landmass.train.rows import Coordinates
from landmass.types import HostEvents

# Of more rows so many random ones cut the columns, and choose settings.
MOST_AT_HAND = 100_000


@dataclass(kw_only=True, eq=False, repr=False)
class StatesEstimator(SelectingEstimator, ABC):
    """A density of rows of any columns, by how their states go together.

    Args:
        cells: how many cells each column of numbers is cut into; None takes four times the cube root of the events'
            number, from 8 to 96, and fewer of many columns.
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

    def _fit_space(self, train: Any) -> AnySpace:
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


@dataclass(kw_only=True, eq=False, repr=False)
class LongEstimator(StatesEstimator, ABC):
    """Mixed in where rows may be very many, in memory or in pieces.

    Of more than 100,000 rows so many random ones cut the columns and choose the settings; then all are read once.
    """

    _reads_pieces: ClassVar[bool] = True

    @abstractmethod
    def _once(self, z: Coordinates) -> Learner:
        """A learner that starts at the fitted model and reads all events once."""

    def _fit(self, train: Any, validation: Dataset | Images, listen: Listener, checkpoint: Checkpoint) -> None:
        if isinstance(train, Dataset) and len(train) > MOST_AT_HAND:
            train = Pieces.of(train)
        sample = train.some(MOST_AT_HAND, self._seed()) if isinstance(train, Pieces) else train
        super()._fit(sample, validation, listen, checkpoint)
        if not isinstance(train, Pieces) or len(sample) == train.n:
            return
        z, held_out, nothing = (coordinates(self.space_, part) for part in (train, validation, train.nothing()))
        learner = replace(self._once(z), patience=None)
        # Another seed than that of the sample.
        key = jax.random.key(self._seed() + 1)
        model: Any = self._settle(loop.run(learner, z, nothing, key, listen, checkpoint.inside("all")).model)
        codes, weight = held_out.whole
        if not len(codes) or weight @ log_prob(model, codes) > weight @ log_prob(self.model_, codes):
            self.model_ = model

    def refit(self, data: Any, checkpoint: Checkpoint = NOWHERE) -> None:
        # Where all events were read, those kept to choose by tell little more.
        if (data.n if isinstance(data, Pieces) else len(data)) <= MOST_AT_HAND:
            super().refit(data.some(MOST_AT_HAND, 0) if isinstance(data, Pieces) else data, checkpoint)


def counted(layout: Layout, z: Coordinates) -> Float[np.ndarray, " states"]:
    """How often events are in each state.

    Args:
        layout: how many states each column has.
        z: the events' states, or cells that begin with them.
    """
    counts = np.zeros(layout.total)
    for cells, weight in z.blocks():
        codes = cells if cells.ndim == 2 else cells[..., 0].astype(np.int32)
        for start, column in zip(layout.starts, codes.T, strict=True):
            counts[start:] += np.bincount(column, weight, layout.total - start)
    return counts
