"""Tables of any columns: what each holds is found or declared, and every cell becomes a number of its kind."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from landmass.data.cells import Cells, cells_of, decode
from landmass.data.dataset import Dataset
from landmass.data.kinds import Declared, Found, check_declared, check_values, declare, find
from landmass.data.schema import AnyColumn, Category, Datetime, Schema, kind_of
from landmass.data.tables import arrow_container, check_words, frame_container, labelled
from landmass.errors import DataError, SettingError

Columns = Mapping[str, Declared]
"""What some columns are said to hold, by name."""


def found_columns(
    source: Any, columns: Columns | None = None, drop: Collection[str] = (), point: str = "."
) -> dict[str, Found | str]:
    """What each column of a table holds, or why it is left out.

    Args:
        source: a pandas, polars or Arrow table.
        columns: what some of them are declared to hold.
        drop: columns to leave out.
        point: the decimal point of numbers in words.

    Raises:
        DataError: a column names rows, is empty, or mixes words and numbers.
        SettingError: there is no column of a name.
    """
    frame, _ = labelled(nw.from_native(source, eager_only=True))
    declared = {} if columns is None else dict(columns)
    for name in (*declared, *drop):
        if name not in frame.columns:
            raise SettingError(f"there is no column {name!r}; there are: {', '.join(map(repr, frame.columns))}")
    told: dict[str, Found | str] = {}
    for name in frame.columns:
        cells = None if name in drop else cells_of(frame[name], name)
        if cells is None:
            told[name] = "as asked" if name in drop else f"it holds {frame[name].dtype}, which landmass cannot model"
        elif name in declared:
            told[name] = declare(name, cells, declared[name])
        else:
            if cells.holds == "words":
                check_words(cells.values.tolist(), name, point)
            told[name] = find(name, cells)
    return told


def from_frame(
    source: Any,
    name: str = "data",
    columns: Columns | None = None,
    drop: Collection[str] = (),
    from_file: bool = False,
    point: str = ".",
) -> Dataset:
    """Make a data set of all columns of a table; events are given back in the same kind of table.

    Args:
        source: a pandas, polars or Arrow table.
        name: what the data is called.
        columns: what some of them are declared to hold; the others are looked at.
        drop: columns to leave out.
        from_file: whether it was read from a file.
        point: the decimal point of numbers in words.

    Raises:
        DataError: a column names rows, is empty, or mixes words and numbers.
    """
    told = found_columns(source, columns, drop, point)
    frame, labels = labelled(nw.from_native(source, eager_only=True))
    if not len(frame):
        raise DataError(f"{name} has columns and no events (0 rows); add rows")
    schema, notes = _kept(told, name)
    container = arrow_container if from_file else partial(frame_container, frame.implementation, labels)
    cells = [(found.column, found.cells) for found in told.values() if isinstance(found, Found)]
    return dataset(cells, schema, name, container, notes)


def found_schema(
    source: Any, columns: Columns | None = None, drop: Collection[str] = (), name: str = "data"
) -> tuple[Schema, tuple[str, ...]]:
    """What the columns of a table hold, and in sentences which were left out.

    Args:
        source: a pandas, polars or Arrow table.
        columns: what some of them are declared to hold; the others are looked at.
        drop: columns to leave out.
        name: what the data is called.

    Raises:
        DataError: a column names rows, is empty, or mixes words and numbers.
    """
    return _kept(found_columns(source, columns, drop), name)


def _kept(told: Mapping[str, Found | str], name: str) -> tuple[Schema, tuple[str, ...]]:
    kept = tuple(found.column for found in told.values() if isinstance(found, Found))
    if not kept:
        raise DataError(f"{name} has no column that can be modelled: {told}")
    notes = tuple(f"left out column {each!r}: {why}" for each, why in told.items() if isinstance(why, str))
    return Schema(kept), notes


def as_declared(source: Any, schema: Schema, name: str = "data") -> Dataset:
    """A table's rows in a sample space that is known, its columns found by name.

    Args:
        source: a pandas, polars or Arrow table.
        schema: the sample space.
        name: what the data is called.

    Raises:
        DataError: a column is missing, or its cells are not what the schema says.
    """
    frame, labels = labelled(nw.from_native(source, eager_only=True))
    missing = [each for each in schema.names if each not in frame.columns]
    if missing:
        raise DataError(
            f"the columns {', '.join(map(repr, missing))} are missing (there are: "
            f"{', '.join(map(repr, frame.columns))})"
        )
    cells = [(column, _cells(frame[column.name], column)) for column in schema.columns]
    return dataset(cells, schema, name, partial(frame_container, frame.implementation, labels))


def same_columns(data: Dataset, schema: Schema) -> Dataset:
    """A data set's events in a sample space of the same columns, or of some of them.

    Args:
        data: the events.
        schema: the sample space.

    Raises:
        DataError: a column is missing, or is of another kind.
    """
    known = dict(zip(data.schema.names, data.schema.columns, strict=True))
    missing = [name for name in schema.names if name not in known]
    if missing:
        raise DataError(f"column {missing[0]!r} is missing (there are: {', '.join(map(repr, known))})")
    if all(_same_code(column, known[column.name]) for column in schema.columns):
        X = data.X[:, [data.schema.names.index(name) for name in schema.names]]
    else:
        X = as_declared(_as_table(data), schema, data.name).X
    for column, values in zip(schema.columns, X.T, strict=True):
        check_values(column, values)
    return replace(data, X=X, schema=schema, incomplete=bool(np.isnan(X).any()), truth=None)


def _same_code(wanted: AnyColumn, found: AnyColumn) -> bool:
    """Whether the numbers of one column's cells stand for the same in another."""
    if isinstance(wanted, Category) and isinstance(found, Category):
        return wanted.levels == found.levels and (wanted.other or not found.other)
    if isinstance(wanted, Datetime) and isinstance(found, Datetime):
        return wanted.tick == found.tick
    return not isinstance(wanted, Category | Datetime) and not isinstance(found, Category | Datetime)


def _as_table(data: Dataset) -> Any:
    columns = [decode(column, values) for column, values in zip(data.schema.columns, data.X.T, strict=True)]
    return arrow_container(columns, data.schema.names)


def given_values(given: Mapping[AnyColumn, Any]) -> list[float]:
    """What people say that columns hold, as numbers of their kinds; NaN for an empty cell.

    Args:
        given: by column.

    Raises:
        DataError: a column cannot hold it.
    """
    found = []
    for column, value in given.items():
        # A table of one cell: so it is read as cells of tables are.
        frame = nw.from_native(pa.table({column.name: [value]}), eager_only=True)
        cells = Cells(np.array([None], object), "words") if value is None else cells_of(frame[column.name], column.name)
        if cells is None:
            raise DataError(f"column {column.name!r} cannot hold {value!r}; its schema says {kind_of(column)}")
        if cells.holds == "words" and kind_of(column) == "datetime" and value is not None:
            cells = find(column.name, cells).cells
        found.append(float(check_declared(column, cells)[0]))
    return found


def dataset(
    cells: list[tuple[AnyColumn, Cells]], schema: Schema, name: str, container: Any, notes: tuple[str, ...] = ()
) -> Dataset:
    """A data set of cells and the kinds of their columns."""
    X = np.column_stack([check_declared(column, each) for column, each in cells])
    return Dataset(X, schema, name, container, notes=notes, incomplete=bool(np.isnan(X).any()))


def _cells(series: nw.Series, column: AnyColumn) -> Cells:
    found = cells_of(series, column.name)
    if found is None:
        raise DataError(f"column {column.name!r} holds {series.dtype}, and its schema says {kind_of(column)}")
    if found.holds == "words" and kind_of(column) == "datetime":
        # Of empty cells alone nothing can be found.
        return find(column.name, found).cells if len(found.known) else found
    return found
