"""`compare`: the rungs of two runs side by side, with the differences of their scores."""

import math
from pathlib import Path
from typing import NamedTuple

import msgspec
import typer

from landmass.cli.console import tell, write_out
from landmass.cli.folder import load_run, recall
from landmass.data.schema import Schema, kind_of
from landmass.errors import SettingError, StoreError
from landmass.evaluate.ledger import MARKS, Rung, mean_and_error
from landmass.ladder import Ladder
from landmass.text import table, title


class Difference(NamedTuple):
    """How much more nats an event one rung scores than another, and the standard error."""

    nats: float
    se: float

    def __str__(self) -> str:
        return f"{self.nats:+.4f} ± {self.se:.4f}"


def compare(runs: tuple[Path, Path], *, as_json: bool) -> None:
    """Print the rungs of two runs side by side.

    Args:
        runs: their folders.
        as_json: print one JSON document.

    Raises:
        SettingError: their scores are not of the same columns, or answers.
        StoreError: one of them is no run.
    """
    first, second = ladders = _ladder(runs[0]), _ladder(runs[1])
    _check_alike(ladders, runs)
    paired = _share_events(ladders, runs)
    names, last = list({**first.rungs_, **second.rungs_}), (first.answering_, second.answering_)
    lines = {name: (_line(first, name), _line(second, name)) for name in names}
    differences = {name: _difference(ladders, (name, name), paired) for name in names}
    if as_json:
        document = {
            "runs": [str(run) for run in runs],
            "data": [ladder.ledger_.data for ladder in ladders],
            "n": [ladder.ledger_.n["test"] for ladder in ladders],
            "paired": paired,
            "rungs": [
                {"family": name, "runs": lines[name], "difference": _as_fields(differences[name])} for name in names
            ],
            "answering": {"families": last, "difference": _as_fields(_difference(ladders, last, paired))},
        }
        write_out(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        return
    rows = [
        (title(name), *map(_shown, lines[name]), "" if differences[name] is None else str(differences[name]))
        for name in names
    ]
    typer.echo(table([("rung", str(runs[0]), str(runs[1]), "second - first"), *rows]))
    who = f"the {title(last[0])} of {runs[0]}", f"the {title(last[1])} of {runs[1]}"
    how = f"paired over {first.ledger_.n['test']:,} events" if paired else "unpaired"
    typer.echo(_verdict(who, _difference(ladders, last, paired), how))


def _ladder(run: Path) -> Ladder:
    ladder = load_run(run)
    if not isinstance(ladder, Ladder):
        raise StoreError(f"{run} is a single rung, not a run; `landmass compare` needs the folder above `rungs`")
    return ladder


def _check_alike(ladders: tuple[Ladder, Ladder], runs: tuple[Path, Path]) -> None:
    """Refuse scores that are per something else."""
    first, second = (ladder.target_ for ladder in ladders)
    if first != second:
        said = ["densities" if target is None else f"predictors of {target!r}" for target in (first, second)]
        raise SettingError(f"{runs[0]} holds {said[0]} and {runs[1]} {said[1]}, whose scores cannot be compared")
    apart = _apart(*(ladder.last_.data_.schema for ladder in ladders))
    if apart:
        raise SettingError(
            f"the scores of {runs[0]} and {runs[1]} cannot be compared: {apart}; fit both to the same columns, declared"
            " alike (--column, --schema)"
        )


def _apart(first: Schema, second: Schema) -> str:
    """How two sample spaces differ, in words; nothing if they do not."""
    if first.names != second.names:
        return f"their columns are {', '.join(map(repr, first.names))}, and {', '.join(map(repr, second.names))}"
    for one, other in zip(first.columns, second.columns, strict=True):
        if one != other:
            kinds = kind_of(one), kind_of(other)
            how = (
                f"is {kinds[0]} in one and {kinds[1]} in the other" if kinds[0] != kinds[1] else "may hold other values"
            )
            return f"column {one.name!r} {how}"
    return ""


def _share_events(ladders: tuple[Ladder, Ladder], runs: tuple[Path, Path]) -> bool:
    """Whether both runs were held against the same events, which are recalled then; if not, say why."""
    try:
        for ladder, run in zip(ladders, runs, strict=True):
            recall(ladder, run, "cannot be asked for the score of each event")
    except StoreError as error:
        tell(f"{error}; differences are unpaired, with wider errors")
        return False
    first, second = (ladder.test_.sha256() for ladder in ladders)
    if first != second:
        tell(
            "the runs were held against different events: differences are unpaired, and come of the events as well as"
            " of the rungs"
        )
    return first == second


def _line(ladder: Ladder, name: str) -> Rung | None:
    return ladder.ledger_.rung(name) if name in ladder.rungs_ else None


def _difference(ladders: tuple[Ladder, Ladder], names: tuple[str, str], paired: bool) -> Difference | None:
    """The second rung's score less the first one's; None where one is missing or infinite, or they are unlike."""
    one, other = _line(ladders[0], names[0]), _line(ladders[1], names[1])
    if one is None or other is None or one.nats is None or other.nats is None or one.label != other.label:
        return None
    if not paired:
        return Difference(other.nats - one.nats, math.hypot(one.se or 0.0, other.se or 0.0))
    first, second = ladders[0].test_scores_[names[0]], ladders[1].test_scores_[names[1]]
    return Difference(*mean_and_error(second - first, ladders[0].test_.copies()))


def _shown(line: Rung | None) -> str:
    if line is None:
        return ""
    if line.nats is None:
        return f"-inf ({line.zero_density} of {line.n})"
    return f"{MARKS[line.label]}{line.nats:.4f} ± {line.se:.4f}"


def _as_fields(difference: Difference | None) -> dict[str, float] | None:
    return None if difference is None else difference._asdict()


def _verdict(who: tuple[str, str], last: Difference | None, how: str) -> str:
    """What comes of comparing the two rungs that answer for their runs."""
    if last is None:
        return f"There is no difference between {who[0]} and {who[1]}: a score is infinite, or only one is a bound."
    if abs(last.nats) <= 2.0 * last.se:
        return f"Two standard errors do not tell {who[0]} from {who[1]}: {last} nats an event, {how}."
    return f"By more than two standard errors {who[last.nats > 0.0]} is better: {last} nats an event, {how}."
