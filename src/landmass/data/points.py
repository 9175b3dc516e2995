"""Arrays, NPY and NPZ files: columns of plain numbers."""

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from io import BufferedIOBase
from lzma import LZMAError
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from scipy.sparse import issparse

from landmass.data.dataset import Dataset
from landmass.data.limits import check_size
from landmass.data.numbers import as_float64
from landmass.data.schema import Schema
from landmass.data.tables import arrow_container
from landmass.errors import DataError, NotNumbersError

# Zeros alone shrink to a thousandth, numbers that say anything hardly to a hundredth.
LARGEST_RATIO, SMALLEST_BOMB = 200, 10**8

# What NumPy and zipfile raise for a file that is not what it seems to be.
BROKEN = (
    ValueError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    LZMAError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def from_array(array: Any, name: str = "data", missing: bool = False) -> Dataset:
    """Make a data set of an array: one row an event.

    Args:
        array: numbers, shape (events, columns).
        name: what the data is called.
        missing: whether cells may be NaN.
    """
    if issparse(array):
        raise DataError("a sparse array is not supported, as densities are of dense columns; pass X.toarray()")
    try:
        values = np.asarray(array)
    except ValueError as error:
        raise DataError(f"the rows do not make an array: {error}") from error
    if values.ndim and values.dtype.kind == "O":
        _check_objects(values)
    else:
        _check_numbers(values.dtype)
    if values.ndim == 1:
        raise DataError(
            f"the array is flat (shape {values.shape}). Reshape your data: X.reshape(-1, 1) if it is one column, or "
            "X.reshape(1, -1) if it is one event"
        )
    if values.ndim != 2:
        raise DataError(f"events are rows of a two-dimensional array, found shape {values.shape}; reshape it")
    if not values.size:
        events, columns = values.shape
        raise DataError(
            f"the array is empty: {events} event(s) of {columns} feature(s) (shape={values.shape}) while a minimum of "
            "1 is required."
        )
    names = [f"x{i + 1}" for i in range(values.shape[1])]
    # Smaller whole numbers all fit.
    if values.dtype.kind != "f" and values.dtype.itemsize > 4:
        values = np.column_stack([as_float64(column, name) for name, column in zip(names, values.T, strict=True)])
    X = values.astype(np.float64)
    return Dataset(X, Schema.real(names), name, unnamed=True, incomplete=missing and bool(np.isnan(X).any()))


def read_numpy(path: Path, name: str, missing: bool = False) -> Dataset:
    """Read an NPY file, or the one array of an NPZ file; pickled objects are refused.

    Args:
        path: the file.
        name: what the data is called.
        missing: whether cells may be NaN.
    """
    try:
        if path.suffix.lower() == ".npz":
            array = _read_npz(path)
        else:
            with path.open("rb") as file:
                array = _read_npy(file, path.stat().st_size, path)
    except DataError:
        raise
    except BROKEN as error:
        raise DataError(
            f"{path} is not a readable file of plain numbers: {error}; write it again with numpy.save"
        ) from error
    # Who has only the file cannot reshape it.
    return replace(from_array(array[:, None] if array.ndim == 1 else array, name, missing), container=arrow_container)


def npy_pieces(path: Path, rows: int) -> Iterator[Dataset]:
    """Read an NPY file, so many rows at a time.

    Args:
        path: the file.
        rows: how many.
    """
    try:
        with path.open("rb") as file:
            _check_npy(file, path.stat().st_size, path)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        array = array.reshape(1, 1) if array.ndim == 0 else array
    except BROKEN as error:
        raise DataError(f"{path} is not a readable file of plain numbers: {error}; write it again") from error
    for start in range(0, len(array), rows):
        part = array[start : start + rows]
        yield from_array(part[:, None] if part.ndim == 1 else part, path.stem)


def headers_of(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of the arrays in an NPY or NPZ file, by name; none of a file that cannot be read.

    Args:
        path: the file.
    """
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                return {path.stem: _header(file)}
        with zipfile.ZipFile(path) as archive:
            found = {}
            for member in archive.infolist():
                with archive.open(member) as file:
                    found[_name(member)] = _header(file)
            return found
    except (OSError, *BROKEN):
        return {}


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an NPY or NPZ file, of numbers or words, by name; pickled objects are refused.

    Args:
        path: the file.
    """
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                return {path.stem: _read_npy(file, path.stat().st_size, path)}
        with zipfile.ZipFile(path) as archive:
            check_size(str(path), sum(member.file_size for member in archive.infolist()))
            return {_name(member): _member(archive, member, path, words=True) for member in archive.infolist()}
    except DataError:
        raise
    except BROKEN as error:
        raise DataError(f"{path} is not a readable file of arrays: {error}; write it again with numpy.savez") from error


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _read_npz(path: Path) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) != 1:
            names = ", ".join(map(_name, members[:8]))
            raise DataError(f"{path} holds {len(members)} arrays ({names}); save one")
        return _member(archive, members[0], path)


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, words: bool = False) -> np.ndarray:
    size, packed = member.file_size, member.compress_size
    if size > SMALLEST_BOMB and size > LARGEST_RATIO * packed:
        raise DataError(
            f"{path} would unpack {packed:,} bytes to {size:,}, more than {LARGEST_RATIO} times as many; if it is "
            "no zip bomb, save it unpacked, with numpy.save"
        )
    check_size(str(path), size)
    # zipfile reads no more bytes than the archive declares.
    with archive.open(member) as file:
        return _read_npy(file, size, path, words)


def _read_npy(file: IO[bytes] | BufferedIOBase, size: int, path: Path, words: bool = False) -> np.ndarray:
    check_size(str(path), _check_npy(file, size, path, words) * np.float64().itemsize)
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)


def _header(file: IO[bytes] | BufferedIOBase) -> tuple[tuple[int, ...], np.dtype]:
    read_header = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(file)
    return shape, dtype


def _check_npy(file: IO[bytes] | BufferedIOBase, size: int, path: Path, words: bool = False) -> int:
    """How many numbers a file holds, after a look at whether its bytes are as many as its header declares."""
    shape, dtype = _header(file)
    if dtype.hasobject:
        raise ValueError("it holds pickled Python objects, which are never loaded")
    if not (words and dtype.kind in "Ub"):
        _check_numbers(dtype, f"{path}: ")
    count = math.prod(shape)
    declared = file.tell() + count * dtype.itemsize
    if declared != size or min(shape, default=0) < 0:
        raise ValueError(
            f"its header declares shape {shape} of {dtype}, {declared:,} bytes in all, and it has {size:,}"
        )
    return count


def _check_objects(values: np.ndarray) -> None:
    """Refuse an array of Python's objects, unless all of them are numbers."""
    try:
        values.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise NotNumbersError(
            f"an array of object is not an array of numbers: {error}; pass integers or floats, or a table"
        ) from error


def _check_numbers(dtype: np.dtype, where: str = "") -> None:
    if dtype.kind == "c":
        raise DataError(
            f"{where}Complex data not supported: an array of {dtype} is not an array of numbers; pass real and "
            "imaginary parts as columns"
        )
    if dtype.kind not in "fiu":
        raise DataError(f"{where}an array of {dtype} is not an array of numbers; pass integers or floats, or a table")
