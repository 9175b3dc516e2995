"""Edits: how attributes of events changed, those that were asked for and those that were not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from landmass.errors import DataError
from landmass.text import table


class Change(NamedTuple):
    """How one attribute changed.

    Args:
        name: of the attribute.
        asked: whether it was to change.
        mean: change of an event on average, in the attribute's own unit.
        of_range: the same as a share of the attribute's range; NaN if it does not vary.
        in_sds: the same in its standard deviations; NaN if it does not vary.
        size: mean size of an event's change whichever its sign, in standard deviations.
        n: events in which it was measured before and after.
    """

    name: str
    asked: bool
    mean: float
    of_range: float
    in_sds: float
    size: float
    n: int


@dataclass(frozen=True)
class Changes:
    """How attributes changed; printed, a table: what was asked for first, then by the size of the change."""

    changes: tuple[Change, ...]

    def __getitem__(self, name: str) -> Change:
        """The change of an attribute."""
        return {change.name: change for change in self.changes}[name]

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [
            ("attribute", "asked", "change", "of its range", "in its sd", "size in sd", "events")
        ]
        for each in self.changes:
            numbers = ((each.of_range, "+.1%"), (each.in_sds, "+.2f"), (each.size, ".2f"))
            cells = ("" if np.isnan(number) else f"{number:{form}}" for number, form in numbers)
            rows.append((each.name, "yes" if each.asked else "", f"{each.mean:+.3g}", *cells, f"{each.n:,}"))
        return table(rows)


def what_changed(
    before: Mapping[str, Shaped[np.ndarray, " events"]],
    after: Mapping[str, Shaped[np.ndarray, " edited"]],
    asked: str | Collection[str],
    reference: Mapping[str, Shaped[np.ndarray, " others"]] | None = None,
) -> Changes:
    """Tell how an edit changed measured attributes of events: those that were asked for, and the others.

    Words are two classes, and count as 0 and 1 in sorted order, which is what a `Reader` tells of them.

    Args:
        before: numbers or words by attribute, one an event; NaN, None or "" where it could not be measured.
        after: the same of the edited events.
        asked: the attributes that were to change; or one.
        reference: the same of the data, to take ranges and standard deviations from; None takes `before`.

    Raises:
        DataError: attributes or events of the two do not match, or an attribute was measured in none, or has words of
            more than two classes.
    """
    wanted = {asked} if isinstance(asked, str) else set(asked)
    scale = before if reference is None else reference
    if set(before) != set(after) or not set(before) <= set(scale) or not wanted <= set(before):
        raise DataError(
            f"attributes do not match: before the edit {', '.join(before)}; after it {', '.join(after)}; asked for "
            f"{', '.join(sorted(wanted))}; of the data {', '.join(scale)}; measure the same each time"
        )
    found = [_change(name, name in wanted, before[name], after[name], scale[name]) for name in before]
    return Changes(tuple(sorted(found, key=lambda each: (not each.asked, -np.nan_to_num(each.size, nan=-1.0)))))


def _change(
    name: str,
    asked: bool,
    before: Shaped[np.ndarray, " events"],
    after: Shaped[np.ndarray, " edited"],
    scale: Shaped[np.ndarray, " others"],
) -> Change:
    if len(before) != len(after):
        raise DataError(
            f"attribute {name!r} was measured in {len(before)} events before the edit, {len(after)} after it"
        )
    first, last, known = _numbers(name, before, after, scale)
    moved = (last - first)[np.isfinite(last - first)]
    known = known[np.isfinite(known)]
    if not len(moved) or not len(known):
        raise DataError(f"attribute {name!r} was measured in no event both before and after the edit; leave it out")
    mean, spread = float(moved.mean()), float(known.std()) if np.ptp(known) > 0.0 else np.nan
    width = float(np.ptp(known)) or np.nan
    return Change(name, asked, mean, mean / width, mean / spread, float(np.abs(moved).mean()) / spread, len(moved))


def _numbers(name: str, *measured: Shaped[np.ndarray, " _"]) -> list[Float[np.ndarray, " _"]]:
    """Numbers as they are, NaN where there is none; of words, the places of their classes."""
    words = sorted({each for values in measured for each in values.tolist() if isinstance(each, str) and each})
    if len(words) > 2:
        raise DataError(
            f"attribute {name!r} has words of {len(words)} classes, {', '.join(words)}; give numbers, or make an "
            "attribute of each, yes or no"
        )
    places = {**{word: place for place, word in enumerate(words)}, None: np.nan, "": np.nan}
    return [np.array([places.get(each, each) for each in values.tolist()], np.float64) for values in measured]
