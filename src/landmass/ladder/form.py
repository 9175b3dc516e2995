"""What the files of a run folder hold."""

from typing import Literal

import msgspec

from landmass.errors import StoreError
from landmass.store import VERSION
from landmass.train.checkpoint import Checkpoint
from landmass.train.progress import Progress


class RunManifest(msgspec.Struct, forbid_unknown_fields=True):
    """What `manifest.json` says of a run folder.

    Args:
        rungs: the rungs' names, from simple to rich.
        data: what the data was called.
        random_state: the seed of everything.
        target: what predictors predict; None for densities.
        kind: tells a run from a single estimator.
        schema_version: of this form.
        landmass: the version that wrote it.
    """

    rungs: tuple[str, ...]
    data: str
    random_state: int
    target: str | None = None
    kind: Literal["run"] = "run"
    schema_version: Literal[1] = 1
    landmass: str = VERSION


class SplitRows(msgspec.Struct, forbid_unknown_fields=True):
    """Row numbers of the parts; `test` is empty where the test events came on their own."""

    train: list[int]
    validation: list[int]
    test: list[int]


class Done(msgspec.Struct, forbid_unknown_fields=True):
    """What a begun run remembers of a rung that is done, beside its folder and its validation scores.

    Args:
        seconds: that it took.
        failed: why there is no such rung; empty if there is.
        history: its progress records.
    """

    seconds: float = 0.0
    failed: str = ""
    history: tuple[Progress, ...] = ()


class Begun(msgspec.Struct, forbid_unknown_fields=True):
    """What a begun run is of: the SHA-256 of its data, families and settings."""

    sha256: str


def check_begun(checkpoint: Checkpoint, sha256: str) -> None:
    """Refuse to go on with a run of something else."""
    begun = checkpoint.load(Begun)
    if begun is None:
        checkpoint.save(Begun(sha256), {})
    elif begun[0].sha256 != sha256:
        raise StoreError(f"{checkpoint.folder} is of a fit with other data, families or settings; give another folder")
