"""Visitors: chances add to one, and density, samples, entropy and the answers to questions belong together."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit, softmax

import landmass
from landmass import DataError, SettingError
from landmass.data.builtin import visitors as numbers

FALSE_ALARM = 1e-6
N = 50_000
TRUTH = numbers.Visitors()
NAMES = TRUTH.schema.names
COUNTED = ["job_title", "site_visits", "subscribes", "channel"]


@pytest.fixture(scope="module")
def drawn():
    return TRUTH.sample(N, np.random.default_rng(0))


@pytest.fixture(scope="module")
def every():
    """All that the first four columns may hold; the others hold anything."""
    rows = np.zeros((10 * 21 * 2 * 5, len(NAMES)))
    rows[:, :4] = list(itertools.product(range(10), range(21), range(2), range(5)))
    return rows


def rows_of(name, values):
    """Rows that hold some values in one column."""
    rows = np.zeros((len(values), len(NAMES)))
    rows[:, NAMES.index(name)] = values
    return rows


def density(name, values):
    return np.exp(TRUTH.log_marginal(rows_of(name, np.atleast_1d(values)), [name]))


def p_of_counts(chances, seen):
    """P-value of the chi-square test; rare values count as one, of which at least one is expected."""
    often = chances * seen.sum() >= 5
    expected = np.append(chances[often], 1.0 - chances[often].sum()) * seen.sum()
    expected[-1] = max(expected[-1], 1.0)
    seen = np.append(seen[often], seen[~often].sum())
    return stats.chi2.sf(((seen - expected) ** 2 / expected).sum(), len(seen) - 1)


def test_chances_of_all_that_is_counted_add_to_one(every):
    assert np.exp(TRUTH.log_marginal(every, COUNTED)).sum() == pytest.approx(1.0, abs=1e-12)
    days = np.arange(numbers.NEW_YEAR, numbers.NEW_YEAR + 366.0)
    assert density("day", days).sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "special", "ends"),
    [
        ("hour", [], [(0.0, 24.0)]),
        ("spent", [0.0], [(0.0, 10.0), (10.0, 100.0), (100.0, math.inf)]),
        ("read", [math.nan], [(0.0, 1.0)]),
        ("rating", [math.nan], [(-math.inf, math.inf)]),
    ],
)
def test_densities_and_the_chances_beside_them_integrate_to_one(name, special, ends):
    whole = sum(integrate.quad(lambda x: density(name, x)[0], *pair, epsabs=1e-9)[0] for pair in ends)
    assert whole + sum(density(name, value)[0] for value in special) == pytest.approx(1.0, abs=1e-6)


def test_density_of_a_row_is_the_sum_over_what_nobody_sees(drawn):
    """Written out once more, purpose by purpose."""
    for row in drawn[:50]:
        title, visits, subscribes, channel, day, hour, spent, read, rating = row
        way = 1.0 if title < 5 else -1.0
        yes = expit(0.9 * way * (visits - 10.0))
        total = 0.0
        for k, chance in enumerate(softmax(numbers.FIRST + numbers.LATER * visits)):
            nothing, silent = expit(numbers.NOTHING[k] - subscribes), 0.3 if subscribes else 0.8
            about = (hour - numbers.HOUR[k]) * math.pi / 12.0
            logs = np.log(spent) - numbers.SPENT[k] - 0.06 * visits if spent else 0.0
            chance *= numbers.CHANNEL[k, int(channel)]
            chance *= stats.betabinom(365, *numbers.SEASON[k]).pmf(day - 19_723)
            chance *= stats.vonmises(numbers.CLOSELY[k]).pdf(about) * math.pi / 12.0
            chance *= (1.0 - nothing) * stats.norm(0.0, 0.7).pdf(logs) / spent if spent else nothing
            share = stats.beta(*numbers.READ[:, k]).pdf(read)
            chance *= numbers.BLOCKED[k] if np.isnan(read) else (1.0 - numbers.BLOCKED[k]) * share
            level = stats.norm(numbers.RATING[k] + 0.6 * subscribes).pdf(rating)
            chance *= silent if np.isnan(rating) else (1.0 - silent) * level
            total += chance
        expected = math.log(total * (yes if subscribes else 1.0 - yes) / 210.0)
        assert TRUTH.log_prob(row[None])[0] == pytest.approx(expected, abs=1e-9)


def test_chain_rule_holds(drawn):
    for name in NAMES:
        rest = [other for other in NAMES if other != name]
        after = TRUTH.log_conditional(drawn[:40], rest, [name])
        np.testing.assert_allclose(TRUTH.log_marginal(drawn[:40], [name]) + after, TRUTH.log_prob(drawn[:40]))


def test_samples_come_as_often_as_they_are_likely(every, drawn):
    chances = np.exp(TRUTH.log_marginal(every, COUNTED))
    places = (((drawn[:, 0] * 21 + drawn[:, 1]) * 2 + drawn[:, 2]) * 5 + drawn[:, 3]).astype(int)
    assert p_of_counts(chances, np.bincount(places, minlength=len(every))) > FALSE_ALARM
    # Negative control: one in ten comes through another channel.
    moved = places + (np.arange(N) % 10 == 0) * np.where(drawn[:, 3] < 4, 1, -4).astype(int)
    assert p_of_counts(chances, np.bincount(moved, minlength=len(every))) < FALSE_ALARM


@pytest.mark.parametrize("name", ["day", "hour", "spent", "read", "rating"])
def test_samples_of_a_column_follow_its_density_given_the_subscription(name, drawn):
    """Every second draw makes cells of about the same share, in which the others are counted."""
    for subscribes in (0.0, 1.0):
        values = drawn[drawn[:, 2] == subscribes, NAMES.index(name)]
        known, held_out = (part[~np.isnan(part) & (part != 0.0)] for part in (values[::2], values[1::2]))
        edges = np.unique(np.quantile(known, np.linspace(0.01, 0.99, 39)))
        edges = np.rint(edges) - 0.5 if name == "day" else edges
        fine = np.concatenate([np.linspace(a, b, 41)[:-1] for a, b in itertools.pairwise(edges)])
        middle = np.arange(edges[0] + 0.5, edges[-1]) if name == "day" else fine + np.diff(fine, append=edges[-1]) / 2
        rows = rows_of(name, middle)
        rows[:, 2] = subscribes
        told = np.exp(TRUTH.log_conditional(rows, [name], ["subscribes"]))
        widths = np.ones(len(middle)) if name == "day" else np.diff(np.append(fine, edges[-1]))
        chances = np.histogram(middle, edges, weights=told * widths)[0]
        chances = np.append(chances, 1.0 - chances.sum())
        for shift, fits in ((0.0, True), (0.3 * known.std(), False)):
            seen = np.histogram(held_out + shift, edges)[0]
            seen = np.append(seen, len(values) // 2 - seen.sum())
            assert (p_of_counts(chances, seen) > FALSE_ALARM) == fits


def test_entropy_is_minus_the_mean_log_density_of_samples(drawn):
    log_p = TRUTH.log_prob(drawn)
    error = stats.norm.isf(FALSE_ALARM / 2) * log_p.std() / math.sqrt(N)
    assert abs(log_p.mean() + TRUTH.entropy) < error
    assert abs(log_p.mean() + TRUTH.entropy + numbers.UNSEEN) > error


def test_entropy_of_what_nobody_sees_is_what_was_measured():
    found = TRUTH.unseen(N, np.random.default_rng(1))
    assert abs(found.mean() - numbers.UNSEEN) < stats.norm.isf(FALSE_ALARM / 2) * found.std() / math.sqrt(N)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("job_title", 10.0),
        ("job_title", 0.5),
        ("site_visits", -1.0),
        ("site_visits", 21.0),
        ("subscribes", 2.0),
        ("channel", 5.0),
        ("day", numbers.NEW_YEAR - 1.0),
        ("day", numbers.NEW_YEAR + 366.0),
        ("day", numbers.NEW_YEAR + 0.5),
        ("spent", -1.0),
        ("read", 1.1),
    ],
)
def test_rows_that_cannot_be_have_density_zero(name, value, drawn):
    row = drawn[:1].copy()
    assert np.isfinite(TRUTH.log_prob(row)).all()
    row[0, NAMES.index(name)] = value
    assert TRUTH.log_prob(row) == -np.inf


def test_empty_cells_are_refused_where_there_are_none(drawn):
    row = drawn[:1].copy()
    row[0, 1] = math.nan
    with pytest.raises(DataError, match="column 'site_visits' needs finite numbers, found nan in row 0"):
        TRUTH.log_prob(row)


def test_unknown_column_is_named(drawn):
    with pytest.raises(DataError, match="there is no column 'age'; there are: job_title, site_visits"):
        TRUTH.log_marginal(drawn[:1], ["age", "hour"])


def test_same_generator_same_events():
    first, again, other = (TRUTH.sample(100, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other, equal_nan=True)
    assert TRUTH.sample(0, np.random.default_rng(0)).shape == (0, 9)
    assert TRUTH.log_prob(np.empty((0, 9))).shape == (0,)


def test_table_brings_its_columns_and_its_truth():
    data = landmass.read("visitors", n=200, seed=3)
    assert data.schema == TRUTH.schema
    assert data.incomplete
    assert data.entropy == TRUTH.entropy
    assert data.repeats() == ()
    table = data.wrap(data.X)
    assert table["job_title"][0].as_py() in numbers.TITLES
    assert table["day"][0].as_py().year == 2024
    with pytest.raises(SettingError, match="'visitors' brings its own schema"):
        landmass.read("visitors", drop=["hour"])


def test_examples_of_that_name_are_the_same_people():
    made = landmass.examples("visitors", n=300)
    rows = np.zeros((300, 9))
    rows[:, 0] = [numbers.TITLES.index(title) for title in made.inputs.columns["job_title"]]
    rows[:, 1], rows[:, 2] = made.inputs.columns["site_visits"], 1.0
    told = np.exp(TRUTH.log_conditional(rows, ["subscribes"], ["job_title", "site_visits"]))
    np.testing.assert_allclose(told, made.chances[:, 1], rtol=1e-9)
