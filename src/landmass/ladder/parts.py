"""The parts of a ladder's data: what its rungs learn from, choose by and are held against."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier

from landmass.data.batches import Split, split
from landmass.data.dataset import Dataset
from landmass.data.examples import Examples
from landmass.data.images import Images
from landmass.data.pieces import Pieces
from landmass.errors import DataError
from landmass.estimator.states import MOST_AT_HAND
from landmass.evaluate.ledger import Ledger
from landmass.ladder.events import like

Events = Dataset | Images | Examples
"""Events in memory, or examples."""

# Of events in pieces so many at most are kept to choose by, and as many to report on.
MOST_KEPT = 50_000

SHARE = 0.1


class Parts(NamedTuple):
    """What a ladder learns from, chooses by and is held against.

    Args:
        rows: of each part; none of events in pieces, and no test rows where these came on their own.
        train: events to learn from; of pieces as many random ones as families that need them at hand take.
        validation: events to choose by.
        test: events to report on.
        pieces: all events to learn from, where they come in pieces.
    """

    rows: Split
    train: Any
    validation: Any
    test: Any
    pieces: Pieces | None = None


def parted(data: Events | Pieces, test: Any, seed: int, rungs: dict[str, Any]) -> Parts:
    """Split data once for all rungs.

    Args:
        data: the events.
        test: held-out events that came on their own, in any form that they could have; None keeps a tenth.
        seed: of the split.
        rungs: what is to be fitted.

    Raises:
        DataError: there are too few events.
    """
    given = None if test is None else like(test, data)
    if isinstance(data, Pieces):
        parts = _of_pieces(data, given, seed)
    else:
        shares = seed, SHARE, SHARE if given is None else 0.0
        if isinstance(data, Examples):
            rows = data.parts(*shares, classes=any(map(is_classifier, rungs.values())))
        else:
            rows = split(data, *shares)
        test = data.take(rows.test) if given is None else given
        parts = Parts(rows, data.take(rows.train), data.take(rows.validation), test)
    if min(len(parts.validation), len(parts.test)) < 2:
        n = data.n if isinstance(data, Pieces) else len(data)
        raise DataError(
            f"{n} events are too few for a ladder, which keeps some to choose by and some to report on; give "
            "at least 20"
        )
    if isinstance(parts.train, Examples) and isinstance(parts.test, Examples):
        parts = parts._replace(train=parts.train.knowing(parts.test))
    return parts


def recalled(data: Events | Pieces, test: Any, seed: int, rows: Split, ledger: Ledger) -> Parts:
    """The parts that a ladder had.

    Args:
        data: the events that it was fitted to.
        test: the held-out events, if it was given such.
        seed: of the split.
        rows: of the parts.
        ledger: what was said of them.

    Raises:
        DataError: the events are others.
    """
    n = ledger.n
    if isinstance(data, Pieces) != ledger.in_pieces:
        how = "in pieces" if ledger.in_pieces else "at hand"
        raise DataError(f"the ladder was fitted to {sum(n.values())} events {how}; give the same, and so")
    if isinstance(data, Pieces):
        parts = parted(data, test, seed, {})
        found = [parts.pieces and parts.pieces.n, len(parts.validation), len(parts.test)]
        if found != [n[part] for part in Split._fields]:
            raise DataError(f"the ladder was fitted to other events: its parts had {n}, and of these they have {found}")
        return parts
    if (test is None) != bool(len(rows.test)):
        given = "of the same data; leave out" if test is not None else "given apart; give"
        raise DataError(f"the ladder's test events were {given} test=…")
    if len(data) != sum(map(len, rows)):
        raise DataError(f"the ladder was fitted to {sum(map(len, rows))} events, and these are {len(data)}")
    held_out = data.take(rows.test) if test is None else like(test, data)
    if len(held_out) != n["test"]:
        raise DataError(f"the ladder had {n['test']} test events, and these are {len(held_out)}")
    return Parts(rows, data.take(rows.train), data.take(rows.validation), held_out)


def _of_pieces(data: Pieces, given: Any, seed: int) -> Parts:
    """Parts of events in pieces: those that are chosen by and reported on are kept in memory."""
    kept = 1 if given is not None else 2
    train, held = data.split(seed, kept * SHARE, kept * MOST_KEPT)
    held = held.in_copies(kept * MOST_KEPT, seed)
    halves = split(held, seed, 0.0, 0.5 if given is None else 0.0)
    nothing = np.arange(0)
    test = held.take(halves.test) if given is None else given
    some = train.some(MOST_AT_HAND, seed)
    return Parts(Split(nothing, nothing, nothing), some, held.take(halves.train), test, train)
