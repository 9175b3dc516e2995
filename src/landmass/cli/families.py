"""`landmass families`: the families, and the settings of one."""

import inspect
import sys
from collections.abc import Iterable, Sequence
from textwrap import fill

import typer

from landmass.catalog import (
    CONDITIONALS,
    FAMILIES,
    KNOWN,
    OF_IMAGES,
    OF_TABLES,
    USUAL,
    USUAL_OF_TABLES,
    WITHOUT_LIKELIHOOD,
    family,
    name_of,
)
from landmass.cli.settings import Setting, settings_of
from landmass.estimator.settings import spell
from landmass.ladder.rungs import MANY_ROWS, SPLINES
from landmass.models.stack import Stack


def list_families() -> None:
    """Print each family's name and purpose, from simple to rich."""
    of_tables = [name for name in OF_TABLES if name not in USUAL]
    of_rows = [name for name in FAMILIES if name not in of_tables]
    both = [name for name in OF_IMAGES if name in FAMILIES]
    named = [name for name in of_rows if name not in USUAL]
    _print(
        "Densities of rows of numbers (`landmass fit TABLE`; those with a * only where --families names them):",
        of_rows,
        named,
    )
    _print(
        "Of rows of any columns, words and empty cells among them (`landmass fit TABLE`; those with a * only where "
        f"--families names them; {SPLINES} of {MANY_ROWS:,} rows and more, at least half of whose columns are "
        "numbers):",
        of_tables,
        [name for name in of_tables if name not in (*USUAL_OF_TABLES, SPLINES)],
    )
    _print(
        f"Of images, beside {', '.join(both)} (`landmass fit PICTURES --families A,B`):",
        [name for name in OF_IMAGES if name not in FAMILIES],
    )
    _print(
        "Without a likelihood, and so without a ladder (in Python; `landmass encode` asks them):", WITHOUT_LIKELIHOOD
    )
    _print("To predict a column or label (`landmass fit SOURCE --target NAME`):", CONDITIONALS)
    typer.echo("`landmass families NAME` lists the settings of one.")


def _print(head: str, names: Iterable[str], marked: Sequence[str] = ()) -> None:
    """Families with their purposes, below a line that says what they are."""
    width = 1 + max(map(len, KNOWN))
    typer.echo(f"{fill(head, 120, break_on_hyphens=False)}\n")
    for name in names:
        typer.echo(f"{name + '*' * (name in marked):<{width}} {_purpose(name)}")
    typer.echo()


def _purpose(name: str) -> str:
    """A family's purpose: the first line of its module."""
    return (sys.modules[family(name).__module__].__doc__ or "").splitlines()[0].partition(": ")[2].rstrip(".")


def show_family(name: str) -> None:
    """Print a family's purpose and its settings.

    Args:
        name: the family's name, or its class's.
    """
    cls = family(name)
    purpose = inspect.cleandoc(cls.__doc__ or "").partition("\nArgs:")[0].strip()
    typer.echo(f"{name_of(cls())} (in Python: landmass.{cls.__name__})\n")
    typer.echo("\n\n".join(fill(" ".join(part.split()), 100) for part in purpose.split("\n\n")))
    settings = settings_of(cls)
    if cls is Stack:
        typer.echo("\nThe stack is the last rung of every ladder; its settings are for Python:")
    if name_of(cls()) in WITHOUT_LIKELIHOOD:
        typer.echo(
            f"\nA ladder compares likelihoods, so fit it by itself: landmass.{cls.__name__}().fit(…).save(folder)."
        )
    for setting in settings:
        typer.echo(f"\n  {setting.name} = {_default(setting)}   ({spell(setting.kind)})")
        typer.echo(fill(setting.doc, 100, initial_indent="      ", subsequent_indent="      "))
    if not settings:
        typer.echo("\nIt has no settings.")
    elif cls is not Stack and name_of(cls()) not in WITHOUT_LIKELIHOOD:
        typer.echo(f"\nSet one with: --set {name_of(cls())}.{settings[0].name}=VALUE")


def _default(setting: Setting) -> str:
    return "none" if setting.default is None else str(setting.default)
