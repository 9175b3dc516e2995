"""Independent: each column, or each number of an image, on its own, by how often it takes each of its values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, cast

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer, UInt8

from landmass.core.capabilities import AbstractDensity
from landmass.core.distributions import ByteFrequencies
from landmass.core.states import StateMixture, uniform
from landmass.data.pixels import PixelSpace
from landmass.data.states import StateSpace
from landmass.estimator.base import require
from landmass.estimator.density import EventKind, WeighsEvents
from landmass.estimator.questions import AnsweringEstimator
from landmass.estimator.states import LongEstimator
from landmass.train.learner import Learner, Selection, closed_form, in_order
from landmass.train.rows import Coordinates
from landmass.types import Scalar

# Events that each value, or state, is given besides those that it has, which are tried.
SMOOTHINGS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)


@dataclass(kw_only=True, eq=False, repr=False)
class Independent(WeighsEvents, LongEstimator, AnsweringEstimator):
    """The columns of a table, or the bytes of an image, as if none knew of the others: what every other must beat.

    Args:
        smoothing: events that each value of a byte, or state of a column, is given besides those that it has; None
            chooses on validation.
    """

    _takes: ClassVar[frozenset[EventKind]] = frozenset({"row", "table", "image"})

    smoothing: float | None = None

    def _learner(self, space: Any, z: Coordinates) -> Selection:
        return Selection(lambda: in_order(self._candidates(space), give_up=1), setting="smoothing")

    def _candidates(self, space: Any) -> Iterator[tuple[float, Learner]]:
        of_images = isinstance(space, PixelSpace)
        none = jnp.zeros((*space.image.shape, space.image.levels)) if of_images else uniform(space.layout)
        for smoothing in SMOOTHINGS if self.smoothing is None else (self.smoothing,):
            strength = jnp.float32(smoothing)
            if of_images:
                yield smoothing, closed_form(Counted(cast(Array, none), strength), _count, _frequencies)
            else:
                yield smoothing, _states(cast(StateMixture, none), strength)

    def _once(self, z: Coordinates) -> Learner:
        return _states(uniform(self.space_.layout), jnp.float32(self.chosen_))

    def _empty(self, space: Any, sizes: Mapping[str, int]) -> AbstractDensity:
        if isinstance(space, StateSpace):
            return uniform(space.layout)
        return ByteFrequencies(jnp.zeros((*space.image.shape, space.image.levels)))

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """`probabilities`: of each value of each number of an image, or of each state, column after column."""
        table = self.model_.tables[:, 0] if isinstance(self.space_, StateSpace) else self.model_.table
        return {"probabilities": np.exp(np.asarray(table, np.float64))}

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "smoothing", self.smoothing is None or self.smoothing > 0.0, "None or above 0")


class Counted(NamedTuple):
    """How often each number had each value, and what each is given besides."""

    counts: Float[Array, "height width channels levels"]
    smoothing: Scalar


def _count(seen: Counted, x: UInt8[Array, "block height width channels"], weight: Float[Array, " block"]) -> Counted:
    if seen.counts.shape[-1] == 2:
        # Pixels that are yet to be drawn count as often as they will be white.
        white = jnp.tensordot(weight, x.astype(jnp.float32) / 255.0, axes=1)
        counts = seen.counts + jnp.stack([weight.sum() - white, white], axis=-1)
        return Counted(counts, seen.smoothing)
    height, width, channels = jnp.indices(x.shape[1:], sparse=True)
    places = height[None], width[None], channels[None], x
    return Counted(seen.counts.at[places].add(weight[:, None, None, None]), seen.smoothing)


def _frequencies(seen: Counted) -> ByteFrequencies:
    counts = seen.counts + seen.smoothing
    return ByteFrequencies(jnp.log(counts) - jnp.log(counts.sum(-1, keepdims=True)))


class CountedStates(NamedTuple):
    """How often each state of each column was seen, what each is given besides, and a mixture of their layout."""

    counts: Float[Array, " states"]
    smoothing: Scalar
    shape: StateMixture


def _states(shape: StateMixture, smoothing: Scalar) -> Learner:
    return closed_form(_no_events(shape, smoothing), _count_states, _of_states)


def _no_events(shape: StateMixture, smoothing: Scalar) -> CountedStates:
    return CountedStates(jnp.zeros(shape.layout.total), smoothing, shape)


def _count_states(
    seen: CountedStates, x: Integer[Array, "block columns"], weight: Float[Array, " block"]
) -> CountedStates:
    return seen._replace(counts=seen.counts + weight @ seen.shape.layout.ones(x))


@eqx.filter_jit
def _of_states(seen: CountedStates) -> StateMixture:
    layout = seen.shape.layout
    counts = jnp.log(seen.counts + seen.smoothing)
    return StateMixture(seen.shape.log_weights, layout.log_softmax(counts)[:, None], layout)
