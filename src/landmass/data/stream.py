"""Data too large for memory: files, folders of them, lists and functions, read piece by piece."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

import narwhals as nw
import pyarrow as pa

from landmass.data import mixed, points, tables
from landmass.data.dataset import AT_A_TIME, Dataset
from landmass.data.images import PICTURES
from landmass.data.pieces import Pieces
from landmass.data.read import check_file, read, read_as, table_of
from landmass.data.schema import Schema
from landmass.data.witnesses import witnesses
from landmass.errors import DataError, SettingError

Part = Callable[[], Iterator[Any]]
"""Starts a reading of something that can be read on its own."""

# Files that are read some rows at a time, and those that are read whole where they lie in a folder.
IN_PIECES, WHOLE = (".parquet", ".npy"), (".csv", ".tsv")


def pieces(
    source: Any,
    *,
    rows: int = AT_A_TIME,
    schema: Schema | None = None,
    find: bool = False,
    columns: mixed.Columns | None = None,
    drop: Collection[str] = (),
) -> Pieces:
    """Events to read piece by piece, for data that does not fit into memory.

    The families that add up statistics of events, one by one, can be fitted to them: the uniform box, the Gaussian,
    probabilistic PCA, the histogram and the Gaussian mixture; and of tables `Independent`, `LatentClass`,
    `Autoregressive` and `MixedSplineFlow`, which choose on a sample of the rows and then read all of them once.

    Args:
        source: the path of a Parquet or NPY file; a folder of such and of CSV or TSV files, read in the order of their
            names; a list of anything that `landmass.read` takes, of which one is read at a time; or a function without
            arguments that gives such things, one after the other, at every call.
        rows: events of a file that are read together; a CSV file of a folder is read whole.
        schema: the sample space, where the default (real columns) is not meant.
        find: whether to look at all pieces for what each column holds, as `landmass.read` does.
        columns: what some columns are declared to hold; the others are looked at.
        drop: columns to leave out; the others are looked at.

    Raises:
        DataError: there is nothing to read, or it cannot be modelled.
    """
    if rows < 1:
        raise SettingError(f"rows must be at least 1, got {rows}")
    if schema is not None and (find or columns or drop):
        raise SettingError("a schema says what all columns hold; leave out find, columns and drop, or the schema")
    name = Path(source).stem if isinstance(source, str | Path) else "data"
    plain = schema.plain if schema else not (find or columns or drop)
    parts = _parts(source, rows, tables.parquet_pieces if plain else tables.parquet_tables)
    items = (item for part in parts for item in part())
    first = next(items, None)
    if first is None:
        raise DataError(f"{name} has no pieces; give at least one")
    notes: tuple[str, ...] = ()
    if plain:
        first = read(first)
        notes = tuple(note for note in first.notes if note != first.gaps)
        # The schema's columns are to be the data's.
        known = first.with_schema(schema or first.schema).schema
    else:
        known = schema
        if known is None:
            known, notes = mixed.found_schema(witnesses(map(as_arrow, chain([first], items))), columns, drop, name)
        first = read_as(first, known)
    each = read if plain else partial(read_as, schema=known)
    return Pieces([partial(_read, part, each) for part in parts], known, name, first.container, notes=notes)


def _read(part: Part, each: Callable[[Any], Dataset]) -> Iterator[Dataset]:
    return map(each, part())


def in_tables(path: str | Path, rows: int = AT_A_TIME, first: int = 0) -> Iterator[pa.Table]:
    """The rows of a file, or of a folder of files, some at a time.

    Args:
        path: as `pieces` takes it.
        rows: how many are read together.
        first: rows to leave out.
    """
    for file in files_of(Path(path)):
        counts = tables.parquet_groups(file) if file.suffix.lower() == ".parquet" else [None]
        for group, count in enumerate(counts):
            if count is not None and first >= count:
                first -= count
                continue
            for table in [as_arrow(file)] if count is None else tables.parquet_tables(file, rows, group):
                for start in range(first, table.num_rows, rows):
                    yield table.slice(start, rows)
                first = max(first - table.num_rows, 0)


def files_of(path: Path) -> list[Path]:
    """A file, or the files of a folder in the order of their names, without hidden ones and lone column names.

    Args:
        path: of the file or folder.

    Raises:
        DataError: there is none that can be read.
    """
    if not path.is_dir() or (path / "manifest.json").exists():
        check_file(path, whole=path.suffix.lower() not in IN_PIECES)
        return [path]
    found = [file for file in _tables_in(path) if not _only_names(file)]
    if not found:
        known = ", ".join((*IN_PIECES, *WHOLE))
        raise DataError(f"the folder {path} holds no file that ends in {known} and has rows; give one that does")
    for each in found:
        check_file(each, whole=each.suffix.lower() in WHOLE)
    return found


def holds_tables(path: Path) -> bool:
    """Whether a path leads to a folder of tables, and of no pictures, in it or in the folders inside.

    Args:
        path: whatever a person calls data.
    """
    if not path.is_dir() or (path / "manifest.json").exists():
        return False
    inside = [each for each in path.iterdir() if each.is_dir()]
    pictures = (file.suffix.lower() in PICTURES for folder in (path, *inside) for file in folder.iterdir())
    return bool(_tables_in(path)) and not any(pictures)


def _tables_in(folder: Path) -> list[Path]:
    known = (*IN_PIECES, *WHOLE)
    files = sorted(each for each in folder.iterdir() if each.suffix.lower() in known and each.name[0] not in "._")
    return [each for each in files if not each.is_dir()]


def _only_names(file: Path) -> bool:
    """Whether a file of text has a line of column names and nothing else."""
    if file.suffix.lower() not in WHOLE:
        return False
    with file.open("rb") as lines:
        return sum(bool(line.strip()) for line in islice(lines, 100)) == 1


def as_arrow(source: Any) -> pa.Table:
    """A source as an Arrow table.

    Args:
        source: a table, an array, or the path of a file.
    """
    return nw.from_native(table_of(source), eager_only=True).to_arrow()


def _parts(source: Any, rows: int, parquet: Callable[..., Iterator[Any]]) -> list[Part]:
    """What can be read on its own: groups of rows of a file, files of a folder, items of a list."""
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_dir() and path.suffix.lower() not in IN_PIECES:
            raise DataError(
                f"{path} cannot be read in pieces, only {' and '.join(IN_PIECES)} can, or a folder of files; write it "
                "as Parquet, or give a list of smaller files"
            )
        return [part for file in files_of(path) for part in _parts_of(file, rows, parquet)]
    if isinstance(source, Sequence):
        return [partial(iter, [item]) for item in source]
    if callable(source):
        return [lambda: iter(cast(Iterable[Any], source()))]
    raise DataError(
        f"pieces come from a path, a list or a function, not from {type(source).__name__}; a table or an array in "
        "memory is read whole, by landmass.read"
    )


def _parts_of(file: Path, rows: int, parquet: Callable[..., Iterator[Any]]) -> list[Part]:
    ending = file.suffix.lower()
    if ending == ".npy":
        return [partial(points.npy_pieces, file, rows)]
    if ending == ".parquet":
        return [partial(parquet, file, rows, group) for group in range(len(tables.parquet_groups(file)))]
    return [partial(iter, [file])]
