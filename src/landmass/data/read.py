"""The one door: a path, an array, a table or a built-in name becomes a `Dataset`."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from landmass.data import points, tables
from landmass.data.builtin import DATASETS, truth
from landmass.data.dataset import Dataset
from landmass.data.schema import Schema
from landmass.errors import DataError, SettingError

READERS = {
    ".csv": tables.read_csv,
    ".tsv": tables.read_csv,
    ".parquet": tables.read_parquet,
    ".npy": points.read_numpy,
    ".npz": points.read_numpy,
}


def read(source: Any, *, n: int | None = None, seed: int = 0, schema: Schema | None = None) -> Dataset:
    """Read events from whatever holds them.

    Args:
        source: a NumPy array (events × columns); a pandas, polars or Arrow table; the path of a CSV, TSV,
            Parquet, NPY or NPZ file; `"-"` for CSV on standard input; or the name of a built-in data set
            (`landmass datasets` lists them; write `./land` for a file of that name). A `Dataset` is returned as it is.
        n: how many events to draw from a built-in data set.
        seed: seed of that draw.
        schema: the sample space, where the default (real columns) is not meant.

    Returns:
        The events with their sample space.

    Raises:
        DataError: there is nothing to read, or it cannot be modelled; names column, value and remedy.
    """
    if isinstance(source, Dataset):
        return source
    if isinstance(source, str) and source in DATASETS:
        if schema is not None:
            raise SettingError(f"the built-in data set {source!r} brings its own schema")
        return draw(source, n=n, seed=seed)
    if n is not None:
        known = ", ".join(DATASETS)
        raise SettingError(f"n counts events of a built-in data set ({known}); {str(source)[:80]!r} is not one")
    if isinstance(source, str | Path):
        data = _read_path(source)
    elif tables.is_table(source):
        data = tables.from_frame(source)
    else:
        data = points.from_array(source)
    return data if schema is None else data.with_schema(schema)


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
    events = source.sample(count, np.random.default_rng(seed))
    return Dataset(events, source.schema, name=name, container=tables.arrow_container, truth=source)


def _read_path(source: str | Path) -> Dataset:
    if str(source) == "-":
        return tables.read_csv(sys.stdin.buffer.read(), name="stdin")
    path = Path(source)
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the path of one file: {', '.join(READERS)}")
    if not path.exists():
        raise DataError(f"no file {path}, and no built-in data set of that name (there are: {', '.join(DATASETS)})")
    if path.suffix.lower() not in READERS:
        raise DataError(f"cannot read {path}: landmass reads {', '.join(READERS)}; convert the file to one of these")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    return READERS[path.suffix.lower()](path, name=path.stem)
