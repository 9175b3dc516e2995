"""What the commands have in common: their options, and help that starts with examples."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from landmass.errors import SettingError

LARGEST_SEED = 2**31 - 1


def check_seed(seed: int | None) -> int | None:
    """Refuse a seed that some random generator would not take."""
    if seed is not None and not 0 <= seed <= LARGEST_SEED:
        raise SettingError(f"--seed must be between 0 and {LARGEST_SEED}, got {seed}")
    return seed


def at_least(least: int, option: str) -> Callable[[int | None], int | None]:
    """A check of a count that names the option and the value."""

    def check(count: int | None) -> int | None:
        if count is not None and count < least:
            raise SettingError(f"{option} must be at least {least}, got {count}")
        return count

    return check


Seed = Annotated[int, typer.Option(metavar="SEED", callback=check_seed, help="Seed of everything random.")]
Count = Annotated[
    int | None,
    typer.Option("--n", metavar="N", callback=at_least(1, "--n"), help="Events to draw, if SOURCE is built in."),
]
FreshSeed = Annotated[
    int | None,
    typer.Option(metavar="SEED", callback=check_seed, help="Seed of the draw, if SOURCE is built in."),
]
Binary = Annotated[
    Literal["draw", "threshold"] | None,
    typer.Option(help="How grey pictures become black and white  [default: as the run's own did]"),
]
HOLDS = (
    "What a column holds: boolean, bounded, category, circular, datetime, grid, integer, positive or real; repeatable  "
    "[default: it is looked at]"
)
Declared = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="NAME:KIND", help=HOLDS),
]
Drop = Annotated[list[str] | None, typer.Option("--drop", metavar="NAME", help="A column to leave out; repeatable.")]
SchemaFile = Annotated[
    Path | None, typer.Option("--schema", metavar="FILE.toml", help="Columns as `landmass schema --toml` prints them.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, or of one of its rungs.")]
WHAT = "File, folder of pictures, built-in data set, or - for CSV on stdin."
Source = Annotated[str, typer.Argument(metavar="SOURCE", help=WHAT)]
RungName = Annotated[
    str | None,
    typer.Option("--rung", help="The rung to ask  [default: the stack, or the rung that validation prefers]"),
]
Answering = Annotated[
    str | None,
    typer.Option("--rung", help="The rung to ask  [default: of those that answer exactly the one of the best score]"),
]
Predictor = Annotated[
    str | None, typer.Option("--rung", help="The rung to ask  [default: the one that validation prefers]")
]
Coder = Annotated[
    str | None,
    typer.Option("--rung", help="The rung to ask  [default: as for `score`, or the richest that has codes]"),
]
File = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write to FILE.csv or FILE.parquet.")]
Scores = Annotated[
    Path | None,
    typer.Option("--out", metavar="PATH", help="Write to FILE.csv or FILE.parquet, or to a folder of Parquet files."),
]
AnyFile = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write to FILE.csv or FILE.parquet, or pictures to FILE.png or .npz."),
]
EscapeFormulas = Annotated[
    bool,
    typer.Option("--escape-formulas", help="In CSV, put ' before text that a spreadsheet would take for a formula."),
]
Folder = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Run folder to make  [default: next free]")]


def examples(purpose: str, *lines: str) -> str:
    r"""Help that starts with examples; \b keeps their line breaks.

    Args:
        purpose: what the command does.
        lines: command lines.
    """
    return "\b\n" + "\n".join(["Examples:", *(f"  {line}" for line in lines)]) + f"\n\n{purpose}"
