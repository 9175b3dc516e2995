"""`conditional` and `impute`: what a run says of some columns given others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from landmass.cli.ask import rung_of
from landmass.cli.console import suggest, tell
from landmass.cli.files import check_file, write_rows
from landmass.cli.folder import load_run
from landmass.cli.sources import check_there
from landmass.core.capabilities import AbstractConditional
from landmass.data.schema import AnyColumn, Boolean, Category, Datetime, kind_of
from landmass.errors import DataError, SettingError
from landmass.estimator.questions import AnsweringEstimator
from landmass.ladder import Ladder
from landmass.text import title


def conditional(
    run: Path, given: Sequence[str], n: int, seed: int, rung: str | None, out: Path | None, *, escape: bool = False
) -> None:
    """Draw rows of which something is given, to stdout or into a file.

    Args:
        run: the run's folder.
        given: texts of the form `name=value`; nothing behind the sign is an empty cell.
        n: how many.
        seed: seed of the draw.
        rung: the rung to ask; None takes the best one that knows.
        out: the file.
        escape: escape formulas in CSV.
    """
    check_file(out, escape=escape)
    name, model = _answering(run, rung)
    part = model.conditional(_given(model, given))
    effective = part.effective_sample_size
    how = "exactly" if effective is None else f"by sequential Monte Carlo, effective sample size {effective:,.0f}"
    tell(f"{title(name)}: what is given has log-density {part.log_given:.3f} nats, {how}")
    write_rows(part.sample(n, random_state=seed), out, escape=escape)


def impute(
    run: Path, source: str, draws: int, seed: int, rung: str | None, out: Path | None, *, escape: bool = False
) -> None:
    """Fill the empty cells of rows with draws, to stdout or into a file.

    Args:
        run: the run's folder.
        source: a table's path, or "-" for CSV on standard input.
        draws: how often to fill them; more than one adds a column `draw`.
        seed: seed of the draws.
        rung: the rung to ask; None takes the best one that knows.
        out: the file.
        escape: escape formulas in CSV.
    """
    check_file(out, escape=escape)
    check_there(source)
    name, model = _answering(run, rung)
    tables = model.impute(source, draws, random_state=seed)
    tell(f"{title(name)}: cells are taken to be missing at random")
    if draws > 1:
        if "draw" in model.data_.schema.names:
            raise SettingError(
                "--draws adds a column 'draw', and the table has one; leave it out, or rename the column"
            )
        numbered = [table.append_column("draw", pa.array(np.full(len(table), i))) for i, table in enumerate(tables)]
        tables = [pa.concat_tables(numbered)]
    write_rows(tables[0], out, escape=escape)


def _answering(run: Path, rung: str | None) -> tuple[str, AnsweringEstimator]:
    """The rung to ask: the one named, or of those that can answer the one of the best score."""
    ladder = load_run(run)
    if rung is None and isinstance(ladder, Ladder):
        rung = _best(ladder)
    name, model = rung_of(ladder, rung)
    if not isinstance(model, AnsweringEstimator):
        raise SettingError(
            f"{name} cannot be asked about some columns given others; of a run of tables all rungs can but the stack"
        )
    return name, model


def _best(ladder: Ladder) -> str | None:
    """Of the rungs that can answer the one of the best score, exact answers before those of particles."""
    able = {name: rung for name, rung in ladder.rungs_.items() if isinstance(rung, AnsweringEstimator)}
    if not able:
        return None
    nats = {name: -np.inf if (found := ladder.ledger_.rung(name).nats) is None else found for name in able}
    exact = [name for name in able if isinstance(able[name].model_, AbstractConditional)]
    chosen, best = max(exact or able, key=nats.__getitem__), max(able, key=nats.__getitem__)
    if nats[best] > nats[chosen]:
        more = f"{nats[best] - nats[chosen]:.3f} nats an event more"
        tell(
            f"{title(chosen)} answers exactly; {title(best)} scores {more}, and answers by particles, which takes "
            f"longer: --rung {best}"
        )
    return chosen


def _given(model: AnsweringEstimator, texts: Sequence[str]) -> dict[str, Any]:
    columns = {column.name: column for column in model.data_.schema.columns}
    found: dict[str, Any] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark:
            raise SettingError(f"what is given needs name=value, such as age=30, got {text!r}")
        if name not in columns:
            raise DataError(f"there is no column {name!r}{suggest(name, columns)} (there are: {', '.join(columns)})")
        if name in found:
            raise SettingError(f"{name!r} is given twice; leave one")
        found[name] = _value(columns[name], value)
    return found


def _value(column: AnyColumn, text: str) -> Any:
    if not text:
        return None
    if isinstance(column, Category | Datetime):
        return text
    try:
        return {"true": True, "false": False}[text.lower()] if isinstance(column, Boolean) else float(text)
    except (KeyError, ValueError) as error:
        raise DataError(f"column {column.name!r} is {kind_of(column)}, and cannot hold {text!r}") from error
