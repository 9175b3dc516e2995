"""Tables: Parquet files, and pandas, polars or Arrow tables in memory."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import narwhals as nw
import numpy as np
import pyarrow as pa
from jaxtyping import Float
from narwhals.exceptions import DuplicateError
from pyarrow import parquet

from landmass.data.dataset import Dataset
from landmass.data.limits import IN_PIECES, check_size, give_back
from landmass.data.numbers import as_float64
from landmass.data.schema import Schema
from landmass.errors import DataError
from landmass.types import HostEvents

Events = HostEvents | list[np.ndarray]
"""Events as rows of numbers, or as columns of whatever they hold."""

NO_VALUE = {"na", "n/a", "#n/a", "#na", "null", "none", "nil", "missing", "-", "--", "?", "."}
"""What people write into a cell that has no value."""

TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)


def is_table(source: Any) -> bool:
    """Whether an object is a table that narwhals knows.

    Raises:
        DataError: it is one, and some of its columns share a name.
    """
    try:
        return isinstance(nw.from_native(source, eager_only=True, pass_through=True), nw.DataFrame)
    except DuplicateError as error:
        raise DataError(f"columns share a name; rename all but one: {' '.join(str(error).split())}") from error


def from_frame(source: Any, name: str = "data", missing: bool = False) -> Dataset:
    """Make a data set of a table in memory; events are given back in the same kind of table.

    Columns of text are left out, and so are rows with an empty cell; the data set's notes say which.

    Args:
        source: a pandas, polars or Arrow table.
        name: what the data is called.
        missing: whether rows with an empty cell are kept.

    Raises:
        DataError: there is no number, or no row without an empty cell.
    """
    frame, labels = labelled(nw.from_native(source, eager_only=True))
    numeric = [column for column in frame.columns if _is_numeric(frame[column])]
    left_out = [column for column in frame.columns if column not in numeric]
    if not numeric:
        known = ", ".join(map(repr, frame.columns)) or "no columns"
        raise DataError(f"no column of numbers among {known}; add one, or write words as numbers")
    if all(frame[column].dtype == nw.Boolean for column in numeric):
        raise DataError(
            f"columns {', '.join(map(repr, numeric))} hold only true and false, where a density has no meaning; "
            "add a column of numbers"
        )
    if not len(frame):
        raise DataError(f"{name} has columns and no events (0 rows); add rows")
    notes = [f"left out column {column!r}: {_what_it_holds(frame[column])}" for column in left_out]
    container = partial(frame_container, frame.implementation, labels)
    empty = np.column_stack([frame[column].is_null().to_numpy().astype(bool) for column in numeric])
    whole, gaps = ~empty.any(axis=1), ""
    if not missing and not whole.all():
        first = numeric[int(np.argmax(empty[np.argmin(whole)]))]
        gaps = (
            f"left out {(~whole).sum()} of {len(frame)} rows with an empty cell in "
            f"{', '.join(repr(column) for column, cells in zip(numeric, empty.T, strict=True) if cells.any())} "
            f"(the first is row {np.argmin(whole)}, counted from 0, in {first!r})"
        )
        if not whole.any():
            raise DataError(f"{name} has no row without an empty cell ({len(frame)} rows); fill some, or drop a column")
        frame = frame.filter(cast(list[bool], whole.tolist()))
        notes.append(gaps)
    X = np.column_stack([_numbers(frame[column], column) for column in numeric])
    said = {"notes": tuple(notes), "gaps": gaps, "unnamed": bool(labels)}
    return Dataset(X, Schema.real(numeric), name, container, incomplete=missing and bool(np.isnan(X).any()), **said)


def read_parquet(path: Path, name: str, missing: bool = False) -> Dataset:
    """Read a Parquet file.

    Args:
        path: the file.
        name: what the data is called.
        missing: whether rows with an empty cell are kept.
    """
    return from_file(parquet_table(path), name, missing=missing)


def parquet_table(path: Path) -> pa.Table:
    """The cells of a Parquet file.

    Args:
        path: the file.
    """
    with _opened(path) as file:
        about = file.metadata
        unpacked = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
        check_size(str(path), max(unpacked, 8 * about.num_rows * about.num_columns), IN_PIECES)
        table = file.read()
        table.validate(full=True)
        return table


def parquet_pieces(path: Path, rows: int, group: int) -> Iterator[Dataset]:
    """Read the numbers of a group of rows of a Parquet file, so many rows at a time.

    Args:
        path: the file.
        rows: how many.
        group: the group's number.
    """
    with _opened(path) as file:
        numbers = [field.name for field in file.schema_arrow if _holds_numbers(field.type)]
    for table in parquet_tables(path, rows, group, numbers or None):
        # Of a few rows all may have an empty cell.
        if not numbers or table.drop_null().num_rows:
            yield from_file(table, path.stem)


def parquet_groups(path: Path) -> list[int]:
    """How many rows the groups of a Parquet file have; one of none where there are no groups.

    Args:
        path: the file.
    """
    with _opened(path) as file:
        return [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] or [0]


def parquet_tables(path: Path, rows: int, group: int, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """Read a group of rows of a Parquet file, so many rows at a time.

    Args:
        path: the file.
        rows: how many.
        group: the group's number.
        columns: which to read; None reads all.
    """
    with _opened(path) as file:
        check_names(file.schema_arrow.names, path.stem)
        groups = [group] if group < file.num_row_groups else []
        for batch in file.iter_batches(rows, groups, columns):
            yield pa.Table.from_batches([batch])
            del batch
            give_back()


@contextmanager
def _opened(path: Path) -> Iterator[parquet.ParquetFile]:
    try:
        # A file that is buffered ahead would stay in memory as a whole.
        with parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a readable Parquet file: {str(error).rstrip('.')}; write it again") from error


def labelled(frame: nw.DataFrame) -> tuple[nw.DataFrame, dict[str, Any]]:
    """A table whose columns have names, and the labels that they had instead; none where these were names.

    Args:
        frame: the table; pandas takes any label for a column, numbers by default.

    Raises:
        DataError: two labels read alike.
    """
    labels = {str(label): label for label in frame.columns}
    if len(labels) < len(frame.columns):
        raise DataError(f"columns {', '.join(map(repr, frame.columns))} share a name as text; rename all but one")
    if all(isinstance(label, str) for label in frame.columns):
        return frame, {}
    return frame.rename({label: name for name, label in labels.items()}), labels


def arrow_container(X: Events, names: list[str]) -> pa.Table:
    """The container of data that came from a file: an Arrow table."""
    return pa.table(dict(zip(names, _columns(X), strict=True)))


def frame_container(backend: Any, labels: dict[str, Any], X: Events, names: list[str]) -> Any:
    """The container of data that came as a table: one of the same kind.

    Args:
        backend: the kind.
        labels: of the columns, where these had no names.
        X: the events.
        names: of the columns.
    """
    columns = dict(zip(names, _columns(X), strict=True))
    return nw.from_dict(columns, backend=backend).rename(labels).to_native()


def _columns(X: Events) -> Iterable[Any]:
    """Columns as a table takes them: objects as lists, of which it finds out the type."""
    if isinstance(X, np.ndarray):
        return map(np.ascontiguousarray, X.T)
    return [values.tolist() if values.dtype == object else values for values in X]


def from_file(table: pa.Table, name: str, point: str = ".", missing: bool = False) -> Dataset:
    """Make a data set of a table that was read from a file.

    Args:
        table: what the file holds.
        name: what the data is called.
        point: the decimal point of numbers in text.
        missing: whether rows with an empty cell are kept.

    Raises:
        DataError: two columns share a name, or a column of numbers has a word in it.
    """
    check_names(table.column_names, name)
    for column in table.column_names:
        _check_text(table[column], column, point)
    return replace(from_frame(table, name, missing), container=arrow_container)


def is_number(cell: str, point: str = ".") -> bool:
    """Whether a cell's text is a number in a CSV file: Python alone takes underscores and other scripts' digits."""
    try:
        float(cell.replace(point, "."))
    except ValueError:
        return False
    return cell.isascii() and "_" not in cell


def check_names(names: list[str], of: str) -> None:
    """Refuse columns that share a name.

    Args:
        names: the columns'.
        of: what the data is called.
    """
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{of} has more than one column called {name!r}; rename all but one")


def _holds_numbers(kind: pa.DataType) -> bool:
    types = pa.types
    return types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind)


def _check_text(values: pa.ChunkedArray, column: str, point: str) -> None:
    if not any(is_text(values.type) for is_text in TEXT):
        return
    # Text that is not UTF-8 comes as bytes.
    cells = [cell.decode(errors="backslashreplace") if isinstance(cell, bytes) else cell for cell in values.to_pylist()]
    check_words(cells, column, point)


def check_words(cells: list[str | None], column: str, point: str = ".") -> None:
    """Refuse a column of numbers spoilt by a few words; a column of words alone may be left out, or be categories.

    Args:
        cells: its words; None where empty.
        column: its name.
        point: the decimal point.

    Raises:
        DataError: names the first word.
    """
    wrong = [row for row, cell in enumerate(cells) if cell and not is_number(cell, point)]
    numbers = sum(map(bool, cells)) - len(wrong)
    words = sum(str(cells[row]).strip().lower() not in NO_VALUE for row in wrong)
    if wrong and words < numbers:
        raise DataError(
            f"column {column!r} holds text among its numbers: {cells[wrong[0]]!r} (row {wrong[0]}, counted from 0; "
            f"{len(wrong)} such cells); correct these cells, or empty them to leave their rows out"
        )


def _numbers(values: nw.Series, column: str) -> Float[np.ndarray, " events"]:
    """A column as float64, with NaN for empty cells."""
    # NumPy has no integers of 128 bits.
    wide = values.dtype in (nw.Int128, nw.UInt128)
    return as_float64(np.array(values.to_list(), object) if wide else values.to_numpy(), column)


def _is_numeric(values: nw.Series) -> bool:
    return values.dtype.is_numeric() or values.dtype == nw.Boolean


def _what_it_holds(values: nw.Series) -> str:
    return "all its cells are empty" if values.is_null().all() else f"it holds {values.dtype}, not numbers"
