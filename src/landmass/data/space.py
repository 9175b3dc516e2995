"""The space a model sees: an invertible map from events to standardised numbers, with its log-Jacobian.

Everything here is float64 on the host; the model's float32 begins at the returned coordinates.
"""

from collections.abc import Collection, Iterable
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtr, ndtri

from landmass.arrays import on_device
from landmass.core.distributions import Columnwise
from landmass.data.dataset import Weighted
from landmass.data.schema import AnyColumn, Bounded, Circular, Column, Positive, Real, Schema
from landmass.data.summary import NOTHING, Summary, summary
from landmass.errors import DataError
from landmass.types import HostEvents, LogDensities, Precision

Map = Literal["affine", "log", "probit"]

EVERY_BOUND = (Positive, Bounded, Circular)
"""The columns that a model of the whole real line needs to have mapped there."""

# Events on a bound are moved this share of the interval inside, where the probit is finite: |z| < 6.
EDGE = 1e-9

# No coordinate of an event is farther from zero: a box around them, ten thousand times as wide, fits single precision.
FARTHEST = 1e30


class Space(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One invertible map a column, fitted on training events only.

    Real columns are standardised. Bounded and circular columns go to [0, 1], positive ones to (0, ∞), unless
    they are asked for on the whole line: then positive columns pass through a logarithm and are standardised,
    and bounded and circular ones pass through the probit, which turns the uniform density into the standard
    normal one.

    Args:
        schema: the events' sample space.
        maps: how each column is mapped.
        loc: each column's offset.
        scale: each column's scale.
        seen_low: least coordinate among the training events, a column.
        seen_high: greatest coordinate among the training events, a column.
    """

    schema: Schema
    maps: tuple[Map, ...]
    loc: tuple[float, ...]
    scale: tuple[float, ...]
    seen_low: tuple[float, ...]
    seen_high: tuple[float, ...]

    @classmethod
    def fit(cls, schema: Schema, X: HostEvents, onto_line: Collection[type[Column]] = ()) -> "Space":
        """Fit the maps' offsets and scales.

        Args:
            schema: the sample space.
            X: training events.
            onto_line: kinds of columns that are mapped onto the whole real line.
        """
        return cls.fit_blocks(schema, [(X, np.ones(len(X)))], onto_line)

    @classmethod
    def fit_blocks(
        cls, schema: Schema, blocks: Iterable[Weighted], onto_line: Collection[type[Column]] = ()
    ) -> "Space":
        """Fit the maps' offsets and scales to events that come in blocks.

        Args:
            schema: the sample space.
            blocks: training events, block by block, with their weights.
            onto_line: kinds of columns that are mapped onto the whole real line.
        """
        maps: tuple[Map, ...] = tuple(_map_of(column, type(column) in onto_line) for column in schema.columns)
        seen = [NOTHING] * len(maps)
        for X, weight in blocks:
            columns = zip(schema.columns, maps, X.T, strict=True)
            bare = [_bare(column, kind, values) for column, kind, values in columns]
            seen = [before.joined(summary(each, weight)) for before, each in zip(seen, bare, strict=True)]
        fitted = [_fit_column(*column) for column in zip(schema.columns, maps, seen, strict=True)]
        loc, scale, low, high = zip(*fitted, strict=True)
        return cls(schema, maps, loc, scale, low, high)

    def __len__(self) -> int:
        return len(self.schema.columns)

    def forward(
        self, X: HostEvents, precision: Precision = np.float32
    ) -> tuple[Float[np.ndarray, "events columns"], LogDensities]:
        """Coordinates of events, and log |det dz/dx| of each: -inf outside the sample space.

        A cell that is missing (NaN) stays so, and adds nothing.
        """
        Z, log_det, inside = np.empty(X.shape, precision), np.zeros(len(X)), np.ones(len(X), bool)
        for i, (column, values) in enumerate(zip(self.schema.columns, X.T, strict=True)):
            low = np.nextafter(0.0, 1.0) if isinstance(column, Positive) else column.low
            missing = np.isnan(values)
            if not isinstance(column, Circular):
                inside &= missing | ((low <= values) & (values <= column.high))
                values = np.clip(values, low, column.high)
            Z[:, i], slope = self._forward_column(i, values)
            log_det += np.where(missing, 0.0, slope)
        return Z, np.where(inside, log_det, -np.inf)

    def inverse(self, Z: Float[np.ndarray, "events columns"]) -> HostEvents:
        """Events (float64, in the columns' units) of coordinates."""
        X = np.empty(Z.shape)
        for i, column in enumerate(self.schema.columns):
            z = Z[:, i].astype(np.float64)
            if self.maps[i] == "probit":
                z = ndtr(z)
            x = self.loc[i] + self.scale[i] * z
            if self.maps[i] == "log":
                x = np.exp(x)
            if isinstance(column, Circular):
                x = column.low + np.mod(x - column.low, column.high - column.low)
            X[:, i] = np.clip(x, column.low, column.high)
        return X

    @property
    def complete(self) -> bool:
        """Whether every column has a map: so of fitted spaces, perhaps not of one that was read from a file."""
        numbers = (self.loc, self.scale, self.seen_low, self.seen_high)
        if any(len(part) != len(self) for part in (self.maps, *numbers)):
            return False
        seen = np.abs([self.seen_low, self.seen_high])
        return bool(np.isfinite(numbers).all() and np.greater(self.scale, 0.0).all() and (seen < FARTHEST).all())

    @property
    def on_line(self) -> Bool[np.ndarray, " columns"]:
        """Which columns' coordinates may be any real number."""
        mapped = [m != "affine" for m in self.maps]
        return np.array(mapped) | np.array([isinstance(c, Real) for c in self.schema.columns])

    @property
    def support(self) -> tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " columns"]]:
        """Least and greatest coordinate of each column: ±inf where there is none."""
        affine_low = np.where([isinstance(c, Real) for c in self.schema.columns], -np.inf, 0.0)
        affine_high = np.where([np.isfinite(c.high) for c in self.schema.columns], 1.0, np.inf)
        low, high = np.where(self.on_line, -np.inf, affine_low), np.where(self.on_line, np.inf, affine_high)
        return low.astype(np.float32), high.astype(np.float32)

    @property
    def periodic(self) -> Bool[np.ndarray, " columns"]:
        """Which columns' coordinates lie on a circle of length 1."""
        circular = [isinstance(c, Circular) for c in self.schema.columns]
        return np.array(circular) & (np.array(self.maps) == "affine")

    def box(self, margin: float) -> Columnwise:
        """Uniform density on the declared bounds, or on the seen range widened on both sides by `margin` of itself.

        A bounded column seen through the probit is uniform in its own unit, hence normal here.
        """
        low, high, width = (
            np.array(self.seen_low),
            np.array(self.seen_high),
            np.subtract(self.seen_high, self.seen_low),
        )
        least, most = self.support
        low, high = np.maximum(low - margin * width, least), np.minimum(high + margin * width, most)
        declared = np.isfinite(most)
        low, high = np.where(declared, 0.0, low), np.where(declared, 1.0, high)
        normal = np.array(self.maps) == "probit"
        return Columnwise(on_device(normal), on_device(low, np.float32), on_device(high, np.float32))

    def golden(self, n: int) -> HostEvents:
        """Made-up events, within the range of those seen."""
        box = self.box(0.0)
        shares = np.random.default_rng(0).random((n, len(self)))
        low, high = np.asarray(box.low, np.float64), np.asarray(box.high, np.float64)
        return self.inverse(low + shares * (high - low))

    def _forward_column(self, i: int, x: Float[np.ndarray, " events"]) -> tuple[np.ndarray, np.ndarray]:
        column, loc, scale = self.schema.columns[i], self.loc[i], self.scale[i]
        bare = np.log(x) if self.maps[i] == "log" else x
        with np.errstate(over="ignore"):
            # A network that sees more overflows to both sides, and knows no number any more.
            z = np.clip((bare - loc) / scale, -FARTHEST, FARTHEST)
        if self.maps[i] == "log":
            return z, -bare - np.log(scale)
        if isinstance(column, Circular):
            z = np.mod(z, 1.0)
        if self.maps[i] == "affine":
            return z, np.full(x.shape, -np.log(scale))
        z = ndtri(np.clip(z, EDGE, 1.0 - EDGE))
        return z, 0.5 * (z**2 + np.log(2.0 * np.pi)) - np.log(scale)


def _map_of(column: AnyColumn, onto_line: bool) -> Map:
    if isinstance(column, Bounded | Circular):
        return "probit" if onto_line else "affine"
    return "log" if isinstance(column, Positive) and onto_line else "affine"


def _bare(column: AnyColumn, kind: Map, x: Float[np.ndarray, " events"]) -> Float[np.ndarray, " events"]:
    """Values as a map sees them before it standardises."""
    if isinstance(column, Bounded | Circular):
        share = (x - column.low) / (column.high - column.low)
        share = np.mod(share, 1.0) if isinstance(column, Circular) else share
        return ndtri(np.clip(share, EDGE, 1.0 - EDGE)) if kind == "probit" else share
    return np.log(x) if kind == "log" else x


def _fit_column(column: AnyColumn, kind: Map, seen: Summary) -> tuple[float, float, float, float]:
    """Offset, scale, and the range of the training events' coordinates."""
    if isinstance(column, Bounded | Circular):
        loc, scale, low, high = column.low, column.high - column.low, seen.least, seen.most
    else:
        loc, scale = 0.0 if isinstance(column, Positive) and kind == "affine" else seen.mean, seen.spread
        low, high = ((end - loc) / scale if scale else 0.0 for end in (seen.least, seen.most))
    if not (np.isfinite(scale) and scale > 0.0):
        raise DataError(f"column {column.name!r} has no usable spread (standard deviation {scale}); rescale or drop it")
    return float(loc), float(scale), float(np.float32(low)), float(np.float32(high))
