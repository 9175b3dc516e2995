"""Numbers of any type as float64, without a whole number changed."""

import numpy as np
from jaxtyping import Bool, Float, Integer, Shaped

from landmass.errors import DataError

LAST_WHOLE = 2.0**53
"""Beyond it float64 leaves whole numbers out."""


def as_float64(values: Shaped[np.ndarray, " events"], column: str) -> Float[np.ndarray, " events"]:
    """Numbers of any type as float64, with no whole number changed.

    Args:
        values: integers, booleans, floats, or Python's integers and decimals.
        column: the column's name.

    Raises:
        DataError: a whole number beyond 2^53 would be rounded.
    """
    numbers = values.astype(np.float64)
    if values.dtype.kind != "f":
        large = np.flatnonzero(np.abs(numbers) >= LAST_WHOLE)
        # Python compares its integers with floats exactly.
        rounded = large[values[large].astype(object) != numbers[large].astype(object)]
        if rounded.size:
            raise DataError(
                f"column {column!r} holds {values[rounded[0]]} (row {rounded[0]}, counted from 0; {rounded.size} such "
                "values): whole numbers beyond 2^53 do not fit float64; subtract an offset, drop the column, or turn "
                "it into floats (1.0) if rounding does no harm"
            )
    return numbers


def distinct(
    X: Float[np.ndarray, "events columns"],
) -> tuple[Integer[np.ndarray, " distinct"], Integer[np.ndarray, " events"]]:
    """Where each distinct row first stands, and the number of each row's; empty cells, which are NaN, are alike.

    Args:
        X: rows of numbers, none of them infinite.
    """
    # No two NaN are one, and infinity stands nowhere else.
    rows = np.where(np.isnan(X), np.inf, X)
    first, number = np.unique(rows, axis=0, return_index=True, return_inverse=True)[1:]
    return first, number.ravel()


def with_gaps(
    values: Shaped[np.ndarray, " events"], empty: Bool[np.ndarray, " events"]
) -> Shaped[np.ndarray, " events"]:
    """The same cells, with None where they are empty.

    Args:
        values: of any type.
        empty: which of them hold nothing.
    """
    if not empty.any():
        return values
    found = values.astype(object)
    found[empty] = None
    return found
