"""Tables side by side: read in one sample space, so that nothing but what they hold tells them apart."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float, Integer

from landmass.data.dataset import Dataset
from landmass.data.numbers import distinct
from landmass.data.read import read, read_as
from landmass.data.schema import AnyColumn, Boolean, Category, Continuous, Grid, Numbered, Real, Schema
from landmass.errors import DataError
from landmass.types import Copies

# The fewest rows of a table that is compared with another.
FEWEST = 20

# Binary digits of a number in single precision.
SINGLE = 24


def alike(real: Any, *others: Any) -> tuple[Dataset, ...]:
    """Tables in the sample space of the first.

    Cells may be empty, words that the first table does not hold count as one more level, and numbers may lie anywhere.
    Numbers that are measured or rounded are told to single precision, so that it is no matter in which they came.

    Args:
        real: defines the columns: any table or array, each column of which is looked at; or a `Dataset`.
        others: tables with columns of these names, or arrays with as many.

    Returns:
        All of them, the first one included.

    Raises:
        DataError: a table has fewer than 20 rows, lacks a column, or holds words where the first holds numbers.
    """
    first = read(real, find=True)
    columns = tuple(_open(column) for column in first.schema.columns)
    # Where numbers lie beside their grid, that is for the comparison to tell.
    loose = Schema(tuple(_anywhere(column) for column in columns))
    return tuple(_rounded(replace(read_as(each, loose), schema=Schema(columns))) for each in (first, *others))


def has_levels(column: AnyColumn) -> bool:
    """Whether a column holds levels that have no order: words, or true and false.

    Args:
        column: of a schema.
    """
    return isinstance(column, Category | Boolean)


def some(data: Dataset, rows: int) -> Dataset:
    """Rows drawn as `chosen` does.

    Args:
        data: the rows.
        rows: how many to draw; all, if there are no more.
    """
    return data.take(chosen(len(data), rows))


def chosen(among: int, rows: int) -> Integer[np.ndarray, " chosen"]:
    """The places of rows drawn without return, the same ones each time, in order.

    Args:
        among: how many there are.
        rows: how many to draw; all, if there are no more.
    """
    return np.sort(np.random.RandomState(0).permutation(among)[:rows])


def copies(*tables: Dataset) -> list[Copies]:
    """For each row of each table the number of the distinct one, among those of all, that it is a copy of.

    Args:
        tables: in one sample space.
    """
    numbers = distinct(np.concatenate([each.X for each in tables]))[1]
    return np.split(numbers, np.cumsum([len(each) for each in tables[:-1]]))


def _open(column: AnyColumn) -> AnyColumn:
    """The same column, whose cells may be empty or hold other words."""
    if isinstance(column, Category):
        return msgspec.structs.replace(column, nullable=True, other=True)
    return msgspec.structs.replace(column, nullable=True)


def _anywhere(column: AnyColumn) -> AnyColumn:
    return Real(name=column.name, nullable=True) if isinstance(column, Numbered) else column


def _rounded(data: Dataset) -> Dataset:
    if len(data) < FEWEST:
        raise DataError(f"a table of {len(data)} rows is too small to compare with another; give at least {FEWEST}")
    if data.weight is not None:
        raise DataError("rows with weights are not compared; repeat each as often as it counts")
    X = data.X.copy()
    for i, column in enumerate(data.schema.columns):
        if isinstance(column, Continuous | Grid):
            X[:, i] = _single(X[:, i])
    return replace(data, X=X)


def _single(x: Float[np.ndarray, " events"]) -> Float[np.ndarray, " events"]:
    """Numbers rounded as single precision does, whatever their size."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.rint(np.ldexp(mantissa, SINGLE)), exponent - SINGLE)
