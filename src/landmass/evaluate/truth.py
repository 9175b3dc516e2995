"""Against the truth: how much of a model's mass lies where the known truth has none ("in the sea")."""

import itertools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from landmass.data.builtin.truth import Truth
from landmass.estimator.density import DensityEstimator
from landmass.evaluate.normalisation import Grid
from landmass.types import LogDensities

# Places that are asked whether the truth leaves anything empty.
PROBES = 4096


class Share(NamedTuple):
    """A share of a model's mass, and its error.

    Args:
        value: from 0 to 1.
        error: a standard error, or a grid's error.
    """

    value: float
    error: float


def leaves_empty(truth: Truth, seed: int = 0) -> bool:
    """Whether a truth has regions of density zero inside its sample space.

    Asked at places spread evenly over the bounds, or over the range of the truth's own events: a hole of less than a
    thousandth of that may be missed.

    Args:
        truth: the distribution.
        seed: of the places.
    """
    rng = np.random.default_rng(seed)
    seen = truth.sample(PROBES, rng)
    low, high = seen.min(axis=0), seen.max(axis=0)
    for i, column in enumerate(truth.schema.columns):
        if math.isfinite(column.high):
            low[i], high[i] = column.low, column.high
    return bool(np.isneginf(truth.log_prob(rng.uniform(low, high, size=seen.shape))).any())


def empty_share(model: DensityEstimator, truth: Truth, n: int = 20_000, random_state: int = 0) -> Share | None:
    """The share of a model's own draws that fall where the truth has density zero.

    Args:
        model: a fitted model.
        truth: the distribution that the data came from.
        n: how many events to draw.
        random_state: seed of the draw.

    Returns:
        The share with its standard error (as if one draw more had fallen on each side, so that none seen is not
        taken for certainty); None if the truth has density everywhere.
    """
    if not leaves_empty(truth):
        return None
    drawn = model._draw(n, np.random.RandomState(random_state))
    outside = int(np.isneginf(truth.log_prob(drawn)).sum())
    safe = (outside + 1) / (n + 2)
    return Share(outside / n, math.sqrt(safe * (1.0 - safe) / n))


def empty_share_on(grid: Grid, log_density: LogDensities, emptiness: Float[np.ndarray, " points"]) -> Share:
    """The same share from a density on a grid: much finer than draws, for one or two columns.

    Args:
        grid: covers practically all of the density's mass.
        log_density: at the grid's points.
        emptiness: of the grid's cells, as `emptiness` finds it.
    """
    density = np.exp(log_density)
    whole, part = grid.integrate(density), grid.integrate(density * emptiness)
    return Share(part.value / whole.value, part.error / whole.value)


def emptiness(truth: Truth, grid: Grid) -> Float[np.ndarray, " points"]:
    """The share of each cell of a grid where a truth has density zero, asked at two places along each column.

    Args:
        truth: the distribution.
        grid: of its columns.
    """
    found = np.zeros(int(np.prod(grid.shape)))
    corners = list(itertools.product((0.25, 0.75), repeat=len(grid.edges)))
    for corner in corners:
        places = [edges[:-1] + share * np.diff(edges) for edges, share in zip(grid.edges, corner, strict=True)]
        found += np.isneginf(truth.log_prob(Grid(grid.edges, tuple(places)).points))
    return found / len(corners)
