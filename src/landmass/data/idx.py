"""Files of the form that MNIST came in (IDX): whole arrays of bytes behind a short head, packed or not."""

import gzip
import io
import math
import struct
import zlib
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import UInt8

from landmass.data.limits import LARGEST_GROWTH
from landmass.errors import DataError

Read = Callable[[], bytes]
"""Reads a file."""


def read_parts(files: Mapping[str, Read], name: str) -> tuple[UInt8[np.ndarray, "..."], dict[str, np.ndarray]]:
    """The training and the test part, one after the other, with the labels `label` and `part`.

    Args:
        files: by their names.
        name: of their folder.

    Raises:
        DataError: a file is missing, or not what its head says.
    """
    found: dict[str, list[np.ndarray]] = {"images": [], "labels": []}
    parts: list[np.ndarray] = []
    for file in sorted(files, reverse=True):
        kind = next((kind for kind in found if f"{kind}-idx" in file or f"{kind}.idx" in file), None)
        if kind is None:
            continue
        array = _array(files[file](), file)
        found[kind].append(array)
        if kind == "labels":
            parts.append(np.full(len(array), "train" if "train" in file else "test"))
    if not found["images"] or [len(x) for x in found["images"]] != [len(y) for y in found["labels"]]:
        raise DataError(f"{name} lacks images or labels: found {', '.join(sorted(files))}; give both, of equal length")
    labels = {"label": np.concatenate(found["labels"]), "part": np.concatenate(parts)}
    return np.concatenate(found["images"]), labels


def _array(content: bytes, file: str) -> UInt8[np.ndarray, "..."]:
    try:
        if content[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as unpacked:
                content = unpacked.read(LARGEST_GROWTH * len(content) + 1)
        zero, kind, dims = struct.unpack(">HBB", content[:4])
        shape = struct.unpack(f">{dims}I", content[4 : 4 + 4 * dims])
        if zero or kind != 8 or math.prod(shape) != len(content) - 4 - 4 * dims:
            raise ValueError(f"its head tells of {shape} bytes of kind {kind}, and it holds {len(content)}")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * dims).reshape(shape)
    except (struct.error, OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"{file} is not a readable file of MNIST's form: {error}; fetch it again") from error
