"""`landmass predict`: what a predictor says of events."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.base import is_classifier

from landmass.cli.ask import rung_of
from landmass.cli.console import tell
from landmass.cli.files import check_file, write_rows
from landmass.cli.folder import load_run
from landmass.cli.sources import read_to_predict
from landmass.data.images import Images
from landmass.errors import SettingError
from landmass.estimator.conditional import ConditionalEstimator

# The interval that is to hold the answer in nine cases of ten, and its middle.
QUANTILES = {"low": 0.05, "middle": 0.5, "high": 0.95}


def predict(run: Path, source: str, rung: str | None, out: Path | None, *, escape: bool = False) -> None:
    """Write a row for each event: what is predicted, and how surely.

    Args:
        run: the run's folder.
        source: the events.
        rung: the rung to ask; None asks the one that answers for the ladder.
        out: the file; None writes CSV to stdout.
        escape: escape formulas in CSV.

    Raises:
        SettingError: the rung predicts nothing.
    """
    check_file(out, escape=escape)
    name, model = rung_of(load_run(run), rung)
    if not isinstance(model, ConditionalEstimator):
        raise SettingError(f"{name} is a density of events and predicts nothing; fit with --target for a predictor")
    if model.architecture == "constant":
        tell(f"{name} answers: it is told nothing of an event, and says the same of all; --rung asks another rung")
    events = read_to_predict(source, model)
    files = {"file": pa.array(events.files)} if isinstance(events, Images) and events.files else {}
    write_rows(pa.table({**files, **_columns(model, events)}), out, escape=escape)


def _columns(model: Any, events: Any) -> dict[str, pa.Array]:
    """What is predicted, by columns."""
    target = model.data_.schema.names[0]
    if is_classifier(model):
        chances = model.predict_proba(events)
        likeliest = pa.array(model.classes_[chances.argmax(axis=1)].tolist())
        each = {
            f"p({label})": pa.array(column) for label, column in zip(model.classes_.tolist(), chances.T, strict=True)
        }
        return {target: likeliest, **each}
    found = model.predict_quantiles(events, tuple(QUANTILES.values()))
    each = {f"{target}_{word}": pa.array(np.asarray(column)) for word, column in zip(QUANTILES, found.T, strict=True)}
    return {target: pa.array(model.predict(events)), **each}
