"""What all layers share: shapes, the numbers they are made with, and the base that they derive from."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from jaxtyping import Array, Float

from landmass.arrays import on_device
from landmass.errors import SettingError
from landmass.types import Key, Tree

Shape = tuple[int, ...]
"""Of one event."""

Batch = Float[Array, "_units ..."]
"""As layers have it: the units of an event first, the events last, so that all loops run along the events."""


Events = Float[Array, "events ..."]
"""As everybody else has it: the events first."""


def laid(x: Events) -> Batch:
    """Events as layers have them: (events, height, width, channels) becomes (channels, height, width, events)."""
    return jnp.moveaxis(x, (-1, 0), (0, -1)) if x.ndim > 2 else x.T


def events_of(x: Batch) -> Events:
    """The events of a batch that is laid out as layers have it."""
    return jnp.moveaxis(x, (0, -1), (-1, 0)) if x.ndim > 2 else x.T


def shape_of(x: Batch) -> Shape:
    """The shape of one event of a batch."""
    return (*x.shape[1:-1], x.shape[0])


Make = Callable[..., Any]
"""Makes an array of a layer's numbers, or only says what it would be: see `Drawn` and `blank`."""


class Drawn:
    """Makes numbers.

    Args:
        rng: source of the random ones.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def __call__(self, value: float, shape: Shape, *, random: bool = False) -> Float[Array, "..."]:
        """Numbers that are all `value`, or random ones of that standard deviation."""
        numbers = value * self.rng.standard_normal(shape) if random else np.full(shape, value)
        return on_device(numbers, np.float32)


def blank(value: float, shape: Shape, *, random: bool = False) -> jax.ShapeDtypeStruct:
    """Says what numbers there would be, and takes no memory."""
    return jax.ShapeDtypeStruct(shape, np.float32)


class Layer(msgspec.Struct, frozen=True, tag_field="layer", forbid_unknown_fields=True):
    """Base of all layers."""

    def shape(self, shape: Shape) -> Shape:
        """What it makes of an event's shape.

        Raises:
            SettingError: it cannot take such events; says what would fit.
        """
        return shape

    def weights(self, shape: Shape, make: Make) -> Tree:
        """Fresh weights for events of a shape, made by `make`."""
        return {}

    def running(self, shape: Shape, make: Make) -> Tree:
        """Fresh running statistics: numbers that training keeps, and that no gradient moves."""
        return {}

    @abstractmethod
    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        """Pass a batch on.

        Args:
            weights: as `weights` gives them.
            running: as `running` gives them.
            x: the batch.
            key: source of noise in train mode; None is test mode.

        Returns:
            What comes out, and the running statistics after it.
        """


def he(make: Make, fan_in: int, shape: Shape, gain: float = 1.0) -> Any:
    """Normal numbers that keep the size of what passes through, half of it being cut off (He et al. 2015)."""
    return make(gain * math.sqrt(2.0 / max(fan_in, 1)), shape, random=True)


def column(numbers: Float[Array, " units"], x: Batch) -> Array:
    """A number for each unit, in as many axes as x has."""
    return numbers.reshape(-1, *[1] * (x.ndim - 1))


def plus(x: Batch, numbers: Float[Array, " units"]) -> Batch:
    """A number added to each unit."""
    return x + column(numbers, x)


def product(weight: Float[Array, "units outputs"], x: Batch) -> Batch:
    """Weighed sums of the units, at each place of each event."""
    return jnp.moveaxis(jnp.tensordot(x, weight, axes=(0, 0)), -1, 0)


def standardised(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    """Less the mean over some axes, over the standard deviation there."""
    centred = x - x.mean(axes, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(axes, keepdims=True) + epsilon)


def image_shape(layer: Layer, shape: Shape) -> Shape:
    """The shape of events that must be images."""
    if len(shape) != 3:
        name = type(layer).__name__
        raise SettingError(f"{name} needs images (height, width, channels), not events of shape {shape}")
    return shape
