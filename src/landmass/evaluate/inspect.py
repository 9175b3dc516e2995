"""Inside a fitted network: what comes out of each layer, in test mode and in train mode."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landmass.arrays import on_device
from landmass.estimator.conditional import ConditionalEstimator
from landmass.nn.base import events_of
from landmass.nn.inside import Told, passes, tell, weights_of
from landmass.nn.network import Network
from landmass.text import table
from landmass.types import Key

# The most events that are passed: their activations in all layers are held at once.
MOST_EVENTS = 256

HEAD = ("layer", "output", "parameters", "mean, sd in test mode", "in train mode", "dead", "running gap", "ratio")


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """What a layer made of the events.

    Args:
        name: of the layer; one within a residual has a dotted name, and the residual's sum follows the layers within.
        shape: of an event that comes out.
        parameters: how many numbers the layer has learned; of a residual, those of its shortcut.
        test: what came out in test mode.
        train: what came out in train mode: dropout drops, batch norm takes the statistics of the batch.
        dead: share of an activation's units that gave all events the same in test mode; None for other layers.
        running_gap: of batch norm: how far a unit's running mean is from the mean of the events, in their standard
            deviations; of the worst unit.
        running_ratio: of batch norm: a unit's running variance over that of the events; of the unit where it is
            farthest from 1.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int
    test: Float[np.ndarray, "events ..."]
    train: Float[np.ndarray, "events ..."]
    dead: float | None = None
    running_gap: float | None = None
    running_ratio: float | None = None


@dataclass(frozen=True, eq=False)
class Trace:
    """Events on their way through a network; printed, a table of its layers.

    Args:
        layers: in order.
    """

    layers: tuple[LayerTrace, ...]

    def __getitem__(self, name: str) -> LayerTrace:
        """The layer of a name."""
        return {layer.name: layer for layer in self.layers}[name]

    def __str__(self) -> str:
        rows = [HEAD, *(_row(layer) for layer in self.layers)]
        filled = [any(row[i] for row in rows[1:]) for i in range(len(HEAD))]
        columns = [column for column, there in zip(zip(*rows, strict=True), filled, strict=True) if there]
        return table(list(zip(*columns, strict=True)))


def trace(estimator: ConditionalEstimator, X: Any) -> Trace:
    """Pass events through a fitted network, and keep what comes out of each layer.

    In train mode noise is drawn from a fixed key, and images are not changed as `augment` would.

    Args:
        estimator: a fitted classifier or regressor; of several members the first is looked at.
        X: events, in any form that `fit` takes; the first 256 are passed.
    """
    events = on_device(estimator.network_inputs(X)[:MOST_EVENTS], np.float32)
    network = estimator.network_
    test, told_in_test = _passed(network, events, None)
    train, told_in_train = _passed(network, events, jax.random.key(0))
    layers = []
    for i, (name, weights) in enumerate(weights_of(network)):
        parameters = sum(np.size(leaf) for leaf in jax.tree.leaves(weights))
        told = (told_in_test[i].dead, told_in_train[i].gap, told_in_train[i].ratio)
        arrays = np.asarray(test[i]), np.asarray(train[i])
        layers.append(LayerTrace(name, test[i].shape[1:], parameters, *arrays, *map(_or_none, told)))
    return Trace(tuple(layers))


@eqx.filter_jit
def _passed(network: Network, x: Array, key: Key | None) -> tuple[list[Array], list[Told]]:
    found = passes(network, x, key)
    return [events_of(passed.gave) for passed in found], [tell(passed) for passed in found]


def _or_none(number: Array) -> float | None:
    return None if jnp.isnan(number) else float(number)


def _row(layer: LayerTrace) -> tuple[str, ...]:
    sizes = "×".join(map(str, layer.shape)), f"{layer.parameters:,}"
    spread = (f"{each.mean(dtype=float):9.3g} {each.std(dtype=float):9.3g}" for each in (layer.test, layer.train))
    dead = "" if layer.dead is None else f"{layer.dead:.1%}"
    drift = ("" if each is None else f"{each:.3g}" for each in (layer.running_gap, layer.running_ratio))
    return layer.name, *sizes, *spread, dead, *drift
