"""Kinds: what each column of a table holds, found by looking at its cells, or as declared."""

import math
import re
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from landmass.data.cells import MICROSECONDS, Cells, as_words, encode
from landmass.data.schema import (
    AnyColumn,
    Boolean,
    Bounded,
    Category,
    Circular,
    Datetime,
    Grid,
    Integer,
    Interval,
    Positive,
    Real,
    Tick,
)
from landmass.errors import DataError, SettingError

# A column of words, or of ascending whole numbers, all but all of which are different, names rows.
FEWEST_ROWS, NAMES_ROWS = 20, 0.9

# Decimals of a grid that are looked for.
MOST_DECIMALS = 6

# Numbers on a grid of so many places a row, none of them twice, are as good as continuous.
PLACES_A_ROW = 100.0

# A value of a continuous column that is held by this share of the rows, and by so many, has a probability of its own.
ATOM_SHARE, ATOM_ROWS = 1 / 256, 5

# A number above zero that varies by so many times over is positive by nature.
POSITIVE_RANGE = 1_000.0

# Where shares, correlations and percentages lie, and where angles and hours do, which come round.
RANGES = (0.0, 1.0), (-1.0, 1.0), (0.0, 100.0)
CIRCLES = (0.0, 360.0), (-180.0, 180.0), (0.0, 2.0 * math.pi), (-math.pi, math.pi), (0.0, 24.0)

# A range is found where so large a share of the values, and so many, lie within this share of it at either end, and
# none beyond. The first is no further from the end than so many times what they are from each other. On a circle there
# are at either end no more than so many times as many as at the other.
END_SHARE, LEAST_SHARE, END_ROWS, END_GAP, END_RATIO = 1 / 20, 1 / 100, 20, 10.0, 3.0

ISO = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?")

Declared = AnyColumn | str
"""What a column is said to hold: a column of a schema, or the name of a kind."""


class Found(NamedTuple):
    """What a column holds, and why that is thought.

    Args:
        column: its kind.
        why: in words.
        cells: its cells, which may be of another type than those it came with.
    """

    column: AnyColumn
    why: str
    cells: Cells


def find(name: str, cells: Cells) -> Found:
    """What a column holds.

    Args:
        name: the column's.
        cells: its cells.

    Raises:
        DataError: it is empty, names rows, or holds words among its dates.
    """
    known, gaps = cells.known, bool(cells.empty.any())
    if not len(known):
        raise DataError(f"column {name!r} is empty: all its cells are missing; drop the column")
    some = f"{cells.empty.sum():,} of {len(cells.values):,} cells are empty" if gaps else ""

    def found(column: AnyColumn, why: str, of: Cells = cells) -> Found:
        return Found(column, "; ".join(filter(None, (why, some))), of)

    if cells.holds == "booleans":
        return found(Boolean(name=name, nullable=gaps), "true and false")
    if cells.holds == "times":
        tick: Tick = next(tick for tick, each in MICROSECONDS.items() if not np.mod(known, each).any())
        return found(Datetime(name=name, nullable=gaps, tick=tick), f"times, whole {tick}s")
    if cells.holds == "words":
        times = _times(cells)
        if times is not None:
            column, why, _ = find(name, times)
            return Found(column, f"{why}, written as words", times)
        levels = sorted(set(known))
        _refuse_some_times(name, levels)
        _refuse_names(name, len(levels), len(known), repr(known[0]))
        return found(Category(name=name, nullable=gaps, levels=tuple(levels)), f"{len(levels):,} words")
    return found(*_number(name, cells, gaps))


def declare(name: str, cells: Cells, kind: Declared) -> Found:
    """What a column holds by somebody's word.

    Args:
        name: the column's.
        cells: its cells.
        kind: a column of a schema, or the name of a kind, whose details are found.

    Raises:
        DataError: the cells do not fit.
        SettingError: there is no such kind.
    """
    if not isinstance(kind, str):
        times = _times(cells) if isinstance(kind, Datetime) and cells.holds == "words" else None
        return Found(kind, "declared", times or cells)
    known, gaps = cells.known, bool(cells.empty.any())
    if kind in ("real", "positive", "integer") and cells.holds in ("words", "times"):
        first = known[0] if len(known) else None
        fit = "category" if cells.holds == "words" else "datetime"
        raise DataError(f"column {name!r} is declared {kind}, and holds {cells.holds}: {first!r}; declare it {fit}")
    if kind == "integer":
        broken = np.flatnonzero(cells.values != np.rint(cells.values)) if not gaps else np.flatnonzero(known % 1.0)
        if broken.size:
            value = known[known != np.rint(known)]
            if value.size:
                raise DataError(f"column {name!r} is declared integer, and holds {value[0]:g}; declare it real or grid")
        return Found(Integer(name=name, nullable=gaps), "declared", cells)
    if kind == "category":
        levels = {word for word in as_words(cells) if word is not None}
        return Found(Category(name=name, nullable=gaps, levels=tuple(sorted(levels))), "declared", cells)
    plain: dict[str, Any] = {"real": Real, "positive": Positive, "boolean": Boolean}
    if kind in plain:
        return Found(plain[kind](name=name, nullable=gaps), "declared", cells)
    if kind == "grid" and len(known) and cells.holds == "numbers":
        step = _step(np.unique(known), cells.single)
        if not step:
            raise DataError(f"column {name!r} is declared grid, and its numbers lie on none; declare it real")
        return Found(Grid(name=name, nullable=gaps, step=step), "declared", cells)
    if kind in ("bounded", "circular", "datetime", "grid"):
        found = find(name, cells)
        if kind in ("bounded", "circular") and isinstance(found.column, Interval):
            as_told: type[Interval] = Circular if kind == "circular" else Bounded
            return Found(
                as_told(**{each: getattr(found.column, each) for each in as_told.__struct_fields__}), "declared", cells
            )
        if found.column.__struct_config__.tag != kind:
            ends = "; declare it in a schema, with its ends" if kind in ("bounded", "circular") else ""
            raise DataError(f"column {name!r} is declared {kind}, and looks {found.column.__struct_config__.tag}{ends}")
        return found
    raise SettingError(
        f"column {name!r}: there is no kind {kind!r}; there are boolean, bounded, category, circular, datetime, grid, "
        "integer, positive and real"
    )


def _number(name: str, cells: Cells, gaps: bool) -> tuple[AnyColumn, str]:
    """The kind of a column of numbers, and why."""
    known = cells.known
    values, counts = np.unique(known, return_counts=True)
    if (values == np.rint(values)).all():
        if len(values) == len(known) >= FEWEST_ROWS and (np.diff(known) > 0.0).all():
            _refuse_names(name, len(values), len(known), f"{known[0]:.0f}, {known[1]:.0f}, …")
        ends = (0, 1) if set(values) == {0.0, 1.0} else (None, None)
        return Integer(
            name=name, nullable=gaps, least=ends[0], most=ends[1]
        ), f"whole numbers, {len(values):,} different ones"
    step = _step(values, cells.single)
    places = math.inf if step is None else (values[-1] - values[0]) / step
    if step is not None and (len(values) < 0.99 * len(known) or places < PLACES_A_ROW * len(known)):
        return Grid(name=name, nullable=gaps, step=step), f"multiples of {step:g}, {len(values):,} different ones"
    atoms = values[(counts >= ATOM_ROWS) & (counts >= ATOM_SHARE * len(known))]
    rest = values[~np.isin(values, atoms)]
    positive = len(rest) and values[0] >= 0.0 and 0.0 < rest[0] * POSITIVE_RANGE < rest[-1]
    told: dict[str, Any] = {"name": name, "nullable": gaps, "atoms": tuple(atoms.tolist())}
    if ends := next((ends for ends in (*RANGES, *CIRCLES) if _fills(values, rest, *ends)), None):
        kind = Circular if ends in CIRCLES and _joins(rest, *ends) and not set(ends) & set(atoms) else Bounded
        told, how = {**told, "low": ends[0], "high": ends[1]}, "numbers from {:g} to {:g}, near both".format(*ends)
    else:
        kind, how = (Positive, "positive numbers") if positive else (Real, "numbers")
    why = f"{how}, {len(values):,} different ones"
    if len(atoms):
        share = counts[np.isin(values, atoms)].sum() / len(known)
        why += f"; {share:.1%} hold one of {len(atoms)} values ({', '.join(f'{a:g}' for a in atoms[:3])})"
    return kind(**told), why


def _fills(values: Float[np.ndarray, " values"], rest: Float[np.ndarray, " rest"], low: float, high: float) -> bool:
    """Whether all sorted values lie between two ends, and enough of the rest near both to say that these are ends."""
    many = max(END_ROWS, math.ceil(LEAST_SHARE * len(rest)))
    if values[0] < low or values[-1] > high or len(rest) < many:
        return False
    apart = np.sort([rest - low, high - rest], axis=1)
    if (apart[:, many - 1] > END_SHARE * (high - low)).any():
        return False
    first, last = apart[:, 0], apart[:, END_ROWS - 1]
    return bool((first <= END_GAP * (last - first) / (END_ROWS - 1)).all())


def _joins(rest: Float[np.ndarray, " rest"], low: float, high: float) -> bool:
    """Whether about as many values lie near one end as near the other."""
    near = END_SHARE * (high - low)
    fewer, more = sorted([(rest <= low + near).sum(), (rest >= high - near).sum()])
    return bool(more <= END_RATIO * fewer)


def _step(values: Float[np.ndarray, " values"], single: bool) -> float | None:
    """The step of the grid on which all numbers lie, if it is one of few decimals."""
    largest = float(np.abs(values).max())
    for decimals in range(1, MOST_DECIMALS + 1):
        scaled = values * 10.0**decimals
        whole = np.rint(scaled)
        error = largest * 10.0**decimals * (1e-6 if single else 1e-12)
        if error > 0.1:
            return None
        if (np.abs(scaled - whole) <= max(error, 1e-9)).all():
            return math.gcd(*map(int, whole.astype(np.int64).tolist())) / 10**decimals
    return None


def _times(cells: Cells) -> Cells | None:
    """Words as times, if all of them are written as the standard asks; else None."""
    words = cells.values.tolist()
    if not all(word is None or ISO.fullmatch(word) for word in words):
        return None
    try:
        stamps = np.array(["NaT" if word is None else word for word in words], "datetime64[us]")
    except ValueError:
        return None
    return Cells(np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64)), "times")


def _refuse_some_times(name: str, levels: list[str]) -> None:
    """Refuse words among times: a slip of the pen, whose column would be told as words."""
    wrong = [word for word in levels if not _is_time(word)]
    if len(levels) >= 10 and 0 < len(wrong) <= len(levels) / 10:
        raise DataError(
            f"column {name!r} holds {wrong[0]!r} among its dates ({len(wrong)} of {len(levels):,} different cells are "
            "no dates from year 0 to 9999); correct these cells, empty them, or declare the column a category"
        )


def _is_time(word: str) -> bool:
    try:
        return ISO.fullmatch(word) is not None and np.datetime64(word) is not None
    except ValueError:
        return False


def _refuse_names(name: str, different: int, rows: int, some: str) -> None:
    """Refuse a column that says which row it is, and nothing of others."""
    if different >= max(FEWEST_ROWS, NAMES_ROWS * rows):
        raise DataError(
            f"column {name!r} names rows ({some}; {different:,} different cells in {rows:,} rows): there is nothing to "
            f"learn from it; drop it (drop=[{name!r}], or --drop {name} on the shell), or declare what it holds"
        )


def check_declared(column: AnyColumn, cells: Cells) -> Float[np.ndarray, " events"]:
    """A column's cells as numbers, all of which its kind allows.

    Args:
        column: its kind.
        cells: its cells.

    Raises:
        DataError: a cell is empty, or lies outside of the bounds or beside the grid.
    """
    values = encode(column, cells)
    check_values(column, values)
    return values


def check_values(column: AnyColumn, values: Float[np.ndarray, " events"]) -> None:
    """Refuse numbers that a column's kind does not allow.

    Args:
        column: its kind.
        values: the numbers; NaN where a cell is empty.

    Raises:
        DataError: a cell is empty, or lies beside the grid.
    """
    empty = np.isnan(values)
    if empty.any() and not column.nullable:
        raise DataError(
            f"column {column.name!r} has an empty cell (row {empty.argmax()}, counted from 0; {empty.sum()} such "
            "cells), and its schema allows none; fill them, or declare it nullable"
        )
    step = column.step if isinstance(column, Grid) else 1.0 if isinstance(column, Integer) else None
    if step is not None:
        off = np.flatnonzero(np.abs(values / step - np.rint(values / step)) > 1e-6)
        if off.size:
            raise DataError(
                f"column {column.name!r} holds {values[off[0]]:g} (row {off[0]}, counted from 0), which is not a "
                f"multiple of {step:g}; correct it, or declare another kind"
            )
