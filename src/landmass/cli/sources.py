"""Where a run's events came from: read with suggestions for typos, and remembered in `source.json`."""

import hashlib
import os
from pathlib import Path

import msgspec
import numpy as np

from landmass.cli.console import suggest, tell
from landmass.data.builtin import DATASETS
from landmass.data.dataset import Dataset
from landmass.data.read import read
from landmass.errors import DataError, StoreError

# Held-out events of a built-in data set: enough for a standard error of a few thousandths of a nat.
FRESH_EVENTS = 20_000

# Added to a run's seed for held-out events of a built-in data set: the same seed would draw the training events.
FRESH_SEED = 1_000_000


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What has to be read to have the same events again.

    Args:
        source: an absolute path, a built-in name, or "-" for standard input, which cannot be read again.
        n: how many events of a built-in data set; None takes its default.
        seed: seed of that draw.
        sha256: of the events.
    """

    source: str
    n: int | None = None
    seed: int = 0
    sha256: str = ""


class Sources(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `source.json` holds: the events of a run and its held-out events, and what was to be fitted to them.

    Args:
        source: see `Source`, and so for the next three.
        n: see there.
        seed: also of every fit.
        sha256: see there.
        test: the held-out events where they came on their own.
        families: the families to fit, with commas between them; None is all.
        settings: of the families, as `family.setting=value`.
    """

    source: str
    n: int | None
    seed: int
    sha256: str
    test: Source | None = None
    families: str | None = None
    settings: tuple[str, ...] = ()

    @property
    def from_stdin(self) -> bool:
        """Whether some of the events cannot be read again."""
        return "-" in (self.source, self.test and self.test.source)

    def read(self) -> tuple[Dataset, Dataset | None]:
        """Read the events again, and the held-out events where they came on their own."""
        data, _ = read_events(Source(self.source, self.n, self.seed, self.sha256))
        return data, None if self.test is None else read_events(self.test)[0]


def fresh(name: str, seed: int, n: int | None = None) -> Source:
    """Held-out events: of a built-in data set other ones than a run of that seed learns from.

    Args:
        name: what to read.
        seed: the run's seed.
        n: how many events of a built-in data set.
    """
    if name not in DATASETS:
        return Source(name, n)
    return Source(name, FRESH_EVENTS if n is None else n, seed + FRESH_SEED)


def read_events(source: Source) -> tuple[Dataset, Source]:
    """Read events; the reader's notes go to stderr.

    Args:
        source: what to read.

    Returns:
        The events, and the source with their hash and an absolute path.

    Raises:
        DataError: there is nothing of that name, or it cannot be modelled.
        SettingError: `n` was given for a file.
        StoreError: the events are not those of the hash any more.
    """
    name = source.source
    known = name == "-" or name in DATASETS
    if not known and not os.path.lexists(name):
        folder = Path(name).parent
        beside = [str(path.relative_to(".") if folder == Path(".") else path) for path in _entries(folder)]
        raise DataError(
            f"there is no file {name}, and no built-in data set of that name{suggest(name, [*DATASETS, *beside])} "
            f"(built in: {', '.join(DATASETS)})"
        )
    data = read(name, n=source.n, seed=source.seed)
    for note in data.notes:
        tell(f"{data.name}: {note}")
    sha256 = hashlib.sha256(np.ascontiguousarray(data.X).tobytes()).hexdigest()
    if source.sha256 not in ("", sha256):
        raise StoreError(f"{name} has changed since the run was fitted")
    place = name if known else str(Path(name).resolve())
    return data, msgspec.structs.replace(source, source=place, sha256=sha256)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
