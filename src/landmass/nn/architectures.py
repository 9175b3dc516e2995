"""Architectures by name: layers for events of a shape."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from landmass.errors import SettingError
from landmass.nn.base import Layer, Shape
from landmass.nn.layers import Activation, BatchNorm, Conv, Dense, Dropout, GlobalMean, Ignore, Waves
from landmass.nn.network import AnyLayer, Residual
from landmass.nn.shaping import Crop, Flatten, PixelShuffle, Reshape

# Numbers a part of an event that a layer gives by itself, and numbers that more are made of.
MANY_NUMBERS, FEATURES = 16, 8


class Sizes(NamedTuple):
    """What an architecture leaves open.

    Args:
        hidden: units of each hidden layer of `mlp`; channels of the first layers of `cnn` and `resnet`.
        depth: hidden layers of `mlp`; blocks of `cnn` and `resnet`, each half as large and twice as deep as the last.
        activation: between the layers.
        batch_norm: whether to normalise before each activation.
        dropout: chance of a number before the last layer (in `mlp` before each) to be dropped in training.
        waves: cosines by which `mlp` sees each rank.
        ranks: how many of the last numbers of an event are ranks.
    """

    hidden: int
    depth: int
    activation: Activation
    batch_norm: bool
    dropout: float
    waves: int
    ranks: int

    @classmethod
    def suiting(cls, name: str, shape: Shape, given: Mapping[str, Any]) -> "Sizes":
        """Sizes as given, and what suits an architecture and events of a shape where they are None.

        Args:
            name: of the architecture.
            shape: of one event.
            given: the sizes by name, and whatever else.
        """
        if name in ("cnn", "resnet"):
            depth = min(3, halvings_of(shape)) if len(shape) == 3 else 3
            usual = {"hidden": 16, "depth": max(depth, 1), "batch_norm": True, "waves": 0, "ranks": 0}
        else:
            usual = {"hidden": 64, "depth": 2, "batch_norm": False, "waves": 16, "ranks": 0}
        chosen = usual | {size: given[size] for size in usual if given.get(size) is not None}
        return cls(activation=given["activation"], dropout=given["dropout"], **chosen)

    @property
    def between(self) -> list[AnyLayer]:
        """What follows a product."""
        return [BatchNorm(), self.activation] if self.batch_norm else [self.activation]

    @property
    def dropped(self) -> list[AnyLayer]:
        """What precedes the last product."""
        return [Dropout(self.dropout)] if self.dropout > 0.0 else []

    def conv(self, channels: int, stride: int = 1) -> list[AnyLayer]:
        """A convolution and what follows it."""
        return [Conv(channels, stride=stride, bias=not self.batch_norm), *self.between]


def by_name(name: str | None, shape: Shape, outputs: int, given: Mapping[str, Any]) -> tuple[Layer, ...]:
    """The layers of an architecture.

    Args:
        name: a key of `ARCHITECTURES`; None takes `cnn` for images and `mlp` for others.
        shape: of one event.
        outputs: numbers that come out.
        given: `Sizes` by name, and whatever else; see `Sizes.suiting`.
    """
    name = name or ("cnn" if len(shape) == 3 else "mlp")
    # Before it has learned, a network says nearly the same of every event.
    return (*ARCHITECTURES[name](shape, Sizes.suiting(name, shape, given)), Dense(outputs, gain=0.1))


def decoder_by_name(name: str, shape: Shape, numbers: int, given: Mapping[str, Any]) -> tuple[Layer, ...]:
    """The layers from a code back to an event, an architecture's mirror image.

    Args:
        name: `linear`, `mlp` or `cnn`.
        shape: of one event.
        numbers: that come out for each part of an event.
        given: as in `by_name`.
    """
    sizes = Sizes.suiting(name, shape, given)
    if name == "cnn":
        return (*_enlarging(shape, sizes), Dense(shape[-1] * numbers, gain=0.1))
    hidden = [] if name == "linear" else _mlp((1,), sizes)
    if numbers <= MANY_NUMBERS:
        return (*hidden, Dense(math.prod(shape) * numbers, gain=0.1))
    # So many numbers a part are made of a few, alike for all parts.
    few = Dense(math.prod(shape) * FEATURES), Reshape((math.prod(shape), FEATURES)), sizes.activation
    return (*hidden, *few, Dense(numbers, gain=0.1))


def _enlarging(shape: Shape, sizes: Sizes) -> list[AnyLayer]:
    """From a code to an image of as many channels as the first layer of `cnn` has, twice as large block by block."""
    if len(shape) != 3:
        raise SettingError(f"a cnn needs images (height, width, channels), not events of shape {shape}; take mlp")
    _check_halvings(shape, sizes.depth)
    sides = [shape[:2]]
    for _ in range(sizes.depth):
        sides.append((-(-sides[-1][0] // 2), -(-sides[-1][1] // 2)))
    channels = [sizes.hidden * 2 ** max(block, 0) for block in range(-1, sizes.depth)]
    *larger, (height, width) = sides
    layers: list[AnyLayer] = [Dense(height * width * channels[-1]), Reshape((height, width, channels[-1]))]
    layers += sizes.between
    for (high, wide), now in zip(reversed(larger), reversed(channels[:-1]), strict=True):
        layers += [Conv(4 * now, bias=not sizes.batch_norm), PixelShuffle(), Crop(high, wide), *sizes.between]
    return [*layers, *sizes.conv(sizes.hidden), *sizes.dropped]


def _constant(shape: Shape, sizes: Sizes) -> list[AnyLayer]:
    return [Ignore()]


def _linear(shape: Shape, sizes: Sizes) -> list[AnyLayer]:
    return [Flatten()] if len(shape) > 1 else []


def _mlp(shape: Shape, sizes: Sizes) -> list[AnyLayer]:
    layers: list[AnyLayer] = [Flatten()] if len(shape) > 1 else []
    if sizes.waves and sizes.ranks:
        layers.append(Waves(sizes.waves, last=sizes.ranks))
    for _ in range(sizes.depth):
        layers += [Dense(sizes.hidden), *sizes.between, *sizes.dropped]
    return layers


def _check_halvings(shape: Shape, halvings: int) -> None:
    """Refuse to halve an image more often than it has pixels for."""
    if len(shape) == 3 and (most := halvings_of(shape)) < halvings:
        raise SettingError(
            f"images of {shape[0]}×{shape[1]} pixels can be halved {most} times, and this depth halves them {halvings} "
            "times; give a smaller depth, or larger images"
        )


def halvings_of(shape: Shape) -> int:
    """How often an image can be halved until one side is a single pixel."""
    return min(shape[:2]).bit_length() - 1


def _cnn(shape: Shape, sizes: Sizes) -> list[AnyLayer]:
    _check_halvings(shape, sizes.depth)
    layers: list[AnyLayer] = []
    for block in range(sizes.depth):
        layers += [*sizes.conv(sizes.hidden * 2**block), *sizes.conv(sizes.hidden * 2**block, stride=2)]
    return [*layers, Flatten(), *sizes.dropped]


def _resnet(shape: Shape, sizes: Sizes) -> list[AnyLayer]:
    _check_halvings(shape, sizes.depth - 1)
    layers = sizes.conv(sizes.hidden)
    for block in range(sizes.depth):
        channels = sizes.hidden * 2**block
        for stride in (1 if block == 0 else 2, 1):
            last = Conv(channels, bias=not sizes.batch_norm)
            inside = (*sizes.conv(channels, stride), last, *([BatchNorm()] if sizes.batch_norm else []))
            layers += [Residual(inside), sizes.activation]
    return [*layers, GlobalMean(), *sizes.dropped]


ARCHITECTURES: dict[str, Callable[[Shape, Sizes], list[AnyLayer]]] = {
    "constant": _constant,
    "linear": _linear,
    "mlp": _mlp,
    "cnn": _cnn,
    "resnet": _resnet,
}
"""Name -> maker of the layers before the last; `by_name` adds that one."""
