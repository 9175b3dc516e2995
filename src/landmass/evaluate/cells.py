"""Cells in words: which one makes a row strange, and beside what."""

import numpy as np
from jaxtyping import Float

from landmass.data.dataset import Dataset
from landmass.data.schema import AnyColumn
from landmass.estimator.density import DensityEstimator

# A cell is told with the other column that it goes with least, if that makes it less likely by so many nats.
CLEAR = 0.5


def beside(density: DensityEstimator, event: Dataset, place: int) -> int | None:
    """The column whose cell makes that of another least likely, if it does so clearly, and the density can tell.

    Args:
        density: fitted, of rows.
        event: one event.
        place: of the cell.
    """
    found = density.pointwise_information(event, event.schema.names[place])
    if found is None:
        return None
    worst = int(found[0].argmin())
    return worst if found[0, worst] < -CLEAR else None


def in_words(
    event: Float[np.ndarray, " columns"], columns: tuple[AnyColumn, ...], place: int, other: int | None
) -> str:
    """A cell, and the one that it goes with least, such as "column 'age' holds 17, beside 'status' = 'Widowed'".

    Args:
        event: the row.
        columns: of the sample space.
        place: of the cell.
        other: of the cell that it goes with least; None if there is none.
    """
    said = f"column {columns[place].name!r} {_held(columns[place], event[place], 'is empty', 'holds ')}"
    if other is None:
        return said
    return f"{said}, beside {columns[other].name!r} = {_held(columns[other], event[other], 'nothing')}"


def _held(column: AnyColumn, value: float, empty: str, before: str = "") -> str:
    return empty if np.isnan(value) else before + column.shown(float(value))
