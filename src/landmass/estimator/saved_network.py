"""Networks in files: what a manifest says of them, and how they are read back."""

import math
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import msgspec
import numpy as np

from landmass.core.distributions import Mixture
from landmass.core.heads import AnyHead
from landmass.data.examples import Inputs
from landmass.data.pixels import MOST_NUMBERS
from landmass.errors import SettingError, StoreError
from landmass.nn.base import blank
from landmass.nn.network import AnyLayer, shapes
from landmass.store import read_arrays
from landmass.train.conditional import members, outputs
from landmass.train.trees import filled


class SavedNetwork(msgspec.Struct, forbid_unknown_fields=True):
    """What the manifest says of a saved model.

    Args:
        inputs: how events become numbers.
        layers: of the network.
        head: the distribution that its outputs are of.
        answers: what the family knows of the answers.
        sha256: of `weights.safetensors`.
    """

    inputs: Inputs
    layers: tuple[AnyLayer, ...]
    head: AnyHead
    answers: msgspec.Raw
    sha256: str


def read_members(saved: SavedNetwork, count: int, folder: Path) -> Mixture:
    """The members of an ensemble.

    Args:
        saved: what the manifest says.
        count: how many there are.
        folder: where `weights.safetensors` lies.

    Raises:
        StoreError: the layers and the weights do not make a network.
    """
    inputs, head = saved.inputs, saved.head
    arrays = read_arrays(folder / "weights.safetensors", saved.sha256)
    try:
        if not 0 < math.prod(inputs.shape) <= MOST_NUMBERS or min(inputs.shape) < 1:
            raise ValueError(f"events of shape {inputs.shape} are not to be had")
        ends = shapes(saved.layers, inputs.shape)[-1]
        if ends != (head.outputs,):
            raise ValueError(f"they end in {ends}, and the head takes {head.outputs}")
        components = members(saved.layers, inputs.shape, head, count, blank)
        # Layers are only followed once their weights are known to be there, which bounds what they can ask for.
        found = filled(Mixture(jnp.zeros(count), components), arrays, folder)
        with np.errstate(all="ignore"):
            eqx.filter_eval_shape(outputs, found, jax.ShapeDtypeStruct((1, *inputs.shape), np.float32))
    except (SettingError, TypeError, ValueError, ArithmeticError, IndexError, RecursionError) as error:
        raise StoreError(f"{folder}: the saved layers do not make a network: {error}") from error
    return found
