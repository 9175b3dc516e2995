"""The one door: whatever holds numbers becomes the same data set, and goes out as it came in."""

import io
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

import landmass
from landmass import Bounded, DataError, Dataset, Real, Schema, SettingError, UniformBox

X = np.array([[1.5, -2.0], [2.5, 4.0], [3.25, 1e-3], [-7.0, 0.125]])
NAMES = ["height", "width"]
COLUMNS = dict(zip(NAMES, X.T, strict=True))
TEXT = "\n".join(f"{a},{b}" for a, b in X.tolist())


def written(folder, name, content):
    path = folder / name
    path.write_text(content) if isinstance(content, str) else content(path)
    return path


# In memory: the source, its columns' names, and the type that samples come back in.
IN_MEMORY = {
    "array": (lambda: X, ["x1", "x2"], np.ndarray),
    "float32 array": (lambda: X.astype(np.float32), ["x1", "x2"], np.ndarray),
    "list of rows": (lambda: X.tolist(), ["x1", "x2"], np.ndarray),
    "pandas": (lambda: pd.DataFrame(COLUMNS), NAMES, pd.DataFrame),
    "pandas without names": (lambda: pd.DataFrame(X), ["0", "1"], pd.DataFrame),
    "polars": (lambda: pl.DataFrame(COLUMNS), NAMES, pl.DataFrame),
    "Arrow": (lambda: pa.table(COLUMNS), NAMES, pa.Table),
}


@pytest.mark.parametrize("kind", IN_MEMORY)
def test_events_in_memory_are_read_and_samples_come_in_the_same_container(kind):
    make, names, container = IN_MEMORY[kind]
    data = landmass.read(make())
    np.testing.assert_allclose(data.X, X, rtol=1e-7)
    assert data.X.dtype == np.float64
    assert data.schema == Schema.real(names)
    sample = UniformBox().fit(make()).sample(5, random_state=0)
    assert isinstance(sample, container)
    assert sample.shape == (5, 2)
    if container is not np.ndarray:
        assert [str(name) for name in getattr(sample, "column_names", sample.columns)] == names


FILES = {
    "data.csv": ("height,width\n" + TEXT, NAMES),
    "spaced.csv": ("height,width\r\n" + TEXT.replace("\n", "\r\n") + "\r\n", NAMES),
    "quoted.csv": ('"height","width"\n' + TEXT, NAMES),
    "headless.csv": (TEXT, ["x1", "x2"]),
    "semicolons.csv": ("height;width\n" + TEXT.replace(",", ";").replace(".", ","), NAMES),
    "semicolons and points.csv": ("height;width\n" + TEXT.replace(",", ";"), NAMES),
    "headless semicolons.csv": (TEXT.replace(",", ";").replace(".", ","), ["x1", "x2"]),
    "data.tsv": ("height\twidth\n" + TEXT.replace(",", "\t"), NAMES),
    "headless.tsv": (TEXT.replace(",", "\t"), ["x1", "x2"]),
    "CAPITALS.CSV": ("height,width\n" + TEXT, NAMES),
    "data.parquet": (lambda path: pa.parquet.write_table(pa.table(COLUMNS), path), NAMES),
    "data.npy": (lambda path: np.save(path, X), ["x1", "x2"]),
    "data.npz": (lambda path: np.savez(path, events=X), ["x1", "x2"]),
}


@pytest.mark.parametrize("name", FILES)
def test_files_are_read_and_samples_come_as_arrow_tables(name, tmp_path):
    content, names = FILES[name]
    path = written(tmp_path, name, content)
    for source in (path, str(path)):
        data = landmass.read(source)
        np.testing.assert_array_equal(data.X, X)
        assert data.schema == Schema.real(names)
        assert data.name == path.stem
    sample = UniformBox().fit(path).sample(5, random_state=0)
    assert isinstance(sample, pa.Table)
    assert sample.column_names == names


def test_missing_line_of_names_is_told(tmp_path):
    assert "no line of column names" in landmass.read(written(tmp_path, "data.csv", TEXT)).notes[0]


def test_first_row_of_a_headless_file_is_an_event(tmp_path):
    assert len(landmass.read(written(tmp_path, "data.csv", TEXT))) == 4


def test_header_with_one_numeric_name_is_a_header(tmp_path):
    assert landmass.read(written(tmp_path, "data.csv", "height,2\n" + TEXT)).schema.names == ["height", "2"]


def test_dash_reads_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"height,width\n" + TEXT.encode())))
    data = landmass.read("-")
    np.testing.assert_array_equal(data.X, X)
    assert (data.name, data.schema.names) == ("stdin", NAMES)


def test_flat_array_of_a_file_is_one_column(tmp_path):
    np.save(tmp_path / "flat.npy", np.array([1, 2, 3]))
    np.testing.assert_array_equal(landmass.read(tmp_path / "flat.npy").X, [[1.0], [2.0], [3.0]])


def test_data_set_is_returned_as_it_is():
    data = Dataset(X, Schema.real(NAMES))
    assert landmass.read(data) is data


def test_schema_is_taken_over_for_the_same_names():
    schema = Schema((Bounded(name="height", low=-10, high=10), Real(name="width")))
    assert landmass.read(pd.DataFrame(COLUMNS), schema=schema).schema == schema
    with pytest.raises(DataError, match=r"\['height', 'width'\] are not the data's \['x1', 'x2'\]"):
        landmass.read(X, schema=schema)


def test_built_in_name_draws_that_many_events_with_their_truth():
    data = landmass.read("moons", n=50, seed=1)
    assert (len(data), data.name) == (50, "moons")
    assert data.truth is not None
    np.testing.assert_array_equal(data.X, data.truth.sample(50, np.random.default_rng(1)))
    assert not np.array_equal(data.X, landmass.read("moons", n=50, seed=2).X)


def test_land_is_bounded_by_the_world():
    low_high = [(column.low, column.high) for column in landmass.read("land", n=10).schema.columns]
    assert low_high == [(-180.0, 180.0), (-90.0, 90.0)]


def test_built_in_data_is_refused_a_schema_and_files_a_number_of_events():
    with pytest.raises(SettingError, match="'moons' brings its own schema"):
        landmass.read("moons", schema=Schema.real(["x1", "x2"]))
    with pytest.raises(SettingError, match="n counts events of a built-in data set"):
        landmass.read(X, n=3)
    with pytest.raises(SettingError, match="n must be at least 1, got 0"):
        landmass.read("moons", n=0)


def test_columns_of_text_are_left_out_and_told():
    frame = pd.DataFrame({**COLUMNS, "city": list("abcd")})
    data = landmass.read(frame)
    assert data.schema.names == NAMES
    assert any("'city'" in note for note in data.notes)


def test_text_column_of_a_file_is_left_out_and_told(tmp_path):
    text = "height,city\n1,Oslo\n2,Rome\n4,Lima\n"
    data = landmass.read(written(tmp_path, "data.csv", text))
    np.testing.assert_array_equal(data.X, [[1.0], [2.0], [4.0]])
    assert any("'city'" in note for note in data.notes)


@pytest.mark.parametrize(
    "make",
    [pl.DataFrame, pa.table, lambda columns: pl.DataFrame(columns).to_pandas()],
    ids=["polars", "Arrow", "pandas"],
)
def test_rows_with_an_empty_cell_are_left_out_and_counted(make):
    data = landmass.read(make({"a": [1.0, None, 3.0, 4.0], "b": [1, 2, 3, 4]}))
    np.testing.assert_array_equal(data.X, [[1, 1], [3, 3], [4, 4]])
    assert data.notes == (data.gaps,)
    assert data.gaps.startswith("left out 1 of 4 rows with an empty cell in 'a' (the first is row 1")


def test_empty_cell_of_a_file_leaves_its_row_out_of_a_fit_and_is_refused_in_a_score(tmp_path):
    path = written(tmp_path, "data.csv", "a,b\n1,2\n,3\n4,5\n")
    data = landmass.read(path)
    np.testing.assert_array_equal(data.X, [[1.0, 2.0], [4.0, 5.0]])
    fitted = landmass.UniformBox().fit(path)
    with pytest.raises(landmass.DataError, match=r"1 of 3 rows .* in 'a' .*row 1,.*: a score is owed for every row"):
        fitted.score_samples(path)


@pytest.mark.parametrize("text", ["a,b\n1,\n2,\n", b"a,b\n1,\xff\n2,\xfe\n"], ids=["empty", "no UTF-8"])
def test_column_without_a_readable_cell_is_left_out_and_told(text, tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    data = landmass.read(path)
    np.testing.assert_array_equal(data.X, [[1.0], [2.0]])
    assert any("left out column 'b'" in note for note in data.notes)


def test_line_of_names_that_looks_like_an_event_is_told(tmp_path):
    data = landmass.read(written(tmp_path, "data.csv", "NA,1.5\n1,2\n3,4\n"))
    assert data.schema.names == ["NA", "1.5"]
    assert any("first line was taken for column names" in note for note in data.notes)


def test_empty_lines_between_rows_of_several_columns_are_no_rows(tmp_path):
    data = landmass.read(written(tmp_path, "data.csv", "\na,b\n1,2\n\n3,4\n\n\n"))
    np.testing.assert_array_equal(data.X, [[1.0, 2.0], [3.0, 4.0]])


def test_empty_lines_around_a_single_column_are_no_rows(tmp_path):
    data = landmass.read(written(tmp_path, "data.csv", "\n1\n2\n\n"))
    np.testing.assert_array_equal(data.X, [[1.0], [2.0]])


def test_numbers_may_stand_among_spaces(tmp_path):
    data = landmass.read(written(tmp_path, "data.csv", "a, b\n1, 2\n3 ,4.5\n"))
    np.testing.assert_array_equal(data.X, [[1.0, 2.0], [3.0, 4.5]])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<i2", "u1"])
def test_every_order_and_type_of_numbers_is_read(dtype, order, tmp_path):
    rows = np.array([[1, 2, 3], [4, 5, 6]], dtype, order=order)
    np.save(tmp_path / "data.npy", rows)
    np.savez_compressed(tmp_path / "data.npz", rows)
    np.testing.assert_array_equal(landmass.read(tmp_path / "data.npy").X, rows)
    np.testing.assert_array_equal(landmass.read(tmp_path / "data.npz").X, rows)


def test_folder_named_like_a_partition_is_no_column(tmp_path):
    (tmp_path / "year=2020").mkdir()
    pa.parquet.write_table(pa.table(COLUMNS), tmp_path / "year=2020" / "data.parquet")
    assert landmass.read(tmp_path / "year=2020" / "data.parquet").schema.names == NAMES


def test_integers_and_booleans_are_numbers():
    data = landmass.read(pl.DataFrame({"n": [1, 2, 3], "yes": [True, False, True]}))
    np.testing.assert_array_equal(data.X, [[1, 1], [2, 0], [3, 1]])


def test_path_of_a_built_in_name_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("moons.npy", X)
    assert len(landmass.read("./moons.npy")) == 4
