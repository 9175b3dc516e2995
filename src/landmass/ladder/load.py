"""Read a run folder, or a saved estimator."""

from pathlib import Path
from typing import Any

import numpy as np

from landmass.catalog import load_estimator
from landmass.data.batches import Split
from landmass.errors import StoreError
from landmass.evaluate.ledger import Ledger
from landmass.ladder.form import RunManifest, SplitRows
from landmass.ladder.ladder import Ladder
from landmass.store import below, read_json


def load(path: str | Path) -> Any:
    """Read a run folder or a saved estimator; no code in it is ever executed.

    Args:
        path: what `save` or `landmass fit` wrote.

    Returns:
        A `Ladder` without its events, which `recall` gives back, or the estimator.

    Raises:
        StoreError: the folder does not hold what its manifest says.
    """
    path = Path(path)
    if not (path / "manifest.json").is_file():
        raise StoreError(f"{path} is not a run or model folder: it has no manifest.json")
    if not (path / "ledger.json").is_file():
        return load_estimator(path)
    manifest = read_json(path / "manifest.json", RunManifest)
    if not manifest.rungs or any(not name.isidentifier() for name in manifest.rungs):
        raise StoreError(f"{path}: the manifest's rungs {list(manifest.rungs)} are not names of rungs")
    rows, ledger = read_json(path / "split.json", SplitRows), read_json(path / "ledger.json", Ledger)
    ladder = Ladder(random_state=manifest.random_state)
    ladder.rungs_ = {name: load_estimator(below(path, "rungs", name)) for name in manifest.rungs}
    if ledger.best not in ladder.rungs_:
        raise StoreError(f"{path}: the ledger prefers {ledger.best!r}, and there is no such rung")
    ladder.split_ = Split(*(np.array(part, int) for part in (rows.train, rows.validation, rows.test)))
    ladder.ledger_, ladder.best_, ladder.failed_ = ledger, ledger.best, ledger.failed
    ladder.target_, ladder.entropy_ = manifest.target, ledger.true_entropy
    return ladder
