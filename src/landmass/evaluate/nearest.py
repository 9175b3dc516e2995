"""Nearest: the training events that some events look most like, to see whether a model copies."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer, Shaped
from sklearn.neighbors import NearestNeighbors

from landmass.errors import DataError

# Bytes of float64 that are looked through at once.
BLOCK = 2**26


class Nearest(NamedTuple):
    """The training events nearest to each event.

    Args:
        indices: their rows, from near to far.
        distances: how far they are, in the units of the events.
    """

    indices: Integer[np.ndarray, "events k"]
    distances: Float[np.ndarray, "events k"]


def nearest(events: Shaped[np.ndarray, "events ..."], train: Shaped[np.ndarray, "train ..."], k: int = 5) -> Nearest:
    """Find the training events nearest to some events, by Euclidean distance, within bounded memory.

    Args:
        events: codes, or pixels of any shape.
        train: those of the training events.
        k: how many of them.

    Raises:
        DataError: events are of another shape than those of the training, or there are fewer than k of these.
    """
    if events.shape[1:] != train.shape[1:] or not train.size:
        raise DataError(
            f"events have shape {events.shape[1:]}, training events {train.shape[1:]}; they must be the same"
        )
    if not 1 <= k <= len(train):
        raise DataError(f"{k} nearest of {len(train)} training events were asked for; ask for 1 to {len(train)}")
    rows = max(1, BLOCK // (8 * int(np.prod(train.shape[1:]))))
    blocks = [_nearest(events[first : first + rows], train, k, rows) for first in range(0, len(events), rows)]
    if not blocks:
        return Nearest(np.zeros((0, k), int), np.zeros((0, k)))
    return Nearest(*map(np.concatenate, zip(*blocks, strict=True)))


def _nearest(
    events: Shaped[np.ndarray, "events ..."], train: Shaped[np.ndarray, "train ..."], k: int, rows: int
) -> Nearest:
    x = _flat(events)
    indices, distances = np.zeros((len(x), 0), int), np.zeros((len(x), 0))
    for first in range(0, len(train), rows):
        block = _flat(train[first : first + rows])
        search = NearestNeighbors(n_neighbors=min(k, len(block)), algorithm="brute").fit(block)
        near = search.kneighbors(x, return_distance=False)
        # Anew from the differences: the search's own |a|² + |b|² - 2ab gives a copy a distance above zero.
        far = np.stack([np.linalg.norm(x - block[column], axis=1) for column in near.T], axis=1)
        indices, distances = np.concatenate([indices, first + near], 1), np.concatenate([distances, far], 1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        indices, distances = np.take_along_axis(indices, order, 1), np.take_along_axis(distances, order, 1)
    return Nearest(indices, distances)


def _flat(events: Shaped[np.ndarray, "events ..."]) -> Float[np.ndarray, "events numbers"]:
    return events.reshape(len(events), -1).astype(np.float64)
