"""Optimisers by name: how weights follow their gradients; the learning rate is the loop's."""

from typing import NamedTuple

import jax
import optax
from optax.contrib import MuonDimensionNumbers, muon

from landmass.types import Tree


class Optimiser(NamedTuple):
    """An optimiser.

    Args:
        transformation: from gradients to steps of learning rate 1; made once, so that fits share their programs.
        learning_rate: one that suits it.
        weight_decay: likewise.
        in_shape: whether it needs to know which weights make a matrix.
    """

    transformation: optax.GradientTransformation
    learning_rate: float
    weight_decay: float = 0.0
    in_shape: bool = False


def _clipped(transformation: optax.GradientTransformation) -> optax.GradientTransformation:
    return optax.chain(optax.clip_by_global_norm(5.0), transformation)


def _matrices(weights: Tree) -> Tree:
    """Which axes of each weight make a matrix: the last against all others; None for a row of numbers."""
    return jax.tree.map(
        lambda leaf: MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1) if leaf.ndim > 1 else None,
        weights,
    )


# Its matrices are given steps as large as Adam's, which the other weights take.
_MUON = muon(1.0, adam_learning_rate=1.0, consistent_rms=0.2, muon_weight_dimension_numbers=_matrices)

OPTIMISERS = {
    "sgd": Optimiser(_clipped(optax.identity()), 0.1),
    "momentum": Optimiser(_clipped(optax.trace(0.9, nesterov=True)), 0.03),
    "adam": Optimiser(_clipped(optax.scale_by_adam(b2=0.99)), 0.003),
    "adamw": Optimiser(_clipped(optax.scale_by_adam(b2=0.99)), 0.003, 0.01),
    "lion": Optimiser(_clipped(optax.scale_by_lion(b2=0.98)), 0.001, 0.03),
    "muon": Optimiser(_clipped(optax.chain(_MUON, optax.scale(-1.0))), 0.01, 0.01, in_shape=True),
}
"""Sources: momentum, Polyak 1964 and Nesterov 1983; adam, Kingma & Ba 2015; adamw, which is adam with a weight decay,
Loshchilov & Hutter 2019; lion, Chen et al. 2023; muon, Jordan et al. 2024."""
