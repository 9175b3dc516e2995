"""Network: layers in a row with their numbers, in train mode and in test mode."""

from collections.abc import Iterable, Sequence
from typing import Self

import equinox as eqx
import jax
import numpy as np

from landmass.errors import SettingError
from landmass.nn.base import Batch, Events, Layer, Make, Shape, events_of, laid, shape_of
from landmass.nn.layers import (
    Activation,
    Attention,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    GlobalMean,
    GroupNorm,
    Ignore,
    LayerNorm,
    Pool,
    Standardise,
    Waves,
)
from landmass.nn.shaping import Crop, Flatten, PixelShuffle, Reshape
from landmass.types import Key, Tree


class Residual(Layer, frozen=True, tag="residual"):
    """What some layers give, added to what they were given; through a weighed sum where the shapes differ.

    Args:
        layers: which ones.

    Source: He, Zhang, Ren & Sun 2016.
    """

    layers: "tuple[AnyLayer, ...]"

    def shape(self, shape: Shape) -> Shape:
        out = shapes(self.layers, shape)[-1]
        self._past(shape, out)
        return out

    def weights(self, shape: Shape, make: Make) -> Tree:
        inside = fresh_weights(self.layers, shape, make)
        past = self._past(shape, self.shape(shape))
        return {"inside": inside} | ({} if past is None else {"past": past.weights(shape, make)})

    def running(self, shape: Shape, make: Make) -> Tree:
        return fresh_running(self.layers, shape, make)

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        found, running = through(self.layers, weights["inside"], running, x, key)
        return self.joined(weights, x, found), running

    def joined(self, weights: Tree, x: Batch, found: Batch) -> Batch:
        """What its layers gave, added to what they were given."""
        past = self._past(shape_of(x), shape_of(found))
        return found + (x if past is None else past(weights["past"], {}, x, None)[0])

    def _past(self, shape: Shape, out: Shape) -> Layer | None:
        """What makes the input as large as the output; None where it is."""
        if out == shape:
            return None
        if len(out) == len(shape) == 3:
            past = Conv(out[-1], kernel=1, stride=round(shape[0] / out[0]), bias=False)
            if past.shape(shape) == out:
                return past
        elif len(out) == len(shape) and out[:-1] == shape[:-1]:
            return Dense(out[-1])
        raise SettingError(f"a residual's layers make {out} of {shape}, which cannot be added; keep all but the last")


AnyLayer = (
    Standardise
    | Waves
    | Dense
    | Conv
    | BatchNorm
    | LayerNorm
    | GroupNorm
    | Dropout
    | Activation
    | Pool
    | GlobalMean
    | Flatten
    | Reshape
    | Crop
    | Ignore
    | PixelShuffle
    | Attention
    | Residual
)
"""All layers, told apart by their tags in JSON."""


# Compiling a network takes time for each layer, those within others counted.
MOST_LAYERS = 500


class Running(eqx.Module):
    """Marks numbers that training keeps and that no gradient moves.

    Args:
        numbers: the nest of them.
    """

    numbers: Tree


class Network(eqx.Module):
    """Layers in a row, for events of one shape.

    Args:
        weights: what each layer has learned.
        running: the running statistics of each.
        layers: what they are.
        inputs: the shape of one event.
    """

    weights: tuple[Tree, ...]
    running: Running
    layers: tuple[Layer, ...] = eqx.field(static=True)
    inputs: Shape = eqx.field(static=True)

    @classmethod
    def fresh(cls, layers: Sequence[Layer], inputs: Shape, make: Make) -> Self:
        """A network with fresh numbers.

        Args:
            layers: from the events to the output.
            inputs: the shape of one event.
            make: makes its numbers: `Drawn(rng)`, or `blank` for their shapes alone.

        Raises:
            SettingError: a layer cannot take what the one before gives; says which. Or there are too many.
        """
        if (many := count(layers)) > MOST_LAYERS:
            raise SettingError(f"a network of {many} layers would take too long to compile; give at most {MOST_LAYERS}")
        weights = fresh_weights(layers, inputs, make)
        return cls(weights, Running(fresh_running(layers, inputs, make)), tuple(layers), inputs)

    def __call__(self, x: Events) -> Events:
        """What comes out in test mode: each event's output is its own."""
        return events_of(through(self.layers, self.weights, self.running.numbers, laid(x), None)[0])

    def train(self, x: Events, key: Key) -> tuple[Events, Self]:
        """What comes out in train mode, and the network with its running statistics after the batch."""
        found, running = through(self.layers, self.weights, self.running.numbers, laid(x), key)
        return events_of(found), eqx.tree_at(lambda network: network.running.numbers, self, running)

    def table(self) -> list[tuple[str, Shape, int]]:
        """Each layer's name, the shape that comes out of it, and how many numbers it has learned."""
        after = shapes(self.layers, self.inputs)[1:]
        learned = [sum(np.size(leaf) for leaf in jax.tree.leaves(each)) for each in self.weights]
        return list(zip(names(self.layers), after, learned, strict=True))

    def __str__(self) -> str:
        rows = [(name, "×".join(map(str, shape)), f"{count:,}") for name, shape, count in self.table()]
        rows = [("layer", "output", "parameters"), ("input", "×".join(map(str, self.inputs)), ""), *rows]
        rows.append(("in all", "", f"{sum(count for *_, count in self.table()):,}"))
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(f"{a:<{wide[0]}}  {b:<{wide[1]}}  {c:>{wide[2]}}".rstrip() for a, b, c in rows)


def names(layers: Sequence[Layer]) -> list[str]:
    """What each layer is called: its kind, and which of its kind it is."""
    seen: dict[str, int] = {}
    for kind in (kinds := [_kind(layer) for layer in layers]):
        seen[kind] = seen.get(kind, 0) + 1
    count = dict.fromkeys(seen, 0)
    found = []
    for kind in kinds:
        count[kind] += 1
        found.append(f"{kind}_{count[kind]}")
    return found


def count(layers: Sequence[Layer]) -> int:
    """How many layers there are, those within others counted too."""
    return sum(1 + (count(layer.layers) if isinstance(layer, Residual) else 0) for layer in layers)


def shapes(layers: Sequence[Layer], shape: Shape) -> list[Shape]:
    """The shape of an event before the first layer and after each.

    Raises:
        SettingError: a layer cannot take what the one before gives.
    """
    found = [shape]
    for name, layer in zip(names(layers), layers, strict=True):
        try:
            found.append(layer.shape(found[-1]))
        except SettingError as error:
            raise SettingError(f"layer {name}: {error}") from error
    return found


def fresh_weights(layers: Sequence[Layer], shape: Shape, make: Make) -> tuple[Tree, ...]:
    """Random weights of layers in a row."""
    return tuple(layer.weights(each, make) for layer, each in zip(layers, shapes(layers, shape), strict=False))


def fresh_running(layers: Sequence[Layer], shape: Shape, make: Make) -> tuple[Tree, ...]:
    """Running statistics of layers in a row, before any batch."""
    return tuple(layer.running(each, make) for layer, each in zip(layers, shapes(layers, shape), strict=False))


def through(
    layers: Sequence[Layer], weights: Sequence[Tree], running: Sequence[Tree], x: Batch, key: Key | None
) -> tuple[Batch, tuple[Tree, ...]]:
    """What comes out of the last layer in a row, and the running statistics of all; key None is test mode."""
    keys = keys_of(layers, key)
    fresh: list[Tree] = []
    for layer, numbers, statistics, noise in zip(layers, weights, running, keys, strict=True):
        x, after = layer(numbers, statistics, x, noise)
        fresh.append(after)
    return x, tuple(fresh)


def keys_of(layers: Sequence[Layer], key: Key | None) -> Iterable[Key | None]:
    """Each layer's source of noise; None in test mode."""
    return [None] * len(layers) if key is None else jax.random.split(key, len(layers))


def _kind(layer: Layer) -> str:
    return layer.kind if isinstance(layer, Activation) else str(layer.__struct_config__.tag)
