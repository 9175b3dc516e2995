"""Bad input, one line a case: each is an error that says what was found, where, and what to do."""

import io
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
import scipy.sparse

import landmass
from landmass import Bounded, Circular, DataError, Positive, Real, Schema, SettingError, UniformBox
from landmass.data import limits

ROWS = np.random.default_rng(0).standard_normal((20, 2))


def csv(text, name="data.csv"):
    def write(folder):
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder / name

    return write


def array(values, name="data.npy"):
    def write(folder):
        np.save(folder / name, np.asarray(values), allow_pickle=True)
        return folder / name

    return write


def npz(**arrays):
    def write(folder):
        np.savez(folder / "data.npz", **arrays)
        return folder / "data.npz"

    return write


def half_a_parquet(folder):
    path = folder / "data.parquet"
    pa.parquet.write_table(pa.table({"a": ROWS[:, 0]}), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def parquet(table, name="data.parquet"):
    def write(folder):
        pa.parquet.write_table(table, folder / name)
        return folder / name

    return write


def misnamed_parquet(folder):
    """A Parquet file whose one column's name is not UTF-8."""
    path = parquet(pa.table({"name": ROWS[:, 0]}))(folder)
    path.write_bytes(path.read_bytes().replace(b"name", b"nam\xff"))
    return path


def two_arrays_in_one_npy(folder):
    path = array(ROWS)(folder)
    path.write_bytes(2 * path.read_bytes())
    return path


def half_an_npy(folder):
    path = array(ROWS)(folder)
    path.write_bytes(path.read_bytes()[:200])
    return path


def repeated_names_in_parquet(folder):
    column = pa.array(ROWS[:, 0])
    table = pa.Table.from_arrays([column, column], names=["a", "a"])
    pa.parquet.write_table(table, folder / "data.parquet")
    return folder / "data.parquet"


def spoilt(value):
    values = ROWS.copy()
    values[3, 1] = value
    return values


def there(value):
    return lambda folder: value


# Found while reading.
UNREADABLE = {
    "missing file": (lambda folder: folder / "gone.csv", r"no file .*gone\.csv.*moons"),
    "misspelt built-in name": (there("mons"), r"no file mons, and no built-in data set of that name.*moons"),
    "folder": (lambda folder: folder, r"is empty; give a folder of pictures or of tables, or a file"),
    "unknown suffix": (csv("1,2", "data.xls"), r"cannot read .*data\.xls: landmass reads \.csv"),
    "no suffix": (csv("1,2", "data"), r"cannot read .*: landmass reads \.csv"),
    "empty file": (csv(""), r"data\.csv is empty"),
    "empty npy": (csv("", "data.npy"), r"data\.npy is empty"),
    "empty parquet": (csv("", "data.parquet"), r"data\.parquet is empty"),
    "only white space": (csv("\n  \n"), "data is empty"),
    "header of another encoding": (
        csv("größe,b\n1,2\n3,4\n".encode("latin1")),
        "column names of data are not UTF-8: byte 0xf6 at place 2",
    ),
    "header only": (csv("a,b\n"), "data has a line of column names and no rows"),
    "ragged rows": (csv("a,b\n1,2\n3\n4,5\n"), "not a well-formed CSV table.*2 columns, got 1"),
    "ragged rows with more cells": (csv("1,2\n3,4,5\n"), "not a well-formed CSV table.*2 columns, got 3"),
    "repeated name": (csv("a,a\n1,2\n3,4\n"), "more than one column called 'a'; rename"),
    "repeated name in parquet": (repeated_names_in_parquet, "more than one column called 'a'|not a readable"),
    "repeated name in pandas": (
        there(pd.DataFrame(ROWS, columns=["a", "a"])),
        "columns share a name; rename .*'a' 2 times",
    ),
    "text among numbers": (csv("a,b\n1,2\nthree,4\n5,6\n7,8\n"), r"column 'a' holds text among its numbers: 'three'"),
    "only text": (csv("a,b\nx,y\nz,w\n"), "no column of numbers among 'a', 'b'"),
    "bytes among numbers": (csv(b"a,b\n1,2\n\xff,4\n5,6\n7,8\n"), r"column 'a' holds text among its numbers: .*xff"),
    "only empty cells": (csv("a,b\n,\n,\n"), "no column of numbers among 'a', 'b'"),
    "infinity in a file": (csv("a,b\n1,2\n2,inf\n3,4\n"), "column 'b' holds inf"),
    "nan in an array": (there(spoilt(np.nan)), r"column 'x2' holds nan \(row 3, counted from 0; 1 such values\)"),
    "infinity in an array": (there(spoilt(-np.inf)), r"column 'x2' holds -inf \(row 3,"),
    "nan in polars": (there(pl.DataFrame(spoilt(np.nan), schema=["a", "b"])), "column 'b' holds nan"),
    "nothing but null in Arrow": (
        there(pa.table({"a": pa.array([None], pa.float64())})),
        "no row without an empty cell",
    ),
    "an empty cell in every row": (csv("a,b\n1,\n,3\n"), r"data has no row without an empty cell \(2 rows\); fill"),
    "nan in a file": (csv("a,b\n1,2\n2,nan\n3,4\n"), r"column 'b' holds nan \(row 1, .*remove or repair"),
    "NA among numbers": (csv("a,b\n1,2\nNA,3\nNA,5\n"), r"column 'a' holds text among its numbers: 'NA' \(row 1,"),
    "text among decimal commas": (
        csv("a;b\n1,5;2\n2,5;old\n3,5;3,5\n"),
        r"column 'b' holds text among its numbers: 'old' \(row 1, .*correct",
    ),
    "underscore in a number": (csv("a,b\n1,2\n1_000,3\n4,5\n"), "column 'a' holds text among its numbers: '1_000'"),
    "text among a Parquet file's texts": (
        parquet(pa.table({"a": ["1", "old", "2"]})),
        "column 'a' holds text among its numbers: 'old'",
    ),
    "name that is not UTF-8 in Parquet": (misnamed_parquet, "is not a readable Parquet file: .*utf-8"),
    "whole number too large": (there(np.array([[1], [2**60 + 1]])), "column 'x1' holds 1152921504606846977 .*offset"),
    "whole number too large among fractions": (
        csv("a,b\n1,2\n0.5,3\n9007199254740993,5\n"),
        r"column 'a' holds 9007199254740993 \(row 2, .*beyond 2\^53",
    ),
    "whole number of 128 bits": (
        there(pl.DataFrame({"a": pl.Series([2**100 + 1, 1], dtype=pl.Int128)})),
        "column 'a' holds 1267650600228229401496703205377 .*beyond",
    ),
    "NUL bytes": (csv(b"a,b\n1,2\n\0,3\n"), r"data holds a NUL byte \(line 3\): .*save it as UTF-8"),
    "UTF-16": (csv("a,b\n1,2\n3,4\n".encode("utf-16-be")), r"data holds a NUL byte \(line 1\): it is UTF-16"),
    "Parquet called CSV": (
        parquet(pa.table({"a": ROWS[:, 0]}), "data.csv"),
        "begins like a Parquet file; give it the ending .parquet",
    ),
    "two arrays in one npy": (two_arrays_in_one_npy, "header declares shape .*448 bytes in all, and it has 896"),
    "only true and false": (there(ROWS > 0), "array of bool is not an array of numbers"),
    "only true and false in a table": (
        there(pd.DataFrame(ROWS > 0, columns=["a", "b"])),
        "columns 'a', 'b' hold only true and false.*add a column of numbers",
    ),
    "pickled npy": (array([{"a": 1}, None]), "not a readable file of plain numbers.*pickle"),
    "pickled npz": (npz(a=np.array([{}, None], object)), "not a readable file of plain numbers.*pickle"),
    "text in an npy": (array(["a", "b"]), "array of <U1 is not an array of numbers"),
    "truncated npy": (half_an_npy, "not a readable file of plain numbers"),
    "npy that is none": (csv("hello", "data.npy"), "not a readable file of plain numbers"),
    "npz that is none": (csv("PK hello", "data.npz"), "not a readable file of plain numbers"),
    "npz of several arrays": (npz(a=ROWS, b=ROWS), r"holds 2 arrays \(a, b\); save one"),
    "npz of no array": (npz(), "holds 0 arrays"),
    "truncated parquet": (half_a_parquet, "not a readable Parquet file"),
    "parquet that is none": (csv("hello", "data.parquet"), "not a readable Parquet file"),
    "complex numbers": (there(ROWS + 1j), "array of complex128 is not an array of numbers"),
    "array of texts": (there(np.array([["a", "b"]])), "array of <U1 is not an array of numbers"),
    "array of objects": (
        there(np.array([[{}, 1.0], [2.0, 3.0]])),
        "array of object is not .* numbers: .*dict",
    ),
    "nothing in an array": (there(np.array([[None, 1], [2, 3]])), "column 'x1' holds nan"),
    "sparse array": (there(scipy.sparse.eye_array(3)), r"sparse array is not supported.*toarray"),
    "flat array": (there(np.arange(3.0)), r"the array is flat \(shape \(3,\)\).*reshape"),
    "dates": (there(np.array(["2026-01-01"], "datetime64[D]")), "is not an array of numbers"),
    "three dimensions": (there(np.zeros((2, 3, 4))), r"two-dimensional array, found shape \(2, 3, 4\)"),
    "one number": (there(np.array(3.0)), r"two-dimensional array, found shape \(\)"),
    "no rows": (there(np.empty((0, 2))), r"the array is empty: 0 event\(s\) of 2 feature"),
    "no columns": (there(np.empty((5, 0))), r"the array is empty: 5 event\(s\) of 0 feature"),
    "nothing": (there(None), "is not an array of numbers"),
    "ragged list": (there([[1.0, 2.0], [3.0]]), "the rows do not make an array: .*inhomogeneous"),
    "table without rows": (there(pd.DataFrame({"a": np.array([], float)})), r"\(0 rows\)"),
    "table without columns": (there(pd.DataFrame()), "no column of numbers among no columns"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_an_error_that_says_why(name, tmp_path):
    make, message = UNREADABLE[name]
    source = make(tmp_path)
    with pytest.raises(DataError, match=f"(?s){message}"):
        landmass.read(source)


def with_schema(*columns):
    return lambda folder: landmass.Dataset(ROWS[:, : len(columns)] + 3.0, Schema(columns))


# Read well, but no density can be fitted to it.
UNFIT = {
    "one row": (csv("a,b\n1,2\n"), "at least 2 events, found 1"),
    "one row of an array": (there(ROWS[:1]), "at least 2 events, found 1"),
    "constant column": (csv("a,b\n1,2\n1,3\n1,4\n"), r"column 'a' is constant \(always 1\).*drop the column"),
    "copies of one event": (there(np.ones((10, 2))), "column 'x1' is constant"),
    "huge values": (there(spoilt(1e300)), r"column 'x2' spans -?[\d.]+ to 1e\+300, too wide.*rescale"),
    "huge values of both signs": (there(np.array([[1.7e308], [-1.7e308]])), "column 'x1' spans -1.7e.308 to 1.7e.308"),
    "event beyond a bound": (
        with_schema(Real(name="a"), Bounded(name="b", low=0, high=3)),
        r"column 'b' holds [\d.]+ \(row \d+, counted from 0; \d+ such values\), but its schema allows 0 to 3; correct",
    ),
    "negative in a positive column": (
        lambda folder: landmass.Dataset(ROWS, Schema((Positive(name="a"), Real(name="b")))),
        r"column 'a' holds -[\d.]+ .*allows numbers above 0",
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_no_density_can_hold_is_an_error_that_names_the_column(name, tmp_path):
    make, message = UNFIT[name]
    source = make(tmp_path)
    with pytest.raises(DataError, match=f"(?s){message}"):
        UniformBox().fit(source)


# Each needs more memory than a machine of 1,000 bytes can spare: 500.
TOO_LARGE = {
    "csv": csv("a,b\n" + 200 * "1,2\n"),
    "npy": array(np.arange(100, dtype=np.uint8)),
    "npz": npz(a=np.zeros(100)),
    "parquet": parquet(pa.table({"a": np.zeros(100)})),
}


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_what_takes_more_than_half_of_the_memory_is_refused(kind, tmp_path, monkeypatch):
    path = TOO_LARGE[kind](tmp_path)
    assert landmass.read(path).X.shape[0] >= 100
    monkeypatch.setattr(limits, "memory", lambda: 1000)
    with pytest.raises(DataError, match=rf"data\.{kind} would take .* GB of memory.*take fewer rows"):
        landmass.read(path)


def test_more_events_than_the_memory_holds_are_not_drawn():
    with pytest.raises(DataError, match=r"drawing n = 1,000,000,000,000 events of land would take 16,000\.0 GB"):
        landmass.read("land", n=10**12)


def test_zip_bomb_is_refused_before_anything_is_allocated(tmp_path):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, a=np.zeros(2**24))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"would unpack \d+,\d+ bytes to 134,217,856, more than 200 times"):
        landmass.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**6


@pytest.mark.parametrize("ending", [".csv", ".npy", ".npz", ".parquet"])
def test_file_that_may_not_be_read_is_named(ending, tmp_path, monkeypatch):
    path = csv("1,2", "data" + ending)(tmp_path)

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=rf"cannot read .*data\{ending}: Permission denied; check"):
        landmass.read(path)


def test_circular_column_takes_any_number():
    UniformBox().fit(landmass.Dataset(100.0 * ROWS, Schema((Circular(name="a", low=0, high=1), Real(name="b")))))


def test_empty_standard_input_is_named(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(DataError, match="stdin is empty"):
        landmass.read("-")


def test_data_error_is_also_a_value_error_and_setting_error_too():
    assert issubclass(DataError, ValueError)
    assert issubclass(SettingError, ValueError)
