"""Features: the numbers that a network is given of a table."""

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from landmass import DataError
from landmass.data.features import KNOTS, Features, Table

RNG = np.random.default_rng(0)


def ranked(cells):
    """What a column of numbers becomes beside its standardised self, as shares."""
    table = Table({"x": np.asarray(cells, float)})
    features = Features.fit(table, table, ranked=True)
    return norm.cdf(features.encode(table)[:, 1:]), features


def test_numbers_that_many_rows_share_are_ranked_among_rows_and_among_values():
    shares, features = ranked([0, 0, 0, 5, 7])
    np.testing.assert_allclose(shares[:, 0], [0.3, 0.3, 0.3, 0.7, 0.9], atol=1e-6)
    np.testing.assert_allclose(shares[:, 1], [1 / 6, 1 / 6, 1 / 6, 3 / 6, 5 / 6], atol=1e-6)
    assert features.shape == (3,)
    assert features.ranks == 2
    # Between 0 and 5 the normal score is a straight line, and it ends at the ends.
    found = norm.cdf(features.encode(Table({"x": np.array([2.5, -9.0, 9.0])}))[:, 1])
    np.testing.assert_allclose(found, [norm.cdf((norm.ppf(0.3) + norm.ppf(0.7)) / 2), 0.3, 0.9], atol=1e-6)


def test_distinct_numbers_are_ranked_once_and_by_few_knots():
    cells = np.exp(RNG.standard_normal(5000))
    shares, features = ranked(cells)
    assert features.ranks == 1
    np.testing.assert_allclose(shares[:, 0], (rankdata(cells) - 0.5) / 5000, atol=0.5 / KNOTS)


def test_ranks_do_not_know_the_unit():
    cells = RNG.exponential(size=300).round(1)
    np.testing.assert_allclose(ranked(cells)[0], ranked(1e3 * cells + 5.0)[0], atol=1e-5)


def test_without_ranks_a_number_is_only_standardised():
    table = Table({"x": np.arange(4.0), "w": np.array(["a", "b", "a", None], object)})
    features = Features.fit(table, table, ranked=False)
    assert features.ranks == 0
    np.testing.assert_allclose(features.encode(table)[:, 0], (np.arange(4) - 1.5) / np.sqrt(1.25), rtol=1e-6)
    np.testing.assert_array_equal(features.encode(table)[:, 1:], [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]])


def words(*cells):
    return np.array(cells, object)


def test_what_only_held_out_rows_hold_is_unknown_and_no_fault():
    train = Table({"city": words("Ulm", "Bonn", "Ulm"), "age": np.array([1.0, 2.0, 3.0])})
    validation = Table({"city": words("Oslo"), "age": np.array([2.0])})
    test = Table({"city": words("Ulm", None, "Rome", "Rome"), "age": np.array([np.nan, 1.0, 2.0, np.nan])})
    features = Features.fit(train.knowing(test), validation, ranked=False)
    assert features.shape == (3,)
    spread = np.sqrt(2 / 3)
    expected = [[0, 1, 0], [0, 0, -1 / spread], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(features.encode(test), expected, rtol=1e-6)
    np.testing.assert_array_equal(features.encode(validation), [[0, 0, 0]])
    assert features.notes == (
        "column 'city' holds 3 words in 4 held-out rows that no training row has ('Oslo', 'Rome', an empty cell); they "
        "count as unknown",
        "column 'age' is empty in 2 held-out rows and in no training row; that counts as its mean",
    )
    with pytest.raises(DataError, match=r"column 'city' holds 'Riga' \(row 1"):
        features.encode(Table({"city": words("Oslo", "Riga"), "age": np.zeros(2)}))
    with pytest.raises(DataError, match="column 'city' held words in training, and now numbers: 7"):
        features.encode(Table({"city": np.array([7.0]), "age": np.zeros(1)}))


def test_known_cells_need_no_square_of_their_levels():
    cells = words(*map(str, RNG.integers(0, 1000, 3000)))
    encoded = Features.fit(Table({"user": cells}), Table({"user": cells}), ranked=False).encode(Table({"user": cells}))
    assert encoded.dtype == np.float32
    np.testing.assert_array_equal(np.unique(cells)[encoded.argmax(axis=1)], cells)
    np.testing.assert_array_equal(encoded.sum(axis=1), 1.0)


def test_column_that_tells_nothing_is_left_out_with_the_reason():
    table = Table(
        {
            "x": np.arange(30.0),
            "same": np.full(30, 7),
            "none": np.full(30, np.nan),
            "word": words(*["a"] * 30),
            "blank": words(*[None] * 30),
            "id": words(*map(str, range(30))),
        }
    )
    features = Features.fit(table, table, ranked=False)
    assert features.names == ["x"]
    assert features.notes == (
        "left out column 'same': it is 7 in every training row",
        "left out column 'none': it is empty in every training row",
        "left out column 'word': it is 'a' in every training row",
        "left out column 'blank': it is empty in every training row",
        "left out column 'id': it names rows more than it says of them (30 words in 30 training rows)",
    )
    with pytest.raises(DataError, match="nothing to predict from: left out column 'same': it is 7 in every"):
        Features.fit(table.without("x"), table, ranked=False)
