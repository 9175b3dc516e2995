"""Cells: what a person's table holds, as numbers of its columns' kinds, and back."""

from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Shaped

from landmass.data.numbers import as_float64, with_gaps
from landmass.data.schema import OTHER, TICKS, AnyColumn, Boolean, Category, Datetime, Grid, Integer, Tick
from landmass.errors import DataError

MICROSECONDS: dict[Tick, int] = {
    "day": 86_400_000_000,
    "hour": 3_600_000_000,
    "minute": 60_000_000,
    "second": 1_000_000,
    "millisecond": 1_000,
    "microsecond": 1,
}
"""Of each tick."""


class Cells(NamedTuple):
    """The cells of a column as they came.

    Args:
        values: numbers, 0 and 1 of booleans, microseconds since 1970 of times, all float64 with NaN where empty; words
            as objects with None where empty.
        holds: what they are.
        single: whether numbers came in single precision, in which 0.1 is something else.
    """

    values: Shaped[np.ndarray, " events"]
    holds: str
    single: bool = False

    @property
    def empty(self) -> Bool[np.ndarray, " events"]:
        """Which cells hold nothing."""
        if self.holds == "words":
            return np.array([cell is None for cell in self.values], bool)
        return np.isnan(self.values)

    @property
    def known(self) -> Shaped[np.ndarray, " known"]:
        """What the others hold."""
        return self.values[~self.empty]


def cells_of(series: nw.Series, name: str) -> Cells | None:
    """The cells of a table's column; None of a type that no column of ours holds.

    Args:
        series: the column.
        name: its name.

    Raises:
        DataError: a number is not finite, or does not fit float64.
    """
    kind, empty = series.dtype, series.is_null().to_numpy().astype(bool)
    if kind == nw.Unknown and empty.all():
        return Cells(np.full(len(series), np.nan), "numbers")
    if kind == nw.Object:
        return _objects(series.to_list(), empty, name)
    if kind in (nw.String, nw.Categorical, nw.Enum):
        return Cells(_words(series, empty), "words")
    if kind in (nw.Date, nw.Datetime):
        if kind == nw.Datetime and getattr(kind, "time_zone", None):
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        stamps = _there(series, empty).cast(nw.Datetime("us")).dt.timestamp("us").to_numpy()
        times = np.full(len(series), np.nan)
        times[~empty] = stamps
        return Cells(times, "times")
    if not (kind.is_numeric() or kind == nw.Boolean):
        return None
    numbers = np.full(len(series), np.nan)
    there = _there(series, empty)
    wide = kind in (nw.Int128, nw.UInt128)
    numbers[~empty] = as_float64(np.array(there.to_list(), object) if wide else there.to_numpy(), name)
    wrong = ~np.isfinite(numbers) & ~empty
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"column {name!r} holds {numbers[row]} (row {row}, counted from 0; {wrong.sum()} such values): landmass "
            "models finite numbers, not NaN or inf; correct these cells, or empty them"
        )
    return Cells(numbers, "booleans" if kind == nw.Boolean else "numbers", kind == nw.Float32)


def _there(series: nw.Series, empty: Bool[np.ndarray, " events"]) -> nw.Series:
    """The cells that are not empty."""
    return series.filter((~empty).tolist()) if empty.any() else series


def _words(series: nw.Series, empty: Bool[np.ndarray, " events"]) -> Shaped[np.ndarray, " events"]:
    native = series.to_native()
    if isinstance(native, pa.ChunkedArray):
        return np.concatenate([np.empty(0, object), *map(_distinct_words, native.chunks)])
    words = [None if gap else str(cell) for cell, gap in zip(series.to_list(), empty, strict=True)]
    return np.array([*words, None], object)[:-1]


def _distinct_words(words: pa.Array) -> Shaped[np.ndarray, " events"]:
    """Words of which only the distinct ones become Python's."""
    coded = words if pa.types.is_dictionary(words.type) else words.dictionary_encode()
    levels = np.array([*map(str, coded.dictionary.to_pylist()), None], object)
    return levels[coded.indices.cast(pa.int64()).fill_null(len(levels) - 1).to_numpy(zero_copy_only=False)]


def _objects(values: list[Any], empty: Bool[np.ndarray, " events"], name: str) -> Cells:
    """Cells of a table that does not know what it holds, as pandas with booleans of which some are missing."""
    known = [value for value, gap in zip(values, empty, strict=True) if not gap]
    if known and all(isinstance(value, bool | np.bool_ | int | float | np.number) for value in known):
        numbers = np.array([np.nan if gap else float(value) for value, gap in zip(values, empty, strict=True)])
        truths = all(isinstance(value, bool | np.bool_) for value in known)
        if np.isfinite(numbers[~empty]).all():
            return Cells(numbers, "booleans" if truths else "numbers")
    words = [None if gap else str(value) for value, gap in zip(values, empty, strict=True)]
    return Cells(np.array([*words, None], object)[:-1], "words")


def encode(column: AnyColumn, cells: Cells) -> Float[np.ndarray, " events"]:
    """A column's cells as numbers: the place in its list of a word, ticks since 1970 of a time; NaN where empty.

    Args:
        column: what the cells should be.
        cells: what they are.

    Raises:
        DataError: they are of another type, or a word is not in the list.
    """
    if isinstance(column, Category):
        return _places(column, cells)
    wanted = "times" if isinstance(column, Datetime) else "booleans" if isinstance(column, Boolean) else "numbers"
    zero_one = isinstance(column, Boolean) and cells.holds == "numbers" and np.isin(cells.known, (0.0, 1.0)).all()
    as_numbers = wanted == "numbers" and cells.holds == "booleans"
    if cells.holds != wanted and len(cells.known) and not (zero_one or as_numbers):
        raise DataError(
            f"column {column.name!r} is of {wanted}, and here it holds {cells.holds} (for example "
            f"{cells.known[0]!r}); give {wanted}"
        )
    if cells.holds == "words":
        return np.full(len(cells.values), np.nan)
    if isinstance(column, Datetime):
        return cells.values / MICROSECONDS[column.tick]
    if isinstance(column, Grid) and cells.single:
        # In single precision 0.1 is not the number of that name.
        return column.step * np.rint(cells.values / column.step)
    return cells.values


def _places(column: Category, cells: Cells) -> Float[np.ndarray, " events"]:
    places: dict[Any, float] = {level: float(i) for i, level in enumerate(column.levels)}
    words = as_words(cells)
    if column.other:
        return np.array([np.nan if word is None else places.get(word, float(len(places))) for word in words])
    found = np.array([np.nan if word is None else places.get(word, -1.0) for word in words])
    if (found < 0.0).any():
        row = int((found < 0.0).argmax())
        some = ", ".join(map(repr, column.levels[:5])) + (", …" if len(column.levels) > 5 else "")
        raise DataError(
            f"column {column.name!r} holds {words[row]!r} (row {row}, counted from 0; {(found < 0.0).sum()} such "
            f"cells), which is not among its {len(column.levels):,} levels ({some}); correct these cells, or declare "
            "the column with other=True before the fit"
        )
    return found


def as_words(cells: Cells) -> list[str | None]:
    """Cells as words, whole numbers without a decimal point; None where empty."""
    if cells.holds == "words":
        return cells.values.tolist()
    if cells.holds == "booleans":
        return [None if np.isnan(x) else str(bool(x)).lower() for x in cells.values]
    return [None if np.isnan(x) else f"{x:.0f}" if x == np.rint(x) else repr(float(x)) for x in cells.values]


def decode(column: AnyColumn, values: Float[np.ndarray, " events"]) -> Shaped[np.ndarray, " events"]:
    """What a table's column holds for numbers that `encode` gave: None, or no time, where a cell is empty.

    Args:
        column: what they stand for.
        values: the numbers.
    """
    empty = np.isnan(values)
    if isinstance(column, Category):
        levels = np.array([*column.levels, OTHER, None], object)
        return levels[np.where(empty, len(levels) - 1, np.nan_to_num(values)).astype(int)]
    if isinstance(column, Datetime):
        ticks = np.where(empty, np.iinfo(np.int64).min, np.nan_to_num(values).astype(np.int64))
        times = ticks.astype(f"datetime64[{TICKS[column.tick]}]")
        # Tables know of no hours and minutes.
        return times.astype("datetime64[s]") if column.tick in ("hour", "minute") else times
    if isinstance(column, Boolean | Integer):
        kind = bool if isinstance(column, Boolean) else np.int64
        whole = np.nan_to_num(values).astype(kind)
        return with_gaps(whole, empty)
    if isinstance(column, Grid):
        # 0.1 + 0.2 is not 0.3, and nobody would know it again.
        decimals = next((d for d in range(13) if abs(column.step * 10**d % 1.0 - 0.5) > 0.5 - 1e-6), 15)
        values = values.round(decimals)
    return with_gaps(values, empty)
