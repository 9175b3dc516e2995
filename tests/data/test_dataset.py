"""Dataset: events with their sample space; what cannot be modelled is refused by name."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

import landmass
from landmass import Bounded, Circular, DataError, Dataset, Positive, Real, Schema
from landmass.data.numbers import as_float64

X = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 15.0]])
AB = Schema.real(["a", "b"])


def test_rows_are_taken_in_the_order_given():
    part = Dataset(X, AB, name="mine").take(np.array([2, 0]))
    np.testing.assert_array_equal(part.X, X[[2, 0]])
    assert (part.name, len(part)) == ("mine", 2)


def test_schema_is_changed_only_for_the_same_names():
    data = Dataset(X, AB)
    positive = Schema((Positive(name="a"), Real(name="b")))
    assert data.with_schema(positive).schema == positive
    with pytest.raises(DataError, match=r"\['b', 'a'\] are not the data's \['a', 'b'\]"):
        data.with_schema(Schema.real(["b", "a"]))


def test_number_of_columns_must_be_the_schemas():
    with pytest.raises(DataError, match="2 columns of data for a schema of 1"):
        Dataset(X, Schema.real(["a"]))


def test_empty_cells_are_not_told_as_repeated_values():
    schema = Schema((Real(name="a", nullable=True),))
    apart = np.where(np.arange(90) % 3 == 0, np.arange(90.0), np.nan)[:, None]
    assert Dataset(apart, schema, incomplete=True).repeats() == ()
    told = Dataset(np.floor(apart / 9.0), schema, incomplete=True).repeats()
    assert "column 'a' repeats its values (10 distinct among 30 cells)" in told[-1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_number_that_is_not_finite_is_named_with_column_and_row(value):
    broken = X.copy()
    broken[1:, 1] = value
    with pytest.raises(
        DataError, match=rf"column 'b' holds {value} \(row 1, counted from 0; 2 such values\).*remove or repair"
    ):
        Dataset(broken, AB)


WHOLE = {
    "int64": np.array([1, 2**53 + 1, 2**60 + 1]),
    "uint64": np.array([1, 2**53 + 1, 2**64 - 1], np.uint64),
    "Python's integers": np.array([1, 2**53 + 1, 10**30 + 1], object),
    "Python's decimals": np.array([Decimal(1), Decimal(2**53 + 1), Decimal(2**80 + 1)], object),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_number_that_float64_would_round_is_refused(kind):
    with pytest.raises(DataError, match=r"column 'id' holds 9007199254740993 \(row 1, .*2 such values.*an offset"):
        as_float64(WHOLE[kind], "id")


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_number_that_float64_holds_is_kept(kind):
    exact = (WHOLE[kind][:2] - 1) * 2
    assert as_float64(exact, "id").tolist() == [0.0, 2.0**54]


def test_wrapping_gives_back_the_container():
    assert Dataset(X, AB).wrap(X) is X
    data = Dataset(X, AB, container=lambda values, names: (names, values.sum()))
    assert data.wrap(X) == (["a", "b"], 51.0)


# A schema, events, and what the refusal says.
UNFIT = {
    "one event": (AB, X[:1], "at least 2 events, found 1"),
    "no event": (AB, X[:0], "at least 2 events, found 0"),
    "constant column": (AB, np.column_stack([X[:, 0], np.full(3, 7.0)]), "column 'b' is constant \\(always 7\\).*drop"),
    "too wide": (AB, np.column_stack([X[:, 0], [0.0, 1.0, 1e300]]), "column 'b' spans 0 to 1e\\+300.*rescale"),
    "too narrow": (AB, np.column_stack([X[:, 0], [0.0, 1e-200, 2e-200]]), "column 'b' spans 0 to 2e-200, too narrow"),
    "above a bound": (
        Schema((Real(name="a"), Bounded(name="b", low=0, high=15))),
        X,
        "column 'b' holds 20 \\(row 1, counted from 0; 1 such values\\), but its schema allows 0 to 15",
    ),
    "below a bound": (Schema((Bounded(name="a", low=1.5, high=3), Real(name="b"))), X, "column 'a' holds 1 "),
    "zero in a positive column": (Schema((Positive(name="a"), Real(name="b"))), X - [1.0, 0.0], "column 'a' holds 0 "),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_no_density_can_hold_is_refused(name):
    schema, events, message = UNFIT[name]
    with pytest.raises(DataError, match=message):
        Dataset(events, schema).check_fit()


def test_what_can_be_fitted_passes():
    Dataset(X, AB).check_fit()
    Dataset(X, Schema((Bounded(name="a", low=1, high=3), Circular(name="b", low=0, high=12)))).check_fit()


def test_rows_of_counted_cells_are_alike_by_chance_and_no_copies():
    rng = np.random.default_rng(0)
    few = pa.table({"colour": rng.choice(["red", "blue"], 500).tolist(), "count": rng.integers(0, 3, 500)})
    data = landmass.read(few, find=True)
    assert len(np.unique(data.copies())) == 500
    assert data.repeats() == ()


def test_rows_that_chance_does_not_make_twice_are_copies():
    rng = np.random.default_rng(0)
    many = {f"count{i}": np.tile(rng.integers(0, 50, 400), 3) for i in range(6)}
    data = landmass.read(pa.table(many), find=True)
    copies = data.copies()
    assert len(np.unique(copies)) == 400
    np.testing.assert_array_equal(copies[:400], copies[400:800])
    assert data.repeats() == (
        "800 of 1,200 rows are copies of others, more than chance makes: they stay on one side of the split, and each "
        "counts; remove them if they are mistakes",
    )


def test_rows_with_a_measured_cell_are_copies_where_they_are_alike():
    twice = pa.table({"kind": ["a", "b"] * 60, "size": np.tile(np.random.default_rng(0).normal(size=60), 2)})
    data = landmass.read(twice, columns={"size": "real"})
    assert len(np.unique(data.copies())) == 60
