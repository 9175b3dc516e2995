"""Tables side by side: what they came as is no matter, what they hold is."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from landmass.data.alike import alike, chosen, copies, some
from landmass.data.dataset import Dataset
from landmass.data.schema import Category, Schema
from landmass.errors import DataError

RNG = np.random.default_rng(0)
N = 40
FRAME = pd.DataFrame(
    {
        "length": RNG.normal(size=N),
        "price": RNG.integers(0, 500, N) / 100.0,
        "age": RNG.integers(18, 90, N),
        "city": RNG.choice(["Bonn", "Rome"], N),
        "member": RNG.choice([True, False], N),
    }
)


def test_types_of_numbers_and_tables_are_no_matter():
    single = FRAME.astype({"length": "float32", "price": "float32", "age": "float64", "city": "category"})
    double = FRAME.assign(length=single["length"].astype("float64"))
    tables = alike(double, single, pl.from_pandas(double), pa.Table.from_pandas(double))
    for each in tables[1:]:
        np.testing.assert_array_equal(each.X, tables[0].X)


def test_single_precision_is_numpys():
    data = Dataset(FRAME[["length"]].to_numpy() * 1e-30, Schema.real(["length"]))
    expected = data.X.astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(alike(data)[0].X, expected)
    assert (expected != data.X).any()


def test_numbers_beyond_single_precision_stay_finite():
    (data,) = alike(Dataset(FRAME[["length"]].to_numpy() * 1e300, Schema.real(["length"])))
    np.testing.assert_allclose(data.X[:, 0], FRAME["length"] * 1e300, rtol=2.0**-24)


def test_strange_words_empty_cells_and_broken_numbers_are_let_in():
    other = FRAME.assign(city="Oslo", age=FRAME["age"] + 0.5, length=np.nan)
    real, found = alike(FRAME, other)
    places = [real.schema.names.index(name) for name in ("length", "age", "city")]
    assert np.isnan(found.X[:, places[0]]).all()
    np.testing.assert_array_equal(found.X[:, places[1]], other["age"])
    # One more level than Bonn and Rome.
    assert set(found.X[:, places[2]]) == {2.0}
    assert found.schema == real.schema


def test_columns_are_found_by_name_and_arrays_by_place():
    turned = FRAME[FRAME.columns[::-1]].assign(more=1)
    np.testing.assert_array_equal(*(each.X for each in alike(FRAME, turned)))
    numbers = RNG.normal(size=(N, 2))
    np.testing.assert_array_equal(*(each.X for each in alike(numbers, numbers)))


def test_tables_that_are_alike_stay_as_they_are():
    pair = alike(FRAME, FRAME.assign(city="Oslo"))
    again = alike(*pair)
    for first, second in zip(pair, again, strict=True):
        np.testing.assert_array_equal(first.X, second.X)
        assert first.schema == second.schema
    assert isinstance(again[0].schema.columns[3], Category)


@pytest.mark.parametrize(
    "other, needed",
    [
        (FRAME[:19], "a table of 19 rows is too small .* at least 20"),
        (FRAME.drop(columns="age"), "the columns 'age' are missing"),
        (FRAME.assign(age="old"), "column 'age' is of numbers, and here it holds words"),
    ],
)
def test_what_cannot_be_compared_is_named(other, needed):
    with pytest.raises(DataError, match=needed):
        alike(FRAME, other)


def test_rows_with_weights_are_refused():
    with pytest.raises(DataError, match="rows with weights"):
        alike(Dataset(RNG.normal(size=(N, 1)), Schema.real(["x"])).weighed(np.full(N, 2.0)))


def test_chosen_rows_are_the_same_each_time_and_in_order():
    rows = chosen(1000, 100)
    assert len(set(rows)) == 100
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, chosen(1000, 100))
    (data,) = alike(FRAME)
    np.testing.assert_array_equal(some(data, 10).X, data.X[chosen(N, 10)])
    np.testing.assert_array_equal(some(data, 1000).X, data.X)


def test_copies_share_a_number_among_tables_and_empty_cells_are_one():
    holes = FRAME.assign(length=np.nan, price=1.0, age=[20, 30] * 20, city="Bonn", member=True)
    first, second = alike(FRAME, holes)
    numbers = copies(first, second, second)
    assert len(set(numbers[0])) == len(FRAME.drop_duplicates())
    assert len(set(numbers[1])) == 2
    np.testing.assert_array_equal(numbers[1], numbers[2])
    assert not set(numbers[0]) & set(numbers[1])
