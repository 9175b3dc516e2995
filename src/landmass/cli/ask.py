"""`score`, `sample` and `report`: questions to a run that is there."""

import io
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import typer
from PIL import Image
from pyarrow import csv, parquet

from landmass.catalog import name_of
from landmass.cli.console import suggest, tell, write_out
from landmass.cli.fit import make_report, print_ledger
from landmass.cli.folder import check_run, load_run
from landmass.cli.sources import FRESH_SEED, Source, Sources, check_there, read_events, table_or_name, tell_notes
from landmass.data.builtin.drawn import DRAWN
from landmass.data.builtin.examples import EXAMPLES
from landmass.data.dataset import Dataset
from landmass.data.door import read_like
from landmass.data.examples import Examples, read_examples
from landmass.data.images import Images, Pixels
from landmass.data.pixels import PixelInputs
from landmass.errors import LandmassError, SettingError, StoreError
from landmass.estimator.density import DensityEstimator
from landmass.evaluate.ledger import mean_and_error
from landmass.ladder import Ladder
from landmass.store import read_json, refuse_existing, write_bytes
from landmass.train.progress import histories

TABLES, SHEETS = (".csv", ".parquet"), (".npz", ".png")
"""Endings of the files that tables, and images, are written to."""


def score(
    run: Path,
    source: str,
    rung: str | None,
    *,
    rows: bool,
    out: Path | None,
    n: int | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Print the mean log-density of events, or write each event's own.

    Args:
        run: the run's folder.
        source: the events.
        rung: the rung to ask; None asks the stack.
        rows: print each event's log-density instead of the mean.
        out: file for each event's log-density.
        n: how many events of a built-in data set.
        seed: seed of that draw; None takes one that `fit` does not use.
        as_json: print the mean as JSON.
    """
    if rows and as_json:
        raise SettingError("--rows prints CSV and --json one document: choose one of them")
    check_file(out)
    name, model = rung_of(load_run(run), rung)
    events = _events(model, Source(source, n, FRESH_SEED if seed is None else seed))
    _tell_if_known(run, source, events)
    scores = model.log_prob(events) if isinstance(events, Examples) else model.score_samples(events)
    table = pa.table({"log_density": scores})
    if out is not None:
        write_table(table, out)
    if rows:
        write_out(as_csv(table))
        return
    zeros = int(np.isneginf(scores).sum())
    nats, error = (None, None) if zeros else mean_and_error(scores)
    if as_json:
        found = {"rung": name, "n": len(scores), "nats": nats, "se": error, "zero_density": zeros}
        write_out(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
        return
    mean = f"-inf ({zeros} of {len(scores):,} events have density zero)" if zeros else f"{nats:.4f} ± {error:.4f}"
    bits = ""
    if nats is not None and isinstance(events, Images):
        bits = f", {-nats / (events.schema.dimensions * math.log(2.0)):.4f} bits a dimension"
    typer.echo(f"{mean} nats an event{bits}: {name.replace('_', ' ')}, {len(scores):,} events")


def sample(run: Path, n: int, seed: int, rung: str | None, out: Path | None) -> None:
    """Draw events to stdout or into a file.

    Args:
        run: the run's folder.
        n: how many.
        seed: seed of the draw.
        rung: the rung to ask; None asks the stack.
        out: the file.
    """
    check_file(out, (*TABLES, *SHEETS))
    name, model = rung_of(load_run(run), rung)
    of_images = isinstance(model, DensityEstimator) and model.data_.schema.image is not None
    check_file(out, SHEETS if of_images else TABLES)
    if of_images and out is None:
        raise SettingError("images have no form as text; say where they go: --out FILE.png (all in one) or FILE.npz")
    if not isinstance(model, DensityEstimator):
        raise SettingError(f"{name} is a predictor and has no events to draw; `landmass predict` asks it for answers")
    table = model.sample(n, random_state=seed)
    if out is not None and of_images:
        write_bytes(out, as_npz(table) if out.suffix.lower() == ".npz" else as_png(table))
    elif out is None:
        write_out(as_csv(table))
    else:
        write_table(table, out)


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
        _recall(ladder, run)
        if make_report(ladder, run) is None:
            return 1
    typer.echo(f"Report: {page}", err=as_json)
    return 0


def check_file(path: Path | None, endings: Sequence[str] = TABLES) -> None:
    """Refuse a file to write that has no known form, or is there already.

    Args:
        path: the file; None is none.
        endings: of the known forms.

    Raises:
        SettingError: it has another ending.
        StoreError: it is there already.
    """
    if path is None:
        return
    if path.suffix.lower() not in endings:
        raise SettingError(f"--out {path}: write to a file that ends in {' or '.join(endings)}")
    refuse_existing(path)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table so that the file is there in full or not at all.

    Args:
        table: what to write.
        path: the file, CSV or Parquet by its ending.
    """
    if path.suffix.lower() == ".csv":
        write_bytes(path, as_csv(table))
        return
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    write_bytes(path, buffer.getvalue())


def as_npz(images: Pixels) -> bytes:
    """Images as a file of one array, `images`.

    Args:
        images: what to write.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=images)
    return buffer.getvalue()


def as_png(images: Pixels) -> bytes:
    """Images side by side in one picture, in rows of about as many as there are rows.

    Args:
        images: what to write.
    """
    count, height, width, channels = images.shape
    across = math.ceil(math.sqrt(count))
    rows = -(-count // across)
    sheet = np.full((rows * across, height, width, channels), 255, np.uint8)
    sheet[:count] = images
    sheet = sheet.reshape(rows, across, height, width, channels).swapaxes(1, 2)
    pixels = sheet.reshape(rows * height, across * width, channels)
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(buffer, "png")
    return buffer.getvalue()


def as_csv(table: pa.Table) -> bytes:
    """A table as CSV, every digit kept.

    Args:
        table: what to write.
    """
    buffer = io.BytesIO()
    plain = not any(set(name) & set(',"\r\n') for name in table.column_names)
    options = csv.WriteOptions(quoting_header="none" if plain else "needed")
    csv.write_csv(table, buffer, options)
    return buffer.getvalue()


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


def _events(model: Any, source: Source) -> Dataset | Images | Examples:
    """Events to score, with their answers if a predictor is to be asked."""
    if isinstance(model, DensityEstimator) and model.data_.schema.image is not None:
        check_there(source.source)
        return read_like(source.source, model.data_.schema.image.shape, n=source.n, seed=source.seed)
    if isinstance(model, DensityEstimator) or source.source in EXAMPLES:
        return read_events(source)[0]
    check_there(source.source)
    if source.source in DRAWN and isinstance(model.inputs_, PixelInputs):
        target, size = model.data_.schema.names[0], model.inputs_.shape[0]
        return read_events(msgspec.structs.replace(source, target=target, size=size))[0]
    data = read_examples(table_or_name(source.source), model.data_.schema.names[0], model.inputs_)
    tell_notes(data.name, data.notes)
    return data


def _tell_if_known(run: Path, source: str, events: Dataset | Images | Examples) -> None:
    """Say that a run has learned from events, if it was fitted to just these, or to a finite set that they are of."""
    # A rung stands two folders below its run.
    folder = next((each for each in (run, run.parent.parent) if (each / "source.json").exists()), None)
    if folder is None:
        return
    fitted = read_json(folder / "source.json", Sources)
    of_one_set = source == fitted.source and source in EXAMPLES and EXAMPLES[source].finite
    if of_one_set or events.sha256() == fitted.sha256:
        tell(
            f"{source}: the run has learned from some of these very events, which makes their score too good; "
            f"`landmass report {shlex.quote(str(folder))}` tells the score of those that were kept back"
        )


def _recall(ladder: Ladder, run: Path) -> None:
    """Give a ladder read from its folder its events and histories back, for a report."""
    if not (run / "source.json").exists():
        raise StoreError(f"{run} has no report, and none can be made: it was saved from Python, without its events")
    sources = read_json(run / "source.json", Sources)
    if sources.from_stdin:
        raise StoreError(f"{run} has no report, and none can be made: its data came from standard input")
    try:
        ladder.recall(*sources.read())
    except LandmassError as error:
        raise StoreError(f"{run} has no report, and none can be made: {error}") from error
    for name, history in histories(run).items():
        if name in ladder.rungs_:
            ladder.rungs_[name].history_ = history
