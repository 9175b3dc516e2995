"""A data set: events, their sample space, and how to give events back in the container they came in."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Float, Integer

from landmass.data.builtin.truth import Truth
from landmass.data.cells import decode
from landmass.data.chances import Chances
from landmass.data.numbers import distinct
from landmass.data.schema import Continuous, Schema
from landmass.data.summary import NOTHING, check_bounds, check_columns, summary
from landmass.errors import DataError
from landmass.types import Copies, HostEvents

MOST_WEIGHT = 1e30
"""The largest sum of weights, and of times that one may exceed another."""

AT_A_TIME = 65_536
"""Events that statistics are added up of at a time."""

# So many rows that are copies of others are told of, if they are such a share.
FEWEST_COPIES, COPIED = 10, 0.01

Weighted = tuple[HostEvents, Float[np.ndarray, " events"]]
"""Events with their weights."""


def as_array(X: HostEvents, names: list[str]) -> Any:
    """The container of data that came as an array."""
    return X


def measured(schema: Schema, X: HostEvents) -> Bool[np.ndarray, " events"]:
    """Which events have a cell whose value has a density, so that no other is like them by chance.

    Args:
        schema: their sample space.
        X: the events; NaN where a cell is empty.
    """
    found = np.zeros(len(X), bool)
    for column, values in zip(schema.columns, X.T, strict=True):
        if isinstance(column, Continuous):
            found |= ~(np.isnan(values) | np.isin(values, column.atoms))
    return found


@dataclass(frozen=True, eq=False)
class Dataset:
    """Events with their sample space.

    Args:
        X: the events, float64, in the columns' own units.
        schema: the sample space.
        name: what the data is called in reports and run folders.
        container: makes, from events and column names, the kind of object the data came in.
        truth: the distribution the events were drawn from, where it is known.
        notes: what the reader left out or changed, in sentences.
        gaps: which rows were left out because of an empty cell, in a sentence; empty if none was.
        unnamed: whether the column names were made up, so that columns are told apart by their place.
        weight: how often each event counts; None counts each once.
        incomplete: whether cells may be missing, which are NaN then; few families can be fitted to such events.
    """

    X: HostEvents
    schema: Schema
    name: str = "data"
    container: Callable[[Any, list[str]], Any] = as_array
    truth: Truth | None = None
    notes: tuple[str, ...] = ()
    gaps: str = ""
    unnamed: bool = False
    weight: Float[np.ndarray, " events"] | None = None
    incomplete: bool = False

    def __post_init__(self) -> None:
        if self.X.shape[1] != len(self.schema.columns):
            raise DataError(f"{self.X.shape[1]} columns of data for a schema of {len(self.schema.columns)}")
        for column, values in zip(self.schema.columns, self.X.T, strict=True):
            broken = np.isinf(values) if self.incomplete else ~np.isfinite(values)
            if broken.any():
                row = int(np.argmax(broken))
                raise DataError(
                    f"column {column.name!r} holds {values[row]} (row {row}, counted from 0; {broken.sum()} such "
                    "values): landmass models finite numbers, not NaN or inf; remove or repair these rows, or drop the "
                    "column"
                )

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: Integer[np.ndarray, " chosen"]) -> Self:
        """The events of some rows, in the order given; who chooses rows misses none."""
        weight = None if self.weight is None else self.weight[rows]
        return replace(self, X=self.X[rows], weight=weight, gaps="")

    def joined(self, others: Self) -> Self:
        """These events, and others of the same sample space."""
        return replace(self, X=np.concatenate([self.X, others.X]))

    @property
    def total(self) -> float:
        """The events' summed weight: their number where they have none."""
        return float(len(self) if self.weight is None else self.weight.sum())

    def nothing(self) -> Self:
        """The same columns without events."""
        return self.take(np.arange(0))

    def blocks(self) -> Iterator[Weighted]:
        """Blocks of `AT_A_TIME` events with their weights; the last has what is left."""
        for start in range(0, len(self), AT_A_TIME):
            X = self.X[start : start + AT_A_TIME]
            yield X, np.ones(len(X)) if self.weight is None else self.weight[start : start + AT_A_TIME]

    def weighed(self, sample_weight: Any) -> Self:
        """The same events with weights; those of weight zero are left out.

        Args:
            sample_weight: how often each event counts, shape (events,); None changes nothing.

        Raises:
            DataError: the weights are not finite numbers from 0, one an event, with one above 0.
        """
        if sample_weight is None:
            return self
        weight = np.asarray(sample_weight)
        if weight.shape != (len(self),) or weight.dtype.kind not in "fiub":
            left_out = f" ({self.gaps})" if self.gaps else ""
            raise DataError(
                f"sample_weight has shape {weight.shape} and type {weight.dtype} for {len(self)} events{left_out}; "
                "give one number for each"
            )
        weight = weight.astype(np.float64)
        wrong = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0.0)))
        if wrong.size:
            raise DataError(
                f"sample_weight holds {weight[wrong[0]]} (row {wrong[0]}, counted from 0; {wrong.size} such values); "
                "weights count events and are finite and 0 or more"
            )
        if not weight.any():
            raise DataError("sample_weight is zero for every event; give some event weight")
        kept = weight > 0.0
        # Single precision holds their sum, and less than two events cannot be fitted.
        if not 2.0 <= weight.sum() <= MOST_WEIGHT or weight[kept].min() < weight.max() / MOST_WEIGHT:
            raise DataError(
                f"sample_weight sums to {weight.sum():g}, with {weight.max():g} the largest: weights count events, and "
                f"sum to 2 or more and {MOST_WEIGHT:g} or less; rescale them, for example to the number of events"
            )
        return replace(self, X=self.X[kept], weight=weight[kept])

    def in_copies(self, most: int, seed: int) -> "Dataset":
        """Each event as often as its weight, a whole number, says; where these are too many, in proportion to that.

        Args:
            most: how many events at most.
            seed: seed of the choice among too many.
        """
        if self.weight is None:
            return self
        rows = np.repeat(np.arange(len(self)), self.weight.astype(int))
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
        return replace(self, X=self.X[rows], weight=None)

    def copies(self) -> Copies:
        """For each event the number of the distinct one it is a copy of.

        Rows of counted cells alone, of which many are alike by chance, are no copies of each other.
        """
        copy = distinct(self.X)[1]
        if not len(self):
            return copy
        alike = np.flatnonzero(~measured(self.schema, self.X) & Chances.of(self.X, len(self)).alike(self.X))
        copy[alike] = len(self) + np.arange(len(alike))
        return np.unique(copy, return_inverse=True)[1].ravel() if len(alike) else copy

    @property
    def unit(self) -> str:
        """What a density is per."""
        measured = [column for column in self.schema.columns if isinstance(column, Continuous)]
        return " · ".join(column.unit or f"unit of {column.name}" for column in measured) or "row"

    @property
    def entropy(self) -> float | None:
        """Of the distribution the events were drawn from, in nats; None where it is not known."""
        return None if self.truth is None else self.truth.entropy

    def sha256(self) -> str:
        """Of the events."""
        return hashlib.sha256(np.ascontiguousarray(self.X).tobytes()).hexdigest()

    def repeats(self) -> tuple[str, ...]:
        """Warnings of many copies among the rows, and of columns whose values look rounded or counted."""
        said, copied = [], len(self) - len(np.unique(self.copies()))
        if copied >= max(FEWEST_COPIES, COPIED * len(self)):
            said.append(
                f"{copied:,} of {len(self):,} rows are copies of others, more than chance makes: they stay on one side "
                "of the split, and each counts; remove them if they are mistakes"
            )
        for column, values in zip(self.schema.columns, self.X.T, strict=True):
            if not isinstance(column, Continuous) or column.atoms:
                continue
            known = values[~np.isnan(values)]
            distinct = len(np.unique(known))
            if len(known) >= 20 and distinct < len(known) / 2:
                said.append(
                    f"column {column.name!r} repeats its values ({distinct:,} distinct among {len(known):,} cells): "
                    "a density can be made as sharp as one likes on such values, so read likelihoods with care"
                )
        return tuple(said)

    def with_schema(self, schema: Schema) -> Self:
        """The same events in another sample space; its columns must have the same names.

        Raises:
            DataError: the names differ.
        """
        if schema.names != self.schema.names:
            raise DataError(f"the schema's columns {schema.names} are not the data's {self.schema.names}")
        return replace(self, schema=schema)

    def only(self, places: list[int]) -> Self:
        """The same events, of some columns."""
        schema = Schema(tuple(self.schema.columns[place] for place in places))
        return replace(self, X=self.X[:, places], schema=schema, truth=None)

    def wrap(self, X: HostEvents) -> Any:
        """Events in the container that the data came in."""
        if self.schema.plain or self.container is as_array:
            return self.container(X, self.schema.names)
        columns = [decode(column, values) for column, values in zip(self.schema.columns, X.T, strict=True)]
        return self.container(columns, self.schema.names)

    def check_fit(self) -> None:
        """Refuse what no density can be fitted to: too few events, constant columns, events outside the bounds.

        Raises:
            DataError: names the column, the value and the remedy.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            columns = [summary(values, np.ones(len(self))) for values in self.X.T] if len(self) else []
        check_columns(self.schema, len(self), columns or [NOTHING] * self.X.shape[1])
        check_bounds(self.schema, self.X)
