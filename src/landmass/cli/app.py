"""The commands: what each is called and takes. Everything that is slow to import is imported inside them."""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from landmass.cli.console import tell
from landmass.errors import FitError, LandmassError, SettingError

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

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
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, or of one of its rungs.")]
WHAT = "File, folder of pictures, built-in data set, or - for CSV on stdin."
Source = Annotated[str, typer.Argument(metavar="SOURCE", help=WHAT)]
RungName = Annotated[
    str | None,
    typer.Option("--rung", help="The rung to ask  [default: the stack, or the predictor that validation prefers]"),
]
Predictor = Annotated[
    str | None, typer.Option("--rung", help="The rung to ask  [default: the one that validation prefers]")
]
File = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write to FILE.csv or FILE.parquet.")]
Folder = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Run folder to make  [default: next free]")]


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


def examples(purpose: str, *lines: str) -> str:
    r"""Help that starts with examples; \b keeps their line breaks.

    Args:
        purpose: what the command does.
        lines: command lines.
    """
    return "\b\n" + "\n".join(["Examples:", *(f"  {line}" for line in lines)]) + f"\n\n{purpose}"


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
        "Fit a ladder of densities, from simple to rich, to the columns of numbers of SOURCE (CSV, TSV, Parquet, "
        "NPY, NPZ, a built-in data set, or - for CSV on standard input); print the ledger of their held-out "
        "log-likelihoods, and write a run folder with a report. With --target, or of a folder or ZIP archive of "
        "pictures, fit networks that predict a column or a label from the rest.",
        "landmass fit table.csv",
        "landmass fit land --n 2000 --families uniform_box,kernel_density",
        "landmass fit table.parquet --test later.parquet --out runs/mine",
        "landmass fit table.csv --set gaussian_mixture.n_components=5 --json",
        "landmass fit table.csv --target price         predict a column from the others",
        "landmass fit photos --target smiling --size 64",
        "landmass fit --resume runs/table-1            go on with a fit that was stopped",
    ),
)
def fit(
    source: Annotated[str | None, typer.Argument(metavar="SOURCE", help=WHAT)] = None,
    target: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column or label to predict  [default: fit densities]")
    ] = None,
    families: Annotated[
        str | None, typer.Option(metavar="A,B", help="Families to fit  [default: all; see `landmass families`]")
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
    out: Folder = None,
    as_json: Json = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")] = True,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="RUN", help="Go on with this run, as it was begun.")
    ] = None,
) -> int:
    """Fit a ladder."""
    others = (source, target, families, set_, n, test, size, grey, out)
    if resume is not None and (any(other is not None for other in others) or seed):
        raise SettingError("--resume goes on with a run as it was begun; give no SOURCE, data or settings with it")
    if resume is None and source is None:
        raise SettingError("fit needs a SOURCE: a file, a built-in data set, or - for CSV on stdin")
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli import fit as door

    if resume is not None:
        return door.resume(resume, as_json=as_json, with_report=report)
    from landmass.cli.sources import Source as Wanted

    wanted = Wanted(str(source), n, seed, target=target, size=size, grey=grey)
    order = door.Order(wanted, families, set_ or [], test, out)
    return door.fit(order, as_json=as_json, with_report=report)


@app.command(
    short_help="How likely are events under a fitted run?",
    help=examples(
        "Print the mean log-density of the events of SOURCE under a run, in nats, with its standard error; or each "
        "event's own. Events of a built-in data set are drawn afresh, where there are others than those learned from.",
        "landmass score runs/table-1 new.csv",
        "landmass score runs/table-1 new.csv --rows | sort -g | head",
        "landmass score runs/table-1 new.csv --rung kernel_density --out scores.parquet",
    ),
)
def score(
    run: Run,
    source: Source,
    rung: RungName = None,
    rows: Annotated[bool, typer.Option("--rows", help="Print each event's log-density, as CSV.")] = False,
    out: File = None,
    n: Count = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="SEED", callback=check_seed, help="Seed of the draw, if SOURCE is built in."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score events."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.ask import score

    score(run, source, rung, rows=rows, out=out, n=n, seed=seed, as_json=as_json)


@app.command(
    short_help="What does a fitted predictor say of events?",
    help=examples(
        "Write what a run's predictor says of each event of SOURCE, as CSV on standard output or into a file: the "
        "likeliest class and the probability of each, or the expected number and the interval that holds it in nine "
        "cases of ten.",
        "landmass predict runs/photos-1 new_photos",
        "landmass predict runs/table-1 new.csv --out answers.parquet",
    ),
)
def predict(run: Run, source: Source, rung: Predictor = None, out: File = None) -> None:
    """Predict answers."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.predict import predict

    predict(run, source, rung, out)


@app.command(
    short_help="What happens inside a fitted predictor's network?",
    help=examples(
        "Print the layers of a run's predictor, and how its training went: exploding and vanishing gradients, shifting "
        "activations, dead units, overfitting. What happens inside the layers is only recorded if asked for, with "
        "--set FAMILY.watch=true. With SOURCE, print what each layer makes of these events.",
        "landmass inspect runs/photos-1",
        "landmass inspect runs/photos-1 new_photos --rung cnn",
    ),
)
def inspect(
    run: Run, source: Annotated[str | None, typer.Argument(metavar="SOURCE", help=WHAT)] = None, rung: Predictor = None
) -> None:
    """Look inside a network."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.inspect import inspect

    inspect(run, source, rung)


@app.command(
    short_help="Draw events from a fitted run.",
    help=examples(
        "Draw events from a run, as CSV on standard output or into a file.",
        "landmass sample runs/table-1",
        "landmass sample runs/table-1 -n 100000 --seed 1 --out rows.parquet",
    ),
)
def sample(
    run: Run,
    n: Annotated[int, typer.Option("-n", "--n", metavar="N", callback=at_least(1, "-n"), help="How many.")] = 10,
    seed: Seed = 0,
    rung: RungName = None,
    out: File = None,
) -> None:
    """Draw events."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.ask import sample

    sample(run, n, seed, rung, out)


@app.command(
    short_help="Print a run's ledger and where its report lies.",
    help=examples(
        "Print a run's ledger and where its report lies. A missing report is made anew, if the data can still be read.",
        "landmass report runs/table-1",
        "landmass report runs/table-1 --json",
    ),
)
def report(run: Run, as_json: Json = False) -> int:
    """Show a run."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.ask import report

    return report(run, as_json=as_json)


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
