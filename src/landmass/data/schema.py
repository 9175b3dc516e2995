"""The sample space: what each column may hold, and what its density is "per"."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from landmass.errors import DataError


class Column(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True, omit_defaults=True
):
    """Base of every column; the base measure is length in the column's own unit, unless the kind says otherwise.

    Args:
        name: the column's name, unique in its schema.
        unit: what one unit of length is called ("degree", "cm"); only for reading.
        nullable: whether cells may be missing.
    """

    name: str
    unit: str = ""
    nullable: bool = False

    @property
    def low(self) -> float:
        """The least value the column may hold."""
        return -math.inf

    @property
    def high(self) -> float:
        """The greatest value the column may hold."""
        return math.inf

    @property
    def plain(self) -> bool:
        """Whether its values are numbers whose density is per length, and none of them may be missing."""
        return not self.nullable

    def shown(self, value: float) -> str:
        """A value as people write it."""
        return f"{value:g}"


class Continuous(Column, frozen=True, kw_only=True):
    """Base of the columns of numbers that may hold any number between two ends.

    Args:
        atoms: values that have a probability of their own, as zero has where most purchases are none; elsewhere there
            is a density.
    """

    atoms: tuple[float, ...] = ()

    @property
    def plain(self) -> bool:
        return not (self.nullable or self.atoms)


class Real(Continuous, frozen=True, kw_only=True, tag="real"):
    """Any real number."""


class Positive(Continuous, frozen=True, kw_only=True, tag="positive"):
    """A number above zero."""

    @property
    def low(self) -> float:
        return 0.0


class Interval(Continuous, frozen=True, kw_only=True):
    """Base of the columns that live between two ends; `low` must lie below `high`."""

    # msgspec needs fields, the base class properties: the fields win.
    low: float  # pyright: ignore[reportIncompatibleMethodOverride]
    high: float  # pyright: ignore[reportIncompatibleMethodOverride]

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise DataError(
                f"column {self.name!r} needs finite bounds with low < high, got low={self.low}, high={self.high}"
            )


class Bounded(Interval, frozen=True, kw_only=True, tag="bounded"):
    """A number between two bounds, both allowed."""


class Circular(Interval, frozen=True, kw_only=True, tag="circular"):
    """A position on a circle: `high` is the same place as `low`, and the period is their difference."""


class Numbered(Column, frozen=True, kw_only=True):
    """Base of the columns of numbers whose values are counted, so that none has a density.

    Args:
        least: the least value; None sets no limit.
        most: the greatest value; None sets no limit.
    """

    least: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        if self.least is not None and self.most is not None and not self.least < self.most:
            raise DataError(f"column {self.name!r} needs least < most, got least={self.least}, most={self.most}")

    @property
    def low(self) -> float:
        return -math.inf if self.least is None else self.least

    @property
    def high(self) -> float:
        return math.inf if self.most is None else self.most

    @property
    def plain(self) -> bool:
        return False


class Grid(Numbered, frozen=True, kw_only=True, tag="grid"):
    """A number that is a multiple of a step, as prices in cents are.

    Args:
        step: from one value to the next, above 0.
    """

    step: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.step) and self.step > 0.0):
            raise DataError(f"column {self.name!r} needs a step above 0, got {self.step}")


class Integer(Numbered, frozen=True, kw_only=True, tag="integer"):
    """A whole number."""

    def shown(self, value: float) -> str:
        return f"{value:.0f}"


Tick = Literal["day", "hour", "minute", "second", "millisecond", "microsecond"]
"""What dates and times are counted in."""


class Datetime(Column, frozen=True, kw_only=True, tag="datetime"):
    """A date, or a date and time; days, or finer ticks, are counted from the beginning of 1970.

    Args:
        tick: the finest unit that tells two values apart.
    """

    tick: Tick = "day"

    @property
    def plain(self) -> bool:
        return False

    def shown(self, value: float) -> str:
        return str(np.datetime64(int(value), TICKS[self.tick]))


TICKS: dict[Tick, Any] = {
    "day": "D",
    "hour": "h",
    "minute": "m",
    "second": "s",
    "millisecond": "ms",
    "microsecond": "us",
}
"""NumPy's names of the ticks, from coarse to fine."""


class Category(Column, frozen=True, kw_only=True, tag="category"):
    """A word from a list; values are counted.

    Args:
        levels: the words.
        other: whether words that are not listed may come, which count as one more level.
    """

    levels: tuple[str, ...]
    other: bool = False

    def __post_init__(self) -> None:
        if not self.levels or len(set(self.levels)) < len(self.levels):
            raise DataError(f"column {self.name!r} needs a list of different levels, got {self.levels[:8]}")

    @property
    def low(self) -> float:
        return 0.0

    @property
    def high(self) -> float:
        return len(self.levels) - 1.0 + self.other

    @property
    def plain(self) -> bool:
        return False

    def shown(self, value: float) -> str:
        return repr([*self.levels, OTHER][int(value)])


OTHER = "(other)"
"""What a word that is not listed reads as, where such may come."""


class Boolean(Column, frozen=True, kw_only=True, tag="boolean"):
    """True or false; both are counted."""

    @property
    def low(self) -> float:
        return 0.0

    @property
    def high(self) -> float:
        return 1.0

    @property
    def plain(self) -> bool:
        return False

    def shown(self, value: float) -> str:
        return str(bool(value)).lower()


class Image(Column, frozen=True, kw_only=True, tag="image"):
    """An image: bytes from 0 to 255, counted rather than measured.

    Args:
        height: in pixels.
        width: in pixels.
        channels: numbers a pixel: 1 is grey, 3 are red, green and blue.
        levels: values that a byte may take: 256, or 2 where it is 0 or 255.
    """

    height: int
    width: int
    channels: int
    levels: Literal[2, 256] = 256

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the array that holds it."""
        return self.height, self.width, self.channels


AnyColumn = Real | Positive | Bounded | Circular | Grid | Integer | Datetime | Category | Boolean | Image


def kind_of(column: AnyColumn) -> str:
    """The name of a column's kind.

    Args:
        column: of a schema.
    """
    return str(column.__struct_config__.tag)


def nullable(column: AnyColumn) -> AnyColumn:
    """The same column, whose cells may be missing.

    Args:
        column: of a schema.
    """
    return msgspec.structs.replace(column, nullable=True)


class Schema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The columns of a sample space, in order."""

    columns: tuple[AnyColumn, ...]

    def __post_init__(self) -> None:
        if not self.columns:
            raise DataError("a sample space needs at least one column, found none")
        for name, times in Counter(self.names).items():
            if times > 1:
                raise DataError(f"column name {name!r} appears {times} times; rename all but one")

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]

    @property
    def image(self) -> Image | None:
        """The one column of a sample space of images; None of any other."""
        first = self.columns[0]
        return first if isinstance(first, Image) and len(self.columns) == 1 else None

    @property
    def plain(self) -> bool:
        """Whether events are rows of numbers whose density is per length, and no cell may be missing."""
        return all(column.plain for column in self.columns)

    @property
    def dimensions(self) -> int:
        """How many numbers an event is made of."""
        return len(self.columns) if self.image is None else math.prod(self.image.shape)

    @classmethod
    def of_images(cls, height: int, width: int, channels: int, levels: Literal[2, 256] = 256) -> "Schema":
        """The schema of images of a size."""
        return cls((Image(name="image", height=height, width=width, channels=channels, levels=levels),))

    @classmethod
    def real(cls, names: Sequence[str]) -> "Schema":
        """A schema of unbounded real columns, the default for plain numbers."""
        return cls(tuple(Real(name=name) for name in names))
