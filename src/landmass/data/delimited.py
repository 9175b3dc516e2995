"""CSV and TSV: text with a line for each event and a mark between its cells."""

import contextlib
import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv

from landmass.data.dataset import Dataset
from landmass.data.numbers import LAST_WHOLE, as_float64
from landmass.data.tables import from_file, is_number
from landmass.errors import DataError


class Form(NamedTuple):
    """How a text is written.

    Args:
        mark: what parts the cells.
        point: the decimal point.
        first: the cells of the first line.
        headless: whether that line is an event, and the columns have no names.
    """

    mark: str
    point: str
    first: list[str]
    headless: bool


def read_csv(source: Path | bytes, name: str, missing: bool = False) -> Dataset:
    """Read a CSV or TSV file, with or without a line of column names.

    Args:
        source: the file's path, or its content.
        name: what the data is called.
        missing: whether rows with an empty cell are kept.
    """
    table, form, content = csv_table(source, name)
    data = from_file(table, name, form.point, missing)
    check_all_digits(table, form, content, name)
    return replace(data, notes=(*notes_on(form), *data.notes), unnamed=form.headless)


def csv_table(source: Path | bytes, name: str) -> tuple[pa.Table, Form, bytes]:
    """The cells of a CSV or TSV file, how it is written, and its content.

    Args:
        source: the file's path, or its content.
        name: what the data is called.
    """
    content = source.read_bytes() if isinstance(source, Path) else source
    if not content.strip():
        raise DataError(f"{name} is empty; it needs a line for each event")
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise DataError(f"{name} holds a NUL byte (line {line}): it is UTF-16, or no text at all; save it as UTF-8 CSV")
    content = content.strip(b"\r\n") + b"\n"
    form = _form(content, name, tabs=isinstance(source, Path) and source.suffix.lower() == ".tsv")
    table = _parse(content, form, name)
    if not table.num_rows:
        raise DataError(f"{name} has a line of column names and no rows; add rows")
    return table, form, content


def _form(content: bytes, name: str, tabs: bool) -> Form:
    try:
        first = re.split(rb"[\r\n]", content, maxsplit=1)[0].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"the column names of {name} are not UTF-8: byte {error.object[error.start]:#04x} at place {error.start}; "
            "save the file as UTF-8"
        ) from error
    parted = ";" in first and all(is_number(cell, ",") for cell in first.split(";"))
    mark = "\t" if tabs else ";" if parted else max(",;\t", key=first.count)
    # Where semicolons part the cells, commas are decimal points, unless points are.
    point = "," if mark == ";" and not re.search(rb"\d\.\d", content) else "."
    cells = first.split(mark)
    return Form(mark, point, cells, headless=all(is_number(cell, point) for cell in cells))


def check_encoding(table: pa.Table, name: str) -> None:
    """Refuse text of another encoding.

    Args:
        table: of columns with names of their own.
        name: what the data is called.

    Raises:
        DataError: a cell is not UTF-8.
    """
    for column in table.column_names:
        cells = table[column].to_pylist() if pa.types.is_binary(table[column].type) else []
        for row, cell in enumerate(cells):
            try:
                (cell or b"").decode()
            except UnicodeDecodeError as error:
                raise DataError(
                    f"column {column!r} of {name} is not UTF-8: byte {cell[error.start]:#04x} in {cell!r} (row {row}, "
                    "counted from 0); save the file as UTF-8"
                ) from error


def notes_on(form: Form) -> list[str]:
    """What was guessed of a file's form, in sentences."""
    notes = []
    if form.headless:
        notes.append("the file has no line of column names: its columns are called x1, x2, …")
    elif any(is_number(cell, form.point) for cell in form.first):
        notes.append("the file's first line was taken for column names, though some of them are numbers")
    if form.mark == ";":
        notes.append("the file's cells are parted by semicolons")
    return notes


def _parse(content: bytes, form: Form, name: str, as_text: str | None = None) -> pa.Table:
    """The table that a text holds, or one column of it as text."""

    def parse(use_threads: bool) -> pa.Table:
        columns = [f"x{i + 1}" for i in range(len(form.first))] if form.headless else None
        return csv.read_csv(
            pa.BufferReader(content),
            csv.ReadOptions(column_names=columns, use_threads=use_threads),
            # In a single column an empty line is an empty cell.
            csv.ParseOptions(delimiter=form.mark, newlines_in_values=True, ignore_empty_lines=len(form.first) > 1),
            csv.ConvertOptions(
                decimal_point=form.point,
                # Only nothing is nothing: "NaN" is a number that cannot be modelled, "NA" is a word.
                null_values=[""],
                strings_can_be_null=True,
                column_types=None if as_text is None else {as_text: pa.string()},
                include_columns=None if as_text is None else [as_text],
            ),
        )

    try:
        with contextlib.suppress(pa.ArrowInvalid):
            return parse(use_threads=True)
        # One thread alone knows the number of the row at fault.
        return parse(use_threads=False)
    except pa.ArrowInvalid as error:
        remedy = "; give every row the same number of cells" if "Expected" in str(error) else ""
        raise DataError(f"{name} is not a well-formed CSV table: {error}{remedy}") from error


def check_all_digits(table: pa.Table, form: Form, content: bytes, name: str) -> None:
    """Refuse whole numbers that the parser rounded, in any column.

    Args:
        table: the cells.
        form: how they are written.
        content: the text.
        name: what the data is called.
    """
    for column in table.column_names:
        _check_digits(table[column], column, content, form, name)


def _check_digits(values: pa.ChunkedArray, column: str, content: bytes, form: Form, name: str) -> None:
    """Refuse whole numbers that the parser rounded because they do not fit 64 bits, or stand among fractions."""
    if not pa.types.is_floating(values.type):
        return
    numbers = values.to_numpy()
    large = np.flatnonzero(np.abs(numbers) >= LAST_WHOLE)
    if not large.size:
        return
    cells = _parse(content, form, name, as_text=column)[column].take(large).to_pylist()
    exact = numbers.astype(object)
    exact[large] = [
        int(cell) if re.fullmatch(r"\s*[+-]?\d+\s*", cell) else number
        for cell, number in zip(cells, numbers[large].tolist(), strict=True)
    ]
    as_float64(exact, column)
