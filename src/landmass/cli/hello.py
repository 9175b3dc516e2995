"""`landmass hello`: the land puzzle, end to end."""

from pathlib import Path
from textwrap import fill

import numpy as np
import typer

from landmass.cli.fit import Order, fit
from landmass.cli.sources import FRESH_EVENTS, Source
from landmass.data.builtin import truth
from landmass.types import LogDensities

PUZZLE = """The land puzzle: {n:,} pairs of numbers, and nothing is known of where they came from. The fairest guess
seems to be a box around them. It is badly wrong: the pairs are the longitudes and latitudes of places on the
Earth's land, and the box puts most of its mass in the sea.

Each rung of the ladder is fitted to the same points, and judged by its mean log-density of {test:,} others, in
nats per square degree. The truth, uniform over the land, scores {truth:.4f}; the gap to it is what a rung has still
to learn."""


def solve(n: int, seed: int, out: Path | None) -> int:
    """Fit every family and the stack to points on land.

    Args:
        n: points to learn from.
        seed: seed of everything.
        out: the run folder; None takes the next free `runs/hello-<k>`.

    Returns:
        The exit code.
    """
    land = truth("land")

    def sea_share(scores: LogDensities) -> str:
        # The mass on land is the integral of p over it, which is the mean of p / truth over the truth's own points.
        on_land = float(np.mean(np.exp(scores + land.entropy)))
        return f"{max(0.0, 1.0 - on_land):.0%} in the sea"

    text = PUZZLE.format(n=n, test=FRESH_EVENTS, truth=-land.entropy)
    typer.echo("\n\n".join(fill(paragraph, 100) for paragraph in text.split("\n\n")) + "\n")
    order = Order(Source("land", n, seed), test="land", out=out, name="hello")
    return fit(order, remark=sea_share)
