"""Checkpoints: what a fit has reached, on disk in one piece or not at all, so that another process can go on."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
import numpy as np

from landmass.errors import StoreError
from landmass.store import make_folder, read_arrays, read_json, write_arrays, write_json

R = TypeVar("R")

# Seconds between two checkpoints of one loop: a larger share of the work goes into training than into files.
EVERY = 3.0

HEAD = "checkpoint.json"


class Head(msgspec.Struct, forbid_unknown_fields=True):
    """Names the file of arrays that belongs to a record: replacing this one file makes a checkpoint.

    Args:
        record: what else there is to remember.
        arrays: the file of arrays; two take turns, so that the one in use is never written to.
        sha256: of that file.
        seconds: that the work had taken.
    """

    record: msgspec.Raw
    arrays: Literal["even.safetensors", "odd.safetensors"]
    sha256: str
    seconds: float


class Checkpoint:
    """A place where one loop keeps what it has reached, and below which others keep theirs.

    Args:
        folder: the place; made when it is first needed. None keeps nothing.
        every: least number of seconds between two checkpoints; None is a few.
    """

    def __init__(self, folder: Path | None, every: float | None = None) -> None:
        self.folder, self._every = folder, EVERY if every is None else every
        self._began = self._saved_at = time.monotonic()

    def inside(self, name: str) -> "Checkpoint":
        """The place of a part of the work.

        Args:
            name: of the part.
        """
        return Checkpoint(None if self.folder is None else self.folder / name, self._every)

    @property
    def due(self) -> bool:
        """Whether it is time for another checkpoint."""
        return self.folder is not None and time.monotonic() - self._saved_at >= self._every

    @property
    def exists(self) -> bool:
        """Whether there is something to go on from."""
        return self.folder is not None and (self.folder / HEAD).exists()

    @property
    def seconds(self) -> float:
        """How long the work here and below took, up to the last checkpoint of each part."""
        heads = [] if self.folder is None else self.folder.rglob(HEAD)
        return sum(read_json(head, Head).seconds for head in heads)

    def save(self, record: msgspec.Struct, arrays: Mapping[str, np.ndarray]) -> None:
        """Put a checkpoint in place of the last one, which stays if this one cannot be written.

        Args:
            record: what JSON can hold.
            arrays: the rest.

        Raises:
            StoreError: it cannot be written.
        """
        if self.folder is None:
            return
        make_folder(self.folder)
        last = read_json(self.folder / HEAD, Head).arrays if self.exists else "odd.safetensors"
        name = "even.safetensors" if last == "odd.safetensors" else "odd.safetensors"
        sha256 = write_arrays(self.folder / name, arrays)
        self._saved_at = time.monotonic()
        encoded = msgspec.Raw(msgspec.json.encode(record))
        write_json(self.folder / HEAD, Head(encoded, name, sha256, self._saved_at - self._began))

    def load(self, kind: type[R]) -> tuple[R, dict[str, np.ndarray]] | None:
        """The last checkpoint; None if there is none.

        Args:
            kind: of its record.

        Raises:
            StoreError: there is one, but it is damaged.
        """
        if self.folder is None or not self.exists:
            return None
        try:
            head = read_json(self.folder / HEAD, Head)
            self._began -= head.seconds
            return msgspec.json.decode(head.record, type=kind), read_arrays(self.folder / head.arrays, head.sha256)
        except (StoreError, msgspec.MsgspecError) as error:
            raise StoreError(f"{error}; remove {self.folder} to do this part of the work again") from error

    def remove(self) -> None:
        """Forget what was reached, here and below."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


NOWHERE = Checkpoint(None)
"""Keeps nothing."""
