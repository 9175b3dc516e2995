"""The command line and what makes a run; everything that is slow to import is imported inside the commands."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.exceptions import TyperException

from landmass.cli import ask_commands, latent_commands, list_commands
from landmass.cli.console import tell
from landmass.cli.options import Count, Declared, Drop, Folder, Json, SchemaFile, Seed, at_least, examples
from landmass.errors import FitError, LandmassError, SettingError

TO_FIT = "File, folder of tables or of pictures, built-in data set, or - for CSV on stdin."

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


def run(argv: Sequence[str] | None) -> int:
    """Run a command line, and turn every expected error into one line on stderr.

    Args:
        argv: the words after `landmass`; None takes the process's own.

    Returns:
        The exit code.
    """
    words = sys.argv[1:] if argv is None else argv
    try:
        return app(words or ["--help"], prog_name="landmass", standalone_mode=False) or 0
    except TyperException as error:
        # Typer writes a suggestion in two ways of its own.
        message = re.sub(r" \(Possible options?: (.*)\)", r"; did you mean \1?", error.format_message())
        message = message.replace(". Did you mean", "; did you mean")
        tell(f"error: {message} (`landmass --help` and `landmass COMMAND --help` show what there is)")
        return 2
    except LandmassError as error:
        tell(f"error: {error}")
        return 1 if isinstance(error, FitError) else 2
    except OSError as error:
        tell(f"error: {error.filename or 'a file'}: {error.strerror or error}")
        return 2


def show_version(wanted: bool) -> bool:
    """Print the version and leave, if wanted."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"landmass {version('landmass')}")
        raise typer.Exit
    return wanted


@app.callback(
    help=examples(
        "Put the probability mass where the data is: fit a ladder of densities, from a uniform box to flows, and "
        "see by held-out likelihood which one is right and by how much.",
        "landmass hello                     solve the land puzzle",
        "landmass fit table.csv             find the distribution of a table's rows",
        "landmass score runs/table-1 new.csv --rows    how likely is each new row?",
        "landmass sample runs/table-1 -n 100           draw rows like them",
    ),
)
def landmass(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Say what the command is for; the commands do the rest."""


@app.command(
    short_help="Solve the land puzzle, end to end.",
    help=examples(
        "Fit every family and their stack to points on the Earth's land, say how far each is from the truth, and "
        "write a report.",
        "landmass hello",
        "landmass hello --n 2000 --out /tmp/hello",
    ),
)
def hello(
    n: Annotated[
        int, typer.Option("--n", metavar="N", callback=at_least(20, "--n"), help="Points to learn from.")
    ] = 10_000,
    seed: Seed = 0,
    out: Folder = None,
) -> int:
    """Solve the land puzzle."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.hello import solve

    return solve(n, seed, out)


@app.command(
    short_help="Fit a ladder of densities, or of predictors, to data.",
    help=examples(
        "Fit a ladder of densities, from simple to rich, to the columns of SOURCE (CSV, TSV, Parquet, NPY, NPZ, a "
        "folder of such, a built-in data set, or - for CSV on standard input); print the ledger of their held-out "
        "log-likelihoods, and write a run folder with a report. With --target, or of a folder or ZIP archive of "
        "pictures, fit networks that predict a column or a label from the rest.",
        "landmass fit table.csv",
        "landmass fit land --n 2000 --families uniform_box,kernel_density",
        "landmass fit table.parquet --test later.parquet --out runs/mine",
        "landmass fit table.csv --set gaussian_mixture.n_components=5 --json",
        "landmass fit table.csv --target price         predict a column from the others",
        "landmass fit photos --target smiling --size 64",
        "landmass fit rides --test later.parquet       a folder of tables, read piece by piece",
        "landmass fit faces.npz --families probabilistic_pca,vae --set vae.latents=16",
        "landmass fit --resume runs/table-1            go on with a fit that was stopped",
    ),
)
def fit(
    source: Annotated[str | None, typer.Argument(metavar="SOURCE", help=TO_FIT)] = None,
    target: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column or label to predict  [default: fit densities]")
    ] = None,
    families: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Families to fit  [default: those that suit; see `landmass families`]"),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="FAMILY.SETTING=VALUE", help="A family's setting; repeatable.")
    ] = None,
    seed: Seed = 0,
    n: Count = None,
    test: Annotated[
        str | None, typer.Option(metavar="SOURCE2", help="Held-out events  [default: a tenth of SOURCE]")
    ] = None,
    size: Annotated[
        int | None, typer.Option(metavar="PIXELS", callback=at_least(1, "--size"), help="Side to bring pictures to.")
    ] = None,
    grey: Annotated[bool | None, typer.Option("--grey/--colour", help="Make pictures grey, or coloured.")] = None,
    binary: Annotated[
        Literal["draw", "threshold"] | None,
        typer.Option(help="Make pictures black and white: white with the chance that grey says, or from half on."),
    ] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Keep rows with empty cells, for families that integrate these out.")
    ] = False,
    pieces: Annotated[
        bool, typer.Option("--pieces", help="Read rows piece by piece, for data larger than the memory.")
    ] = False,
    column: Declared = None,
    drop: Drop = None,
    schema: SchemaFile = None,
    out: Folder = None,
    as_json: Json = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")] = True,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="RUN", help="Go on with this run, as it was begun.")
    ] = None,
) -> int:
    """Fit a ladder."""
    others = (source, target, families, set_, n, test, size, grey, binary, column, drop, schema, out)
    if resume is not None and (any(other is not None for other in others) or seed or missing or pieces):
        raise SettingError("--resume goes on with a run as it was begun; give no SOURCE, data or settings with it")
    if resume is None and source is None:
        raise SettingError("fit needs a SOURCE: a file, a built-in data set, or - for CSV on stdin")
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli import fit as door

    if resume is not None:
        return door.resume(resume, as_json=as_json, with_report=report)
    from landmass.cli.sources import Source as Wanted

    wanted = Wanted(
        str(source),
        n,
        seed,
        target=target,
        size=size,
        grey=grey,
        binary=binary,
        missing=missing,
        pieces=pieces,
        columns=tuple(column or ()),
        drop=tuple(drop or ()),
        schema=None if schema is None else str(schema.resolve()),
    )
    order = door.Order(wanted, families, set_ or [], test, out)
    return door.fit(order, as_json=as_json, with_report=report)


for commands in (ask_commands, latent_commands, list_commands):
    app.add_typer(commands.app)
