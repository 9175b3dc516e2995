"""A run's folder while it is being filled: made before the fit, finished by its manifest, gone if nothing came."""

import contextlib
import fcntl
import shlex
import shutil
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Self

from landmass.cli.console import suggest
from landmass.cli.sources import Sources
from landmass.errors import LandmassError, StoreError
from landmass.estimator.base import Estimator
from landmass.ladder import Ladder, load
from landmass.store import new_folder, read_json, write_json
from landmass.train.progress import Progress, log_line


class RunFolder:
    """A folder that no other run can take, from the first step on; without a manifest nobody takes it for finished.

    Args:
        path: a run that was begun; see `new`.
        made: the folder and those above it, if they were made for it.

    Raises:
        StoreError: another process is at work there, or nothing can be written there.
    """

    def __init__(self, path: Path, made: Sequence[Path] = ()) -> None:
        self.path, self._made = path, made
        try:
            self._log = (path / "progress.jsonl").open("ab")
            fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A line that was not finished, because its process was killed.
            self._log.truncate((path / "progress.jsonl").read_bytes().rfind(b"\n") + 1)
        except BlockingIOError as error:
            self.close()
            raise StoreError(f"another process is fitting {path}; wait for it, or stop it") from error
        except OSError as error:
            raise StoreError(f"cannot write {error.filename}: {error.strerror}") from error

    @classmethod
    def new(cls, wanted: Path | None, name: str, sources: Sources) -> Self:
        """Make a run's folder; from the moment it is there, it can be resumed.

        Args:
            wanted: the folder asked for; None takes the first free `runs/<name>-<k>`.
            name: what the data is called.
            sources: where the data came from, and what is to be fitted to it.

        Raises:
            StoreError: something stands there already, or nothing can be written there.
        """
        # A name that begins with a dot, or holds a slash, is not one that a person would look for.
        name = name.replace("/", "_").lstrip(".") or "run"
        for k in count(1):
            path = Path("runs") / f"{name}-{k}" if wanted is None else wanted
            if wanted is None and path.exists():
                continue
            made = [folder for folder in (path, *path.parents) if not folder.exists()]
            try:
                with new_folder(path) as folder:
                    write_json(folder / "source.json", sources)
            except StoreError as error:
                # Between the look and the making another fit may have taken the name.
                if wanted is None and path.exists():
                    continue
                raise StoreError(f"{error}; choose another --out") from error
            return cls(path, made)
        raise AssertionError("numbers do not end")

    def log(self, progress: Progress) -> None:
        """Append a progress record.

        Raises:
            StoreError: the disk is full.
        """
        try:
            self._log.write(log_line(progress))
            self._log.flush()
        except OSError as error:
            raise StoreError(f"cannot write {self._log.name}: {error.strerror}") from error

    def close(self) -> None:
        """End the log."""
        with contextlib.suppress(OSError):
            self._log.close()

    def discard(self) -> None:
        """Remove the folder if it was made here, and those above it that were made for it and hold nothing else."""
        self.close()
        if self._made:
            shutil.rmtree(self.path, ignore_errors=True)
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def load_run(path: Path) -> Ladder | Estimator:
    """Read a run, or one of its rungs, with a suggestion where there is none.

    Args:
        path: the folder.

    Raises:
        StoreError: there is no such folder, it is unfinished, or it does not hold what its manifest says.
    """
    check_run(path)
    return load(path)


def recall(ladder: Ladder, path: Path, undone: str) -> None:
    """Give a ladder read from its folder its events back.

    Args:
        ladder: as it was read.
        path: its folder.
        undone: what cannot be done without them, after the folder's name.

    Raises:
        StoreError: they cannot be had again; says why.
    """
    if not (path / "source.json").exists():
        raise StoreError(f"{path} {undone}: it was saved from Python, without its events")
    sources = read_json(path / "source.json", Sources)
    if sources.from_stdin:
        raise StoreError(f"{path} {undone}: its data came from standard input")
    try:
        ladder.recall(*sources.read())
    except LandmassError as error:
        raise StoreError(f"{path} {undone}: {error}") from error


def check_run(path: Path) -> None:
    """Refuse a folder that is missing or unfinished.

    Args:
        path: the folder.

    Raises:
        StoreError: tells which it is.
    """
    if path.is_file():
        raise StoreError(f"{path} is a file, not a run's folder; the run comes before the events")
    if not path.is_dir():
        beside = [found for above in (path.parent, Path("runs")) if above.is_dir() for found in above.iterdir()]
        known = [str(found) for found in beside if found.is_dir()]
        raise StoreError(f"there is no run folder {path}{suggest(str(path), known)}")
    if (path / "source.json").exists() and not (path / "manifest.json").exists():
        raise StoreError(f"the run {path} is not finished, unless its fit still goes on: {how_to_go_on(path)}")


def how_to_go_on(path: Path) -> str:
    """What to do about a begun run, in words.

    Args:
        path: the run's folder.
    """
    if read_json(path / "source.json", Sources).from_stdin:
        return "it cannot be resumed, because its data came from standard input"
    return f"go on with `landmass fit --resume {shlex.quote(str(path))}`"


def begun(path: Path) -> Sources:
    """What a run that was begun and not finished is to be fitted to.

    Args:
        path: the run's folder.

    Raises:
        StoreError: there is no such run, it is finished, or its data cannot be read again.
    """
    if not path.is_dir():
        check_run(path)
    if (path / "manifest.json").exists():
        raise StoreError(f"the run {path} is finished already; `landmass report {path}` shows it")
    if not (path / "source.json").exists():
        raise StoreError(f"{path} is not a run that `landmass fit` has begun: it has no source.json")
    sources = read_json(path / "source.json", Sources)
    if sources.from_stdin:
        raise StoreError(f"the run {path} cannot go on: its data came from standard input; fit it again from a file")
    return sources
