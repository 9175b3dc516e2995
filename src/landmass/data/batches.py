"""Splits of a data set, drawn once from a seed."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from landmass.data.dataset import Dataset
from landmass.data.images import Images
from landmass.data.pieces import Pieces
from landmass.errors import DataError
from landmass.types import Copies

# Of events in pieces no more are kept in memory to choose by: their mean log-density is known to 0.002 nats.
MOST_HELD = 200_000


class Split(NamedTuple):
    """Row numbers of the parts of a data set; no row is in two parts."""

    train: Integer[np.ndarray, " train"]
    validation: Integer[np.ndarray, " validation"]
    test: Integer[np.ndarray, " test"]


def split(data: Dataset | Images, seed: int, validation: float = 0.1, test: float = 0.1) -> Split:
    """Split rows at random; copies of an event stay on one side.

    Args:
        data: the events.
        seed: seed of the shuffle.
        validation: share of the rows kept for choosing, from 0 to 1.
        test: share of the rows kept for reporting.

    Raises:
        DataError: there are too few distinct events to give every part at least one.
    """
    return split_rows(data.copies(), seed, validation, test, data.weight)


def split_rows(
    event: Copies,
    seed: int,
    validation: float,
    test: float,
    weight: Float[np.ndarray, " events"] | None = None,
    classes: Integer[np.ndarray, " events"] | None = None,
) -> Split:
    """Split rows at random, of which some are copies of one event.

    Args:
        event: for each row the number of its event.
        seed: see `split`, and so for the next two.
        validation: see there.
        test: see there.
        weight: how often each row counts; None counts each once.
        classes: for each row the number of its class, from 0: each class has an event in the part to train by.

    Raises:
        DataError: there are too few distinct events to give every part at least one.
    """
    # A weight counts copies.
    copies = np.bincount(event, weight)
    order = np.random.default_rng(seed).permutation(len(copies))
    if classes is not None:
        order = _with_last(order, event, classes)
    # An event goes to the part in which its first copy falls, counting copies in shuffled order.
    start = np.concatenate([[0], np.cumsum(copies[order])[:-1]]) / copies.sum()
    part = np.empty(len(copies), int)
    part[order] = np.where(start < test, 2, np.where(start < test + validation, 1, 0))
    rows = [np.flatnonzero(part[event] == side) for side in (0, 1, 2)]
    for name, share, found in zip(("train", "validation", "test"), (1.0, validation, test), rows, strict=True):
        if share > 0.0 and not len(found):
            raise DataError(
                f"{len(event)} rows with {len(copies)} distinct events leave none for the {name} part, as copies of an "
                "event stay together; give at least 20 different rows"
            )
    return Split(*rows)


def _with_last(
    order: Integer[np.ndarray, " distinct"], event: Copies, classes: Integer[np.ndarray, " events"]
) -> Integer[np.ndarray, " distinct"]:
    """The events in the same order, except that the last one of each class comes after all others."""
    rows = np.argsort(np.argsort(order)[event])[::-1]
    last = np.isin(order, event[rows[np.unique(classes[rows], return_index=True)[1]]])
    return np.concatenate([order[~last], order[last]])


def held_back(
    data: Dataset | Images | Pieces, seed: int, share: float
) -> tuple[Dataset | Images | Pieces, Dataset | Images]:
    """Events to train by, and a share of them kept to choose by.

    Args:
        data: the events.
        seed: seed of the choice.
        share: of the events, from 0 to 1.

    Raises:
        DataError: there are too few events.
    """
    if isinstance(data, Pieces):
        return data.split(seed, share, MOST_HELD)
    parts = split(data, seed, validation=share, test=0.0)
    return data.take(parts.train), data.take(parts.validation)
