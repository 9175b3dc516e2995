"""Decoded pictures kept between two readings, in the user's cache folder: to decode takes longest."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import PIL
from platformdirs import user_cache_path

from landmass.data.limits import memory
from landmass.store import make_folder, new_file

# Fewer numbers are decoded faster than anybody notices; and so much disk is taken at most.
LEAST, MOST = 10_000_000, 4_000_000_000

# Of how `landmass.data.images` decodes: raised when that changes.
FORM = 2

Decoded = tuple[np.ndarray, list[str]]
"""All pictures as bytes, and notes on what was changed."""


def folder() -> Path | None:
    """Where pictures are kept; None where the environment's LANDMASS_IMAGE_CACHE is empty, which keeps none."""
    given = os.environ.get("LANDMASS_IMAGE_CACHE")
    return user_cache_path("landmass") / "images" if given is None else Path(given) if given else None


def remembered(files: Iterable[Path], settings: object, decode: Callable[[], Decoded]) -> Decoded:
    """What decoding gives, from the cache if the same files were decoded before.

    A file is the same if its place, size and time of change are. What cannot be kept is decoded each time, and all is
    decoded anew by another version of Pillow.

    Args:
        files: that are decoded.
        settings: how.
        decode: does it.
    """
    place = folder()
    if place is None:
        return decode()
    stats = [(str(file), (found := file.stat()).st_size, found.st_mtime_ns) for file in files]
    kept = place / f"{hashlib.sha256(repr((FORM, PIL.__version__, stats, settings)).encode()).hexdigest()}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError, BadZipFile):
        with kept.open("rb") as file, np.load(file, allow_pickle=False) as found:
            pixels, notes = found["pixels"], json.loads(str(found["notes"]))
        os.utime(kept)
        return pixels, notes
    pixels, notes = decode()
    if LEAST <= pixels.size <= min(MOST, memory() // 4):
        with contextlib.suppress(OSError):
            _keep(kept, pixels, notes)
    return pixels, notes


def _keep(path: Path, pixels: np.ndarray, notes: list[str]) -> None:
    """Write them; then drop what was not used for longest, until the rest is small enough."""
    make_folder(path.parent)
    with new_file(path) as file:
        np.savez(file, pixels=pixels, notes=np.array(json.dumps(notes)))
    found = sorted((file.stat().st_mtime_ns, file.stat().st_size, file) for file in path.parent.glob("*.npz"))
    left = sum(size for _, size, _ in found)
    for _, size, file in found[:-1]:
        if left <= MOST:
            break
        file.unlink(missing_ok=True)
        left -= size
