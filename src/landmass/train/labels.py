"""Codes and attributes as an evaluation of latents is given them: checked, and told from what is not labelled."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Shaped

from landmass.errors import DataError

# The fewest labelled events that anything is learned from, and the fewest of each class.
LEAST, LEAST_OF_CLASS = 20, 5


@runtime_checkable
class Attributes(Protocol):
    """Labels by name, one an event: a mapping, or a pandas table. Whether a table is empty only its length says."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Names with their labels."""
        ...


@dataclass(frozen=True, eq=False)
class Labelled:
    """What is known of one attribute.

    Args:
        name: of the attribute.
        known: whether each event has a label.
        values: of the events that have one: amounts; or places in `classes`.
        classes: what they are called, in sorted order; None of amounts.
    """

    name: str
    known: Bool[np.ndarray, " events"]
    values: Float[np.ndarray, " labelled"]
    classes: tuple[str, ...] | None = None

    @property
    def counts(self) -> tuple[int, ...]:
        """How many events of each class; of amounts, how many events."""
        if self.classes is None:
            return (len(self.values),)
        return tuple(np.bincount(self.values.astype(int), minlength=len(self.classes)).tolist())


def checked(codes: Float[np.ndarray, "events latents"]) -> Float[np.ndarray, "events latents"]:
    """Codes as float64.

    Raises:
        DataError: one is not finite, or there are none.
    """
    if not codes.size:
        raise DataError(f"there are no codes: an array of shape {codes.shape} was given; encode some events first")
    if len(rows := np.flatnonzero(~np.isfinite(codes).all(axis=1))):
        raise DataError(f"{len(rows)} of {len(codes)} codes are not finite, the first in row {rows[0]}; leave them out")
    return codes.astype(np.float64)


def labelled(name: str, values: Any, events: int, least: int = LEAST) -> Labelled:
    """An attribute's labels, without the events that have none.

    Words are classes, and so are numbers of which there are two; other numbers are amounts.

    Args:
        name: of the attribute.
        values: one an event: NaN or None of numbers and None or "" of words stand for no label.
        events: how many there are.
        least: how many labels are needed.

    Raises:
        DataError: labels do not match the events, are too few, all the same or infinite.
    """
    given = np.asarray(values)
    if given.shape != (events,):
        raise DataError(f"attribute {name!r} has labels of shape {given.shape}, but there are {events} events")
    known = np.array([each is not None and each != "" and each == each for each in given.tolist()], bool)
    if known.sum() < least:
        raise DataError(
            f"attribute {name!r} has {known.sum()} labelled events, of which {least} are needed; label more"
        )
    found = given[known]
    numbers = found.dtype.kind in "biuf" or all(isinstance(each, Real) for each in found.tolist())
    found = found if found.dtype.kind == "b" else found.astype(np.float64 if numbers else str)
    if numbers and not np.isfinite(found).all():
        raise DataError(f"attribute {name!r} has infinite labels; give NaN where there is none")
    distinct, place = np.unique(found, return_inverse=True)
    if len(distinct) == 1:
        raise DataError(
            f"attribute {name!r} has one class only: it is {distinct.tolist()[0]!r} in all of {len(found)} labelled "
            "events; give events of two classes at least"
        )
    if numbers and len(distinct) > 2:
        return Labelled(name, known, found)
    return _classes(name, known, distinct, place)


def has_direction(values: Any) -> bool:
    """Whether a direction can be learned of labels: amounts or two classes, enough of them, and not all alike.

    Args:
        values: one an event, as of `labelled`.
    """
    try:
        return len(labelled("", values, len(values)).counts) <= 2
    except DataError:
        return False


def _classes(
    name: str,
    known: Bool[np.ndarray, " events"],
    distinct: Shaped[np.ndarray, " classes"],
    place: Shaped[np.ndarray, " labelled"],
) -> Labelled:
    words = tuple(f"{each:g}" if isinstance(each, float) else str(each) for each in distinct.tolist())
    result = Labelled(name, known, place.astype(np.float64), words)
    count, word = min(zip(result.counts, words, strict=True))
    if count < LEAST_OF_CLASS:
        raise DataError(
            f"attribute {name!r} has {count} events of class {word!r}, of which {LEAST_OF_CLASS} are needed; label "
            "more, or leave that class without labels"
        )
    return result
