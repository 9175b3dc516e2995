"""`landmass datasets`: the built-in data sets."""

import typer

from landmass.data.builtin import DATASETS
from landmass.data.builtin.drawn import DRAWN
from landmass.data.builtin.examples import EXAMPLES

# Columns that are told by name.
FEW = 3


def list_datasets() -> None:
    """Print each built-in data set's name, size, entropy, columns and description."""
    rows = [("name", "default n", "entropy", "columns", "")]
    for name, entry in DATASETS.items():
        truth = entry.make()
        names = truth.schema.names
        columns = ", ".join(names) if len(names) <= FEW else f"{len(names)} columns"
        rows.append((name, f"{entry.n:,}", f"{truth.entropy:.4f}", columns, entry.description))
    _print(rows)
    typer.echo("\nEntropies are in nats; no density can score better than minus the entropy.")
    typer.echo(
        "\nWith answers to predict (`landmass fit NAME`, of visitors `--target subscribes`; in Python "
        "landmass.examples(name)):\n"
    )
    _print([(name, f"{entry.n:,}", entry.description) for name, entry in EXAMPLES.items()])
    typer.echo("\nImages with labels (`landmass fit NAME --families independent`, in Python landmass.read(name)):\n")
    _print([(name, f"{entry.n:,}", entry.description) for name, entry in DRAWN.items()])


def _print(rows: list[tuple[str, ...]]) -> None:
    """Rows of cells, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
