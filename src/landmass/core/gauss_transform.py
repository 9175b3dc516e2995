"""Sums of Gaussian bumps at many places, in one or two columns, in time linear in both.

Space is cut into cells narrower than a bump. Within a cell a bump is a polynomial, to ten digits: its points are
gathered on the cell's Chebyshev nodes, nodes talk to nodes, and a place reads the sum off its own cell's nodes.
"""

import math

import numpy as np
from jaxtyping import Float, Integer
from numpy.polynomial import chebyshev

# Nodes a cell along a column, and a cell's width in bandwidths.
NODES, WIDTH = 10, 0.75

# Cells on each side that a cell hears: what lies beyond is below 1e-12 of a bump.
HEARD = 11

# Cells that hear in one matrix product.
TOGETHER = 16

# The most nodes along both columns.
MOST_NODES = 12_000_000

Rows = Float[np.ndarray, "_ columns"]


def gauss_transform(
    points: Rows, weight: Float[np.ndarray, " points"], places: Rows, tolerance: float = 1e-5
) -> Float[np.ndarray, " places"]:
    """Log of the weighted sum over points p of exp(-|x - p|² / 2) at each place x.

    Args:
        points: in bandwidths, one or two columns.
        weight: of each point.
        places: likewise.
        tolerance: largest error of a logarithm.

    Returns:
        float64; NaN where the tolerance cannot be promised: far from the points, next to where they are dense.
    """
    columns = points.shape[1]
    low = points.min(axis=0)
    cells = _cells(points, low).max(axis=0) + 1
    # Cells around the outermost points are read too.
    at, read = _cells(places, low) + HEARD, cells + 2 * HEARD
    near = ((at >= 0) & (at < read)).all(axis=1)
    sums = _gather(points, weight, _cells(points, low), low, cells)
    for column in range(columns):
        sums = np.moveaxis(_hear(np.moveaxis(sums, column, 0), int(cells[column])), 0, column)
    found = np.full(len(places), np.nan)
    found[near] = _read_off(sums, places[near], at[near], low)
    # Errors are absolute, a share of a bump for each point.
    found[~(found > weight.sum() * _error(columns) / tolerance)] = np.nan
    return np.log(found)


def pays(points: Rows, n_places: int) -> bool:
    """Whether the transform takes less time and bounded memory, beside adding up all bumps.

    Args:
        points: in bandwidths.
        n_places: how many places.
    """
    n, columns = points.shape
    if columns > 2 or not n:
        return False
    cells = np.ptp(points, axis=0) / WIDTH + 2 * HEARD + 1
    nodes = float(np.prod(NODES * cells))
    # In bumps added up one by one.
    work = 8.0 * (n + n_places) * NODES**columns + 60.0 * columns * nodes
    return nodes <= MOST_NODES and work < n * n_places


def _error(columns: int) -> float:
    """Bound on the error a point, as a share of its bump's height: interpolation at both ends, and silence beyond.

    Derivatives of exp(-x²/2) are bounded by 1.09·√k! (Cramér), Chebyshev interpolation of degree k - 1 by
    2·(width/4)ᵏ/k! of the kth (Rivlin 1969), and its norm by 1 + 2/π·log k.
    """
    one_end = 2.0 * 1.09 * (WIDTH / 4.0) ** NODES / math.sqrt(math.factorial(NODES))
    both_ends = one_end * (2.0 + 2.0 / math.pi * math.log(NODES))
    return columns * both_ends + math.exp(-0.5 * ((HEARD - 1) * WIDTH) ** 2)


def _cells(x: Rows, low: Float[np.ndarray, " columns"]) -> Integer[np.ndarray, "_ columns"]:
    return np.floor(np.clip((x - low) / WIDTH, -1e9, 1e9)).astype(np.int64)


def _nodes() -> Float[np.ndarray, " nodes"]:
    """Places within a cell, from -1 to 1."""
    return chebyshev.chebpts1(NODES)


def _weights(x: Rows, cells: Integer[np.ndarray, "_ columns"], low: np.ndarray) -> Float[np.ndarray, "columns nodes _"]:
    """Weights of a cell's nodes that interpolate at places in it: Lagrange's polynomials."""
    within = 2.0 * ((x - low) / WIDTH - cells) - 1.0
    to_weights = np.linalg.inv(chebyshev.chebvander(_nodes(), NODES - 1)).T
    return np.stack([to_weights @ chebyshev.chebvander(each, NODES - 1).T for each in within.T])


def _gather(
    points: Rows, weight: np.ndarray, at: np.ndarray, low: np.ndarray, cells: Integer[np.ndarray, " columns"]
) -> np.ndarray:
    """Sums of weights on nodes, one axis a column: all nodes of the first cell first."""
    weights, place = _weights(points, at, low) * weight, np.ravel_multi_index(tuple(at.T), tuple(cells))
    total = int(cells.prod())
    if points.shape[1] == 1:
        sums = [np.bincount(place, each, total) for each in weights[0]]
        return np.stack(sums, axis=1).reshape(-1)
    sums = [[np.bincount(place, first * second, total) for second in weights[1]] for first in weights[0]]
    nodes = np.array(sums).reshape(NODES, NODES, *cells)
    return nodes.transpose(2, 0, 3, 1).reshape(cells * NODES)


def _hear(sums: np.ndarray, cells: int) -> np.ndarray:
    """Along the first axis, each node's sum of bumps on the nodes of cells within hearing."""
    blocks = -(-(cells + 2 * HEARD) // TOGETHER)
    silent = np.zeros((2 * HEARD * NODES, *sums.shape[1:]))
    more = np.zeros(((blocks * TOGETHER - cells) * NODES, *sums.shape[1:]))
    around = np.concatenate([silent, sums, more])
    place = (np.arange(TOGETHER + 2 * HEARD)[:, None] + 0.5 * _nodes()).reshape(-1) * WIDTH
    here = place[: TOGETHER * NODES] + HEARD * WIDTH
    bumps = np.exp(-0.5 * (here[:, None] - place[None]) ** 2)
    step, width = TOGETHER * NODES, (TOGETHER + 2 * HEARD) * NODES
    heard = [np.tensordot(bumps, around[i * step : i * step + width], axes=1) for i in range(blocks)]
    return np.concatenate(heard)[: (cells + 2 * HEARD) * NODES]


def _read_off(sums: np.ndarray, x: Rows, at: Integer[np.ndarray, "_ columns"], low: np.ndarray) -> np.ndarray:
    """Interpolate between the nodes of each place's cell."""
    found, some = np.empty(len(x)), 16_384
    for start in range(0, len(x), some):
        rows = slice(start, start + some)
        weights = _weights(x[rows], at[rows] - HEARD, low)
        index = at[rows].T[:, None] * NODES + np.arange(NODES)[None, :, None]
        if x.shape[1] == 1:
            found[rows] = (sums[index[0]] * weights[0]).sum(0)
        else:
            values = sums[index[0][:, None], index[1][None]]
            found[rows] = np.einsum("ijn,in,jn->n", values, weights[0], weights[1])
    return found
