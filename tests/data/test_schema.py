"""Schema: what each column may hold, with errors that name the column."""

import math

import msgspec
import pytest

from landmass import Bounded, Circular, DataError, Positive, Real, Schema


def test_each_kind_of_column_knows_its_ends():
    columns = Real(name="a"), Positive(name="b"), Bounded(name="c", low=-1, high=2), Circular(name="d", low=0, high=24)
    assert [(c.low, c.high) for c in columns] == [(-math.inf, math.inf), (0.0, math.inf), (-1.0, 2.0), (0.0, 24.0)]


@pytest.mark.parametrize("kind", [Bounded, Circular])
@pytest.mark.parametrize("low, high", [(1.0, 1.0), (2.0, 1.0), (-math.inf, 0.0), (0.0, math.inf), (math.nan, 1.0)])
def test_bounds_that_are_none_name_the_column_and_the_values(kind, low, high):
    with pytest.raises(DataError, match=rf"column 'hour' needs finite bounds.*low={low}, high={high}"):
        kind(name="hour", low=low, high=high)


def test_repeated_name_is_named():
    with pytest.raises(DataError, match="column name 'age' appears 2 times"):
        Schema.real(["age", "height", "age"])


def test_no_columns_are_refused():
    with pytest.raises(DataError, match="at least one column"):
        Schema(())


def test_plain_names_become_real_columns_in_order():
    schema = Schema.real(["b", "a"])
    assert schema.columns == (Real(name="b"), Real(name="a"))
    assert schema.names == ["b", "a"]


def test_schema_survives_json():
    schema = Schema(
        (
            Real(name="a", unit="cm"),
            Positive(name="b"),
            Bounded(name="c", low=0.1, high=2),
            Circular(name="d", low=0, high=1),
        )
    )
    assert msgspec.json.decode(msgspec.json.encode(schema), type=Schema) == schema


@pytest.mark.parametrize(
    "text",
    [
        '{"columns": [{"kind": "real", "name": "a", "period": 3}]}',
        '{"columns": [{"kind": "cubic", "name": "a"}]}',
        '{"columns": [{"kind": "bounded", "name": "a", "low": 2, "high": 1}]}',
        '{"columns": []}',
    ],
)
def test_schema_of_another_form_is_not_read(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Schema)
