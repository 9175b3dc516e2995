"""Tables: CSV, Parquet, and pandas, polars or Arrow tables in memory."""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
from narwhals.exceptions import DuplicateError
from pyarrow import csv, parquet

from landmass.data.dataset import Dataset
from landmass.data.schema import Schema
from landmass.errors import DataError
from landmass.types import HostEvents


def is_table(source: Any) -> bool:
    """Whether an object is a table that narwhals knows.

    Raises:
        DataError: it is one, and some of its columns share a name.
    """
    try:
        return isinstance(nw.from_native(source, eager_only=True, pass_through=True), nw.DataFrame)
    except DuplicateError as error:
        raise DataError(f"columns share a name; rename all but one: {' '.join(str(error).split())}") from error


def from_frame(source: Any, name: str = "data") -> Dataset:
    """Make a data set of a table in memory; events are given back in the same kind of table.

    Columns of text are left out, and so are rows with an empty cell; the data set's notes say which.

    Args:
        source: a pandas, polars or Arrow table.
        name: what the data is called.
    """
    frame = nw.from_native(source, eager_only=True)
    numeric = [column for column in frame.columns if _is_numeric(frame[column])]
    left_out = [column for column in frame.columns if column not in numeric]
    if not numeric:
        raise DataError(f"no column of numbers among {', '.join(map(repr, frame.columns)) or 'no columns'}")
    notes = [f"left out column {column!r}: it holds {frame[column].dtype}, not numbers" for column in left_out]
    arrays, empty = [], np.zeros(len(frame), bool)
    for column in numeric:
        empty |= frame[column].is_null().to_numpy().astype(bool)
        arrays.append(frame[column].fill_null(0).cast(nw.Float64).to_numpy().astype(np.float64))
    if not len(frame) or empty.all():
        raise DataError(f"{name} has no row without an empty cell ({len(frame)} rows)")
    if empty.any():
        gaps = [c for c in numeric if frame[c].is_null().any()]
        notes.append(f"left out {empty.sum()} of {len(frame)} rows with an empty cell in {', '.join(map(repr, gaps))}")
    X = np.column_stack(arrays)[~empty]
    container = partial(_frame, backend=frame.implementation)
    return Dataset(X, Schema.real(numeric), name=name, container=container, notes=tuple(notes))


def read_csv(source: Path | bytes, name: str) -> Dataset:
    """Read a CSV or TSV file, with or without a line of column names.

    Args:
        source: the file's path, or its content.
        name: what the data is called.
    """
    content = source.read_bytes() if isinstance(source, Path) else source
    if not content.strip():
        raise DataError(f"{name} is empty")
    try:
        first = content.split(b"\n", 1)[0].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"the column names of {name} are not UTF-8: byte {error.object[error.start]:#04x} at place {error.start}; "
            "save the file as UTF-8"
        ) from error
    parted = ";" in first and all(_is_number(cell.replace(",", ".")) for cell in first.split(";"))
    mark = ";" if parted else max(",;\t", key=first.count)
    mark = "\t" if isinstance(source, Path) and source.suffix.lower() == ".tsv" else mark
    # Where semicolons part the cells, commas are decimal points, unless points are.
    point = "," if mark == ";" and not re.search(rb"\d\.\d", content) else "."
    headless = all(_is_number(cell.replace(point, ".")) for cell in first.split(mark))
    names = [f"x{i + 1}" for i in range(first.count(mark) + 1)] if headless else None
    parse = csv.ParseOptions(delimiter=mark, newlines_in_values=True)
    try:
        table = csv.read_csv(
            pa.BufferReader(content),
            csv.ReadOptions(column_names=names),
            parse,
            csv.ConvertOptions(decimal_point=point),
        )
    except pa.ArrowInvalid as error:
        raise DataError(f"{name} is not a well-formed CSV table: {error}") from error
    if not table.num_rows:
        raise DataError(f"{name} has a line of column names and no rows")
    notes = ["the file has no line of column names: its columns are called x1, x2, …"] if headless else []
    if mark == ";":
        notes.append("the file's cells are parted by semicolons")
    return replace(_from_file(table, name, notes), unnamed=headless)


def read_parquet(path: Path, name: str) -> Dataset:
    """Read a Parquet file.

    Args:
        path: the file.
        name: what the data is called.
    """
    try:
        table = parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a readable Parquet file: {error}") from error
    return _from_file(table, name, [])


def arrow_container(X: HostEvents, names: list[str]) -> pa.Table:
    """The container of data that came from a file: an Arrow table."""
    return pa.table({name: values for name, values in zip(names, X.T, strict=True)})


def _from_file(table: pa.Table, name: str, notes: list[str]) -> Dataset:
    for column in table.column_names:
        if table.column_names.count(column) > 1:
            raise DataError(f"{name} has more than one column called {column!r}; rename all but one")
    for column in table.column_names:
        _check_text(table[column], column)
    data = from_frame(table, name)
    return replace(data, container=arrow_container, notes=(*notes, *data.notes))


def _check_text(values: pa.ChunkedArray, column: str) -> None:
    """Refuse a column of numbers spoilt by a few words; a column of words alone is left out later."""
    # Text that is not UTF-8 comes as bytes.
    if not (pa.types.is_string(values.type) or pa.types.is_binary(values.type)):
        return
    cells = [cell for cell in values.to_pylist() if cell]
    words = [cell for cell in cells if not _is_number(cell)]
    if words and len(words) < len(cells) / 2:
        raise DataError(
            f"column {column!r} holds text among its numbers: {words[0]!r} ({len(words)} such cells); "
            "correct these cells, or empty them to leave their rows out"
        )


def _frame(X: HostEvents, names: list[str], backend: Any) -> Any:
    columns = {name: np.ascontiguousarray(values) for name, values in zip(names, X.T, strict=True)}
    return nw.from_dict(columns, backend=backend).to_native()


def _is_numeric(values: nw.Series) -> bool:
    return values.dtype.is_numeric() or values.dtype == nw.Boolean


def _is_number(cell: str | bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
