"""Commands that tell what there is: families, data sets, and whether all works here."""

from typing import Annotated

import typer

from landmass.cli.options import Declared, Drop, SchemaFile, examples

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
    short_help="Say what each column of a table holds.",
    help=examples(
        "Say what each column of a table holds, what its density is per, and why that is thought; --toml prints a file "
        "to correct and to give to `landmass fit --schema`.",
        "landmass schema table.csv",
        "landmass schema table.csv --column code:category --drop id",
        "landmass schema table.csv --toml > table.toml",
    ),
)
def schema(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="CSV, TSV or Parquet file, folder of such, - for CSV on stdin, or built-in name."
        ),
    ],
    column: Declared = None,
    drop: Drop = None,
    schema: SchemaFile = None,
    toml: Annotated[bool, typer.Option("--toml", help="Print a file for --schema instead.")] = False,
) -> None:
    """Say what columns hold."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.columns import show
    from landmass.cli.sources import check_there

    check_there(source)
    show(source, column or (), drop or (), None if schema is None else str(schema), toml)


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
