"""What each column of a table holds is found, or taken as declared, or refused by name."""

import datetime
import math

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import landmass
from landmass import (
    Boolean,
    Bounded,
    Category,
    Circular,
    DataError,
    Datetime,
    Grid,
    Integer,
    Positive,
    Real,
    Schema,
    SettingError,
)
from landmass.data.read import read_as

RNG = np.random.default_rng(0)
N, MANY = 200, 2_000


def kinds(**columns):
    return landmass.read(pa.table(columns), find=True).schema.columns


def test_words_are_categories_sorted_with_gaps_told():
    (city,) = kinds(city=["Rome", "Bonn", None, "Rome"] * 10)
    assert city == Category(name="city", levels=("Bonn", "Rome"), nullable=True)


def test_words_of_arrow_dictionaries_are_those_of_each_piece():
    many = [f"w{i:03}" for i in range(128)]
    # As many words as their numbers can tell apart, and a gap; then another list of words.
    first = pa.DictionaryArray.from_arrays(pa.array([*range(128), None], pa.int8()), pa.array(many))
    second = pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 1], pa.int8()), pa.array(["new", "w003"]))
    table = pa.table({"x": pa.chunked_array([first, first, second]), "n": [i % 90 for i in range(262)]})
    words = [*many, None, *many, None, "w003", None, "new", "w003"]
    plain = pa.table({"x": pa.array(words, pa.string()), "n": table["n"]})
    for each in (table, plain):
        data = landmass.read(each, find=True)
        assert data.schema.columns[0].levels == tuple(sorted({*many, "new"}))
        assert data.wrap(data.X)["x"].to_pylist() == words


def test_true_and_false_are_booleans():
    assert kinds(member=[True, False] * 10) == (Boolean(name="member"),)


@pytest.mark.parametrize(
    ("values", "step"),
    [
        (RNG.normal(5.0, 1.0, N).round(2), 0.01),
        (RNG.integers(0, 9, N) * 0.25, 0.25),
        (RNG.integers(-9, 9, N) * 0.1, 0.1),
        (RNG.integers(0, 9, N) * 12.5, 12.5),
    ],
)
def test_rounded_numbers_lie_on_a_grid(values, step):
    assert kinds(x=values) == (Grid(name="x", step=step),)


def test_rounded_numbers_of_single_precision_lie_on_a_grid_and_come_back_as_they_were():
    values = RNG.normal(5.0, 1.0, N).round(2)
    data = landmass.read(pa.table({"x": values.astype(np.float32)}), find=True)
    assert data.schema.columns == (Grid(name="x", step=0.01),)
    np.testing.assert_array_equal(data.wrap(data.X)["x"].to_numpy(), values)


def test_whole_numbers_are_integers_whatever_their_type():
    assert kinds(a=RNG.integers(0, 50, N), b=RNG.integers(0, 50, N).astype(float)) == (
        Integer(name="a"),
        Integer(name="b"),
    )
    assert kinds(flag=[0, 1] * 20) == (Integer(name="flag", least=0, most=1),)


def test_numbers_of_many_digits_are_real():
    assert kinds(x=RNG.normal(size=N)) == (Real(name="x"),)


def test_zeros_by_the_hundred_are_an_atom_and_the_rest_may_be_positive():
    x = np.where(RNG.random(N) < 0.5, 0.0, RNG.lognormal(0.0, 3.0, N))
    assert kinds(x=x) == (Positive(name="x", atoms=(0.0,)),)


def test_capped_values_are_an_atom():
    x = np.minimum(RNG.normal(size=N), 1.2345678)
    assert kinds(x=x) == (Real(name="x", atoms=(1.2345678,)),)


@pytest.mark.parametrize(
    ("values", "column"),
    [
        (RNG.beta(0.8, 1.2, MANY), Bounded(name="x", low=0.0, high=1.0)),
        (100.0 * RNG.random(MANY), Bounded(name="x", low=0.0, high=100.0)),
        (2.0 * RNG.random(MANY) - 1.0, Bounded(name="x", low=-1.0, high=1.0)),
        (np.where(RNG.random(MANY) < 0.3, 0.0, RNG.random(MANY)), Bounded(name="x", low=0.0, high=1.0, atoms=(0.0,))),
        (RNG.uniform(-180.0, 180.0, MANY), Circular(name="x", low=-180.0, high=180.0)),
        (RNG.vonmises(2.0, 0.5, MANY), Circular(name="x", low=-math.pi, high=math.pi)),
        (np.mod(RNG.normal(23.0, 4.0, MANY), 24.0), Circular(name="x", low=0.0, high=24.0)),
        (RNG.uniform(1.0, 23.0, MANY), Real(name="x")),
        (-10.0 * np.log1p(RNG.random(MANY) * np.expm1(-2.4)), Bounded(name="x", low=0.0, high=24.0)),
        (np.append(RNG.uniform(0.0, 360.0, MANY), [0.0] * 40), Bounded(name="x", low=0.0, high=360.0, atoms=(0.0,))),
        (RNG.beta(2.0, 2.0, MANY), Real(name="x")),
        (10.0 ** RNG.uniform(-8.0, 0.0, MANY), Positive(name="x")),
        (np.append(RNG.uniform(0.01, 1.0, MANY), 1.001), Real(name="x")),
    ],
)
def test_ranges_that_are_filled_to_their_ends_are_found(values, column):
    assert kinds(x=values) == (column,)


def test_times_written_as_words_are_taken_as_declared():
    table = pd.DataFrame({"when": [f"2024-02-{1 + i % 28:02}" for i in range(40)]})
    when = Datetime(name="when", tick="day", nullable=True)
    data = landmass.read(table, columns={"when": when})
    assert data.schema.columns == (when,)
    assert data.X[0, 0] == np.datetime64("2024-02-01").astype(int)


@pytest.mark.parametrize("wrong", ["2024-02-30", "99999-01-01", "soon", "2024-2-3"])
def test_a_word_among_dates_is_refused_unless_they_are_declared_words(wrong):
    table = pd.DataFrame({"when": [*(f"2024-02-{1 + i % 28:02}" for i in range(40)), wrong]})
    with pytest.raises(
        DataError, match=f"'when' holds '{wrong}' among its dates .1 of 29 different cells are no dates"
    ):
        landmass.read(table, find=True)
    assert wrong in landmass.read(table, columns={"when": "category"}).schema.columns[0].levels


def test_words_of_another_encoding_are_refused(tmp_path):
    (tmp_path / "data.csv").write_bytes("town,b\nBonn,2\nKöln,4\n".encode("latin1"))
    told = (
        r"column 'town' of data is not UTF-8: byte 0xf6 in b'K.*ln' \(row 1, counted from 0\); save the file as UTF-8"
    )
    with pytest.raises(DataError, match=told):
        landmass.read(tmp_path / "data.csv", find=True)


def test_range_is_declared_by_name_where_it_is_found():
    values = RNG.random(MANY)
    table = pd.DataFrame({"x": values, "y": RNG.normal(size=MANY)})
    assert landmass.read(table, columns={"x": "bounded"}).schema.columns[0] == Bounded(name="x", low=0.0, high=1.0)
    assert landmass.read(table, columns={"x": "circular"}).schema.columns[0] == Circular(name="x", low=0.0, high=1.0)
    assert landmass.read(table, columns={"x": "real"}).schema.columns[0] == Real(name="x")
    with pytest.raises(
        DataError, match="column 'y' is declared circular, and looks real; declare it in a schema, with"
    ):
        landmass.read(table, columns={"y": "circular"})


@pytest.mark.parametrize(
    ("values", "tick"),
    [
        ([datetime.date(2024, 2, 1 + i % 28) for i in range(40)], "day"),
        ([datetime.datetime(2024, 2, 1, i % 24) for i in range(40)], "hour"),
        ([datetime.datetime(2024, 2, 1, 0, 0, i) for i in range(40)], "second"),
        ([f"2024-02-{1 + i % 28:02}" for i in range(40)], "day"),
        ([f"2024-02-01T{i % 24:02}:30" for i in range(40)], "minute"),
    ],
)
def test_dates_and_times_are_counted_in_their_ticks(values, tick):
    assert kinds(when=values) == (Datetime(name="when", tick=tick),)


def test_times_before_1970_and_their_gaps_come_back_as_they_were():
    when = [datetime.datetime(1950, 3, 1 + i % 20, 7) for i in range(30)] + [None]
    data = landmass.read(pa.table({"when": when}), find=True)
    assert data.wrap(data.X)["when"].to_pylist() == when


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_tables_of_every_kind_come_back_as_they_were(make):
    columns = {
        "city": ["Łódź", "Bonn", "a,b\n'c'", None] * 10,
        "rooms": [1, 2, 3, 3] * 10,
        "price": [0.1, 0.2, 0.3, 12.7] * 10,
        "member": [True, False, True, True] * 10,
        "weight": [1.23456789, None, 3.3333333, 4.7474747] * 10,
    }
    data = landmass.read(make(columns), find=True)
    back = data.wrap(data.X)
    assert type(back) is type(make(columns))
    for name, values in columns.items():
        found = back[name].to_pylist() if isinstance(back, pa.Table) else list(back[name])
        assert [None if value is None or value != value else value for value in found] == values


def test_pandas_booleans_with_gaps_are_booleans():
    data = landmass.read(pd.DataFrame({"member": [True, None, False] * 9, "n": range(0, 54, 2)}), find=True, drop=["n"])
    assert data.schema.columns == (Boolean(name="member", nullable=True),)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"id": [f"h{i}" for i in range(30)]}, "column 'id' names rows .'h0'; 30 different cells in 30 rows.*drop it"),
        ({"row": list(range(30))}, "column 'row' names rows .0, 1, …"),
        ({"empty": pa.nulls(30)}, "column 'empty' is empty: all its cells are missing; drop the column"),
        ({"mixed": ["1", "2", "three"] * 10}, "column 'mixed' holds text among its numbers: 'three' .row 2"),
        ({"x": [1.5, float("inf")] * 9}, "column 'x' holds inf .row 1"),
        ({"big": [2**60 + i * 1001 for i in range(30)]}, r"whole numbers beyond 2\^53"),
    ],
)
def test_columns_that_cannot_be_modelled_are_named(columns, told):
    with pytest.raises(DataError, match=told):
        kinds(**columns)


def test_constant_columns_are_named_unless_other_values_are_declared():
    table = pa.table({"x": [1, 1] * 20, "y": [*range(20)] * 2})
    with pytest.raises(DataError, match=r"column 'x' is constant \(always 1\)"):
        landmass.LatentClass().fit(table)
    declared = landmass.read(table, columns={"x": Integer(name="x", least=0, most=1)})
    assert landmass.Independent().fit(declared).score(declared) < 0.0


def test_declared_kinds_win_over_what_is_found():
    table = pa.table({"code": [1, 2, 3] * 20, "share": RNG.random(60), "row": list(range(60))})
    data = landmass.read(
        table, columns={"code": "category", "share": Bounded(name="share", low=0.0, high=1.0)}, drop=["row"]
    )
    assert data.schema.columns == (
        Category(name="code", levels=("1", "2", "3")),
        Bounded(name="share", low=0.0, high=1.0),
    )
    assert landmass.read(table, columns={"row": "integer"}).schema.columns[2] == Integer(name="row")


def test_grid_is_declared_by_name_where_numbers_lie_on_one():
    whole, fine = 5 * RNG.integers(0, 9, 60), RNG.integers(0, 10**7, 60) / 1e3
    table = pd.DataFrame({"whole": whole, "fine": fine, "free": RNG.random(60)})
    assert landmass.read(table, columns={"whole": "grid"}).schema.columns[:2] == (
        Grid(name="whole", step=5.0),
        Real(name="fine"),
    )
    assert landmass.read(table, columns={"fine": "grid"}).schema.columns[1] == Grid(name="fine", step=0.001)
    with pytest.raises(DataError, match="column 'free' is declared grid, and its numbers lie on none; declare it real"):
        landmass.read(table, columns={"free": "grid"})


@pytest.mark.parametrize(
    ("columns", "error", "told"),
    [
        ({"town": "category"}, SettingError, "there is no column 'town'; there are: 'city', 'x'"),
        ({"x": "colour"}, SettingError, "column 'x': there is no kind 'colour'; there are boolean, bounded"),
        ({"city": "real"}, DataError, "column 'city' is declared real, and holds words: 'a'"),
        ({"x": "integer"}, DataError, "column 'x' is declared integer, and holds 0.5"),
        ({"x": "datetime"}, DataError, "column 'x' is declared datetime, and looks grid"),
    ],
)
def test_declarations_that_do_not_fit_are_refused(columns, error, told):
    with pytest.raises(error, match=told):
        landmass.read(pa.table({"city": ["a", "b"] * 20, "x": [0.5, 1.0] * 20}), columns=columns)


def test_words_that_are_not_listed_are_others_where_such_may_come():
    schema = Schema((Category(name="city", levels=("Bonn",), other=True), Integer(name="n")))
    data = landmass.read(pa.table({"city": ["Bonn", "Rome", "Oslo"], "n": [1, 2, 3]}), schema=schema)
    assert data.X[:, 0].tolist() == [0.0, 1.0, 1.0]
    assert data.wrap(data.X)["city"].to_pylist() == ["Bonn", "(other)", "(other)"]


def test_a_hundred_thousand_levels_are_modelled_and_the_rare_ones_share_what_is_left():
    rng = np.random.default_rng(1)
    words = [f"w{int(i)}" for i in rng.zipf(1.3, 20_000) % 100_000]
    table = pa.table({"word": words, "n": rng.integers(0, 5, 20_000)})
    levels = len(set(words))
    model = landmass.Independent(random_state=0).fit(table)
    every = pa.table({"word": sorted(set(words)) * 5, "n": np.repeat(np.arange(5), levels)})
    assert levels > 1_000
    assert np.exp(model.score_samples(every)).sum() == pytest.approx(1.0, abs=0.01)


def test_schema_survives_its_file():
    schema = Schema(
        (
            Real(name="r", atoms=(0.0,), nullable=True),
            Grid(name="g", step=0.25, least=0.0),
            Integer(name="i", most=9),
            Datetime(name="d", tick="hour"),
            Category(name="c", levels=("a", "b"), other=True),
            Boolean(name="b"),
        )
    )
    assert msgspec.json.decode(msgspec.json.encode(schema), type=Schema) == schema


def test_plain_reading_is_as_before():
    table = pa.table({"x": [1, 2, 3], "word": ["a", "b", "c"]})
    assert landmass.read(table).schema == Schema.real(["x"])


def test_dates_that_are_counted_in_other_ticks_are_counted_anew():
    days = pd.date_range("2024-01-01", periods=40)
    by_day = landmass.read(pd.DataFrame({"when": days, "x": RNG.normal(size=40)}), find=True)
    by_second = Schema((Datetime(name="when", tick="second"), Real(name="x")))
    found = read_as(by_day, by_second)
    assert found.schema == by_second
    assert found.X[:, 0].tolist() == days.as_unit("s").asi8.tolist()
    assert read_as(found, by_day.schema).X.tolist() == by_day.X.tolist()


def test_words_that_stand_for_numbers_are_not_taken_for_them():
    words = landmass.read(pd.DataFrame({"x": ["a", "b"] * 20, "y": RNG.normal(size=40)}), find=True)
    with pytest.raises(DataError, match="column 'x' is of numbers, and here it holds words"):
        read_as(words, Schema((Real(name="x"), Real(name="y"))))


def test_column_of_dates_may_be_empty_as_a_whole():
    schema = Schema((Datetime(name="ended", nullable=True), Real(name="x")))
    data = read_as(pa.table({"ended": pa.array([None, None], pa.string()), "x": [1.0, 2.0]}), schema)
    assert np.isnan(data.X[:, 0]).all()
