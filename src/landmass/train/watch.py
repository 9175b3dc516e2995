"""What happens inside each layer while training: gradient norms at every step, activations at every look."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landmass.arrays import on_device
from landmass.nn.inside import Told
from landmass.train.progress import LayerRecord
from landmass.train.rows import Coordinates

# Training events whose way through the layers is looked at.
EVENTS = 256


@dataclass(frozen=True)
class Watch:
    """Which layers to watch, and how.

    Args:
        layers: their names, in order.
        arrays: how many arrays of weights each has, in the order of the model's weights.
        look: what the layers of a model make of what events are given; defined at module level.
    """

    layers: tuple[str, ...]
    arrays: tuple[int, ...]
    look: Callable[[Any, Array], Sequence[Told]]

    def events(self, train: Coordinates) -> Array:
        """What is given of the training events to look at, which are spread evenly over all of them."""
        if train.context is None:
            raise TypeError("only models that are given something can be watched")
        return on_device(train.context[np.linspace(0, train.n - 1, min(train.n, EVENTS)).astype(int)])

    def records(
        self, norms: Float[np.ndarray, "steps layers"], model: Any = None, events: Array | None = None
    ) -> tuple[LayerRecord, ...]:
        """What was seen of each layer.

        Args:
            norms: gradient norms, of the layers with weights.
            model: whose layers to look at; None looks at none.
            events: what `events` gave.
        """
        columns = iter(norms.T)
        steps = [tuple(map(_number, next(columns))) if arrays else () for arrays in self.arrays]
        told = [()] * len(steps) if events is None else [tuple(map(_number, each)) for each in self.look(model, events)]
        return tuple(LayerRecord(*each[:2], *each[2]) for each in zip(self.layers, steps, told, strict=True))


def gradient_norms(slopes: Sequence[Array], arrays: Sequence[int]) -> Float[Array, " layers"]:
    """Euclidean norm of the gradient with respect to each layer's weights, of the layers that have such.

    Args:
        slopes: the gradient, array by array.
        arrays: how many of them each layer has.
    """
    ends = [end for end, count in zip(itertools.accumulate(arrays), arrays, strict=True) if count]
    return jnp.stack([_norm(slopes[start:end]) for start, end in itertools.pairwise([0, *ends])])


def _norm(slopes: Sequence[Array]) -> Float[Array, ""]:
    largest = jnp.stack([jnp.abs(slope).max() for slope in slopes]).max()
    # The squares of large and of small numbers would leave the range of float32.
    scale = jnp.where(largest > 0.0, largest, 1.0)
    return scale * jnp.sqrt(sum(((slope / scale) ** 2).sum() for slope in slopes))


def _number(x: Any) -> float | None:
    """To five digits, as logs grow long; None for what is not finite, which JSON cannot hold."""
    return float(f"{float(x):.5g}") if np.isfinite(x) else None
