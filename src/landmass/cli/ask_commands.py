"""Commands that ask a run something, or draw from it."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from landmass.cli.options import (
    WHAT,
    Answering,
    AnyFile,
    Binary,
    Count,
    EscapeFormulas,
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
from landmass.errors import SettingError

app = typer.Typer()


@app.command(
    short_help="How likely are events under a fitted run?",
    help=examples(
        "Print the mean log-density of the events of SOURCE under a run, in nats, with its standard error; or each "
        "event's own. A table is read as the run has declared or found its columns. Events of a built-in data set are "
        "drawn afresh, where there are others than those learned from. Into a folder, scores of more rows than memory "
        "holds go shard by shard; what was stopped goes on when called again. With --anomalies, print the strangest "
        "events, how rarely usual ones are so strange (by their rank among events that the run kept back), and which "
        "cell is to blame; docs/anomalies.md says why a low density alone means little.",
        "landmass score runs/table-1 new.csv",
        "landmass score runs/table-1 new.csv --rows | sort -g | head",
        "landmass score runs/table-1 new.csv --rung kernel_density --out scores.parquet",
        "landmass score runs/table-1 large.parquet --out scores",
        "landmass score runs/table-1 new.csv --anomalies --by cells",
        "landmass score runs/table-1 new.csv --anomalies --false-alarms 0.001 --out strange.csv",
    ),
)
def score(
    run: Run,
    source: Source,
    rung: RungName = None,
    rows: Annotated[bool, typer.Option("--rows", help="Print all events, as CSV.")] = False,
    out: Scores = None,
    n: Count = None,
    seed: FreshSeed = None,
    binary: Binary = None,
    anomalies: Annotated[bool, typer.Option("--anomalies", help="Tell which events are strange, and why.")] = False,
    by: Annotated[
        Literal["density", "cells"] | None,
        typer.Option(help="What anomalies are ranked by: density, or the cell least likely  [default: density]"),
    ] = None,
    false_alarms: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Of usual events that may be called outliers  [default: 0.05]"),
    ] = None,
    held_out: Annotated[
        str | None,
        typer.Option(metavar="SOURCE2", help="Events to rank among  [default: those that the run kept back]"),
    ] = None,
    as_json: Json = False,
    escape_formulas: EscapeFormulas = False,
) -> None:
    """Score events."""
    if not anomalies and (by, false_alarms, held_out) != (None, None, None):
        raise SettingError("--by, --false-alarms and --held-out are for --anomalies; leave them out, or ask for these")
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.events import asked

    wanted = asked(source, n, seed, binary)
    ways: dict[str, Any] = {"rows": rows, "out": out, "as_json": as_json, "escape": escape_formulas}
    if anomalies:
        from landmass.cli.anomalies import anomalies as tell_anomalies

        level = 0.05 if false_alarms is None else false_alarms
        tell_anomalies(run, wanted, rung, by=by or "density", false_alarms=level, held_out=held_out, **ways)
        return
    from landmass.cli.ask import score

    score(run, wanted, rung, **ways)


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
def predict(
    run: Run, source: Source, rung: Predictor = None, out: File = None, escape_formulas: EscapeFormulas = False
) -> None:
    """Predict answers."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.predict import predict

    predict(run, source, rung, out, escape=escape_formulas)


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
    escape_formulas: EscapeFormulas = False,
) -> None:
    """Draw events."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.ask import sample

    sample(run, n, seed, rung, out, escape=escape_formulas)


@app.command(
    short_help="Draw rows of which something is given.",
    help=examples(
        "Draw rows from a run of a table, given what some columns hold: as often as they are likely, exactly or by "
        "particles, which it tells. Nothing behind the sign is an empty cell.",
        "landmass conditional runs/table-1 age=30 city=Ghent",
        "landmass conditional runs/table-1 income= -n 1000 --out unknown_income.parquet",
    ),
)
def conditional(
    run: Run,
    given: Annotated[list[str], typer.Argument(metavar="NAME=VALUE", help="What a column holds; repeatable.")],
    n: Annotated[int, typer.Option("-n", "--n", metavar="N", callback=at_least(1, "-n"), help="How many.")] = 10,
    seed: Seed = 0,
    rung: Answering = None,
    out: File = None,
    escape_formulas: EscapeFormulas = False,
) -> None:
    """Draw rows given something."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.questions import conditional

    conditional(run, given, n, seed, rung, out, escape=escape_formulas)


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
    rung: Answering = None,
    out: File = None,
    escape_formulas: EscapeFormulas = False,
) -> None:
    """Fill empty cells."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.questions import impute

    impute(run, source, draws, seed, rung, out, escape=escape_formulas)


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
    short_help="Which of two runs is better, and by how much?",
    help=examples(
        "Print the rungs of two runs side by side, with the differences of their scores and standard errors. Where "
        "both were held against the same events, differences are paired, event by event, which tells much smaller "
        "ones. Runs of other columns are refused.",
        "landmass compare runs/table-1 runs/table-2",
        "landmass compare runs/table-1 runs/table-2 --json",
    ),
)
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN2", help="Folder of another run.")],
    as_json: Json = False,
) -> None:
    """Compare runs."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.compare import compare

    compare((first, second), as_json=as_json)
