"""Arrays, NPY and NPZ files: columns of plain numbers."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from landmass.data.dataset import Dataset
from landmass.data.schema import Schema
from landmass.data.tables import arrow_container
from landmass.errors import DataError


def from_array(array: Any, name: str = "data") -> Dataset:
    """Make a data set of an array: one row an event; a flat array has one column.

    Args:
        array: numbers, shape (events, columns) or (events,).
        name: what the data is called.
    """
    try:
        values = np.asarray(array)
    except ValueError as error:
        raise DataError(f"the rows do not make an array: {error}") from error
    if values.dtype.kind not in "fiub":
        raise DataError(f"an array of {values.dtype} is not an array of numbers; pass numbers, or a table or path")
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise DataError(f"events are rows of a two-dimensional array, found shape {values.shape}")
    if not values.size:
        raise DataError(f"the array is empty (shape {values.shape})")
    names = [f"x{i + 1}" for i in range(values.shape[1])]
    return Dataset(values.astype(np.float64), Schema.real(names), name=name, unnamed=True)


def read_numpy(path: Path, name: str) -> Dataset:
    """Read an NPY file, or the one array of an NPZ file; pickled objects are refused.

    Args:
        path: the file.
        name: what the data is called.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded:
                if len(loaded.files) != 1:
                    raise DataError(f"{path} holds {len(loaded.files)} arrays ({', '.join(loaded.files)}); save one")
                loaded = loaded[loaded.files[0]]
    except (ValueError, EOFError, BadZipFile, OSError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is not a readable file of plain numbers: {error}") from error
    data = from_array(loaded, name)
    return replace(data, container=arrow_container)
