"""A run's folder while it is being filled: made before the fit, finished by its manifest, gone if nothing came."""

import contextlib
import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import msgspec

from landmass.cli.console import suggest
from landmass.cli.sources import Sources
from landmass.errors import StoreError
from landmass.estimator.density import DensityEstimator
from landmass.ladder import Ladder, load
from landmass.store import refuse_existing, write_json
from landmass.train.progress import Progress


class RunFolder:
    """A folder that no other run can take, from the first step on; without a manifest nobody takes it for finished.

    Args:
        wanted: the folder asked for; None takes the first free `runs/<name>-<k>`.
        name: what the data is called.
        sources: where the data came from.

    Raises:
        StoreError: something stands there already, or nothing can be written there.
    """

    def __init__(self, wanted: Path | None, name: str, sources: Sources) -> None:
        self._made: list[Path] = []
        try:
            self.path = self._next(name) if wanted is None else self._make(wanted)
            write_json(self.path / "source.json", sources)
            self._log = (self.path / "progress.jsonl").open("ab")
        except OSError as error:
            self._remove_made()
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"cannot write {error.filename}: {error.strerror}; choose another --out") from error

    def log(self, progress: Progress) -> None:
        """Append a progress record."""
        self._log.write(msgspec.json.encode(progress) + b"\n")
        self._log.flush()

    def close(self) -> None:
        """End the log."""
        self._log.close()

    def discard(self) -> None:
        """Remove the folder, and the folders above it that were made for it and hold nothing else."""
        self.close()
        shutil.rmtree(self.path, ignore_errors=True)
        self._remove_made()

    def keep(self, rungs: Mapping[str, DensityEstimator]) -> list[str]:
        """Save the rungs of a fit that will not be finished; remove the folder if there is none.

        Args:
            rungs: the fitted rungs.

        Returns:
            The names of the rungs that are on disk.
        """
        if not rungs:
            self.discard()
            return []
        self.close()
        (self.path / "rungs").mkdir(exist_ok=True)
        for name, rung in rungs.items():
            if not (self.path / "rungs" / name).exists():
                rung.save(self.path / "rungs" / name)
        return list(rungs)

    def _next(self, name: str) -> Path:
        # A name that begins with a dot, or holds a slash, is not one that a person would look for.
        name = name.replace("/", "_").lstrip(".") or "run"
        for k in count(1):
            path = Path("runs") / f"{name}-{k}"
            # Between the look and the making another fit may have taken the name.
            with contextlib.suppress(FileExistsError):
                if not path.exists():
                    return self._make(path)
        raise AssertionError("numbers do not end")

    def _make(self, path: Path) -> Path:
        refuse_existing(path)
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=folder != path)
            self._made.insert(0, folder)
        return path

    def _remove_made(self) -> None:
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def load_run(path: Path) -> Ladder | DensityEstimator:
    """Read a run, or one of its rungs, with a suggestion where there is none.

    Args:
        path: the folder.

    Raises:
        StoreError: there is no such folder, it is unfinished, or it does not hold what its manifest says.
    """
    check_run(path)
    return load(path)


def check_run(path: Path) -> None:
    """Refuse a folder that is missing or unfinished.

    Args:
        path: the folder.

    Raises:
        StoreError: tells which it is.
    """
    if not path.is_dir():
        known = [str(folder) for above in (path.parent, Path("runs")) if above.is_dir() for folder in above.iterdir()]
        raise StoreError(f"there is no run folder {path}{suggest(str(path), known)}")
    if (path / "progress.jsonl").exists() and not (path / "manifest.json").exists():
        rungs = sorted(str(rung) for rung in path.glob("rungs/*"))
        held = f"; these rungs were saved: {', '.join(rungs)}" if rungs else ""
        raise StoreError(f"the run {path} is not finished: its fit was stopped, or still goes on{held}")


def histories(path: Path) -> dict[str, tuple[Progress, ...]]:
    """The training history of each rung, from a run's progress log: of several candidates, the best one's.

    Args:
        path: the run's folder.
    """
    with (path / "progress.jsonl").open("rb") as lines:
        records = [msgspec.json.decode(line, type=Progress) for line in lines]
    best: dict[str, float] = {}
    kept: dict[str, tuple[Progress, ...]] = {}
    running: dict[str, tuple[Progress, ...]] = {}
    for record in records:
        name = record.family
        if record.kind == "advanced":
            running[name] = (*running.get(name, ()), record)
        elif record.kind == "chosen":
            score = float("-inf") if record.score is None else record.score
            if name not in best or score > best[name]:
                best[name], kept[name] = score, running.get(name, ())
            running[name] = ()
    return {**running, **kept}
