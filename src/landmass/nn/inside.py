"""Inside a network: what each layer is given and gives, those within others among them, and numbers that tell of it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax.numpy as jnp

from landmass.nn.base import Batch, Events, Layer, laid
from landmass.nn.layers import Activation, BatchNorm
from landmass.nn.network import Network, Residual, keys_of, names
from landmass.types import Key, Scalar, Tree

# A unit whose outputs differ between events by no more than this share of the layer's root mean square is dead.
DEAD = 1e-6


class Passed(NamedTuple):
    """A batch's way through one layer, laid out as layers have it.

    Args:
        name: of the layer; one within another has a dotted name, as `residual_1.conv_2`.
        layer: what it is.
        running: its running statistics before the batch.
        given: what it took.
        gave: what came out.
    """

    name: str
    layer: Layer
    running: Tree
    given: Batch
    gave: Batch


class Told(NamedTuple):
    """A layer's activations in a few numbers; NaN where a number says nothing of its kind of layer.

    Args:
        mean: over all events and units.
        variance: over all events and units.
        dead: share of an activation's units that give all events the same.
        gap: of batch norm: how far a unit's running mean is from the batch's, in the batch's standard deviations; of
            the worst unit.
        ratio: of batch norm: a unit's running variance over the batch's; of the unit where it is farthest from 1.
    """

    mean: Scalar
    variance: Scalar
    dead: Scalar
    gap: Scalar
    ratio: Scalar


def passes(network: Network, x: Events, key: Key | None) -> list[Passed]:
    """A batch's way through all layers, in order; a residual follows the layers within it.

    Args:
        network: which one.
        x: the events.
        key: source of noise in train mode; None is test mode.
    """
    return list(_row(network.layers, network.weights, network.running.numbers, laid(x), key, ""))


def _row(
    layers: Sequence[Layer], weights: Sequence[Tree], running: Sequence[Tree], x: Batch, key: Key | None, above: str
) -> Iterator[Passed]:
    parts = zip(names(layers), layers, weights, running, keys_of(layers, key), strict=True)
    for name, layer, numbers, statistics, noise in parts:
        if isinstance(layer, Residual):
            within = list(_row(layer.layers, numbers["inside"], statistics, x, noise, f"{above}{name}."))
            yield from within
            gave = layer.joined(numbers, x, within[-1].gave if within else x)
        else:
            gave = layer(numbers, statistics, x, noise)[0]
        yield Passed(above + name, layer, statistics, x, gave)
        x = gave


def weights_of(network: Network) -> list[tuple[str, Tree]]:
    """Each layer's name and its own weights, in the order of `passes`; a residual's own are those of its shortcut."""
    return list(_weights(network.layers, network.weights, ""))


def _weights(layers: Sequence[Layer], weights: Sequence[Tree], above: str) -> Iterator[tuple[str, Tree]]:
    for name, layer, numbers in zip(names(layers), layers, weights, strict=True):
        if isinstance(layer, Residual):
            yield from _weights(layer.layers, numbers["inside"], f"{above}{name}.")
            yield above + name, numbers.get("past", {})
        else:
            yield above + name, numbers


def tell(passed: Passed) -> Told:
    """A layer's activations in a few numbers."""
    nothing = jnp.full((), jnp.nan)
    dead = share_of_dead(passed.gave) if isinstance(passed.layer, Activation) else nothing
    gap, ratio = drift(passed) if isinstance(passed.layer, BatchNorm) else (nothing, nothing)
    return Told(passed.gave.mean(), passed.gave.var(), dead, gap, ratio)


def share_of_dead(gave: Batch) -> Scalar:
    """Share of the units that give all events of a batch the same."""
    differ = (gave.max(-1) - gave.min(-1)).reshape(len(gave), -1).max(1)
    # Relative to the layer, so that a network of small numbers is not taken for dead.
    return (differ <= DEAD * jnp.sqrt((gave**2).mean())).mean()


def drift(passed: Passed) -> tuple[Scalar, Scalar]:
    """How far the running mean and variance of a batch norm are from a batch's: see `Told`."""
    units = passed.given.reshape(len(passed.given), -1)
    mean, epsilon = units.mean(1), getattr(passed.layer, "epsilon", 0.0)
    variance = units.var(1) + epsilon
    gap = jnp.abs(passed.running["mean"] - mean) / jnp.sqrt(variance)
    ratio = (passed.running["variance"] + epsilon) / variance
    return gap.max(), ratio[jnp.abs(jnp.log(ratio)).argmax()]
