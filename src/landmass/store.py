"""Files: written beside and renamed, hashed, arrays in safetensors, everything else in JSON. Knows no class."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from landmass.errors import StoreError

T = TypeVar("T")

VERSION = version("landmass")
"""This landmass's version."""


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Fill a file that takes its name, or another's place, only when it is complete.

    Args:
        path: the file's name.

    Yields:
        The file to write into.

    Raises:
        StoreError: the file cannot be written; what stood there before still does.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is there in full or not at all, see `new_file`."""
    with new_file(path) as file:
        file.write(content)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, floats without loss."""
    write_bytes(path, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def read_json(path: Path, kind: type[T]) -> T:
    """Read JSON that must have the form of `kind`.

    Raises:
        StoreError: the file is missing, is not JSON, or has another form.
    """
    return parse_json(_read(path), kind, path)


def parse_json(content: bytes | msgspec.Raw, kind: type[T], path: Path) -> T:
    """Read JSON from a part of the file at `path`, see `read_json`."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise StoreError(f"{path} is not what landmass writes there: {error}") from error


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> str:
    """Write named arrays; returns the SHA-256 of the file."""
    content = save({name: np.asarray(array, order="C") for name, array in arrays.items()})
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def read_arrays(path: Path, sha256: str) -> dict[str, np.ndarray]:
    """Read named arrays, if the file is the one that was written.

    Raises:
        StoreError: the file is missing, broken, or not the one with this hash.
    """
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise StoreError(f"{path} has changed since it was saved (its SHA-256 differs); restore it, or fit again")
    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is not a file of arrays: {error}") from error


def _read(path: Path) -> bytes:
    """A file's content; links are not followed, and nothing is waited for."""
    if path.is_symlink():
        raise StoreError(f"{path} is a link to elsewhere; put the file itself there")
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def below(folder: Path, *names: str) -> Path:
    """A folder inside another, not a link that leads out of it.

    Raises:
        StoreError: a name on the way is a link.
    """
    for name in names:
        folder = folder / name
        if folder.is_symlink():
            raise StoreError(f"{folder} is a link to elsewhere; put the folder itself there")
    return folder


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless they are there.

    Raises:
        StoreError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a folder that appears under its name only when it is complete.

    Args:
        path: the folder's name; nothing may stand there.

    Yields:
        The folder to fill.

    Raises:
        StoreError: something stands there already, or nothing can be written there.
    """
    refuse_existing(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        yield beside
        beside.chmod(0o755)
        beside.replace(path)
    except OSError as error:
        raise (error if isinstance(error, StoreError) else StoreError(f"cannot write {path}: {error}")) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def refuse_existing(path: Path) -> None:
    """Refuse to write where something stands.

    Raises:
        StoreError: something stands there.
    """
    if path.exists():
        raise StoreError(f"{path} exists already; remove it or choose another name")
