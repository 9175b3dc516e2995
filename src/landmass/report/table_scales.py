"""How cells of any kind are drawn: where each stands along an axis, and what is written there."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import matplotlib.dates as dates
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axis import Axis
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, ScalarFormatter

from landmass.data.cells import MICROSECONDS
from landmass.data.schema import OTHER, AnyColumn, Boolean, Category, Datetime, Grid, Integer, Positive
from landmass.report.measures import window
from landmass.report.style import power, shown

# Bars of a histogram of numbers: four times the cube root of the events' number, within these.
FEWEST_BARS, MOST_BARS = 16, 48

# Days since 1970 between which matplotlib knows dates: the years 1 to 9999.
CALENDAR = -719_162.0, 2_932_896.0

# How far from its place a cell is drawn at most, in places, so that not all are drawn on one another.
JITTER = 0.38

Values = Float[np.ndarray, " _"]
"""Cells of a column, NaN where empty."""


def is_words(column: AnyColumn) -> bool:
    """Whether a column's cells have names rather than places on a line.

    Args:
        column: of a schema.
    """
    return isinstance(column, Category | Boolean)


@dataclass(frozen=True, eq=False)
class Bars:
    """The places of a column of words: its most frequent levels, then all others, then empty cells.

    Args:
        column: the column.
        levels: the levels that have a place of their own.
        others: how many levels share the place after them; 0 if there is no such place.
    """

    column: AnyColumn
    levels: tuple[int, ...]
    others: int

    @classmethod
    def of(cls, column: AnyColumn, values: Values, most: int) -> "Bars":
        """The places of the levels that come most often.

        Args:
            column: of words, or of true and false.
            values: cells to count.
            most: levels that have a place of their own.
        """
        counts = np.bincount(values[~np.isnan(values)].astype(int), minlength=int(column.high) + 1)
        order = np.argsort(-counts, kind="stable")
        # One more name takes no more room than "1 other".
        most = most + 1 if len(order) == most + 1 else most
        return cls(column, tuple(order[:most].tolist()), max(len(order) - most, 0))

    @property
    def size(self) -> int:
        """How many places there are."""
        return len(self.levels) + bool(self.others) + self.column.nullable

    def names(self, most: int) -> list[str]:
        """What is written at each place.

        Args:
            most: letters of a name.
        """
        names = [shown(level_name(self.column, level), most) for level in self.levels]
        return [*names, *([f"{self.others:,} others"] if self.others else []), *(["empty"] * self.column.nullable)]

    def places(self, values: Values) -> Int[np.ndarray, " _"]:
        """Each cell's place.

        Args:
            values: cells.
        """
        place = np.full(int(self.column.high) + 1, len(self.levels))
        place[list(self.levels)] = np.arange(len(self.levels))
        empty = np.isnan(values)
        return np.where(empty, self.size - 1, place[np.where(empty, 0.0, values).astype(int)])

    def shares(self, values: Values) -> Float[np.ndarray, " places"]:
        """The share of the cells at each place.

        Args:
            values: cells.
        """
        return np.bincount(self.places(values), minlength=self.size) / len(values)


@dataclass(frozen=True, eq=False)
class Line:
    """The axis of a column of numbers, or of dates: logarithmic of those above zero, in days of dates.

    Args:
        column: the column.
        low: where the picture begins, on the axis.
        high: where it ends.
        bars: of a histogram, about.
    """

    column: AnyColumn
    low: float
    high: float
    bars: int

    @classmethod
    def of(cls, column: AnyColumn, values: Values) -> "Line":
        """An axis on which most of some cells are seen.

        Args:
            column: of numbers, or of dates.
            values: cells.
        """
        found = _on_axis(column, values)
        known = found[np.isfinite(found)]
        low, high = window(known) if len(known) else (0.0, 1.0)
        room = max(0.5 * step_of(column), 1e-9 * max(abs(low), abs(high), 1e-300))
        bars = int(np.clip(4.0 * len(known) ** (1.0 / 3.0), FEWEST_BARS, MOST_BARS))
        return cls(column, float(low - room), float(high + room), bars)

    @property
    def logarithmic(self) -> bool:
        """Whether places are powers of ten; zero has none then."""
        return isinstance(self.column, Positive)

    def places(self, values: Values) -> Values:
        """Where cells stand on the axis; NaN of empty ones, and of zeros on a logarithmic axis.

        Args:
            values: cells.
        """
        return _on_axis(self.column, values)

    def edges(self) -> Float[np.ndarray, " edges"]:
        """Between the bars of a histogram: in the middle between values that are counted."""
        step = step_of(self.column)
        if not step:
            return np.linspace(self.low, self.high, self.bars + 1)
        first, last = np.floor(self.low / step) + 0.5, np.ceil(self.high / step) - 0.5
        wide = max(np.ceil((last - first) / self.bars), 1.0)
        return step * (first + wide * np.arange(np.ceil((last - first) / wide) + 1.0))

    def ticks(self, axis: Axis, most: int) -> None:
        """Write values along an axis.

        Args:
            axis: to write on.
            most: ticks, about.
        """
        if self.logarithmic:
            whole = range(math.ceil(self.low), math.floor(self.high) + 1)
            kept = whole[:: max(len(whole) // most, 1)]
            places, names = [float(exponent) for exponent in kept], [power(1, exponent) for exponent in kept]
        elif isinstance(self.column, Datetime) and CALENDAR[0] < self.low < self.high < CALENDAR[1]:
            # With fewer than five it may find none that are as far apart as they must be, and warns.
            locator = dates.AutoDateLocator(minticks=2, maxticks=max(most, 5))
            found = self._inside(locator.tick_values(dates.num2date(self.low), dates.num2date(self.high)))
            places = found[:: max(math.ceil(len(found) / most), 1)]
            names = dates.ConciseDateFormatter(locator, show_offset=False).format_ticks(places)
        else:
            locator = MaxNLocator(most, integer=isinstance(self.column, Integer))
            places, names = self._inside(locator.tick_values(self.low, self.high)), None
        axis.set_major_locator(FixedLocator(places))
        axis.set_major_formatter(ScalarFormatter() if names is None else FixedFormatter(names))

    def _inside(self, places: Iterable[float]) -> list[float]:
        return [float(place) for place in places if self.low <= place <= self.high]


def level_name(column: AnyColumn, level: int) -> str:
    """A level of a column of words, without quotes.

    Args:
        column: of words, or of true and false.
        level: its place in the list.
    """
    return [*column.levels, OTHER][level] if isinstance(column, Category) else column.shown(level)


def step_of(column: AnyColumn) -> float:
    """From one value that is counted to the next, on the axis; 0 of columns that are not counted.

    Args:
        column: of numbers, or of dates.
    """
    if isinstance(column, Datetime):
        return _days(column)
    return column.step if isinstance(column, Grid) else float(isinstance(column, Integer))


def jittered(column: AnyColumn, places: Values, rng: np.random.RandomState) -> Values:
    """Places of which equal ones are drawn beside each other, where values are counted.

    Args:
        column: the column.
        places: on its axis.
        rng: source of all randomness.
    """
    step = 1.0 if is_words(column) else step_of(column)
    return places + step * JITTER * rng.uniform(-1.0, 1.0, len(places))


def _on_axis(column: AnyColumn, values: Values) -> Values:
    if isinstance(column, Positive):
        return np.log10(np.where(values > 0.0, values, np.nan))
    return values * _days(column) if isinstance(column, Datetime) else values


def _days(column: Datetime) -> float:
    return MICROSECONDS[column.tick] / MICROSECONDS["day"]
