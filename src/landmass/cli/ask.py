"""`score`, `sample` and `report`: questions to a run that is there."""

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import typer

from landmass.catalog import name_of
from landmass.cli.console import suggest, write_out
from landmass.cli.events import events_for, tell_if_known
from landmass.cli.files import SHEETS, TABLES, as_csv, check_events_file, check_file, write_events, write_table
from landmass.cli.fit import make_report, print_ledger
from landmass.cli.folder import check_run, load_run, recall
from landmass.cli.shards import score_in_shards
from landmass.cli.sources import BUILT_IN, FRESH_SEED, Source
from landmass.data.examples import Examples
from landmass.data.images import Images
from landmass.errors import SettingError, StoreError
from landmass.estimator.density import DensityEstimator
from landmass.evaluate.ledger import BITS_MARKS, MARKS, mean_and_error
from landmass.ladder import Ladder
from landmass.text import title
from landmass.train.progress import histories


def score(
    run: Path,
    source: Source,
    rung: str | None,
    *,
    rows: bool,
    out: Path | None,
    as_json: bool,
    escape: bool = False,
) -> None:
    """Print the mean log-density of events, or write each event's own.

    Args:
        run: the run's folder.
        source: what to read, as `asked` says it.
        rung: the rung to ask; None asks the one that answers for the ladder.
        rows: print each event's log-density instead of the mean.
        out: file for each event's log-density; a name without an ending is a folder, for more rows than memory holds.
        as_json: print the mean as JSON.
        escape: escape formulas in CSV.
    """
    in_shards = out is not None and not out.suffix
    check_ways(rows, as_json, None if in_shards else out, escape)
    name, model = rung_of(load_run(run), rung)
    if model.likelihood_ == "none":
        raise SettingError(f"{name} has no likelihood to score events by; `landmass encode` and `decode` ask it")
    if out is not None and in_shards:
        if rows or as_json:
            raise SettingError(f"--out {out} is a folder, which takes the scores; leave out --rows and --json")
        _check_many(source, out)
        tell_if_known(run, source.source, None)
        score_in_shards(run, name, model, source.source, out)
        return
    events = events_for(run, model, source)
    tell_if_known(run, source.source, events)
    scores = model.log_prob(events) if isinstance(events, Examples) else model.score_samples(events)
    table = pa.table({"log_density": scores})
    if out is not None:
        write_table(table, out, escape=escape)
    if rows:
        write_out(as_csv(table, escape=escape))
        return
    zeros = int(np.isneginf(scores).sum())
    nats, error = (None, None) if zeros else mean_and_error(scores)
    if as_json:
        found = {
            "rung": name,
            "label": model.likelihood_,
            "n": len(scores),
            "nats": nats,
            "se": error,
            "zero_density": zeros,
        }
        write_out(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
        return
    mean = (
        f"-inf ({zeros} of {len(scores):,} events have density zero)"
        if zeros
        else f"{MARKS[model.likelihood_]}{nats:.4f} ± {error:.4f}"
    )
    bits = ""
    if nats is not None and isinstance(events, Images):
        each = -nats / (events.schema.dimensions * math.log(2.0))
        bits = f", {BITS_MARKS[model.likelihood_]}{each:.4f} bits a dimension"
    typer.echo(f"{mean} nats an event{bits}: {title(name)}, {len(scores):,} events")


def _check_many(source: Source, out: Path) -> None:
    """Refuse to write scores of what is drawn or piped into a folder."""
    if source.source == "-" or source.source in BUILT_IN:
        raise SettingError(
            f"--out {out} is a folder, for scores of files, and {source.source} is none; write to a .csv or .parquet"
        )
    if (source.n, source.seed, source.binary) != (None, FRESH_SEED, None):
        raise SettingError(f"--n, --seed and --binary say nothing of {source.source}; leave them out")


def check_ways(rows: bool, as_json: bool, out: Path | None, escape: bool) -> None:
    """Refuse two ways to print at once, and a file that cannot be written.

    Args:
        rows: print CSV.
        as_json: print JSON.
        out: the file.
        escape: escape formulas in CSV.
    """
    if rows and as_json:
        raise SettingError("--rows prints CSV and --json one document: choose one of them")
    check_file(out, escape=escape)


def sample(run: Path, n: int, seed: int, rung: str | None, out: Path | None, *, escape: bool = False) -> None:
    """Draw events to stdout or into a file.

    Args:
        run: the run's folder.
        n: how many.
        seed: seed of the draw.
        rung: the rung to ask; None asks the stack.
        out: the file.
        escape: escape formulas in CSV.
    """
    check_file(out, (*TABLES, *SHEETS), escape=escape)
    name, model = rung_of(load_run(run), rung)
    if not isinstance(model, DensityEstimator):
        raise SettingError(f"{name} is a predictor and has no events to draw; `landmass predict` asks it for answers")
    check_events_file(out, of_images=model.data_.schema.image is not None)
    write_events(model.sample(n, random_state=seed), out, escape=escape)


def report(run: Path, *, as_json: bool) -> int:
    """Print a run's ledger and where its report lies; make the report if it is missing.

    Args:
        run: the run's folder.
        as_json: print the ledger as JSON.

    Returns:
        The exit code: 1 if the report could not be made.
    """
    check_run(run)
    ladder = load_run(run)
    if not isinstance(ladder, Ladder):
        raise StoreError(f"{run} is a single rung, not a run; `landmass report` needs the folder above `rungs`")
    print_ledger(ladder, as_json)
    page = run / "report.html"
    if not page.exists():
        undone = "has no report, and none can be made"
        recall(ladder, run, undone)
        if getattr(ladder.train_, "incomplete", False) and ladder.train_.schema.plain:
            raise StoreError(f"{run} {undone}: its figures would be of complete rows")
        for name, history in histories(run).items():
            if name in ladder.rungs_:
                ladder.rungs_[name].history_ = history
        if make_report(ladder, run) is None:
            return 1
    typer.echo(f"Report: {page}", err=as_json)
    return 0


def rung_of(model: Any, wanted: str | None) -> tuple[str, Any]:
    """The rung that is asked, and its name.

    Args:
        model: a ladder, or a single rung.
        wanted: the rung's name; None is the one that answers for the ladder.

    Raises:
        SettingError: there is no such rung.
    """
    rungs = model.rungs_ if isinstance(model, Ladder) else {name_of(model): model}
    answers = model.last_ if isinstance(model, Ladder) else model
    name = next(name for name, rung in rungs.items() if rung is answers) if wanted is None else wanted
    if name not in rungs:
        raise SettingError(f"the run has no rung {name!r}{suggest(name, rungs)} (it has: {', '.join(rungs)})")
    return name, rungs[name]
