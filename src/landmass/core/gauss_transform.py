"""Sums of Gaussian bumps at many places, in one or two columns, in time linear in both.

Space is cut into cells narrower than a bump. Within a cell a bump is a polynomial, to ten digits: its points are
gathered on the cell's Chebyshev nodes, nodes talk to nodes by Fourier transform, and a place reads the sum off its own
cell's nodes.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer
from numpy.polynomial import chebyshev
from scipy.fft import next_fast_len

Rows = Float[np.ndarray, "_ columns"]


class Cells(NamedTuple):
    """How space is cut.

    Args:
        nodes: Chebyshev nodes a cell along a column.
        width: of a cell, in bandwidths.
    """

    nodes: int
    width: float

    @property
    def heard(self) -> int:
        """Cells on each side that a cell hears: what lies beyond is below 1e-12 of a bump."""
        return math.ceil(8.25 / self.width)

    @property
    def places(self) -> Float[np.ndarray, " nodes"]:
        """The nodes within a cell, from -1 to 1."""
        return chebyshev.chebpts1(self.nodes)

    def of(self, x: Rows, low: Float[np.ndarray, " columns"]) -> Integer[np.ndarray, "_ columns"]:
        """The cells that hold some places."""
        return np.floor(np.clip((x - low) / self.width, -1e9, 1e9)).astype(np.int64)


# For one and two columns: narrow cells take fewer nodes a point, and more cells; both have the same error.
CUT = {1: Cells(5, 0.05), 2: Cells(10, 0.75)}

# The most nodes that are kept at a time; where space holds more, it is halved.
MOST_NODES = 12_000_000


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
    columns, cut = points.shape[1], CUT[points.shape[1]]
    if not (len(points) and len(places)):
        return np.full(len(places), np.nan)
    if _nodes(points) > MOST_NODES:
        return _by_halves(points, weight, places, tolerance)
    low = points.min(axis=0)
    spoken = cut.of(points, low)
    cells = spoken.max(axis=0) + 1
    # Cells around the outermost points are read too.
    at, read = cut.of(places, low) + cut.heard, cells + 2 * cut.heard
    near = ((at >= 0) & (at < read)).all(axis=1)
    sums = _gather(cut, points, weight, spoken, low, cells)
    for column in range(columns):
        sums = np.moveaxis(_hear(cut, np.moveaxis(sums, column, 0)), 0, column)
    found = np.full(len(places), np.nan)
    found[near] = _read_off(cut, sums, places[near], at[near], low)
    # Errors are absolute, a share of a bump for each point.
    found[~(found > weight.sum() * _error(columns) / tolerance)] = np.nan
    return np.log(found)


def pays(points: Rows, n_places: int) -> bool:
    """Whether the transform takes less time than adding up all bumps.

    Args:
        points: in bandwidths.
        n_places: how many places.
    """
    n, columns = points.shape
    if columns > 2 or not n:
        return False
    # In bumps added up one by one.
    work = 8.0 * (n + n_places) * CUT[columns].nodes ** columns + 60.0 * columns * _nodes(points)
    return work < n * n_places


def _nodes(points: Rows) -> float:
    """How many nodes the cells around points have."""
    cut = CUT[points.shape[1]]
    return float(np.prod(cut.nodes * (np.ptp(points, axis=0) / cut.width + 2 * cut.heard + 1)))


def _by_halves(
    points: Rows, weight: Float[np.ndarray, " points"], places: Rows, tolerance: float
) -> Float[np.ndarray, " places"]:
    """The same, for each half of the longest column with the points that are heard there."""
    cut, column = CUT[points.shape[1]], int(np.ptp(points, axis=0).argmax())
    middle = 0.5 * (points[:, column].min() + points[:, column].max())
    # Errors are a share of all points' weight, whichever of them a half knows.
    reach, all_weight = cut.heard * cut.width, weight.sum()
    found = np.empty(len(places))
    for here, heard in (
        (places[:, column] < middle, points[:, column] < middle + reach),
        (places[:, column] >= middle, points[:, column] >= middle - reach),
    ):
        share = weight[heard].sum() / all_weight
        found[here] = gauss_transform(points[heard], weight[heard], places[here], tolerance * float(share))
    return found


def _error(columns: int) -> float:
    """Bound on the error a point, as a share of its bump's height: interpolation at both ends, and silence beyond.

    Derivatives of exp(-x²/2) are bounded by 1.09·√k! (Cramér), Chebyshev interpolation of degree k - 1 by
    2·(width/4)ᵏ/k! of the kth (Rivlin 1969), and its norm by 1 + 2/π·log k.
    """
    cut = CUT[columns]
    one_end = 2.0 * 1.09 * (cut.width / 4.0) ** cut.nodes / math.sqrt(math.factorial(cut.nodes))
    both_ends = one_end * (2.0 + 2.0 / math.pi * math.log(cut.nodes))
    return columns * both_ends + math.exp(-0.5 * ((cut.heard - 1) * cut.width) ** 2)


def _weights(
    cut: Cells, x: Rows, at: Integer[np.ndarray, "_ columns"], low: np.ndarray
) -> Float[np.ndarray, "columns nodes _"]:
    """Weights of a cell's nodes that interpolate at places in it: Lagrange's polynomials."""
    within = 2.0 * ((x - low) / cut.width - at) - 1.0
    to_weights = np.linalg.inv(chebyshev.chebvander(cut.places, cut.nodes - 1)).T
    return np.stack([to_weights @ _polynomials(each, cut.nodes) for each in within.T])


def _polynomials(x: Float[np.ndarray, " places"], count: int) -> Float[np.ndarray, "count places"]:
    """Chebyshev polynomials, one a row: `chebvander` has them a column, which takes three times as long."""
    rows = np.empty((count, len(x)))
    rows[0], rows[1] = 1.0, x
    for i in range(2, count):
        rows[i] = 2.0 * x * rows[i - 1] - rows[i - 2]
    return rows


def _gather(
    cut: Cells, points: Rows, weight: np.ndarray, at: np.ndarray, low: np.ndarray, cells: np.ndarray
) -> np.ndarray:
    """Sums of weights on nodes, one axis a column: all nodes of the first cell first."""
    shares, place = _weights(cut, points, at, low), np.ravel_multi_index(tuple(at.T), tuple(cells))
    total = int(cells.prod())
    if points.shape[1] == 1:
        sums = [np.bincount(place, weight * each, total) for each in shares[0]]
        return np.stack(sums, axis=1).reshape(-1)
    sums = [[np.bincount(place, first * second, total) for second in shares[1]] for first in weight * shares[0]]
    nodes = np.array(sums).reshape(cut.nodes, cut.nodes, *cells)
    return nodes.transpose(2, 0, 3, 1).reshape(cells * cut.nodes)


def _hear(cut: Cells, sums: np.ndarray) -> np.ndarray:
    """Along the first axis, each node's sum of bumps on the nodes of cells within hearing."""
    cells = len(sums) // cut.nodes
    steps = np.arange(-cut.heard, cut.heard + 1)[:, None, None]
    apart = (steps + 0.5 * (cut.places[:, None] - cut.places[None])) * cut.width
    length = next_fast_len(cells + 2 * cut.heard, real=True)
    spoken = np.fft.rfft(sums.reshape(cells, cut.nodes, -1), length, axis=0)
    heard = np.fft.irfft(np.fft.rfft(np.exp(-0.5 * apart**2), length, axis=0) @ spoken, length, axis=0)
    return heard[: cells + 2 * cut.heard].reshape(-1, *sums.shape[1:])


def _read_off(
    cut: Cells, sums: np.ndarray, x: Rows, at: Integer[np.ndarray, "_ columns"], low: np.ndarray
) -> np.ndarray:
    """Interpolate between the nodes of each place's cell."""
    found, some = np.empty(len(x)), 16_384
    for start in range(0, len(x), some):
        rows = slice(start, start + some)
        weights = _weights(cut, x[rows], at[rows] - cut.heard, low)
        index = at[rows].T[:, None] * cut.nodes + np.arange(cut.nodes)[None, :, None]
        if x.shape[1] == 1:
            found[rows] = (sums[index[0]] * weights[0]).sum(0)
        else:
            values = sums[index[0][:, None], index[1][None]]
            found[rows] = np.einsum("ijn,in,jn->n", values, weights[0], weights[1])
    return found
