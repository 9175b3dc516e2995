"""Calibration: do events of probability p come as often as p says?"""

from typing import Any

import msgspec
import numpy as np
from jaxtyping import Bool, Float, Shaped

from landmass.data.examples import read_examples
from landmass.errors import DataError

# Bins that a calibration is measured in unless told otherwise.
BINS = 15


class Calibration(msgspec.Struct, frozen=True):
    """How probabilities compare with frequencies.

    Args:
        error: the expected calibration error: the mean distance of the two, each bin by its number of events.
        probability: mean of each bin, from small to large.
        frequency: share of each bin's events that came.
        count: events a bin.
        of: what the probability is of.
    """

    error: float
    probability: tuple[float, ...]
    frequency: tuple[float, ...]
    count: tuple[int, ...]
    of: str

    def __str__(self) -> str:
        rows = zip(self.probability, self.frequency, self.count, strict=True)
        lines = [f"{p:11.3f}  {f:9.3f}  {n:6,}" for p, f, n in rows]
        head = f"expected calibration error of {self.of}: {self.error:.4f}"
        return "\n".join([head, "probability  frequency  events", *lines])


def calibration(model: Any, X: Any, y: Any = None, bins: int = BINS) -> Calibration:
    """Compare a classifier's probabilities with what came, in bins of about equally many events.

    Events of the same probability share a bin, so that their order decides nothing. With two classes the probability is
    that of the second one; with more, that of the class thought most likely.

    Args:
        model: anything with `classes_` and `predict_proba`.
        X: held-out events, as `fit` takes them.
        y: their classes, as `fit` takes them.
        bins: how many at most.

    Source: Naeini, Cooper & Hauskrecht 2015; Guo, Pleiss, Sun & Weinberger 2017.
    """
    examples = read_examples(X, y)
    chances = np.asarray(model.predict_proba(X), np.float64)
    return calibration_of(chances, np.asarray(model.classes_), examples.answers, bins)


def calibration_of(
    chances: Float[np.ndarray, "events classes"],
    classes: Shaped[np.ndarray, " classes"],
    answers: Shaped[np.ndarray, " events"],
    bins: int,
) -> Calibration:
    """Compare probabilities with what came; see `calibration`.

    Args:
        chances: each event's probabilities.
        classes: what they are of.
        answers: each event's class.
        bins: how many at most.
    """
    if chances.shape[1] == 2:
        return reliability(chances[:, 1], answers == classes[1], f"{classes.tolist()[1]!r}", bins)
    likeliest = chances.argmax(axis=1)
    return reliability(chances.max(axis=1), classes[likeliest] == answers, "the likeliest class", bins)


def reliability(
    probability: Float[np.ndarray, " events"], came: Bool[np.ndarray, " events"], of: str, bins: int
) -> Calibration:
    """Compare probabilities of one thing with whether it came.

    Args:
        probability: one an event.
        came: whether it did.
        of: what the probability is of.
        bins: how many at most, of about equally many events.
    """
    if len(came) < bins:
        raise DataError(f"{len(came)} events do not fill {bins} bins; give more events, or fewer bins")
    _, place, ties = np.unique(probability, return_inverse=True, return_counts=True)
    # Where a part of the sorted events ends; equal ones go together to where the middle one of them falls.
    ends = np.cumsum([len(part) for part in np.array_split(probability, bins)])
    where = np.searchsorted(ends, np.cumsum(ties) - 0.5 * (ties + 1), side="right")[place]
    parts = [np.flatnonzero(where == filled) for filled in np.unique(where)]
    said = np.array([probability[part].mean() for part in parts])
    found = np.array([came[part].mean() for part in parts])
    count = np.array([len(part) for part in parts])
    error = float(count @ np.abs(said - found)) / len(came)
    return Calibration(error, tuple(said.tolist()), tuple(found.tolist()), tuple(count.tolist()), of)
