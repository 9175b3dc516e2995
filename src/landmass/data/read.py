"""The one door: a path, an array, a table or a built-in name becomes a `Dataset`."""

import sys
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from landmass.data import delimited, mixed, points, tables
from landmass.data.builtin import DATASETS, truth
from landmass.data.builtin.drawn import DRAWN
from landmass.data.dataset import Dataset, as_array
from landmass.data.kinds import Found
from landmass.data.limits import IN_PIECES, check_size
from landmass.data.numbers import with_gaps
from landmass.data.pieces import Pieces
from landmass.data.schema import Schema
from landmass.errors import DataError, SettingError

READERS = {
    ".csv": delimited.read_csv,
    ".tsv": delimited.read_csv,
    ".parquet": tables.read_parquet,
    ".npy": points.read_numpy,
    ".npz": points.read_numpy,
}

UNPACK = "unpack it first"
CONVERT = "convert the file to one of these"

# What to do with a file that landmass does not read, by its ending.
REMEDIES = {
    ".gz": UNPACK,
    ".bz2": UNPACK,
    ".xz": UNPACK,
    ".zst": UNPACK,
    ".zip": UNPACK,
    ".xlsx": "save the sheet as CSV",
    ".xls": "save the sheet as CSV",
    ".ods": "save the sheet as CSV",
    ".txt": "give it the ending .csv if commas, semicolons or tabs part its cells",
    ".json": "write its rows as CSV or Parquet, for example with pandas",
    ".jsonl": "write its rows as CSV or Parquet, for example with pandas",
    ".feather": "write its table as Parquet, with pyarrow",
    ".arrow": "write its table as Parquet, with pyarrow",
    ".pkl": "pickles can run code and are never loaded; save its numbers as one of these",
    ".pickle": "pickles can run code and are never loaded; save its numbers as one of these",
}

# How files begin that are often given a wrong ending: what they are, and the ending they should have.
BEGINNINGS = {
    b"PAR1\x15": (".parquet", "a Parquet file"),
    b"\x93NUMPY": (".npy", "an NPY file"),
    b"PK\x03\x04": (".npz", "an NPZ file, a spreadsheet or a ZIP archive"),
    b"ARROW1\0\0": (".arrow", "an Arrow file"),
    b"\x1f\x8b": (".gz", "a gzip file"),
}


def read(
    source: Any,
    *,
    n: int | None = None,
    seed: int = 0,
    schema: Schema | None = None,
    missing: bool = False,
    find: bool = False,
    columns: mixed.Columns | None = None,
    drop: Collection[str] = (),
) -> Dataset:
    """Read events from whatever holds them.

    Args:
        source: a NumPy array (events × columns); a pandas, polars or Arrow table; the path of a CSV, TSV,
            Parquet, NPY or NPZ file; `"-"` for CSV on standard input; or the name of a built-in data set
            (`landmass datasets` lists them; write `./land` for a file of that name). A `Dataset` is returned as it is.
        n: how many events to draw from a built-in data set.
        seed: seed of that draw.
        schema: the sample space, where the default (real columns) is not meant.
        missing: whether rows with empty cells are kept, with NaN in these, for families that take them.
        find: whether to look at each column for what it holds: words, dates, whole numbers, rounded ones, empty cells;
            else columns of numbers are taken as real, and others are left out.
        columns: what some columns are declared to hold: columns of a schema, or names of kinds; the others are looked
            at.
        drop: columns to leave out; the others are looked at.

    Returns:
        The events with their sample space.

    Raises:
        DataError: there is nothing to read, or it cannot be modelled; names column, value and remedy.
    """
    if isinstance(source, Dataset):
        return source
    if isinstance(source, Pieces):
        raise DataError(f"{source.name} comes in pieces, and is needed whole here; read it with landmass.read")
    if isinstance(source, str) and source in DATASETS:
        if schema is not None or columns or drop:
            raise SettingError(f"the built-in data set {source!r} brings its own schema")
        return draw(source, n=n, seed=seed)
    if isinstance(source, str) and source in DRAWN:
        raise DataError(f"{source} are images, and rows of columns are needed here; read them with landmass.read")
    if n is not None:
        known = ", ".join([*DATASETS, *DRAWN])
        raise SettingError(f"n counts events of a built-in data set ({known}); {str(source)[:80]!r} is not one")
    if find or columns or drop:
        if schema is not None:
            raise SettingError("a schema says what all columns hold; leave out find, columns and drop, or the schema")
        return _found(source, columns, drop)
    if schema is not None and not schema.plain:
        return read_as(source, schema)
    if isinstance(source, str | Path):
        data = _read_path(source, missing)
    elif tables.is_table(source):
        data = tables.from_frame(source, missing=missing)
    else:
        data = points.from_array(source, missing=missing)
    return data if schema is None else data.with_schema(schema)


def read_as(source: Any, schema: Schema) -> Dataset:
    """Read events of a sample space that is known, their columns found by name, or by place in an array.

    Args:
        source: as `read` takes it; of a built-in data set as many events as it has by default.
        schema: the sample space.

    Raises:
        DataError: a column is missing, or holds what the schema does not allow.
    """
    if isinstance(source, str) and source in DATASETS:
        source = draw(source)
    if isinstance(source, Dataset):
        return mixed.same_columns(source, schema)
    table, name, _, unnamed = _table(source)
    if unnamed and table.shape[1] == len(schema.columns):
        table = table.rename_columns(schema.names)
    data = mixed.as_declared(source if tables.is_table(source) else table, schema, name)
    return replace(data, unnamed=unnamed, container=_container(source, data))


def _found(source: Any, columns: mixed.Columns | None, drop: Collection[str]) -> Dataset:
    """Events of a table of which each column has been looked at."""
    table, name, notes, unnamed = _table(source)
    data = mixed.from_frame(source if tables.is_table(source) else table, name, columns, drop, point=_point(notes))
    container = _container(source, data)
    return replace(data, notes=(*notes, *data.notes), unnamed=unnamed or data.unnamed, container=container)


def looked_at(source: Any, columns: mixed.Columns, drop: Collection[str]) -> dict[str, Found | str]:
    """What each column of a table holds, or why it is left out.

    Args:
        source: a table, the path of one, or "-" for CSV on standard input.
        columns: what some of them are declared to hold.
        drop: columns to leave out.

    Raises:
        DataError: a column names rows, is empty, or mixes words and numbers.
        SettingError: there is no column of a name.
    """
    table, _, notes, _ = _table(source)
    return mixed.found_columns(source if tables.is_table(source) else table, columns, drop, _point(notes))


def _point(notes: tuple[str, ...]) -> str:
    """The decimal point of a file whose reader has told this."""
    return "," if any("semicolons" in note for note in notes) else "."


def table_of(source: Any) -> Any:
    """The table that a source holds, whose columns nobody has looked at.

    Args:
        source: a table, or the path of one.
    """
    return _table(source)[0]


def _container(source: Any, data: Dataset) -> Callable:
    if tables.is_table(source):
        return data.container
    return tables.arrow_container if isinstance(source, str | Path) else as_array


def _table(source: Any) -> tuple[Any, str, tuple[str, ...], bool]:
    """A source as a table, what it is called, notes on how it was written, and whether its columns have no names."""
    if isinstance(source, str | Path):
        path = Path(source)
        if str(source) == "-" or path.suffix.lower() in (".csv", ".tsv"):
            if str(source) != "-":
                check_file(path)
            content = sys.stdin.buffer.read() if str(source) == "-" else path
            name = "stdin" if str(source) == "-" else path.stem
            table, form, content = delimited.csv_table(content, name)
            delimited.check_all_digits(table, form, content, name)
            tables.check_names(table.column_names, name)
            delimited.check_encoding(table, name)
            return table, name, tuple(delimited.notes_on(form)), form.headless
        check_file(path)
        if path.suffix.lower() == ".parquet":
            table = tables.parquet_table(path)
            tables.check_names(table.column_names, path.stem)
            return table, path.stem, (), False
        source = _read_path(path, missing=True)
    elif tables.is_table(source):
        return source, "data", (), False
    data = source if isinstance(source, Dataset) else points.from_array(source, missing=True)
    # What is no number in an array is an empty cell of a table.
    columns = [with_gaps(values, np.isnan(values)) for values in data.X.T]
    return tables.arrow_container(columns, data.schema.names), data.name, (), True


def draw(name: str, *, n: int | None = None, seed: int = 0) -> Dataset:
    """Draw events of a built-in data set.

    Args:
        name: a built-in data set's name.
        n: how many events; None takes the data set's own default.
        seed: seed of the draw.
    """
    source = truth(name)
    count = DATASETS[name].n if n is None else n
    if count < 1:
        raise SettingError(f"n must be at least 1, got {count}")
    check_size(f"drawing n = {count:,} events of {name}", 8 * count * len(source.schema.columns))
    events = source.sample(count, np.random.default_rng(seed))
    incomplete = bool(np.isnan(events).any())
    return Dataset(
        events, source.schema, name=name, container=tables.arrow_container, truth=source, incomplete=incomplete
    )


def _read_path(source: str | Path, missing: bool) -> Dataset:
    path = Path(source)
    try:
        if str(source) == "-":
            return delimited.read_csv(sys.stdin.buffer.read(), name="stdin", missing=missing)
        check_file(path)
        return READERS[path.suffix.lower()](path, name=path.stem, missing=missing)
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}; check its name, and whether you may read it"
        ) from error


def check_file(path: Path, whole: bool = True) -> None:
    """Refuse a path that leads to no file of a known kind.

    Args:
        path: where the file should be.
        whole: whether it is to be read at once.
    """
    if path.is_dir():
        if (path / "manifest.json").exists():
            raise DataError(f"{path} is the folder of a run or model, not of data; give the file that holds the events")
        raise DataError(f"{path} is a folder; give the path of one file: {', '.join(READERS)}")
    if path.is_symlink() and not path.exists():
        raise DataError(f"there is no file {path}: the link leads to {path.readlink()}; mend the link")
    if not path.exists():
        raise DataError(
            f"no file {path}, and no built-in data set of that name (there are: {', '.join([*DATASETS, *DRAWN])})"
        )
    if not path.is_file():
        # To open a pipe that nobody fills would wait for ever.
        raise DataError(f"{path} is a pipe or device, not a file; give a file, or - to read CSV from standard input")
    ending = path.suffix.lower()
    if ending not in READERS:
        raise DataError(f"cannot read {path}: landmass reads {', '.join(READERS)}; {REMEDIES.get(ending, CONVERT)}")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty; it needs a row for each event")
    if whole:
        check_size(str(path), path.stat().st_size, IN_PIECES)
    with path.open("rb") as file:
        head = file.read(16)
    for beginning, (right, kind) in BEGINNINGS.items():
        if head.startswith(beginning) and ending != right:
            remedy = f"give it the ending {right}" if right in READERS else REMEDIES[right]
            raise DataError(f"{path} is not what its name says: it begins like {kind}; {remedy}")
