"""`landmass families`: the families, and the settings of one."""

import inspect
import sys
from textwrap import fill

import typer

from landmass.catalog import CONDITIONALS, FAMILIES, KNOWN, OF_IMAGES, family, name_of
from landmass.cli.settings import Setting, settings_of, spell
from landmass.models.stack import Stack


def list_families() -> None:
    """Print each family's name and purpose, from simple to rich."""
    width = max(map(len, KNOWN))
    for name in FAMILIES:
        typer.echo(f"{name:<{width}}  {_purpose(name)}")
    typer.echo("\nOf images, beside the uniform box and the stack (`landmass fit PICTURES --families A,B`):\n")
    for name in OF_IMAGES:
        if name not in FAMILIES:
            typer.echo(f"{name:<{width}}  {_purpose(name)}")
    typer.echo("\nTo predict a column or label (`landmass fit SOURCE --target NAME`):\n")
    for name in CONDITIONALS:
        typer.echo(f"{name:<{width}}  {_purpose(name)}")
    typer.echo("\n`landmass families NAME` lists the settings of one.")


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
    for setting in settings:
        typer.echo(f"\n  {setting.name} = {_default(setting)}   ({spell(setting.kind)})")
        typer.echo(fill(setting.doc, 100, initial_indent="      ", subsequent_indent="      "))
    if not settings:
        typer.echo("\nIt has no settings.")
    elif cls is not Stack:
        typer.echo(f"\nSet one with: --set {name_of(cls())}.{settings[0].name}=VALUE")


def _default(setting: Setting) -> str:
    return "none" if setting.default is None else str(setting.default)
