"""Commands that ask a run for codes of events, and for events of codes."""

from typing import Annotated

import typer

from landmass.cli.options import (
    AnyFile,
    Binary,
    Coder,
    Count,
    File,
    FreshSeed,
    Run,
    Source,
    check_seed,
    examples,
)

app = typer.Typer()


@app.command(
    short_help="What are the codes of events?",
    help=examples(
        "Write the code of each event of SOURCE, a column for each latent, as CSV on standard output or into a file.",
        "landmass encode runs/photos-1 new_photos",
        "landmass encode runs/photos-1 new_photos --draw --seed 1 --out codes.parquet",
    ),
)
def encode(
    run: Run,
    source: Source,
    rung: Coder = None,
    draw: Annotated[
        bool, typer.Option("--draw", help="Draw each code from what the rung guesses of it  [default: its mean]")
    ] = False,
    out: File = None,
    n: Count = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="SEED", callback=check_seed, help="Seed of --draw, and of events if SOURCE is built in."),
    ] = None,
    binary: Binary = None,
) -> None:
    """Encode events."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.events import asked
    from landmass.cli.latents import encode

    encode(run, asked(source, n, seed, binary), rung, draw=draw, seed=seed or 0, out=out)


@app.command(
    short_help="What are the events of codes?",
    help=examples(
        "Write the expected event of each code; in positive, bounded and circular columns the middle value (the "
        "median). CODES is a table with the columns that `landmass encode` writes; pictures go side by side into a PNG "
        "file, or as an array into an NPZ file, and rows as CSV to standard output or into a file.",
        "landmass decode runs/photos-1 codes.csv --out photos.png",
        "landmass encode runs/table-1 table.csv | landmass decode runs/table-1 -",
    ),
)
def decode(
    run: Run,
    codes: Annotated[str, typer.Argument(metavar="CODES", help="CSV or Parquet file, or - for CSV on stdin.")],
    rung: Coder = None,
    out: AnyFile = None,
) -> None:
    """Decode codes."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.latents import decode

    decode(run, codes, rung, out)


@app.command(
    short_help="What would events be with more of this and less of that?",
    help=examples(
        "Write the events of SOURCE with more of some attributes and less of others: so many steps along the latent "
        "directions that labels tell, one step being a standard deviation of an amount, or half of the way between two "
        "classes. Labels are those of pictures, or all further columns of a table; where they lack one, the directions "
        "are those saved with the rung. What is predicted of other attributes stays.",
        "landmass edit runs/photos-1 new_photos smile=+2 width=-1 --attributes photos --out edited.png",
        "landmass edit runs/portraits-1 portraits smile=2 --hold face_width,eye_distance --out edited.npz",
        "landmass edit runs/table-1 table.csv age=+1 --free",
    ),
)
def edit(
    run: Run,
    source: Source,
    steps: Annotated[
        list[str], typer.Argument(metavar="NAME=NUMBER", help="Steps to take of each attribute, of which sign.")
    ],
    attributes: Annotated[
        str | None, typer.Option(metavar="LABELLED", help="Labelled events to learn directions from  [default: SOURCE]")
    ] = None,
    rung: Coder = None,
    hold: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Attributes that are to stay  [default: all others that codes tell apart]"),
    ] = None,
    free: Annotated[bool, typer.Option("--free", help="Let all other attributes move.")] = False,
    out: AnyFile = None,
    n: Count = None,
    seed: FreshSeed = None,
    binary: Binary = None,
) -> None:
    """Edit events."""
    from landmass.cli.environment import prepare

    prepare()
    from landmass.cli.events import asked
    from landmass.cli.latents import edit

    edit(run, asked(source, n, seed, binary), steps, attributes, rung, hold=hold, free=free, out=out)
