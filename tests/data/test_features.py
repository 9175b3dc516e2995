"""Features: the numbers that a network is given of a table."""

import numpy as np
from scipy.stats import norm, rankdata

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
