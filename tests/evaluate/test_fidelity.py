"""Fidelity: distances are SciPy's, coverage is what theory says of samples from the truth."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from landmass.evaluate.fidelity import NEIGHBOURS, coverage, distances

RNG = np.random.default_rng(0)
N = 600


def frame(rows, shift=0.0, bonn=0.5):
    length = RNG.normal(size=rows) + shift
    city = np.where(RNG.random(rows) < bonn, "Bonn", "Rome").astype(object)
    city[RNG.random(rows) < 0.1] = None
    age = RNG.integers(18, 90, rows).astype(float)
    age[RNG.random(rows) < 0.1 + 0.3 * shift] = np.nan
    return pd.DataFrame({"length": length, "age": age, "city": city, "member": RNG.random(rows) < bonn})


@pytest.fixture(scope="module")
def pair():
    return frame(N), frame(N // 2, shift=0.5, bonn=0.3)


def test_numbers_are_apart_as_scipy_says_and_empty_cells_count(pair):
    found = distances(*pair)
    single = [each["length"].astype("float32") for each in pair]
    assert found.columns[0] == pytest.approx(ks_2samp(*single).statistic)
    ages = [each["age"].fillna(1000.0) for each in pair]
    assert found.columns[1] == pytest.approx(ks_2samp(*ages).statistic)
    assert found.worst == "length"


def test_levels_are_apart_by_half_the_sum_of_differences(pair):
    found = distances(*pair)
    for place, name in ((2, "city"), (3, "member")):
        shares = [each[name].value_counts(normalize=True, dropna=False) for each in pair]
        expected = 0.5 * shares[0].sub(shares[1], fill_value=0.0).abs().sum()
        assert found.columns[place] == pytest.approx(expected)


def test_pairs_are_apart_by_half_the_sum_of_differences_in_a_table_of_both(pair):
    found = distances(*pair)
    shares = [pd.crosstab(each["city"].fillna("none"), each["member"], normalize=True) for each in pair]
    expected = 0.5 * np.abs(shares[0].to_numpy() - shares[1].to_numpy()).sum()
    assert [found.pairs[2, 3], found.pairs[3, 2]] == pytest.approx([expected] * 2)
    # Deciles of the real numbers, and a bin of empty cells.
    edges = np.quantile(pair[0]["length"], np.arange(1, 10) / 10)
    bins = [np.searchsorted(edges, each["length"]) for each in pair]
    shares = [
        pd.crosstab(each, table["city"].fillna("none"), normalize=True) for each, table in zip(bins, pair, strict=True)
    ]
    expected = 0.5 * np.abs(shares[0].to_numpy() - shares[1].to_numpy()).sum()
    assert found.pairs[0, 2] == pytest.approx(expected, abs=2 / N)
    assert (np.diag(found.pairs) == 0.0).all()


def test_a_word_that_no_real_row_holds_is_apart():
    real, drawn = frame(N), frame(N)
    drawn["city"] = "Oslo"
    found = distances(real, drawn)
    assert found.columns[2] == 1.0
    assert found.pairs[2] == pytest.approx([1.0, 1.0, 0.0, 1.0])


def test_a_pile_at_one_value_is_a_group_of_its_own():
    pile = np.where(RNG.random(N) < 0.9, 0.0, RNG.exponential(size=N))
    real = np.column_stack([pile, RNG.normal(size=N)])
    drawn = real + [[0.5, 0.0]] * (pile == 0.0)[:, None]
    assert distances(real, drawn).pairs[0, 1] > 0.5


def test_a_dependence_that_is_lost_shows_in_the_pair_only():
    x = RNG.normal(size=N)
    real = np.column_stack([x, x, RNG.normal(size=N)])
    found = distances(real, np.column_stack([x, x[::-1], real[:, 2]]))
    assert found.columns.max() == 0.0
    assert found.worst_pair == ("x1", "x2")
    assert found.pairs[0, 1] > 0.8


def test_distances_are_printed_worst_first(pair):
    lines = str(distances(*pair)).splitlines()
    assert lines[0].split() == ["farthest", "apart", "distance"]
    assert lines[1].startswith("length")
    assert len(lines) == 1 + 4 + 5


def test_one_column_has_no_pairs():
    found = distances(RNG.normal(size=(N, 1)), RNG.normal(size=(N, 1)))
    assert np.isnan(found.mean_of_pairs)
    assert len(str(found).splitlines()) == 2


def test_samples_of_the_truth_cover_what_theory_says():
    """Naeem et al. 2020, lemma 2; five standard errors of a share of so many rows, widened for balls that overlap."""
    n = 1500
    found = coverage(RNG.normal(size=(n, 3)), RNG.normal(size=(n, 3)))
    ratio = np.prod([(n - i) / (2 * n - i) for i in range(1, NEIGHBOURS + 1)])
    assert found.coverage == pytest.approx(1.0 - ratio, abs=10 * np.sqrt(ratio * (1 - ratio) / n))
    # A count of five varies by √5, over all rows by less than that of n / 10 independent ones.
    assert found.density == pytest.approx(1.0, abs=5 * np.sqrt(1 / 5 / (n / 10)))


def test_samples_of_one_half_cover_half():
    real = RNG.normal(size=(N, 2))
    found = coverage(real, real[real[:, 0] > 0.0] + 1e-6)
    # Balls reach a little into the other half.
    assert 0.45 < found.coverage < 0.65


def test_samples_elsewhere_cover_nothing_and_have_no_density():
    real = np.column_stack([RNG.normal(size=N), RNG.choice(2, N)]) * [[1.0, 0.0]] + [[0.0, 1.0]]
    frames = [pd.DataFrame({"x": real[:, 0], "y": word}) for word in ("a", "b")]
    assert coverage(*frames) == (0.0, 0.0)
