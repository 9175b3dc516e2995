"""Bad input, one line a case: each is an error that says what was found, where, and what to do."""

import io
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

import landmass
from landmass import Bounded, Circular, DataError, Positive, Real, Schema, SettingError, UniformBox

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
    "folder": (lambda folder: folder, r"is a folder; give the path of one file: \.csv"),
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
    "nan in an array": (there(spoilt(np.nan)), r"column 'x2' holds nan \(row 3; 1 such values\)"),
    "infinity in an array": (there(spoilt(-np.inf)), r"column 'x2' holds -inf \(row 3"),
    "nan in polars": (there(pl.DataFrame(spoilt(np.nan), schema=["a", "b"])), "column 'b' holds nan"),
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
    "array of objects": (there(np.array([[None, 1], [2, 3]])), "array of object is not an array of numbers"),
    "dates": (there(np.array(["2026-01-01"], "datetime64[D]")), "is not an array of numbers"),
    "three dimensions": (there(np.zeros((2, 3, 4))), r"two-dimensional array, found shape \(2, 3, 4\)"),
    "one number": (there(np.array(3.0)), r"two-dimensional array, found shape \(\)"),
    "no rows": (there(np.empty((0, 2))), r"the array is empty \(shape \(0, 2\)\)"),
    "no columns": (there(np.empty((5, 0))), r"the array is empty \(shape \(5, 0\)\)"),
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
        r"column 'b' holds [\d.]+ \(\d+ such values\), but its schema allows 0 to 3; correct",
    ),
    "negative in a positive column": (
        lambda folder: landmass.Dataset(ROWS, Schema((Positive(name="a"), Real(name="b")))),
        r"column 'a' holds -[\d.]+ .*allows 0 to inf",
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_no_density_can_hold_is_an_error_that_names_the_column(name, tmp_path):
    make, message = UNFIT[name]
    source = make(tmp_path)
    with pytest.raises(DataError, match=f"(?s){message}"):
        UniformBox().fit(source)


def test_circular_column_takes_any_number():
    UniformBox().fit(landmass.Dataset(100.0 * ROWS, Schema((Circular(name="a", low=0, high=1), Real(name="b")))))


def test_empty_standard_input_is_named(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(DataError, match="stdin is empty"):
        landmass.read("-")


def test_data_error_is_also_a_value_error_and_setting_error_too():
    assert issubclass(DataError, ValueError)
    assert issubclass(SettingError, ValueError)
