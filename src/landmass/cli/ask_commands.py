"""Commands that ask a run something, or draw from it."""

from typing import Annotated

import typer

from landmass.cli.options import (
    WHAT,
    AnyFile,
    Binary,
    Count,
    File,
    FreshSeed,
    Json,
    Predictor,
    Run,
    RungName,
    Scores,
    Seed,
    Source,
    at_least,
    examples,
)

app = typer.Typer()


@app.command(
    short_help="How likely are events under a fitted run?",
    help=examples(
        "Print the mean log-density of the events of SOURCE under a run, in nats, with its standard error; or each "
        "event's own; into a folder shard by shard, for more rows than memory holds: what was stopped goes on when "
        "called again. Events of a built-in data set are drawn afresh, where there are others than those learned from.",
        "landmass score runs/table-1 new.csv",
        "landmass score runs/table-1 new.csv --rows | sort -g | head",
        "landmass score runs/table-1 new.csv --rung kernel_density --out scores.parquet",
        "landmass score runs/table-1 large.parquet --out scores",
    ),
)
def score(
    run: Run,
    source: Source,
    rung: RungName = None,
    rows: Annotated[bool, typer.Option("--rows", help="Print each event's log-density, as CSV.")] = False,
    out: Scores = None,
    n: Count = None,
    seed: FreshSeed = None,
    binary: Binary = None,
    as_json: Json = False,
) -> None:
    """Score events."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.ask import score
    from landmass.cli.events import asked

    score(run, asked(source, n, seed, binary), rung, rows=rows, out=out, as_json=as_json)


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
    out: AnyFile = None,
) -> None:
    """Draw events."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.ask import sample

    sample(run, n, seed, rung, out)


@app.command(
    short_help="Draw rows of which something is given.",
    help=examples(
        "Draw rows from a run of a table, given what some columns hold: exactly as often as they are likely. Nothing "
        "behind the sign is an empty cell.",
        "landmass conditional runs/table-1 age=30 city=Ghent",
        "landmass conditional runs/table-1 income= -n 1000 --out unknown_income.parquet",
    ),
)
def conditional(
    run: Run,
    given: Annotated[list[str], typer.Argument(metavar="NAME=VALUE", help="What a column holds; repeatable.")],
    n: Annotated[int, typer.Option("-n", "--n", metavar="N", callback=at_least(1, "-n"), help="How many.")] = 10,
    seed: Seed = 0,
    rung: RungName = None,
    out: File = None,
) -> None:
    """Draw rows given something."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.questions import conditional

    conditional(run, given, n, seed, rung, out)


@app.command(
    short_help="Fill empty cells with draws.",
    help=examples(
        "Fill the empty cells of a table with draws given what stands beside them, which are as uncertain as the run "
        "is; cells are taken to be missing at random.",
        "landmass impute runs/table-1 holes.csv --out filled.csv",
        "landmass impute runs/table-1 holes.csv --draws 20 --out filled.parquet",
    ),
)
def impute(
    run: Run,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="CSV, TSV or Parquet file, or - for CSV on stdin.")],
    draws: Annotated[
        int, typer.Option(metavar="N", callback=at_least(1, "--draws"), help="How often to fill the table.")
    ] = 1,
    seed: Seed = 0,
    rung: RungName = None,
    out: File = None,
) -> None:
    """Fill empty cells."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.questions import impute

    impute(run, source, draws, seed, rung, out)


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
