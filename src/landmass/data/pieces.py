"""Data sets too large for memory: read piece by piece, as often as a fit needs them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from landmass.data.dataset import AT_A_TIME, Dataset, Weighted
from landmass.data.schema import Schema
from landmass.data.tables import arrow_container
from landmass.errors import DataError
from landmass.types import HostEvents


@dataclass(frozen=True, eq=False)
class Pieces:
    """Events that are read piece by piece, in as many readings as a fit needs.

    Args:
        readings: starts a reading: data sets of the same columns, one after the other.
        schema: their sample space.
        name: what the data is called.
        chosen: tells which of some events belong here; None takes all.
    """

    readings: Callable[[], Iterator[Dataset]]
    schema: Schema
    name: str
    chosen: Callable[[HostEvents], Bool[np.ndarray, " events"]] | None = None

    def __iter__(self) -> Iterator[Dataset]:
        """One reading of the pieces."""
        for number, piece in enumerate(_numbered(self.readings(), self.name)):
            if piece.schema.names != self.schema.names:
                raise DataError(
                    f"piece {number} of {self.name} has columns {piece.schema.names}, the first has "
                    f"{self.schema.names}; give all pieces the same columns in the same order"
                )
            yield piece.with_schema(self.schema)

    @cached_property
    def n(self) -> int:
        """How many events there are, which takes a reading."""
        return sum(len(X) for X, _ in self.blocks())

    @property
    def total(self) -> float:
        """Their summed weight: each counts once."""
        return float(self.n)

    def nothing(self) -> Dataset:
        """A data set of these columns without events."""
        return Dataset(np.empty((0, len(self.schema.columns))), self.schema, self.name, arrow_container)

    def blocks(self) -> Iterator[Weighted]:
        """Blocks of `AT_A_TIME` events, whatever the pieces' sizes, with their weights; the last has what is left."""
        kept: list[HostEvents] = []
        for piece in self:
            X = piece.X if self.chosen is None else piece.X[self.chosen(piece.X)]
            kept.append(X)
            if sum(map(len, kept)) < AT_A_TIME:
                continue
            together = np.concatenate(kept)
            full = len(together) // AT_A_TIME * AT_A_TIME
            for start in range(0, full, AT_A_TIME):
                yield together[start : start + AT_A_TIME], np.ones(AT_A_TIME)
            kept = [together[full:]]
        rest = np.concatenate([np.empty((0, len(self.schema.columns))), *kept])
        if len(rest):
            yield rest, np.ones(len(rest))

    def check_fit(self) -> None:
        """Refuse what no density can be fitted to, as `Dataset.check_fit` does, in one reading.

        Raises:
            DataError: names the piece, the column, the value and the remedy.
        """
        ends = self.nothing().X
        for number, (X, _) in enumerate(self.blocks()):
            Dataset(X, self.schema, f"{self.name}, events {number * AT_A_TIME:,} and on").check_bounds()
            ends = np.concatenate([ends, X.min(axis=0, keepdims=True), X.max(axis=0, keepdims=True)])
        Dataset(ends, self.schema, self.name).check_fit()

    def split(self, seed: int, share: float, most: int) -> tuple["Pieces", Dataset]:
        """Keep a share of the events aside, in memory; copies of an event stay on one side.

        Args:
            seed: seed of the choice.
            share: of the events, from 0 to 1.
            most: about as many events are kept aside at most.

        Raises:
            DataError: one side would be empty.
        """
        share = min(share, most / max(self.n, 1))

        def held(X: HostEvents) -> Bool[np.ndarray, " events"]:
            return _lot(X, seed) < share

        train = Pieces(self.readings, self.schema, self.name, lambda X: ~held(X))
        blocks = [X for X, _ in Pieces(self.readings, self.schema, self.name, held).blocks()]
        if not blocks or not train.n:
            raise DataError(f"{self.n} events in pieces leave none to train or to choose by; read them whole")
        return train, Dataset(np.concatenate(blocks), self.schema, self.name, arrow_container)


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
        number += 1
