"""Estimators whose density is one model in one space, learned by the loop."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import equinox as eqx
import jax
import msgspec
import numpy as np
from jaxtyping import Float

from landmass.arrays import on_device
from landmass.core.capabilities import AbstractDensity, AbstractModel, Likelihood, likelihood
from landmass.core.distributions import Blend, Columnwise
from landmass.core.many import draw, log_prob
from landmass.data.binary import drawn
from landmass.data.dataset import Dataset, Weighted
from landmass.data.images import Images
from landmass.data.lines import LineSpace
from landmass.data.pieces import Pieces
from landmass.data.pixels import PixelSpace
from landmass.data.schema import Column
from landmass.data.space import Space
from landmass.data.states import StateSpace
from landmass.errors import StoreError
from landmass.estimator.base import GOLDEN_EVENTS, Estimator, require
from landmass.estimator.density import DensityEstimator
from landmass.store import parse_json, read_arrays, write_arrays
from landmass.train import loop
from landmass.train.checkpoint import NOWHERE, Checkpoint
from landmass.train.learner import Learner, Selection
from landmass.train.progress import Listener, Progress, silent
from landmass.train.rows import Block, Coordinates
from landmass.train.saved_directions import LatentNotes
from landmass.train.trees import filled, named_arrays
from landmass.train.weights import mixture_weights
from landmass.types import HostEvents, LogDensities, Precision

# A floor's share of the mass before validation has chosen it.
FLOOR = 0.01

# How far a floor reaches beyond the seen range of an unbounded column, as a share of that range, on each side.
FLOOR_MARGIN = 1.0


AnySpace = Space | PixelSpace | StateSpace | LineSpace
"""What stands between events and the numbers that a model sees."""

# What a manifest calls a model's space.
KINDS: Mapping[type, str] = {Space: "space", PixelSpace: "pixels", StateSpace: "states", LineSpace: "lines"}


class Model(msgspec.Struct, forbid_unknown_fields=True):
    """What the manifest says of a saved model.

    Args:
        space: the model's space, of columns.
        sizes: the sizes that settings and columns do not tell.
        sha256: of `weights.safetensors`.
        pixels: the model's space where events are images.
        states: the model's space where it sees rows as states.
        lines: the model's space where it sees numbers by their place among those of their column.
        latents: what has been found out about the latents of a model that has some.
    """

    space: Space | None
    sizes: dict[str, int]
    sha256: str
    pixels: PixelSpace | None = None
    states: StateSpace | None = None
    lines: LineSpace | None = None
    latents: LatentNotes | None = None


@dataclass(kw_only=True, eq=False, repr=False)
class LearnedEstimator(DensityEstimator, ABC):
    """A density that is one model in one space; families say only how it is learned."""

    # Which columns the family needs mapped onto the whole real line.
    _onto_line: ClassVar[Collection[type[Column]]] = ()

    # Of the coordinates that the family sees, and of its models' numbers: double where they are kept on the host.
    _precision: ClassVar[Precision] = np.float32

    @abstractmethod
    def _learner(self, space: Any, z: Coordinates) -> Learner | Selection:
        """How the family learns from training events `z`, given in the coordinates of `space`."""

    @abstractmethod
    def _empty(self, space: Any, sizes: Mapping[str, int]) -> AbstractModel:
        """A model of the fitted one's shape, its numbers of no matter."""

    def _sizes(self) -> dict[str, int]:
        """The sizes of the fitted model that settings and columns do not tell."""
        return {}

    @property
    def likelihood_(self) -> Likelihood:
        """How the log-densities are known: "exact" for every density."""
        return likelihood(self.model_)

    def breakpoints(self) -> list[Float[np.ndarray, " _"]]:
        """For each column, its bounds and the corners of all boxes."""
        leaves = jax.tree.leaves(self.model_, is_leaf=lambda leaf: isinstance(leaf, Columnwise))
        corners = [np.stack([leaf.low, leaf.high]) for leaf in leaves if isinstance(leaf, Columnwise)]
        corners = self.space_.inverse(np.concatenate([np.empty((0, self.n_features_in_)), *corners]))
        ends = [[end for end in (c.low, c.high) if np.isfinite(end)] for c in self.data_.schema.columns]
        return [np.concatenate(pair) for pair in zip(corners.T, ends, strict=True)]

    def _fit(self, train: Any, validation: Dataset | Images, listen: Listener, checkpoint: Checkpoint) -> None:
        self.space_: Any = self._fit_space(train)
        self._check_space(self.space_)
        settled = drawn(validation) if isinstance(validation, Images) else validation
        z, held_out = (coordinates(self.space_, part, self._precision) for part in (train, settled))
        listen(Progress("started"))
        try:
            learner = self._learner(self.space_, z)
            outcome = loop.run(learner, z, held_out, jax.random.key(self._seed()), listen, checkpoint)
        except loop.Diverged as error:
            self._keep(error.outcome, held_out)
            raise
        self._keep(outcome, held_out)

    def _fit_space(self, train: Any) -> AnySpace:
        """The space that a model sees training events in."""
        if isinstance(train, Images):
            return PixelSpace(train.schema)
        return Space.fit_blocks(train.schema, train.blocks(), self._onto_line)

    def refit(self, data: Dataset | Images | Pieces, checkpoint: Checkpoint = NOWHERE) -> None:
        chosen = self.fresh()
        if self.chosen_ is not None:
            chosen.set_params(**{self.selected_: self.chosen_})
        chosen.fit_parts(data, data.nothing(), silent, checkpoint)
        model = chosen.model_
        if isinstance(model, Blend) and isinstance(self.model_, Blend):
            model = eqx.tree_at(lambda b: b.log_weights, model, self.model_.log_weights)
        self.space_, self.model_ = chosen.space_, model

    def _keep(self, outcome: loop.Outcome, held_out: Coordinates) -> None:
        model = self._settle(outcome.model)
        if isinstance(model, Blend) and held_out.n:
            model = reweighted(model, *held_out.whole)
        self.model_: Any = model
        self.history_ = outcome.history
        self.selected_, self.chosen_ = outcome.selected, outcome.chosen

    def _log_prob(self, X: HostEvents) -> LogDensities:
        Z, log_det = self.space_.forward(X, self._precision)
        return log_prob(self.model_, Z) + log_det

    def _draw(self, n: int, random_state: np.random.RandomState) -> HostEvents:
        return self.space_.inverse(draw(self.model_, n, random_state))

    def _golden_events(self) -> HostEvents:
        return self.space_.golden(GOLDEN_EVENTS)

    def _golden_scores(self, events: HostEvents) -> LogDensities:
        return self._log_prob(self.space_.of_golden(events) if isinstance(self.space_, PixelSpace) else events)

    def _save(self, folder: Path) -> Model:
        sha256 = write_arrays(folder / "weights.safetensors", named_arrays(self.model_))
        spaces = {"space": None, KINDS[type(self.space_)]: self.space_}
        return Model(sizes=self._sizes(), sha256=sha256, **spaces)

    def _load(self, folder: Path, model: msgspec.Raw, load: Callable[[Path], Estimator]) -> None:
        saved = parse_json(model, Model, folder / "manifest.json")
        given = [each for each in (saved.space, saved.pixels, saved.states, saved.lines) if each is not None]
        self.space_ = space = given[0] if given else None
        if space is None or len(given) > 1:
            raise StoreError(f"{folder / 'manifest.json'} is not what landmass writes there: a model has one space")
        if space.schema != self.data_.schema or not space.complete:
            raise StoreError(f"{folder}: the model's columns are not the manifest's")
        arrays = read_arrays(folder / "weights.safetensors", saved.sha256)
        held = sum(array.size for array in arrays.values())
        try:
            if not all(0 < size <= held for size in saved.sizes.values()):
                raise ValueError(f"there are {held} numbers")
            empty = eqx.filter_eval_shape(self._empty, space, saved.sizes)
            if self._precision is np.float64:
                empty = jax.tree.map(lambda slot: jax.ShapeDtypeStruct(slot.shape, np.float64), empty)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise StoreError(f"{folder}: the saved sizes {saved.sizes} do not make a model: {error}") from error
        self.model_, self.history_ = filled(empty, arrays, folder), ()
        self.selected_, self.chosen_ = "", None
        if saved.latents is not None:
            self._load_notes(folder, saved.latents)

    def _load_notes(self, folder: Path, notes: LatentNotes) -> None:
        """Read what is known of latents; families that have some extend it."""
        raise StoreError(f"{folder}: the manifest tells of latents, and {type(self).__name__} has none")

    def _check_space(self, space: Any) -> None:
        """Refuse settings that do not go with the columns; families extend it."""

    def _settle(self, model: Any) -> AbstractModel:
        """A last look at a fitted model: families refuse what is no density, and drop what is not needed."""
        return model


@dataclass(kw_only=True, eq=False, repr=False)
class SelectingEstimator(LearnedEstimator, ABC):
    """A family that chooses something on a validation part.

    Args:
        validation_fraction: share of the events that `fit` keeps aside to choose by.
        random_state: seed of the split and of everything else that is random; None draws one.
    """

    _validates: ClassVar[bool] = True

    validation_fraction: float = 0.1
    random_state: int | None = None

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "validation_fraction", 0.0 < self.validation_fraction < 1.0, "between 0 and 1")


def floored(density: AbstractDensity, box: Columnwise) -> Blend:
    """A density with a small uniform component, so that no event of the box is almost impossible."""
    return Blend(on_device(np.log([1.0 - FLOOR, FLOOR]), np.float32), (density, box))


def reweighted(blend: Blend, z: Float[np.ndarray, "held_out columns"], weight: Float[np.ndarray, " held_out"]) -> Blend:
    """The same parts, with the weights that held-out events choose."""
    parts = np.column_stack([log_prob(part, z) for part in blend.parts])
    log_weights = np.log(mixture_weights(parts, weight)).astype(np.float32)
    return eqx.tree_at(lambda b: b.log_weights, blend, on_device(log_weights))


def coordinates(space: Any, data: Dataset | Images | Pieces, precision: Precision = np.float32) -> Coordinates:
    """Events in the coordinates of a space: at hand where the data is in memory, read anew at each pass where not."""
    if not isinstance(data, Pieces):
        z, log_det = space.forward(data.X, precision)
        return Coordinates.of(z, data.weight, log_det=log_det)

    def seen(blocks: Iterator[Weighted]) -> Iterator[Block]:
        return ((space.forward(X, precision)[0], weight) for X, weight in blocks)

    return Coordinates(
        lambda: seen(data.blocks()),
        data.n,
        data.total,
        len(space),
        shuffled=lambda seed, reading: seen(data.shuffled(seed, reading)),
    )
