"""`score --anomalies`: which events are strange under a run, how rarely such come, and because of what."""

from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa
import typer
from jaxtyping import Integer

from landmass.cli.ask import check_ways, rung_of
from landmass.cli.console import tell, write_out
from landmass.cli.events import asked, events_for, tell_if_known, with_source
from landmass.cli.files import as_csv, write_table
from landmass.cli.folder import load_run, recall
from landmass.cli.sources import Source
from landmass.errors import DataError, SettingError, StoreError
from landmass.estimator.density import DensityEstimator
from landmass.evaluate.ledger import MARKS
from landmass.evaluate.outliers import OutlierDetector
from landmass.ladder import Ladder
from landmass.text import table, title

# Events that are printed, the strangest ones.
PRINTED = 10


def anomalies(
    run: Path,
    source: Source,
    rung: str | None,
    *,
    by: Literal["density", "cells"],
    false_alarms: float,
    held_out: str | None,
    rows: bool,
    out: Path | None,
    as_json: bool,
    escape: bool,
) -> None:
    """Print the strangest events, or write how strange each is.

    Args:
        run: the run's folder.
        source: what to read, as `asked` says it.
        rung: the rung to ask; None asks the one that answers for the ladder.
        by: what events are ranked by, as `OutlierDetector` says it.
        false_alarms: the tail probability up to which an event is an outlier.
        held_out: events to rank among that the run has not learned from; None takes those that it kept back.
        rows: print how strange each event is as CSV.
        out: file for how strange each event is.
        as_json: print the strangest events as JSON.
        escape: escape formulas in CSV.

    Raises:
        SettingError: the rung is no density with a likelihood.
        StoreError: the events that the run kept back are not at hand.
    """
    check_ways(rows, as_json, out, escape)
    name, model = rung_of(load_run(run), rung)
    if not (isinstance(model, DensityEstimator) and model.likelihood_ != "none"):
        raise SettingError(f"{name} is no density with a likelihood, and --anomalies asks for one")
    kept = _kept_back(run) if held_out is None else events_for(run, model, asked(held_out, seed=source.seed + 1))
    detector = OutlierDetector(model, by=by, false_alarms=false_alarms).calibrate(kept)
    events: Any = events_for(run, model, source)
    tell_if_known(run, source.source, events)
    _tell_if_few(detector)
    found = _found(detector, events)
    if out is not None:
        write_table(found.sort_by("row"), out, escape=escape)
    if rows:
        write_out(as_csv(found.sort_by("row"), escape=escape))
        return
    strangest = found[:PRINTED].to_pylist()
    few = int((found["tail_probability"].to_numpy() <= false_alarms).sum())
    if as_json:
        document = {
            "rung": name,
            "label": model.likelihood_,
            "n": len(found),
            "held_out": len(detector.ranked_),
            "false_alarms": false_alarms,
            "outliers": few,
            # JSON has no infinity: a density of zero has no logarithm there.
            "strangest": [
                {key: None if value == -np.inf else value for key, value in row.items()} for row in strangest
            ],
        }
        write_out(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        return
    heads = ("row", "log-density", "tail probability")
    cells = [
        (f"{row['row']}", f"{MARKS[model.likelihood_]}{row['log_density']:.3f}", f"{row['tail_probability']:.4f}")
        for row in strangest
    ]
    reasons = ["strange because", *(row["reason"] or "" for row in strangest)]
    lines = zip(table([heads, *cells]).splitlines(), reasons, strict=True)
    typer.echo("\n".join(f"{line}  {reason}".rstrip() for line, reason in lines))
    typer.echo(
        f"{few:,} of {len(found):,} events have a tail probability of at most {false_alarms:g}, and "
        f"{false_alarms * len(found):,.1f} or fewer would if all were usual: {title(name)}, ranked among "
        f"{len(detector.ranked_):,} held-out events. Rows are counted from 0."
    )


def _found(detector: OutlierDetector, events: Any) -> pa.Table:
    """How strange each event is, the strangest first, and why, of outliers and of those that are printed."""
    scores = detector.score_samples(events)
    order = np.argsort(scores, kind="stable")
    few = max(PRINTED, int((scores < detector.offset_).sum()))
    reasons = _reasons(detector, events, order[:few])
    found = pa.table(
        {
            "row": np.arange(len(scores)),
            "log_density": detector.density_.score_samples(events),
            "tail_probability": detector.tail_probability(events),
            "typicality": detector.typicality(events),
        }
    ).take(order)
    return found.append_column("reason", pa.array([*reasons, *[None] * (len(found) - len(reasons))], pa.string()))


def _kept_back(run: Path) -> Any:
    """The events that a run kept back from learning."""
    folder = with_source(run) or run
    ladder, undone = load_run(folder), "cannot tell tail probabilities"
    try:
        if not isinstance(ladder, Ladder):
            raise StoreError(f"{folder} {undone}: it is a single rung, without the events that its run kept back")
        recall(ladder, folder, undone)
    except StoreError as error:
        raise StoreError(f"{error}; give events that it has not learned from, with --held-out") from error
    return ladder.test_


def _tell_if_few(detector: OutlierDetector) -> None:
    least = 1.0 / (len(detector.ranked_) + 1)
    if detector.false_alarms < least:
        tell(
            f"among {len(detector.ranked_):,} held-out events no tail probability is below {least:.2g}, and nothing is "
            f"an outlier at {detector.false_alarms:g}; give more of them with --held-out, or a greater --false-alarms"
        )


def _reasons(detector: OutlierDetector, events: Any, rows: Integer[np.ndarray, " some"]) -> list[str]:
    """Why some events are strange; nothing where the density cannot tell."""
    try:
        return detector.explain(events.take(rows))
    except (DataError, SettingError) as error:
        tell(f"no reasons are told: {error}")
        return []
