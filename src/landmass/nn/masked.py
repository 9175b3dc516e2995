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
    """Dense layers with masks: row i of the output sees rows 0 … i - 1 of the input.

    Args:
        weights: of the hidden layers and the last one.
        biases: of the same layers.
        first: the output for row 0, which sees nothing.
        columns: number of rows in and out.

    Source: Germain, Gregor, Murray & Larochelle 2015 (MADE).
    """

    weights: tuple[Float[Array, "_ _"], ...]
    biases: tuple[Float[Array, " _"], ...]
    first: Float[Array, " outputs"]
    columns: int = eqx.field(static=True)

    def __init__(self, columns: int, inputs: int, outputs: int, width: int, depth: int, key: Key) -> None:
        """Draw a network.

        Args:
            columns: number of rows in and out.
            inputs: numbers a row of the input.
            outputs: numbers a row of the output.
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
            weights.append(gain * draw[used : used + rows * units].reshape(rows, units))
            biases.append(spread * draw[used + rows * units : used + (rows + 1) * units])
            used += (rows + 1) * units
        self.weights, self.biases = tuple(weights), tuple(biases)
        self.first = jnp.zeros(outputs)
        self.columns = columns

    def __call__(self, rows: Float[Array, "columns inputs"]) -> Float[Array, "columns outputs"]:
        """The outputs, one row a column."""
        if self.columns == 1:
            return self.first[None]
        hidden = rows[:-1].reshape(-1)
        masks = self._masks(rows.shape[1])
        for i, (weight, bias, mask) in enumerate(zip(self.weights, self.biases, masks, strict=True)):
            hidden = hidden @ (weight if mask is None else weight * mask) + bias
            if i < len(self.weights) - 1:
                hidden = jax.nn.silu(hidden)
        return jnp.concatenate([self.first[None], hidden.reshape(self.columns - 1, -1)])

    def _masks(self, inputs: int) -> list[Float[np.ndarray, "_ _"] | None]:
        """Which input reaches which output of each layer; None where there are two columns and all do."""
        if self.columns == 2:
            return [None] * len(self.weights)
        steps = np.arange(self.columns - 1)
        before = np.repeat(steps, inputs)
        masks = []
        for weight in self.weights[:-1]:
            after = np.arange(weight.shape[1]) % (self.columns - 1)
            masks.append((before[:, None] <= after[None]).astype(weight.dtype))
            before = after
        after = np.repeat(steps, self.first.size)
        return [*masks, (before[:, None] <= after[None]).astype(self.first.dtype)]
