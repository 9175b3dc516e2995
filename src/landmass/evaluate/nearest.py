"""Nearest: the training events that some events look most like, to see whether a model copies."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer, Shaped
from scipy.stats import hypergeom
from sklearn.neighbors import NearestNeighbors

from landmass.errors import DataError

# Bytes of float64 that are looked through at once.
BLOCK = 2**26

# A copy lies nearer to one training event than this share of its distance to any other.
COPY = 1.0 / 3.0

# Copies are told of if chance gives as many more than held-out events have with a probability below this.
CHANCE = 1e-3


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


@dataclass(frozen=True, eq=False)
class Copying:
    """Whether events that a model drew are copies of training events; printed, in sentences.

    Events that were held out are no copies. Where few numbers tell all of an event, some are three times as near to one
    training event as to any other by chance: only more than these are a sign.

    Args:
        drawn: the two training events nearest to each drawn one.
        held_out: the same of held-out events.
    """

    drawn: Nearest
    held_out: Nearest

    @property
    def chance(self) -> float:
        """How likely so many more copies among the drawn events are, if there are none (Fisher's exact test)."""
        drawn, held = copies(self.drawn), copies(self.held_out)
        both, among = len(drawn) + len(held), int(drawn.sum() + held.sum())
        return float(hypergeom.sf(drawn.sum() - 1, both, among, len(drawn)))

    @property
    def found(self) -> bool:
        """Whether there is a sign of copying."""
        return self.chance < CHANCE

    def __str__(self) -> str:
        drawn, held = (int(copies(each).sum()) for each in (self.drawn, self.held_out))
        verdict = (
            "So many are no chance: the model knows training events by heart."
            if self.found
            else "That is no sign that the model knows training events by heart."
        )
        return (
            f"{drawn} of {len(self.drawn.distances)} drawn events lie at least three times as near to one training "
            f"event as to any other, as a copy would; so do {held} of {len(self.held_out.distances)} held-out events, "
            f"which are no copies. {verdict}"
        )


def copies(found: Nearest) -> Bool[np.ndarray, " events"]:
    """Whether each event is far nearer to one training event than to the second nearest."""
    return found.distances[:, 0] < COPY * found.distances[:, 1]


def copying(
    drawn: Shaped[np.ndarray, "drawn ..."],
    held_out: Shaped[np.ndarray, "held ..."],
    train: Shaped[np.ndarray, "train ..."],
) -> Copying:
    """Tell whether drawn events are copies of training events.

    Args:
        drawn: what the model drew: pixels of any shape.
        held_out: the same of events that it never saw.
        train: the same of the training events; of those that are alike one is taken.

    Source: Yoon, Choi, Kwon & Ryu 2023 (a third of the distance to the second nearest).
    """
    first = np.unique(train.reshape(len(train), -1), axis=0, return_index=True)[1]
    found = (nearest(events, train[first], 2) for events in (drawn, held_out))
    return Copying(*(Nearest(first[near.indices], near.distances) for near in found))


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
