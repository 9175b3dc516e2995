"""Data sets too large for memory: read piece by piece, as often as a fit needs them."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Integer, Shaped, UInt64

from landmass.data.chances import Chances
from landmass.data.dataset import AT_A_TIME, Dataset, Weighted, measured
from landmass.data.numbers import distinct
from landmass.data.schema import Continuous, Schema
from landmass.data.summary import NOTHING, Summary, check_bounds, check_columns, summary
from landmass.errors import DataError
from landmass.types import HostEvents

T = TypeVar("T")

AnyRows = Shaped[np.ndarray, "..."]
"""Rows of any shape."""

RowNumbers = Integer[np.ndarray, " events"]
"""A number for each event, that no other has."""

# Events of one part of the data, at most; the numbers of all fit float64 for some thousand parts.
MOST_IN_PART = 2**40

# Parts that are read in turn where the order is to be random, each of which takes memory while it is open; and how many
# blocks of rows are mixed at a time.
OPEN, MIXED = 2, 4

# Random events that tell how often values come.
LOOKED_AT = 100_000


class Survey(NamedTuple):
    """What one reading of all pieces has told.

    Args:
        n: how many events there are.
        total: their summed weight.
        columns: what their columns hold.
        content: of all events, whatever their order.
        weighed: whether some weight differs from 1.
        gaps: of each piece of which rows were left out, which.
    """

    n: int
    total: float
    columns: list[Summary]
    content: int
    weighed: bool
    gaps: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Pieces:
    """Events that are read piece by piece, in as many readings as a fit needs.

    Args:
        parts: each starts a reading of a part of the events: data sets of the same columns, one after the other.
        schema: their sample space.
        name: what the data is called.
        container: makes, from events and column names, the kind of object the pieces are.
        chosen: tells which of some events belong here, by these and their numbers; None takes all.
        notes: what was left out, in sentences.
    """

    parts: Sequence[Callable[[], Iterator[Dataset]]]
    schema: Schema
    name: str
    container: Callable[[HostEvents, list[str]], Any]
    chosen: Callable[[HostEvents, RowNumbers], Bool[np.ndarray, " events"]] | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Dataset) -> Self:
        """Events in memory, for who reads a few at a time."""
        rows = np.arange(len(data))
        parts = [partial(_one, data, rows[start : start + AT_A_TIME]) for start in range(0, len(data), AT_A_TIME)]
        return cls(parts, data.schema, data.name, data.container)

    def __iter__(self) -> Iterator[Dataset]:
        """One reading of the pieces."""
        return (piece for piece, _ in self._numbered())

    def _numbered(self, order: Sequence[int] | None = None) -> Iterator[tuple[Dataset, RowNumbers]]:
        """The pieces of a reading, with the numbers of their events; parts in another order are read in turn."""
        if order is None:
            reading = (piece for part in range(len(self.parts)) for piece in self._part(part))
        else:
            reading = _in_turn([partial(self._part, part) for part in order])
        for place, (piece, numbers) in enumerate(_told(reading, self.name)):
            if piece.schema.names != self.schema.names:
                raise DataError(
                    f"piece {place} of {self.name} has columns {piece.schema.names}, the first has "
                    f"{self.schema.names}; give all pieces the same columns in the same order"
                )
            piece = piece.with_schema(self.schema)
            if self.chosen is not None:
                rows = np.flatnonzero(self.chosen(piece.X, numbers))
                piece, numbers = piece.take(rows), numbers[rows]
            yield piece, numbers

    def _part(self, part: int) -> Iterator[tuple[Dataset, RowNumbers]]:
        """The pieces of a part, with the numbers of their events, which no two events share."""
        first = part * MOST_IN_PART
        for piece in self.parts[part]():
            numbers = np.arange(first, first + len(piece))
            first += len(piece)
            yield piece, numbers
            del piece

    @property
    def n(self) -> int:
        """How many events there are."""
        return self._survey.n

    @property
    def total(self) -> float:
        """Their summed weight."""
        return self._survey.total

    @property
    def weighed(self) -> bool:
        """Whether some event counts other than once."""
        return self._survey.weighed

    @property
    def told(self) -> tuple[str, ...]:
        """What was left out, in sentences: columns, and rows with an empty cell."""
        gaps = self._survey.gaps
        more = f"; {len(gaps)} of the pieces have such rows" if len(gaps) > 1 else ""
        return (*self.notes, f"{gaps[0]}{more}") if gaps else self.notes

    def whole(self) -> Dataset:
        """All events, read into memory."""
        return replace(self.some(self.n, 0), notes=self.told)

    def nothing(self) -> Dataset:
        """A data set of these columns without events."""
        return Dataset(np.empty((0, len(self.schema.columns))), self.schema, self.name, self.container)

    def blocks(self) -> Iterator[Weighted]:
        """Blocks of `AT_A_TIME` events, whatever the pieces' sizes, with their weights; the last has what is left.

        Raises:
            DataError: this reading does not give as many events as an earlier one did.
        """
        seen = 0
        for X, weight in _reblocked(iter(self), len(self.schema.columns), AT_A_TIME):
            seen += len(X)
            yield X, weight
        known = vars(self).get("_survey")
        if known is not None and known.n != seen:
            raise DataError(
                f"{self.name} gave {known.n} events at one reading and {seen} at another; pieces must be the same at "
                "every reading: a function must start anew at every call, and a file must not change"
            )

    def shuffled(self, seed: int, epoch: int = 0) -> Iterator[Weighted]:
        """Blocks of `AT_A_TIME` events in random order: parts in random order, some of them in turn, and rows mixed.

        Args:
            seed: of the order.
            epoch: another order for each.
        """
        rng = np.random.default_rng((seed, epoch))
        reading = (piece for piece, _ in self._numbered(rng.permutation(len(self.parts)).tolist()))
        for X, weight in _reblocked(reading, len(self.schema.columns), MIXED * AT_A_TIME):
            order = rng.permutation(len(X))
            for start in range(0, len(X), AT_A_TIME):
                rows = order[start : start + AT_A_TIME]
                yield X[rows], weight[rows]
            del X, weight

    def check_fit(self) -> None:
        """Refuse what no density can be fitted to, as `Dataset.check_fit` does.

        Raises:
            DataError: names the column, the value and the remedy.
        """
        check_columns(self.schema, self.n, self._survey.columns)

    def some(self, most: int, seed: int) -> Dataset:
        """All events, or as many random ones as `most` where there are more, in their order.

        Args:
            most: how many are kept in memory.
            seed: seed of the choice.
        """
        X, weight = some_of(self.blocks(), self.n, most, np.random.default_rng(seed))
        weighed = None if (weight == 1.0).all() else weight
        return replace(self.nothing(), X=X, weight=weighed, incomplete=bool(np.isnan(X).any()))

    def split(self, seed: int, share: float, most: int) -> tuple["Pieces", Dataset]:
        """Keep a share of the events aside, in memory; copies of an event stay on one side, and count as one.

        Rows of counted cells alone that may be alike by chance are no copies.

        Args:
            seed: seed of the choice.
            share: of the distinct events, from 0 to 1.
            most: no more distinct events are kept aside.

        Raises:
            DataError: one side would be empty.
        """
        held = _Held(np.empty((0, len(self.schema.columns))), np.empty(0), np.empty(0))
        for piece, numbers in self._numbered():
            lot = self._lot(piece.X, numbers, seed)
            weight = np.ones(len(piece)) if piece.weight is None else piece.weight
            held, share = held.joined(piece.X, weight, lot, share).lowest(most, share)
        held = held.distinct()
        train = replace(self, chosen=partial(self._beyond, seed, share))
        if not len(held.X) or not train.n:
            raise DataError(
                f"{self.n} events in pieces, copies of which stay together, leave none to train or none to choose by; "
                "give at least 20 different rows"
            )
        incomplete = bool(np.isnan(held.X).any())
        return train, Dataset(held.X, self.schema, self.name, self.container, weight=held.weight, incomplete=incomplete)

    def _beyond(self, seed: int, share: float, X: HostEvents, numbers: RowNumbers) -> Bool[np.ndarray, " events"]:
        """Which of some events a split leaves here."""
        kept = self._lot(X, numbers, seed) >= share
        return kept if self.chosen is None else kept & self.chosen(X, numbers)

    def _lot(self, X: HostEvents, numbers: RowNumbers, seed: int) -> Float[np.ndarray, " events"]:
        """A number in [0, 1) for each event, the same for its copies."""
        if self._chances is not None:
            alike = ~measured(self.schema, X) & self._chances.alike(X)
            X = np.column_stack([X, np.where(alike, numbers, -1.0)])
        return (_hashed(X, seed) >> np.uint64(11)) * 2.0**-53

    @cached_property
    def _chances(self) -> Chances | None:
        """How often values come, by random events; None where each event has a cell that none is like by chance."""
        if any(isinstance(c, Continuous) and not (c.atoms or c.nullable) for c in self.schema.columns):
            return None
        return Chances.of(self.some(LOOKED_AT, 0).X, self.n)

    def sha256(self) -> str:
        """Of the events, whatever their order, and of what their columns are."""
        return hashlib.sha256(repr((self.schema, self._survey.n, self._survey.content)).encode()).hexdigest()

    @cached_property
    def _survey(self) -> Survey:
        gaps: list[str] = []

        def seen() -> Iterator[Dataset]:
            for piece in self:
                gaps.extend([piece.gaps] if piece.gaps else [])
                yield piece

        n, total, columns = 0, 0.0, [NOTHING] * len(self.schema.columns)
        content, weighed = 0, False
        for X, weight in _reblocked(seen(), len(self.schema.columns), AT_A_TIME):
            check_bounds(self.schema, X, n)
            content = (content + int(_hashed(X, 0).sum())) % 2**64
            weighed |= bool((weight != 1.0).any())
            with np.errstate(over="ignore", invalid="ignore"):
                values = np.ascontiguousarray(X.T)
                columns = [seen.joined(summary(x, weight)) for seen, x in zip(columns, values, strict=True)]
            n, total = n + len(X), total + float(weight.sum())
        return Survey(n, total, columns, content, weighed, tuple(gaps))


class _Held(NamedTuple):
    """Distinct events kept aside, the weight of their copies, and their lots."""

    X: HostEvents
    weight: Float[np.ndarray, " events"]
    lot: Float[np.ndarray, " events"]

    def joined(self, X: HostEvents, weight: np.ndarray, lot: np.ndarray, below: float) -> "_Held":
        """These and those of some more whose lot is low enough."""
        chosen = lot < below
        more = X[chosen], weight[chosen], lot[chosen]
        return _Held(*(np.concatenate(pair) for pair in zip(self, more, strict=True)))

    def distinct(self) -> "_Held":
        """Copies, which have one lot, as one event with all their weight."""
        first, copy = distinct(np.column_stack([self.X, self.lot]))
        return _Held(self.X[first], np.bincount(copy, self.weight, len(first)), self.lot[first])

    def lowest(self, most: int, below: float) -> tuple["_Held", float]:
        """Those with the lowest lots, and what all their lots are below."""
        if len(self.X) <= most:
            return self, below
        held = self.distinct()
        if len(held.X) <= most:
            return held, below
        below = float(np.partition(held.lot, most)[most])
        kept = held.lot < below
        return _Held(held.X[kept], held.weight[kept], held.lot[kept]), below


def some_of(
    blocks: Iterator[tuple[AnyRows, np.ndarray]], n: int, most: int, rng: np.random.Generator
) -> tuple[AnyRows, np.ndarray]:
    """All rows of blocks, with their weights, or as many random ones as `most` where there are more, in their order.

    Args:
        blocks: rows of any shape, with their weights.
        n: how many rows they have in all, at least 1.
        most: how many are kept in memory.
        rng: source of the choice.
    """
    chosen = np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))
    found, start = [], 0
    for rows, weight in blocks:
        first, last = np.searchsorted(chosen, [start, start + len(rows)])
        here = chosen[first:last] - start
        found.append((rows[here], weight[here]))
        start += len(rows)
    kept, weights = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return kept, weights


def _one(data: Dataset, rows: Integer[np.ndarray, " rows"]) -> Iterator[Dataset]:
    return iter([data.take(rows)])


def _in_turn(parts: list[Callable[[], Iterator[T]]]) -> Iterator[T]:
    """A piece of each of some parts, and again; where one ends, another takes its turn."""
    waiting, begun = deque(parts), deque[Iterator[T]]()
    while waiting or begun:
        while waiting and len(begun) < OPEN:
            begun.append(waiting.popleft()())
        reading = begun.popleft()
        piece = next(reading, None)
        if piece is not None:
            begun.append(reading)
            yield piece
            del piece


def _reblocked(pieces: Iterator[Dataset], columns: int, size: int) -> Iterator[Weighted]:
    """Blocks of the same size of pieces of any size; the last has what is left."""
    X, weight, held = np.empty((size, columns)), np.empty(size), 0
    for piece in pieces:
        start = 0
        while start < len(piece):
            here = slice(start, start + size - held)
            more = piece.X[here]
            end = held + len(more)
            X[held:end], weight[held:end] = more, 1.0 if piece.weight is None else piece.weight[here]
            start, held = start + len(more), end
            if held == size:
                yield X, weight
                X, weight, held = np.empty((size, columns)), np.empty(size), 0
        del piece
    if held:
        yield X[:held], weight[:held]


def _hashed(X: HostEvents, seed: int) -> UInt64[np.ndarray, " events"]:
    """A number for each event, the same for its copies.

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
    return lot


def _told(reading: Iterator[T], name: str) -> Iterator[T]:
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
