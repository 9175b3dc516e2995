"""Tables too large for memory: what their columns hold, the fit on a sample and one reading of all rows."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

import landmass
from landmass import Autoregressive, DataError, Independent, LatentClass, MixedSplineFlow, pieces
from landmass.data.schema import Category, Grid, Integer, kind_of
from landmass.data.witnesses import witnesses
from landmass.estimator import states

COMPILES = True

ROWS = 12_000


def rows(n=ROWS, seed=0):
    """Columns of several kinds, of which each begins plainer than it goes on; and two that tell of each other."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n)
    words = np.array(["red", "green", "blue", "rare"], object)[np.where(np.arange(n) == n - 5, 3, group)]
    price = np.round(np.exp(rng.normal(2.0 + group, 0.3)), np.where(np.arange(n) < n // 2, 1, 2)[0])
    price = np.where(np.arange(n) < n // 2, np.round(price, 1), np.round(price + 0.01 * rng.integers(0, 9, n), 2))
    count = [None if i == n - 7 else int(x) for i, x in enumerate(rng.poisson(2.0 + 3.0 * group))]
    return pa.table({"colour": words.tolist(), "price": price, "count": count, "share": rng.beta(2.0, 2.0 + group)})


@pytest.fixture(scope="module")
def table():
    return rows()


@pytest.fixture(scope="module")
def path(table, tmp_path_factory):
    file = tmp_path_factory.mktemp("large") / "rows.parquet"
    parquet.write_table(table, file, row_group_size=1_500)
    return file


@pytest.fixture
def small_memory(monkeypatch):
    monkeypatch.setattr(states, "MOST_AT_HAND", 3_000)


def test_kinds_are_those_of_all_rows_read_at_once(table, path):
    read = pieces(path, rows=700, find=True)
    assert read.schema == landmass.read(table, find=True).schema
    assert read.n == ROWS


def test_what_comes_late_is_seen(table):
    few = witnesses(table.slice(start, 500) for start in range(0, ROWS, 500))
    assert "rare" in few["colour"].to_pylist()
    assert few["count"].null_count == 1
    assert few.num_rows <= ROWS


def test_of_many_rows_few_are_witnesses():
    large = pa.table({"x": np.arange(400_000.0) / 3.0, "y": ["a", "b"] * 200_000})
    few = witnesses(large.slice(start, 10_000) for start in range(0, 400_000, 10_000))
    assert 50_000 <= few.num_rows < 101_000
    assert few["x"].to_pylist()[-1] == pytest.approx(399_999 / 3.0)


def test_a_folder_of_files_is_one_table(table, path, tmp_path):
    parquet.write_table(table.slice(0, 5_000), tmp_path / "a.parquet")
    csv.write_csv(table.slice(5_000), tmp_path / "b.csv")
    (tmp_path / "_SUCCESS").touch()
    read = pieces(tmp_path, find=True)
    kinds = [kind_of(column) for column in read.schema.columns]
    assert kinds == ["category", "grid", "integer", "real"]
    whole = np.concatenate([piece.X for piece in read])
    np.testing.assert_array_equal(whole, landmass.read(table, find=True).X)


def test_columns_are_declared_and_left_out(path):
    read = pieces(path, columns={"count": "category"}, drop=["share"])
    assert [type(column) for column in read.schema.columns] == [Category, Grid, Category]
    assert read.notes == ("left out column 'share': as asked",)
    again = pieces(path, schema=read.schema)
    assert again.schema == read.schema


def test_pieces_in_random_order_are_the_same_rows(path):
    read = pieces(path, rows=700, find=True)
    whole = np.concatenate([piece.X for piece in read])
    first, second, again = (np.concatenate([X for X, _ in read.shuffled(*order)]) for order in [(1, 0), (1, 1), (1, 0)])
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second, equal_nan=True)
    for found in (first, second):
        assert not np.array_equal(found, whole, equal_nan=True)
        np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(whole, axis=0))


def test_few_rows_give_the_bits_of_all_at_once(table, path):
    read, held = pieces(path, rows=700, find=True), landmass.read(table, find=True).take(np.arange(500))
    one = LatentClass(n_components=4, random_state=0).fit_parts(landmass.read(table, find=True), held)
    other = LatentClass(n_components=4, random_state=0).fit_parts(read, held)
    np.testing.assert_array_equal(one.score_samples(held), other.score_samples(held))


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize(
    "model",
    [
        Independent(random_state=0),
        LatentClass(n_components=4, random_state=0),
        Autoregressive(members=2, hidden=32, batch_size=64, max_steps=60, random_state=0),
        MixedSplineFlow(members=2, hidden=32, batch_size=64, max_steps=60, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_all_rows_are_read_once_after_the_sample(model, path):
    read, held_out = (
        pieces(path, rows=700, find=True),
        landmass.read(rows(4_000, seed=1), schema=pieces(path, find=True).schema),
    )
    few = model.fresh().fit(read.some(3_000, seed=0)).score_samples(held_out)
    many = model.fit(read).score_samples(held_out)
    gain = many - few
    assert np.isfinite(many).all()
    # More rows tell more: beyond four standard errors of the paired difference it is no accident.
    assert gain.mean() > 4.0 * gain.std() / np.sqrt(len(gain))
    np.testing.assert_array_equal(
        model.score_samples(read)[:700], model.score_samples(landmass.read(path, schema=read.schema))[:700]
    )


@pytest.mark.usefixtures("small_memory")
def test_a_pass_over_all_rows_counts_each_once(path):
    read = pieces(path, rows=700, find=True)
    held = read.some(3_000, seed=1)
    model = Independent(smoothing=0.5).fit_parts(read, held)
    column = model.data_.schema.names.index("colour")
    start = model.model_.layout.starts[column]
    levels = read.schema.columns[column].levels
    counts = [
        pa.compute.sum(pa.compute.equal(pa.chunked_array([rows()["colour"].combine_chunks()]), level)).as_py()
        for level in levels
    ]
    found = model.parameters_["probabilities"][start : start + len(levels)]
    np.testing.assert_allclose(found, (np.array(counts) + 0.5) / (ROWS + 0.5 * len(levels)), rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: pieces(path / "none.parquet", find=True), "no file"),
        (lambda path: pieces(path, find=True), "holds no file that ends in"),
        (
            lambda path: pieces([pa.table({"a": ["x"]}), pa.table({"a": [1]})], find=True),
            "do not hold the same columns",
        ),
        (lambda path: pieces([pa.table({"a": ["x", "y"]})], columns={"a": "integer"}), "declared integer"),
        (
            lambda path: list(
                pieces([pa.table({"a": [1, 2]}), pa.table({"b": [1]})], schema=landmass.Schema((Integer(name="a"),)))
            ),
            "piece 1 of data: the columns 'a' are missing",
        ),
    ],
)
def test_pieces_that_are_no_table_are_refused(make, words, tmp_path):
    with pytest.raises(DataError, match=words):
        make(tmp_path)


def test_rows_that_are_alike_by_chance_are_kept_aside_one_by_one(path):
    counted = pieces(path, rows=700, drop=["share", "price"])
    train, held = counted.split(seed=0, share=0.1, most=100_000)
    kept = np.concatenate([piece.X for piece in train])
    assert len(kept) + len(held) == ROWS
    # Binomial: a tenth of the rows of each frequent kind, within five standard errors.
    kinds, often = np.unique(kept[:, 0], return_counts=True)
    for kind, count in zip(kinds, often, strict=True):
        aside = (held.X[:, 0] == kind).sum()
        assert abs(aside - 0.1 * (count + aside)) < 5.0 * np.sqrt(0.09 * (count + aside))
    again = np.concatenate([X for X, _ in train.shuffled(0)])
    np.testing.assert_array_equal(np.sort(again, axis=0), np.sort(kept, axis=0))


def test_what_is_kept_aside_twice_is_in_no_part_twice(path):
    read = pieces(path, rows=700, find=True)
    train, first = read.split(seed=0, share=0.2, most=100_000)
    rest, second = train.split(seed=1, share=0.2, most=100_000)
    shares = [set(part[:, 3].tolist()) for part in (first.X, second.X, np.concatenate([piece.X for piece in rest]))]
    assert sum(map(len, shares)) == len(set.union(*shares)) == ROWS
