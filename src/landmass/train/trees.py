"""A nest of arrays as arrays with names, and back: what the store can hold of a model or of a training state."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

from landmass.arrays import on_device
from landmass.errors import StoreError
from landmass.types import Tree


def named_arrays(tree: Tree) -> dict[str, np.ndarray]:
    """The arrays of a nest by their places in it.

    Args:
        tree: what holds them; everything else in it is left out.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(eqx.filter(tree, eqx.is_array))
    return {_name(path): np.asarray(leaf) for path, leaf in leaves}


def filled(like: Tree, arrays: Mapping[str, np.ndarray], where: object) -> Any:
    """A nest of the form of another, with other numbers in it.

    Args:
        like: gives the form; its arrays may be mere shapes.
        arrays: the numbers, as `named_arrays` gives them.
        where: they came from; for the error.

    Raises:
        StoreError: the arrays are not those that the form needs.
    """
    slots, rest = eqx.partition(like, lambda leaf: eqx.is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct))
    paths, structure = jax.tree_util.tree_flatten_with_path(slots)
    names = [_name(path) for path, _ in paths]
    if set(names) != set(arrays):
        raise StoreError(f"{where}: the weights hold {sorted(arrays)}, the model needs {sorted(names)}")
    for name, (_, slot) in zip(names, paths, strict=True):
        if (arrays[name].shape, arrays[name].dtype) != (slot.shape, slot.dtype):
            raise StoreError(
                f"{where}: {name} is {arrays[name].dtype}{list(arrays[name].shape)}, "
                f"the model needs {slot.dtype}{list(slot.shape)}"
            )
    # What is in double precision is on the host, as the device would round it.
    found = [arrays[name] if arrays[name].dtype == np.float64 else on_device(arrays[name]) for name in names]
    return eqx.combine(jax.tree.unflatten(structure, found), rest)


def _name(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
