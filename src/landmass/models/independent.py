"""Independent: each number of an image on its own, by how often it takes each of its values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from landmass.core.capabilities import AbstractDensity
from landmass.core.distributions import ByteFrequencies
from landmass.estimator.base import require
from landmass.estimator.density import EventKind
from landmass.estimator.learned import SelectingEstimator
from landmass.train.learner import Learner, Selection, closed_form, in_order
from landmass.train.rows import Coordinates
from landmass.types import Scalar

# Events that each value is given besides those that it has, which are tried.
SMOOTHINGS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)


@dataclass(kw_only=True, eq=False, repr=False)
class Independent(SelectingEstimator):
    """The bytes of an image as if none knew of the others: what every model of images must beat.

    Args:
        smoothing: events that each of the 256 values is given besides those that it has; None chooses on validation.
    """

    _takes: ClassVar[frozenset[EventKind]] = frozenset({"image"})

    smoothing: float | None = None

    def _learner(self, space: Any, z: Coordinates) -> Selection:
        return Selection(lambda: in_order(self._candidates(space), give_up=1), setting="smoothing")

    def _candidates(self, space: Any) -> Iterator[tuple[float, Learner]]:
        none = jnp.zeros((*space.image.shape, space.image.levels))
        for smoothing in SMOOTHINGS if self.smoothing is None else (self.smoothing,):
            yield smoothing, closed_form(Counted(none, jnp.float32(smoothing)), _count, _frequencies)

    def _empty(self, space: Any, sizes: Mapping[str, int]) -> AbstractDensity:
        return ByteFrequencies(jnp.zeros((*space.image.shape, space.image.levels)))

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """`probabilities`: of each value of each number, shape (height, width, channels, levels)."""
        return {"probabilities": np.exp(np.asarray(self.model_.table, np.float64))}

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
