"""Files of answers: tables as CSV or Parquet, images as one picture or one array; there in full or not at all."""

import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import compute, csv, parquet

from landmass.cli.console import write_out
from landmass.data.images import Pixels
from landmass.errors import SettingError
from landmass.store import refuse_existing, write_bytes

TABLES, SHEETS = (".csv", ".parquet"), (".npz", ".png")
"""Endings of the files that tables, and images, are written to."""

FORMULA = "=+-@\t\r\n"
"""What a cell begins with that a spreadsheet takes for a formula (OWASP, CSV Injection)."""


def check_file(path: Path | None, endings: Sequence[str] = TABLES, *, escape: bool = False) -> None:
    """Refuse a file to write that has no known form, or is there already.

    Args:
        path: the file; None is none.
        endings: of the known forms.
        escape: whether formulas are to be escaped, which only CSV needs.

    Raises:
        SettingError: it has another ending, or holds no formulas.
        StoreError: it is there already.
    """
    if path is None:
        return
    if path.suffix.lower() not in endings:
        raise SettingError(f"--out {path}: write to a file that ends in {' or '.join(endings)}")
    if escape and path.suffix.lower() != ".csv":
        raise SettingError(f"--escape-formulas is for CSV, and {path} is none; leave it out")
    refuse_existing(path)


def check_events_file(path: Path | None, of_images: bool) -> None:
    """Refuse a file for events that has no form for them, or is there already; rows alone can go without one.

    Args:
        path: the file; None is stdout.
        of_images: whether events are images.
    """
    check_file(path, SHEETS if of_images else TABLES)
    if of_images and path is None:
        raise SettingError("images have no form as text; say where they go: --out FILE.png (all in one) or FILE.npz")


def write_events(events: Any, path: Path | None, *, escape: bool = False) -> None:
    """Write events to a file, or rows to stdout.

    Args:
        events: a table, or images.
        path: the file, of a form that `check_events_file` allows.
        escape: see `as_csv`.
    """
    if path is not None and not isinstance(events, pa.Table):
        write_bytes(path, as_npz(events) if path.suffix.lower() == ".npz" else as_png(events))
    else:
        write_rows(events, path, escape=escape)


def write_rows(table: pa.Table, path: Path | None, *, escape: bool = False) -> None:
    """Write a table to a file, or as CSV to stdout.

    Args:
        table: what to write.
        path: the file; None is stdout.
        escape: see `as_csv`.
    """
    if path is None:
        write_out(as_csv(table, escape=escape))
    else:
        write_table(table, path, escape=escape)


def write_table(table: pa.Table, path: Path, *, escape: bool = False) -> None:
    """Write a table so that the file is there in full or not at all.

    Args:
        table: what to write.
        path: the file, CSV or Parquet by its ending.
        escape: see `as_csv`.
    """
    if path.suffix.lower() == ".csv":
        write_bytes(path, as_csv(table, escape=escape))
        return
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    write_bytes(path, buffer.getvalue())


def as_npz(images: Pixels) -> bytes:
    """Images as a file of one array, `images`.

    Args:
        images: what to write.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=images)
    return buffer.getvalue()


def as_png(images: Pixels) -> bytes:
    """Images side by side in one picture, in rows of about as many as there are rows.

    Args:
        images: what to write.
    """
    count, height, width, channels = images.shape
    across = math.ceil(math.sqrt(count))
    rows = -(-count // across)
    sheet = np.full((rows * across, height, width, channels), 255, np.uint8)
    sheet[:count] = images
    sheet = sheet.reshape(rows, across, height, width, channels).swapaxes(1, 2)
    pixels = sheet.reshape(rows * height, across * width, channels)
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(buffer, "png")
    return buffer.getvalue()


def as_csv(table: pa.Table, *, escape: bool = False) -> bytes:
    """A table as CSV, every digit kept.

    Args:
        table: what to write.
        escape: whether text, of cells and names, that begins like a formula gets an apostrophe before it.
    """
    if escape:
        columns = [_escaped(column) for column in table.columns]
        table = pa.table(columns, [f"'{name}" if name[:1] in tuple(FORMULA) else name for name in table.column_names])
    buffer = io.BytesIO()
    plain = not any(set(name) & set(',"\r\n') for name in table.column_names)
    options = csv.WriteOptions(quoting_header="none" if plain else "needed")
    csv.write_csv(table, buffer, options)
    return buffer.getvalue()


def _escaped(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same cells; text that begins like a formula begins with an apostrophe."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return column
    options = compute.ReplaceSubstringOptions(rf"\A([{re.escape(FORMULA)}])", r"'\1")
    return compute.call_function("replace_substring_regex", [column.cast(kind)], options)
