"""Data sets too large for memory: read piece by piece, as often as a fit needs them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from landmass.data.dataset import AT_A_TIME, Dataset, Weighted
from landmass.data.schema import Schema
from landmass.data.summary import NOTHING, Summary, check_bounds, check_columns, summary
from landmass.errors import DataError
from landmass.types import HostEvents


class Survey(NamedTuple):
    """What one reading of all pieces has told: how many events there are, their summed weight, and their columns."""

    n: int
    total: float
    columns: list[Summary]


@dataclass(frozen=True, eq=False)
class Pieces:
    """Events that are read piece by piece, in as many readings as a fit needs.

    Args:
        readings: starts a reading: data sets of the same columns, one after the other.
        schema: their sample space.
        name: what the data is called.
        container: makes, from events and column names, the kind of object the pieces are.
        chosen: tells which of some events belong here; None takes all.
    """

    readings: Callable[[], Iterator[Dataset]]
    schema: Schema
    name: str
    container: Callable[[HostEvents, list[str]], Any]
    chosen: Callable[[HostEvents], Bool[np.ndarray, " events"]] | None = None

    def __iter__(self) -> Iterator[Dataset]:
        """One reading of the pieces."""
        for number, piece in enumerate(_numbered(self.readings(), self.name)):
            if piece.schema.names != self.schema.names:
                raise DataError(
                    f"piece {number} of {self.name} has columns {piece.schema.names}, the first has "
                    f"{self.schema.names}; give all pieces the same columns in the same order"
                )
            piece = piece.with_schema(self.schema)
            yield piece if self.chosen is None else piece.take(np.flatnonzero(self.chosen(piece.X)))

    @property
    def n(self) -> int:
        """How many events there are."""
        return self._survey.n

    @property
    def total(self) -> float:
        """Their summed weight."""
        return self._survey.total

    def nothing(self) -> Dataset:
        """A data set of these columns without events."""
        return Dataset(np.empty((0, len(self.schema.columns))), self.schema, self.name, self.container)

    def blocks(self) -> Iterator[Weighted]:
        """Blocks of `AT_A_TIME` events, whatever the pieces' sizes, with their weights; the last has what is left.

        Raises:
            DataError: this reading does not give as many events as an earlier one did.
        """
        seen = 0
        for X, weight in _reblocked(iter(self), len(self.schema.columns)):
            seen += len(X)
            yield X, weight
        known = vars(self).get("_survey")
        if known is not None and known.n != seen:
            raise DataError(
                f"{self.name} gave {known.n} events at one reading and {seen} at another; pieces must be the same at "
                "every reading: a function must start anew at every call, and a file must not change"
            )

    def check_fit(self) -> None:
        """Refuse what no density can be fitted to, as `Dataset.check_fit` does.

        Raises:
            DataError: names the column, the value and the remedy.
        """
        check_columns(self.schema, self.n, self._survey.columns)

    def split(self, seed: int, share: float, most: int) -> tuple["Pieces", Dataset]:
        """Keep a share of the events aside, in memory; copies of an event stay on one side, and count as one.

        Args:
            seed: seed of the choice.
            share: of the distinct events, from 0 to 1.
            most: no more distinct events are kept aside.

        Raises:
            DataError: one side would be empty.
        """
        held = _Held(np.empty((0, len(self.schema.columns))), np.empty(0), np.empty(0))
        for X, weight in self.blocks():
            held, share = held.joined(X, weight, _lot(X, seed), share).lowest(most, share)
        train = Pieces(self.readings, self.schema, self.name, self.container, lambda X: _lot(X, seed) >= share)
        if not len(held.X) or not train.n:
            raise DataError(
                f"{self.n} events in pieces, copies of which stay together, leave none to train or none to choose by; "
                "give at least 20 different rows"
            )
        return train, Dataset(held.X, self.schema, self.name, self.container, weight=held.weight)

    @cached_property
    def _survey(self) -> Survey:
        n, total, columns = 0, 0.0, [NOTHING] * len(self.schema.columns)
        for X, weight in self.blocks():
            check_bounds(self.schema, X, n)
            with np.errstate(over="ignore", invalid="ignore"):
                columns = [seen.joined(summary(x, weight)) for seen, x in zip(columns, X.T, strict=True)]
            n, total = n + len(X), total + float(weight.sum())
        return Survey(n, total, columns)


class _Held(NamedTuple):
    """Distinct events kept aside, the weight of their copies, and their lots."""

    X: HostEvents
    weight: Float[np.ndarray, " events"]
    lot: Float[np.ndarray, " events"]

    def joined(self, X: HostEvents, weight: np.ndarray, lot: np.ndarray, below: float) -> "_Held":
        """These and those of some more whose lot is low enough."""
        chosen = lot < below
        X, weight = np.concatenate([self.X, X[chosen]]), np.concatenate([self.weight, weight[chosen]])
        distinct, first, copy = np.unique(X, axis=0, return_index=True, return_inverse=True)
        lots = np.concatenate([self.lot, lot[chosen]])[first]
        return _Held(distinct, np.bincount(copy.ravel(), weight, len(distinct)), lots)

    def lowest(self, most: int, below: float) -> tuple["_Held", float]:
        """Those with the lowest lots, and what all their lots are below."""
        if len(self.X) <= most:
            return self, below
        below = float(np.partition(self.lot, most)[most])
        kept = self.lot < below
        return _Held(self.X[kept], self.weight[kept], self.lot[kept]), below


def _reblocked(pieces: Iterator[Dataset], columns: int) -> Iterator[Weighted]:
    """Blocks of the same size of pieces of any size; no more than a block is kept from one piece to the next."""
    rest = np.empty((0, columns)), np.empty(0)
    for piece in pieces:
        weight = np.ones(len(piece)) if piece.weight is None else piece.weight
        X, weight = (np.concatenate(pair) for pair in zip(rest, (piece.X, weight), strict=True))
        del piece
        full = len(X) // AT_A_TIME * AT_A_TIME
        for start in range(0, full, AT_A_TIME):
            yield X[start : start + AT_A_TIME], weight[start : start + AT_A_TIME]
        # A copy: a view would keep the whole piece.
        rest = X[full:].copy(), weight[full:].copy()
        del X, weight
    if len(rest[0]):
        yield rest


def _lot(X: HostEvents, seed: int) -> Float[np.ndarray, " events"]:
    """A number in [0, 1) for each event, the same for its copies.

    Source: Steele, Lea & Flood 2014 (the finaliser of SplitMix).
    """
    lot = np.full(len(X), seed, np.uint64)
    # Zero has two signs.
    for column in (X + 0.0).T:
        lot ^= np.ascontiguousarray(column).view(np.uint64)
        lot += np.uint64(0x9E3779B97F4A7C15)
        lot = (lot ^ (lot >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        lot = (lot ^ (lot >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        lot ^= lot >> np.uint64(31)
    return (lot >> np.uint64(11)) * 2.0**-53


def _numbered(reading: Iterator[Dataset], name: str) -> Iterator[Dataset]:
    """The same pieces; what is wrong with one is told with its number."""
    number = 0
    while True:
        try:
            piece = next(reading)
        except StopIteration:
            return
        except DataError as error:
            raise DataError(f"piece {number} of {name}: {error}") from error
        yield piece
        del piece
        number += 1
