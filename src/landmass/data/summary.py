"""What the columns of events hold, gathered block by block: weight, mean, spread and range."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from landmass.data.schema import Circular, Continuous, Positive, Schema
from landmass.errors import DataError


class Summary(NamedTuple):
    """What blocks of one column's values have told: weight, mean, sum of squares about it, and range.

    Source: Chan, Golub & LeVeque 1979.
    """

    weight: float
    mean: float
    squares: float
    least: float
    most: float

    @property
    def spread(self) -> float:
        """Standard deviation."""
        return float(np.sqrt(self.squares / self.weight))

    def joined(self, other: "Summary") -> "Summary":
        """The summary of both."""
        if not self.weight:
            return other
        total, shift = self.weight + other.weight, other.mean - self.mean
        share = other.weight / total
        squares = self.squares + other.squares + shift**2 * self.weight * share
        ends = min(self.least, other.least), max(self.most, other.most)
        return Summary(total, self.mean + shift * share, squares, *ends)


NOTHING = Summary(0.0, 0.0, 0.0, np.inf, -np.inf)


def summary(values: Float[np.ndarray, " events"], weight: Float[np.ndarray, " events"]) -> Summary:
    """The summary of one block of a column's values, of which some may be missing (NaN)."""
    seen = ~np.isnan(values)
    if not seen.any():
        return NOTHING
    values, weight = values[seen], weight[seen]
    total = float(weight.sum())
    mean = float(weight @ values) / total
    return Summary(total, mean, float(weight @ (values - mean) ** 2), float(values.min()), float(values.max()))


def check_columns(schema: Schema, n: int, columns: list[Summary]) -> None:
    """Refuse what no density can be fitted to: too few events, and columns that are constant or cannot be standardised.

    Args:
        schema: the sample space.
        n: how many events there are.
        columns: their summaries.

    Raises:
        DataError: names the column, the value and the remedy.
    """
    if n < 2:
        raise DataError(f"a fit needs at least 2 events, found {n} (n_samples={n}); add rows")
    for column, seen in zip(schema.columns, columns, strict=True):
        name, least, most = repr(column.name), seen.least, seen.most
        if not seen.weight:
            raise DataError(f"column {name} is empty: all its cells are missing; drop the column")
        # Of a list of values that may come one alone may be seen.
        listed = (
            not isinstance(column, Continuous) and math.isfinite(column.high - column.low) and column.low < column.high
        )
        if least == most and not (listed or column.nullable):
            always = column.shown(least)
            raise DataError(f"column {name} is constant (always {always}): a density cannot hold it; drop the column")
        if not isinstance(column, Continuous):
            continue
        # Python's floats overflow to infinity without a warning; the squares of both ends are near float64's.
        span = most - least
        if not 1e-150 < span < 1e150:
            fault = "narrow" if span < 1.0 else "wide"
            raise DataError(
                f"column {name} spans {least:g} to {most:g}, too {fault} to standardise; rescale or clean it"
            )
        reach = most if isinstance(column, Positive) else column.high - column.low
        if np.isfinite(reach) and seen.spread < 1e-4 * reach:
            raise DataError(
                f"column {name} varies by {seen.spread:g} only, too little beside its bounds for single precision "
                f"(it reaches {reach:g}); subtract an offset, narrow the bounds, or declare it Real"
            )


def check_bounds(schema: Schema, X: Float[np.ndarray, "events columns"], first: int = 0) -> None:
    """Refuse events outside the sample space.

    Args:
        schema: the sample space.
        X: the events.
        first: the number of the first of them.

    Raises:
        DataError: names the column, the row, the value and the remedy.
    """
    for column, values in zip(schema.columns, X.T, strict=True):
        if isinstance(column, Circular):
            continue
        outside = (values < column.low) | (values > column.high) | (isinstance(column, Positive) & (values <= 0))
        if isinstance(column, Continuous) and column.atoms:
            outside &= ~np.isin(values, column.atoms)
        if outside.any():
            row = int(np.argmax(outside))
            allowed = "numbers above 0" if isinstance(column, Positive) else f"{column.low:g} to {column.high:g}"
            raise DataError(
                f"column {column.name!r} holds {values[row]:g} (row {first + row}, counted from 0; {outside.sum()} "
                f"such values), but its schema allows {allowed}; correct the values or the schema"
            )
