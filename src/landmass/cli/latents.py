"""`encode`, `decode` and `edit`: questions to a rung whose events have codes."""

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Shaped

from landmass.catalog import name_of
from landmass.cli.ask import rung_of
from landmass.cli.console import suggest, tell, tell_lines
from landmass.cli.events import asked, events_for
from landmass.cli.files import check_events_file, check_file, write_events, write_rows
from landmass.cli.folder import load_run
from landmass.cli.sources import Source, check_there, table_or_name, tell_notes
from landmass.data.builtin import DATASETS
from landmass.data.examples import read_inputs
from landmass.data.features import Table
from landmass.errors import DataError, InseparableError, SettingError
from landmass.estimator.latent import HostCodes, LatentEstimator
from landmass.ladder import Ladder
from landmass.text import title
from landmass.train.labels import has_direction

Labels = Mapping[str, Shaped[np.ndarray, " events"]]
"""What is known of events, by name."""


def encode(run: Path, source: Source, rung: str | None, *, draw: bool, seed: int, out: Path | None) -> None:
    """Write the codes of events, a column for each latent.

    Args:
        run: the run's folder.
        source: what to read, as `asked` says it.
        rung: the rung to ask; None asks the one that answers for the ladder, or the richest that has codes.
        draw: whether to draw codes from what the rung guesses of them, and not to give their means.
        seed: seed of these draws.
        out: the file; None writes CSV to stdout.
    """
    check_file(out)
    model = _coder(run, rung)
    codes = model.encode(events_for(run, model, source), draw=draw, random_state=seed)
    write_rows(pa.table(dict(zip(model.latent_names_, codes.T, strict=True))), out)


def decode(run: Path, codes: str, rung: str | None, out: Path | None) -> None:
    """Write the events of codes, as `LatentEstimator.decode` tells them.

    Args:
        run: the run's folder.
        codes: a CSV or Parquet file, or "-".
        rung: the rung to ask, as of `encode`.
        out: the file; None writes rows as CSV to stdout.
    """
    model = _coder(run, rung)
    check_events_file(out, _of_images(model))
    write_events(model.decode(_codes(codes, model.latent_names_)), out)


def edit(
    run: Path,
    source: Source,
    steps: Sequence[str],
    attributes: str | None,
    rung: str | None,
    *,
    hold: str | None,
    free: bool,
    out: Path | None,
) -> None:
    """Write events with more of some attributes and less of others.

    Args:
        run: the run's folder.
        source: what to read, as `asked` says it.
        steps: texts of the form `NAME=NUMBER`.
        attributes: labelled events to learn directions from; None takes the events themselves, or the directions that
            were saved with the rung where these lack a label.
        rung: the rung to ask, as of `encode`.
        hold: names of the attributes that are to stay, with commas between them; None holds all others that codes tell
            by themselves.
        free: whether none is held.
        out: the file; None writes rows as CSV to stdout.
    """
    wanted = _steps(steps)
    if free and hold is not None:
        raise SettingError("--free lets all other attributes move and --hold keeps some: choose one of them")
    held = None if hold is None else [name.strip() for name in hold.split(",")]
    model = _coder(run, rung)
    check_events_file(out, _of_images(model))
    labelled = source if attributes is None else asked(attributes, binary=source.binary)
    told, labels = _labelled(run, model, labelled)
    events = told if attributes is None else events_for(run, model, source)
    if attributes is None and _saved_tell(model, [*wanted, *(held or [])], labels):
        tell("directions are those that were saved with the model")
    else:
        model.directions(told, _attributes(labels, wanted, [] if free else held, labelled.source))
    tell_lines(str(model.directions_))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            edited = model.edit(events, wanted, hold=held, orthogonal=not free)
        except InseparableError as error:
            remedy = "hold fewer of them, with --hold A,B, or none, with --free"
            raise InseparableError(error.problem, remedy) from error
    for warning in caught:
        tell(f"warning: {warning.message}")
    write_events(edited, out)


def _saved_tell(model: Any, names: Sequence[str], labels: Labels) -> bool:
    """Whether directions that were saved with a rung tell of attributes of which events have no labels."""
    saved = getattr(model, "directions_", None)
    if saved is None or all(name in labels for name in names):
        return False
    return not labels or all(name in saved.names for name in names)


def _coder(run: Path, wanted: str | None) -> Any:
    """The rung that is asked for codes.

    Raises:
        SettingError: there is no such rung, or it has no codes.
    """
    loaded = load_run(run)
    rungs = loaded.rungs_ if isinstance(loaded, Ladder) else {name_of(loaded): loaded}
    coded = [name for name, rung in rungs.items() if _latents(rung)]
    name, _ = rung_of(loaded, wanted)
    if name not in coded and (wanted is not None or not coded):
        there = f"these rungs have: {', '.join(coded)}" if coded else f"no rung of {run} has; fit one that has, such as"
        such = "" if coded else " probabilistic_pca, or vae with members=1"
        raise SettingError(f"{name} has no codes, and {there}{such}")
    if name not in coded:
        tell(f"{title(name)} has no codes: {title(coded[-1])} answers, the richest rung that has (--rung asks another)")
        name = coded[-1]
    return rungs[name]


def _latents(rung: Any) -> int:
    """How many numbers the codes of a rung have; 0 if it has none."""
    try:
        return rung.n_latents_ if isinstance(rung, LatentEstimator) else 0
    except SettingError:
        # Each of several members has codes of its own.
        return 0


def _of_images(model: Any) -> bool:
    return model.data_.schema.image is not None


def _codes(name: str, latents: Sequence[str]) -> HostCodes:
    """The codes that a table holds, by the names of its columns.

    Raises:
        DataError: columns are missing, or there are others, or a cell is no number.
    """
    check_there(name)
    table, called = read_inputs(table_or_name(name))
    columns = table.columns if isinstance(table, Table) else {}
    missing = [latent for latent in latents if latent not in columns]
    others = [column for column in columns if column not in latents]
    if missing or others:
        wrong = [f"lacks {_listed(missing)}"] * bool(missing) + [f"has {_listed(others)} besides"] * bool(others)
        raise DataError(f"codes of this rung have the columns {_listed(latents)}, and {called} {' and '.join(wrong)}")
    for latent in latents:
        cells = columns[latent]
        if cells.dtype == object or np.isnan(cells).any():
            found = "words" if cells.dtype == object else "empty cells"
            raise DataError(f"column {latent!r} of {called} holds {found}, and codes are numbers; correct these cells")
    return np.column_stack([columns[latent] for latent in latents])


def _listed(names: Sequence[str], most: int = 8) -> str:
    """Names, of which no more than some are told."""
    told = ", ".join(map(repr, names[:most]))
    return f"{told} and {len(names) - most:,} more" if len(names) > most else told


def _steps(texts: Sequence[str]) -> dict[str, float]:
    """Steps by attribute, of texts such as `smile=+2`."""
    found: dict[str, float] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            count = float(number)
        except ValueError:
            count = math.nan
        if not name.strip() or not math.isfinite(count):
            raise SettingError(
                f"say of each attribute how many steps to take, NAME=NUMBER such as smile=+2; got {text!r}"
            )
        if name.strip() in found:
            raise SettingError(f"{name.strip()!r} is asked for twice; leave one")
        found[name.strip()] = count
    return found


def _labelled(run: Path, model: Any, source: Source) -> tuple[Any, Labels]:
    """Events, and what is known of each: labels of images; columns of a table that are none of the events'."""
    if _of_images(model):
        images: Any = events_for(run, model, source)
        return images, images.labels
    if source.source in DATASETS:
        return events_for(run, model, source), {}
    check_there(source.source)
    table, called = read_inputs(table_or_name(source.source))
    columns, own = table.columns if isinstance(table, Table) else {}, model.data_.schema.names
    if missing := [name for name in own if name not in columns]:
        raise DataError(f"{called} has no column {', '.join(map(repr, missing))}, of which the run's events are made")
    tell_notes(called, table.notes)
    return pa.table({name: columns[name] for name in own}), {
        name: cells for name, cells in columns.items() if name not in own
    }


def _attributes(labels: Labels, wanted: Mapping[str, float], held: Sequence[str] | None, called: str) -> Labels:
    """The labels of the attributes that are to change, and of those that are to stay.

    Raises:
        DataError: there is no label of such a name.
    """
    for name in (*wanted, *(held or ())):
        if name not in labels:
            there = (
                f"there are: {', '.join(labels)}" if labels else "there are none; --attributes names labelled events"
            )
            raise DataError(f"{called} has no label {name!r}{suggest(name, labels)} ({there})")
    chosen = [name for name, cells in labels.items() if has_direction(cells)] if held is None else held
    return {name: cells for name, cells in labels.items() if name in chosen or name in wanted}
