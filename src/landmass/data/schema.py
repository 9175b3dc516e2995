"""The sample space: what each column may hold, and what its density is "per"."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from landmass.errors import DataError


class Column(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """One real-valued column; the base measure is length in the column's own unit.

    Args:
        name: the column's name, unique in its schema.
        unit: what one unit of length is called ("degree", "cm"); only for reading.
    """

    name: str
    unit: str = ""

    @property
    def low(self) -> float:
        """The least value the column may hold."""
        return -math.inf

    @property
    def high(self) -> float:
        """The greatest value the column may hold."""
        return math.inf


class Real(Column, frozen=True, kw_only=True, tag="real"):
    """Any real number."""


class Positive(Column, frozen=True, kw_only=True, tag="positive"):
    """A number above zero."""

    @property
    def low(self) -> float:
        return 0.0


class Interval(Column, frozen=True, kw_only=True):
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


AnyColumn = Real | Positive | Bounded | Circular | Image


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
