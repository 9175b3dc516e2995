"""Bad input on the real command line: one error that names what is wrong and the way out, and nothing written."""

import gzip
import io
import os
import pickle
import signal
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from tests.cli.conftest import QUICK, Call

ROWS = np.random.default_rng(0).normal(size=(50, 2))


class Code:
    """An object whose pickle, if it were loaded, would make a folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("unpickled",)


@dataclass(frozen=True)
class Case:
    """A command line, what its error must say, and how to make what it reads.

    Args:
        words: with RUN for the folder of a finished run.
        needed: pieces of the error.
        make: makes the files in the working folder.
    """

    words: tuple[str, ...]
    needed: tuple[str, ...]
    make: Callable[[], object] = lambda: None


def fit(name: str, make: Callable[[str], object] | str | bytes, *needed: str) -> Case:
    """A fit to a file of that name, which has that content or is made by that function."""
    return Case(("fit", name, *QUICK), needed, lambda: write(name, make))


def score(content: str, *needed: str) -> Case:
    """Scoring a file of that content under a run of the columns height and weight."""
    return Case(("score", "RUN", "new.csv", "--rows"), needed, lambda: write("new.csv", content))


def write(name: str, make: Callable[[str], object] | str | bytes) -> None:
    if callable(make):
        make(name)
    else:
        Path(name).write_bytes(make.encode() if isinstance(make, str) else make)


def table(age: object = None, row: int = 3, head: str = "age,x") -> str:
    """A good table of 50 rows and two columns; the first column's cell in one row is spoilt."""
    cells = [str(value) for value in ROWS[:, 0].tolist()]
    if age is not None:
        cells[row] = str(age)
    return f"{head}\n" + "".join(f"{cell},{x}\n" for cell, x in zip(cells, ROWS[:, 1].tolist(), strict=True))


def columns(**values: Any) -> Callable[[str], object]:
    """A Parquet file of these columns."""
    return lambda name: parquet.write_table(pa.table(values), name)


def array(values: Any) -> Callable[[str], object]:
    """An NPY or NPZ file of this array."""

    def make(name: str) -> None:
        if name.endswith(".npz"):
            np.savez_compressed(name, values)
        else:
            np.save(name, values, allow_pickle=True)

    return make


def spoilt(value: float) -> np.ndarray:
    rows = ROWS.copy()
    rows[7, 1] = value
    return rows


def header(shape: tuple[int, ...]) -> bytes:
    """The beginning of an NPY file that declares an array of this shape."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return file.getvalue()


def archive_of_little(name: str) -> None:
    """An NPZ file whose array declares terabytes and holds a kilobyte."""
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header((10**12,)) + bytes(1000))


def archive_that_lies(name: str) -> None:
    """An NPZ file whose directory declares 4 GB for a member of a few bytes."""
    array(ROWS)(name)
    content = bytearray(Path(name).read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = b"\xf0\xff\xff\xff"
    Path(name).write_bytes(content)


def half(make: Callable[[str], object]) -> Callable[[str], object]:
    """The first half of a file."""

    def cut(name: str) -> None:
        make(name)
        os.truncate(name, Path(name).stat().st_size // 2)

    return cut


def sparse(name: str) -> None:
    """A file of 8 terabytes that takes no room on the disk."""
    Path(name).touch()
    os.truncate(name, 8 * 10**12)


def whole(start: int) -> str:
    return "id,x\n" + "".join(f"{start + i},{x}\n" for i, x in enumerate(ROWS[:, 1].tolist()))


def wide(rows: int, count: int) -> str:
    cells = np.random.default_rng(1).normal(size=(rows, count)).tolist()
    names = ",".join(f"c{i}" for i in range(count))
    return f"{names}\n" + "".join(",".join(map(str, row)) + "\n" for row in cells)


WHERE = "row 3, counted from 0; 1 such"
NOT_FINITE = ("landmass models finite numbers", "remove or repair these rows, or drop the column")
CORRECT = ("correct these cells, or empty them to leave their rows out",)
FILL = ("a score is owed for every row", "fill these cells, or remove their rows")
ROUNDED = ("beyond 2^53", "subtract an offset, drop the column, or turn it into floats")
NO_NUMBERS = ("is not a readable file of plain numbers", "write it again with numpy.save")
READS = "landmass reads .csv, .tsv, .parquet, .npy, .npz"


CASES = {
    # Nothing that can be read.
    "missing file": Case(("fit", "tabel.csv"), ("there is no file tabel.csv", "did you mean 'table.csv'?")),
    "folder": Case(
        ("fit", "folder"),
        ("folder is empty", "give a folder of pictures or of tables, or a file"),
        lambda: os.mkdir("folder"),
    ),
    "folder called CSV": fit(
        "data.csv", os.mkdir, "data.csv is empty", "give a folder of pictures or of tables, or a file"
    ),
    "run as source": Case(("fit", "RUN"), ("is the folder of a run", "give the file that holds the events")),
    "empty file": fit("data.csv", "", "data.csv is empty", "it needs a row for each event"),
    "white space": fit("data.csv", "\n \n", "data is empty", "it needs a line for each event"),
    "empty standard input": Case(("fit", "-"), ("stdin is empty", "it needs a line for each event")),
    "broken link": fit("data.csv", lambda name: os.symlink("gone.csv", name), "there is no file data.csv"),
    "pipe": fit("data.csv", os.mkfifo, "data.csv is a pipe or device", "- to read CSV from standard input"),
    "device": Case(("fit", "/dev/null"), ("/dev/null is a pipe or device", "- to read CSV from standard input")),
    "link to a device": fit("data.csv", lambda name: os.symlink("/dev/zero", name), "data.csv is a pipe or device"),
    "larger than the memory": fit("data.csv", sparse, "data.csv would take 8,000.0 GB", "take fewer rows or columns"),
    "spreadsheet": fit("data.xlsx", b"PK", "cannot read data.xlsx", READS, "save the sheet as CSV"),
    "JSON": fit("data.json", "[{}]", "cannot read data.json", READS, "write its rows as CSV or Parquet"),
    "ending unknown": fit("data.foo", "1,2", "cannot read data.foo", READS, "convert the file to one of these"),
    "no ending": fit("data", "1,2", "cannot read data", READS, "convert the file to one of these"),
    "gzip": fit("data.csv.gz", gzip.compress(b"a\n1\n"), "cannot read data.csv.gz", READS, "unpack it first"),
    "gzip called CSV": fit("data.csv", gzip.compress(b"a\n1\n"), "data.csv", "begins like a gzip file", "unpack it"),
    "pickle": fit(
        "data.pkl", pickle.dumps(Code()), "cannot read data.pkl", "pickles can run code and are never loaded"
    ),
    "Feather": fit(
        "data.feather",
        lambda name: feather.write_feather(pa.table({"a": ROWS[:, 0]}), name),
        "cannot read data.feather",
        "write its table as Parquet",
    ),
    # Text that is no table.
    "header only": fit("data.csv", "age,x\n", "data has a line of column names and no rows", "add rows"),
    "too few cells": fit("data.csv", "a,b\n1,2\n3\n", "Row #3: Expected 2 columns, got 1", "the same number of cells"),
    "too many cells": fit("data.csv", "a,b\n1,2\n3,4,5\n", "Row #3: Expected 2 columns, got 3", "number of cells"),
    "two columns of one name": fit(
        "data.csv", table(head="age,age"), "data has more than one column called 'age'", "rename all but one"
    ),
    "binary garbage": fit(
        "data.csv", np.random.default_rng(0).bytes(4000), "data holds a NUL byte", "save it as UTF-8"
    ),
    "picture": fit("data.csv", b"\x89PNG\r\n\x1a\n" + bytes(9), "data holds a NUL byte (line 3)", "save it as UTF-8"),
    "NUL byte": fit("data.csv", table("\0"), "data holds a NUL byte (line 5)", "save it as UTF-8"),
    "UTF-16": fit("data.csv", table().encode("utf-16"), "a NUL byte (line 1): it is UTF-16", "save it as UTF-8 CSV"),
    "Latin-1 names": fit(
        "data.csv", table(head="größe,x").encode("latin1"), "byte 0xf6 at place 2", "save the file as UTF-8"
    ),
    "JSON called CSV": fit("data.csv", '[{"a": 1, "b": 2},\n{"a": 1}]\n', "not a well-formed CSV table", "Row #2"),
    # Cells that are no numbers.
    **{
        f"{text} in a CSV": fit("data.csv", table(text), f"column 'age' holds {value} ({WHERE} values)", *NOT_FINITE)
        for text, value in {"nan": "nan", "NaN": "nan", "inf": "inf", "-inf": "-inf", "1e999": "inf"}.items()
    },
    **{
        f"{text!r} in a CSV": fit(
            "data.csv", table(text), f"column 'age' holds text among its numbers: {text!r} ({WHERE} cells)", *CORRECT
        )
        for text in ("old", "NA", "NULL", "1_000")
    },
    "only NaN": fit("data.csv", "age,x\n" + "nan,1\n" * 9, "column 'age' holds nan (row 0", "9 such", *NOT_FINITE),
    "NaN in standard input": Case(("fit", "-", *QUICK), (f"column 'age' holds nan ({WHERE} values)", *NOT_FINITE)),
    "NaN in an NPY": fit("data.npy", array(spoilt(np.nan)), "column 'x2' holds nan (row 7", *NOT_FINITE),
    "infinity in an NPZ": fit("data.npz", array(spoilt(-np.inf)), "column 'x2' holds -inf (row 7", *NOT_FINITE),
    "NaN in Parquet": fit(
        "data.parquet", columns(age=ROWS[:, 0], x=spoilt(np.nan)[:, 1]), "column 'x' holds nan (row 7", *NOT_FINITE
    ),
    "text in Parquet": fit(
        "data.parquet",
        columns(age=["1", "2", "old"]),
        "column 'age' holds text among its numbers: 'old' (row 2",
        *CORRECT,
    ),
    "only text": fit("data.csv", "a,b\n" + "x,y\n" * 30, "no column of numbers among 'a', 'b'", "add one"),
    "only true and false": fit(
        "data.csv",
        "a,b\n" + "true,false\nfalse,true\n" * 30,
        "columns 'a', 'b' hold only true and false",
        "add a column",
    ),
    "true and false in an NPY": fit("data.npy", array(ROWS > 0), "an array of bool is not an array of numbers", "pass"),
    "complex numbers": fit("data.npy", array(1j * ROWS), "data.npy: Complex data not supported", "pass real and"),
    "text in an NPY": fit("data.npy", array(["a", "b"]), "data.npy: an array of <U1", "pass integers or floats"),
    "three dimensions": fit("data.npy", array(np.zeros((5, 4, 3))), "two-dimensional", "(5, 4, 3)", "reshape it"),
    # Numbers that float64 or a fit cannot hold.
    "whole numbers beyond 2^53": fit("data.csv", whole(2**60 + 1), f"column 'id' holds {2**60 + 1} (row 0", *ROUNDED),
    "whole numbers beyond 64 bits": fit("data.csv", whole(10**30), f"column 'id' holds {10**30} (row 0", *ROUNDED),
    "whole number beyond 2^53 among fractions": fit(
        "data.csv", table(2**53 + 1), f"column 'age' holds {2**53 + 1} ({WHERE} values)", *ROUNDED
    ),
    "whole numbers beyond 2^53 in Parquet": fit(
        "data.parquet", columns(id=np.array([1, 2, 2**60 + 1])), f"column 'id' holds {2**60 + 1} (row 2", *ROUNDED
    ),
    "whole numbers beyond 2^53 in an NPY": fit(
        "data.npy", array(np.array([1, 2**64 - 1], np.uint64)), f"column 'x1' holds {2**64 - 1} (row 1", *ROUNDED
    ),
    "1e300": fit("data.csv", table(1e300), "column 'age' spans -", "to 1e+300", "too wide", "rescale or clean it"),
    "1e-300": fit(
        "data.csv", "a,b\n" + "".join(f"{i},{i}e-300\n" for i in range(30)), "column 'b' spans 0 to 2.9e-299", "narrow"
    ),
    "constant column": fit("data.csv", "age,x\n7,1\n7,2\n", "column 'age' is constant (always 7)", "drop the column"),
    "all rows the same": fit(
        "data.csv", "a,b\n" + "1,2\n" * 30, "column 'a' is constant (always 1)", "drop the column"
    ),
    "one row": fit("data.csv", "a,b\n1,2\n", "at least 2 events, found 1", "add rows"),
    "two different rows": fit(
        "data.csv", "a,b\n" + "1,2\n3,4\n" * 30, "60 rows with 2 distinct events", "give at least 20 different rows"
    ),
    "ten rows": fit("data.csv", wide(10, 2), "10 events are too few", "give at least 20"),
    "fewer rows than columns": Case(
        ("fit", "data.csv", "--families", "gaussian", "--no-report"),
        ("gaussian: column 'c", "fewer rows than columns", "drop the column"),
        lambda: write("data.csv", wide(30, 40)),
    ),
    # Files that are broken, or meant to break something.
    "pickled NPY": fit("data.npy", array(np.array([Code()])), "pickled Python objects, which are never", *NO_NUMBERS),
    "pickled NPZ": fit("data.npz", array(np.array([Code()])), "pickled Python objects, which are never", *NO_NUMBERS),
    "pickle called NPY": fit("data.npy", pickle.dumps(Code()), "data.npy", "magic string", *NO_NUMBERS),
    "pickle called NPZ": fit("data.npz", pickle.dumps(Code()), "data.npz", "not a zip file", *NO_NUMBERS),
    "truncated Parquet": fit(
        "data.parquet", half(columns(a=ROWS[:, 0])), "not a readable Parquet file", "write it again"
    ),
    "truncated NPY": fit("data.npy", half(array(ROWS)), "shape (50, 2) of float64", "928 bytes", *NO_NUMBERS),
    "truncated NPZ": fit("data.npz", half(array(ROWS)), "data.npz", "not a zip file", *NO_NUMBERS),
    "NPY of terabytes": fit(
        "data.npy",
        header((10**12,)),
        "shape (1000000000000,) of float64",
        "8,000,000,000,128 bytes in all",
        *NO_NUMBERS,
    ),
    "NPY of a negative shape": fit("data.npy", header((-5, -2)) + bytes(80), "shape (-5, -2)", *NO_NUMBERS),
    "NPZ of terabytes": fit("data.npz", archive_of_little, "shape (1000000000000,)", "it has 1,128", *NO_NUMBERS),
    "NPZ that lies": fit("data.npz", archive_that_lies, "data.npz would unpack", "to 4,294,967,280", "zip bomb"),
    "zip bomb": fit("data.npz", array(np.zeros(2**24)), "would unpack", "134,217,856", "save it unpacked"),
    "several arrays": fit("data.npz", lambda name: np.savez(name, a=ROWS, b=ROWS), "holds 2 arrays (a, b)", "save one"),
    # Names, settings and numbers on the command line.
    "unknown family": Case(("fit", "table.csv", "--families", "gausian"), ("'gausian'", "did you mean 'gaussian'?")),
    "unknown setting": Case(
        ("fit", "table.csv", "--set", "histogram.n_cels=4"), ("no setting 'n_cels'", "did you mean 'n_cells'?")
    ),
    "setting of the wrong type": Case(
        ("fit", "table.csv", "--set", "histogram.n_cells=four"),
        ("histogram.n_cells must be a whole number or none", "'four'"),
    ),
    "setting out of range": Case(
        ("fit", "table.csv", "--set", "kernel_density.bandwidth=-1"), ("bandwidth must be None or above 0", "-1")
    ),
    "negative count": Case(("sample", "RUN", "-n", "-5"), ("-n must be at least 1, got -5",)),
    "count of no number": Case(("sample", "RUN", "-n", "ten"), ("'--n'", "valid integer")),
    "n of zero": Case(("fit", "land", "--n", "0"), ("--n must be at least 1, got 0",)),
    "n too small": Case(("fit", "land", "--n", "5"), ("5 rows", "give at least 20")),
    "n too large": Case(
        ("fit", "land", "--n", "1000000000000"), ("n = 1,000,000,000,000 events of land", "16,000.0 GB", "take fewer")
    ),
    "n of a file": Case(("fit", "table.csv", "--n", "5"), ("n counts events of a built-in data set", "table.csv")),
    "seed below zero": Case(("fit", "land", "--seed", "-1"), ("--seed must be between 0 and 2147483647, got -1",)),
    "seed too large": Case(("sample", "RUN", "--seed", "9999999999"), ("--seed must be between 0 and", "9999999999")),
    # Places that cannot be written.
    "folder that is there": Case(
        ("fit", "table.csv", *QUICK, "--out", "there"),
        ("there exists already", "another name"),
        lambda: os.mkdir("there"),
    ),
    "file in the way of a folder": Case(
        ("fit", "table.csv", *QUICK, "--out", "table.csv/run"), ("cannot write table.csv/run", "choose another --out")
    ),
    "file in the way of a file": Case(("sample", "RUN", "--out", "table.csv/rows.csv"), ("table.csv",)),
    "no folder for a file": Case(("sample", "RUN", "--out", "gone/rows.csv"), ("cannot write gone/rows.csv",)),
    "file that is there": Case(("sample", "RUN", "--out", "table.csv"), ("table.csv exists already", "another name")),
    "samples of unknown form": Case(("sample", "RUN", "--out", "rows.xls"), ("rows.xls", "ends in .csv or .parquet")),
    "scores of unknown form": Case(
        ("score", "RUN", "table.csv", "--out", "scores.json"), ("scores.json", "ends in .csv or .parquet")
    ),
    # Events that do not fit the others.
    "test of other columns": Case(
        ("fit", "table.csv", *QUICK, "--test", "test.csv"),
        ("the test events have columns ['age', 'x']", "['height', 'weight']"),
        lambda: write("test.csv", table()),
    ),
    "test with NaN": Case(
        ("fit", "table.csv", *QUICK, "--test", "test.csv"),
        ("column 'height' holds nan", *NOT_FINITE),
        lambda: write("test.csv", table("nan", head="height,weight")),
    ),
    "scored columns missing": score(table(head="height,x"), "expecting 2 features", "'height', 'weight'"),
    "scored columns too many": score(
        "1,2,3\n4,5,6\n", "X has 3 features", "expecting 2 features", "'height', 'weight'"
    ),
    "scored NaN": score(table("nan", head="height,weight"), f"column 'height' holds nan ({WHERE} values)", *NOT_FINITE),
    "scored empty cell": score(
        table("", head="height,weight"),
        "left out 1 of 50 rows with an empty cell in 'height' (the first is row 3",
        *FILL,
    ),
    "scored text": score(table("tall", head="height,weight"), "column 'height' holds text", "'tall'", *CORRECT),
    "scored nothing": Case(("score", "RUN", "-"), ("stdin is empty", "it needs a line for each event")),
    "run that is none": Case(
        ("score", "folder", "table.csv"), ("folder is not a run", "no manifest.json"), lambda: os.mkdir("folder")
    ),
    "file as run": Case(("score", "table.csv", "table.csv"), ("table.csv is a file, not a run's folder",)),
    "rung unknown": Case(
        ("score", "RUN", "table.csv", "--rung", "gausian"), ("no rung 'gausian'", "did you mean 'gaussian'?")
    ),
}

STANDARD_INPUT = {"NaN in standard input": table("nan")}


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """Ring after a minute: to open a pipe or to unpack a bomb may take for ever."""

    def ring(*_: object) -> None:
        raise AssertionError("the command hangs")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def tree(folder: Path) -> dict[Path, tuple[int, int]]:
    """Every path below a folder, with its size and when it was changed."""
    return {path: ((found := path.lstat()).st_size, found.st_mtime_ns) for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_one_error_with_the_remedy_and_nothing_is_written(
    call: Call, tmp_path: Path, run_folder: Path, name: str
):
    case = CASES[name]
    case.make()
    before = tree(tmp_path), tree(run_folder)
    words = [str(run_folder) if word == "RUN" else word for word in case.words]
    answer = call(*words, stdin=STANDARD_INPUT.get(name, ""))
    assert answer.code == 2, answer.err
    assert answer.out == ""
    assert "Traceback" not in answer.err
    error = answer.err.splitlines()[-1]
    assert error.startswith("error: ")
    assert "error: " not in answer.err.removesuffix(error + "\n")
    for piece in case.needed:
        assert piece in error
    assert (tree(tmp_path), tree(run_folder)) == before
