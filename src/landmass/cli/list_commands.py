"""Commands that tell what there is: families, data sets, and whether all works here."""

from typing import Annotated

import typer

from landmass.cli.options import examples

app = typer.Typer()


@app.command(
    short_help="List the families, or the settings of one.",
    help=examples(
        "List the families, of densities from simple to rich and of predictors; or one family's settings.",
        "landmass families",
        "landmass families spline_flow",
    ),
)
def families(name: Annotated[str | None, typer.Argument(metavar="NAME", help="A family.")] = None) -> None:
    """List families."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.families import list_families, show_family

    list_families() if name is None else show_family(name)


@app.command(
    short_help="List the built-in data sets.",
    help=examples("List the built-in data sets, whose truth is known.", "landmass datasets"),
)
def datasets() -> None:
    """List data sets."""
    from landmass.cli.datasets import list_datasets

    list_datasets()


@app.command(
    short_help="Check that landmass can work here.",
    help=examples(
        "Check versions, device, memory and folders, and fit a tiny density; every problem is told with a remedy.",
        "landmass doctor",
    ),
)
def doctor() -> int:
    """Check the installation."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.doctor import examine

    return examine()
