"""`landmass fit`: from a source to a finished run folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import typer

from landmass.catalog import CONDITIONALS, FAMILIES, OF_IMAGES, OF_TABLES, family
from landmass.cli.console import tell
from landmass.cli.folder import RunFolder, begun, how_to_go_on
from landmass.cli.interrupt import INTERRUPTED, at_interrupt
from landmass.cli.settings import estimators, family_of, names_of
from landmass.cli.sources import Source, Sources, check_there, fresh, read_held_out, read_to_fit, tell_notes
from landmass.cli.view import view
from landmass.data.builtin.drawn import DRAWN
from landmass.data.builtin.examples import EXAMPLES
from landmass.data.dataset import Dataset
from landmass.data.examples import Examples
from landmass.data.pieces import Pieces
from landmass.errors import DataError, FitError, SettingError, StoreError
from landmass.evaluate.ledger import MARKS, as_text, mean_and_error
from landmass.ladder import Ladder, usual_predictors
from landmass.ladder.parts import Events
from landmass.ladder.rungs import take_tables, usual_of_tables
from landmass.store import refuse_existing
from landmass.text import title
from landmass.train.progress import Progress
from landmass.types import LogDensities

Remark = Callable[[LogDensities], str]
"""What else there is to say of a rung, from its log-densities of the held-out events."""


@dataclass(frozen=True)
class Order:
    """What a command line asks to be fitted: the options' values, and what to call the run if not after the data."""

    source: Source
    families: str | None = None
    settings: Sequence[str] = ()
    test: str | None = None
    out: Path | None = None
    name: str | None = None


def fit(order: Order, *, as_json: bool = False, with_report: bool = True, remark: Remark | None = None) -> int:
    """Fit a ladder, fill its run folder, and print its ledger.

    Args:
        order: what to fit to what.
        as_json: print the ledger as JSON.
        with_report: write a report.
        remark: what else to say of a rung as soon as it is done.

    Returns:
        The exit code: 1 if a family or the report failed, 130 if interrupted.
    """
    if order.out is not None:
        refuse_existing(order.out)
    check_there(order.source.source)
    in_pieces = order.source.pieces or order.source.holds_tables
    order = replace(order, source=msgspec.structs.replace(order.source, pieces=in_pieces))
    order = replace(order, families=_usual(order) if order.families is None else order.families)
    # Pictures with labels are examples, unless densities are asked for by name.
    only_densities = order.families is not None and not set(names_of(order.families)) & set(CONDITIONALS)
    asked = msgspec.structs.replace(order.source, as_events=order.source.holds_images and only_densities)
    named = order.families is not None
    tables = _take_tables(order.families) if named else {family_of(text) for text in order.settings} <= set(OF_TABLES)
    asked = msgspec.structs.replace(asked, find=asked.may_be_found and tables)
    # What suits a table is known once its columns are.
    wait = not named and (asked.find or (asked.is_table_of_ours and tables))
    rungs = None if wait else estimators(order.families, order.settings, predict=asked.has_answers)
    data, source = read_to_fit(asked)
    data.check_fit()
    if wait:
        kind = ",".join(usual_of_tables(data)) if isinstance(data, Dataset | Pieces) and not data.schema.plain else None
        order = replace(order, families=kind)
        rungs = estimators(order.families, order.settings)
    held_out = (
        None if order.test is None else fresh(order.test, msgspec.structs.replace(source, seed=order.source.seed))
    )
    test, test_source = (None, None) if held_out is None else read_held_out(held_out, data)
    told = msgspec.structs.asdict(source)
    sources = Sources(**told, test=test_source, families=order.families, settings=tuple(order.settings))
    ladder = Ladder(_suiting(rungs, order.families, data), random_state=source.seed)
    names = ladder.names_for(data)
    folder = RunFolder.new(order.out, order.name or data.name, sources)
    _climb(ladder, data, test, names, folder, remark)
    print_ledger(ladder, as_json)
    return _finish(ladder, folder.path, as_json=as_json, with_report=with_report)


def resume(run: Path, *, as_json: bool = False, with_report: bool = True) -> int:
    """Go on with a run that was begun and not finished.

    Args:
        run: its folder.
        as_json: print the ledger as JSON.
        with_report: write a report.

    Returns:
        The exit code, as of `fit`.
    """
    sources = begun(run)
    rungs = estimators(sources.families, sources.settings, predict=sources.has_answers)
    data, test = sources.read()
    ladder = Ladder(_suiting(rungs, sources.families, data), random_state=sources.seed)
    _climb(ladder, data, test, ladder.names_for(data), RunFolder(run), None)
    print_ledger(ladder, as_json)
    return _finish(ladder, run, as_json=as_json, with_report=with_report)


def print_ledger(ladder: Ladder, as_json: bool) -> None:
    """Print a ladder's ledger to stdout.

    Args:
        ladder: fitted.
        as_json: as one JSON document, the same as `ledger.json`.
    """
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(ladder.ledger_), indent=2).decode())
        return
    typer.echo(as_text(ladder.ledger_))
    typer.echo(f"\nValidation prefers: {title(ladder.best_)}.")


def make_report(ladder: Ladder, path: Path) -> Path | None:
    """Write a run's report; a failure is told and leaves the run as it is.

    Args:
        ladder: fitted, with its events.
        path: the run's folder.

    Returns:
        Where the report lies; None if it could not be made.
    """
    # Whatever goes wrong in drawing, the fit behind it may have taken hours: it is told, never raised.
    try:
        from landmass.report.page import write_report

        return write_report(ladder, path)
    except Exception as error:
        tell(f"the report could not be made ({type(error).__name__}: {error}); the run itself is saved")
        return None


def _usual(order: Order) -> str | None:
    """The families where none are named; None leaves the choice to the ladder."""
    source = order.source
    if source.target is None and source.missing and not source.holds_images:
        return ",".join(name for name in FAMILIES if family(name)._integrates_missing)
    # Of the labels of images drawn here none is more the answer than another.
    unlabelled = source.source in DRAWN.keys() - EXAMPLES.keys()
    # Nobody but a density of images knows of these settings, or of black and white.
    told = {family_of(text) for text in order.settings} & set(OF_IMAGES) or source.binary is not None
    return ",".join(OF_IMAGES) if source.target is None and (unlabelled or (source.holds_images and told)) else None


def _take_tables(families: str | None) -> bool:
    return take_tables(names_of(families))


def _suiting(rungs: dict[str, Any] | None, families: str | None, data: Events | Pieces) -> dict[str, Any] | None:
    """The estimators that were asked for; where only settings were, the usual predictors with these."""
    if families is not None or rungs is None or not isinstance(data, Examples):
        return rungs
    return dict(usual_predictors(data, next(iter(rungs.values()))))


def _climb(
    ladder: Ladder,
    data: Events | Pieces,
    test: Events | None,
    names: Sequence[str],
    folder: RunFolder,
    remark: Remark | None,
) -> None:
    """Fit a ladder into its run folder; what a stopped fit has reached stays there, to be resumed."""
    shown = view(names)

    def leave() -> None:
        shown.__exit__()
        _interrupted(folder)

    def listen(progress: Progress) -> None:
        folder.log(progress)
        done = progress.kind == "finished"
        shown.hear(progress, _result(ladder, progress.family, remark) if done else "")

    try:
        with shown, at_interrupt(leave):
            ladder.fit(data, test, listen=listen, folder=folder.path)
        tell_notes(data.name, (note for note in ladder.ledger_.notes if note not in data.notes))
    except (DataError, FitError, SettingError):
        folder.discard()
        raise
    except StoreError as error:
        raise StoreError(f"{error}; then {how_to_go_on(folder.path)}") from error
    except KeyboardInterrupt:
        _interrupted(folder)
        raise
    finally:
        folder.close()


def _result(ladder: Ladder, rung: str, remark: Remark | None) -> str:
    """A finished rung in words: its mean log-density of the held-out events, and how far that is from the truth."""
    scores = ladder.test_scores_[rung]
    zeros = int(np.isneginf(scores).sum())
    if zeros:
        return f"-inf nats ({zeros} of {len(scores)} events have density zero)"
    nats, error = mean_and_error(scores)
    parts = [f"{MARKS[ladder.rungs_[rung].likelihood_]}{nats:.3f} ± {error:.3f} nats"]
    if (entropy := ladder.entropy_) is not None:
        parts.append(f"gap {-entropy - nats:.3f}")
    if remark is not None:
        parts.append(remark(scores))
    return ", ".join(parts)


def _interrupted(folder: RunFolder) -> None:
    tell(f"interrupted: {how_to_go_on(folder.path)}")


def _finish(ladder: Ladder, path: Path, *, as_json: bool, with_report: bool) -> int:
    """Write the report, and say where everything lies."""
    of_tables = isinstance(ladder.train_, Dataset) and not ladder.train_.schema.plain
    if with_report and getattr(ladder.train_, "incomplete", False) and not of_tables:
        tell("no report is written: its figures are of complete rows")
        with_report = False
    try:
        page = make_report(ladder, path) if with_report else None
    except KeyboardInterrupt:
        tell(f"interrupted: the run is saved in {path}; `landmass report {path}` makes its report")
        return INTERRUPTED
    typer.echo(f"Run: {path}", err=as_json)
    if page is not None:
        typer.echo(f"Report: {page}", err=as_json)
    return 1 if ladder.failed_ or (with_report and page is None) else 0
