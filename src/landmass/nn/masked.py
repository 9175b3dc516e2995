"""A network whose outputs for a column depend on earlier columns only."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landmass.types import Key


class MaskedNetwork(eqx.Module):
    """Dense layers with masks: column i of the output sees columns 0 … i - 1 of the input.

    Args:
        weights: of the hidden layers and the last one, shape (outputs, inputs) each.
        biases: of the same layers.
        first: the output for column 0, which sees nothing.
        columns: number of columns in and out.

    Source: Germain, Gregor, Murray & Larochelle 2015 (MADE).
    """

    weights: tuple[Float[Array, "_ _"], ...]
    biases: tuple[Float[Array, " _"], ...]
    first: Float[Array, " outputs"]
    columns: int = eqx.field(static=True)

    def __init__(self, columns: int, inputs: int, outputs: int, width: int, depth: int, key: Key) -> None:
        """Draw a network.

        Args:
            columns: number of columns in and out.
            inputs: numbers a column of the input.
            outputs: numbers a column of the output.
            width: units a hidden layer.
            depth: hidden layers.
            key: source of the weights.
        """
        sizes = [(columns - 1) * inputs, *[width] * depth, (columns - 1) * outputs]
        shapes = list(itertools.pairwise(sizes)) if columns > 1 else []
        # He's scale for the hidden layers; the last starts small, so that every spline starts near the identity. The
        # first units are spread over their inputs' range.
        gains = [math.sqrt(2.0 / fan_in) for fan_in, _ in shapes[:-1]] + [0.1 / math.sqrt(width)]
        spreads = [0.3, *[0.0] * depth]
        # One draw for all: each draw of its own would be compiled on its own.
        draw = jax.random.normal(key, (sum((rows + 1) * units for rows, units in shapes),))
        weights, biases, used = [], [], 0
        for (rows, units), gain, spread in zip(shapes, gains, spreads, strict=False):
            weights.append(gain * draw[used : used + rows * units].reshape(units, rows))
            biases.append(spread * draw[used + rows * units : used + (rows + 1) * units])
            used += (rows + 1) * units
        self.weights, self.biases = tuple(weights), tuple(biases)
        self.first = jnp.zeros(outputs)
        self.columns = columns

    def __call__(self, x: Float[Array, "columns inputs *events"]) -> Float[Array, "columns outputs *events"]:
        """The outputs; events, if there are many, stand last, so that every product is one of two large matrices."""
        behind = x.shape[2:]
        first = jnp.broadcast_to(self.first.reshape(1, -1, *[1] * len(behind)), (1, self.first.size, *behind))
        if self.columns == 1:
            return first
        hidden = x[:-1].reshape(-1, *behind)
        for i, (weight, bias, mask) in enumerate(zip(self.weights, self.biases, self._masks(x.shape[1]), strict=True)):
            if i > 0:
                hidden = jax.nn.silu(hidden)
            weight = weight if mask is None else weight * mask
            if weight.shape[1] == 1:
                # A product with a single row is a sum of numbers to the compiler, worked out anew wherever needed.
                weight = jnp.pad(weight, ((0, 0), (0, 1)))
                hidden = jnp.concatenate([hidden, jnp.zeros_like(hidden)])
            product = jnp.tensordot(weight, hidden, axes=1)
            hidden = product + bias.reshape(-1, *[1] * len(behind))
        return jnp.concatenate([first, hidden.reshape(self.columns - 1, -1, *behind)])

    def _masks(self, inputs: int) -> list[Float[np.ndarray, "_ _"] | None]:
        """Which input reaches which output of each layer; None where there are two columns and all do."""
        if self.columns == 2:
            return [None] * len(self.weights)
        steps = np.arange(self.columns - 1)
        before, masks = np.repeat(steps, inputs), []
        for weight in self.weights:
            is_last = len(masks) == len(self.weights) - 1
            after = np.repeat(steps, self.first.size) if is_last else np.arange(len(weight)) % (self.columns - 1)
            masks.append((before[None] <= after[:, None]).astype(weight.dtype))
            before = after
        return masks
