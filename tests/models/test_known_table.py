"""What densities say of visitors, whose distribution is known: conditionals within the sampling error of the rows."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, softmax

import landmass
from landmass.data.builtin import visitors as numbers

TRUTH = numbers.Visitors()
NAMES = TRUTH.schema.names
ROWS, DRAWS = 20_000, 8_000

RUNGS = {
    "latent_class": lambda: landmass.LatentClass(n_components=16, random_state=0),
    "autoregressive": lambda: landmass.Autoregressive(members=2, hidden=64, max_steps=400, random_state=0),
    "mixed_spline_flow": lambda: landmass.MixedSplineFlow(
        members=2, hidden=64, n_bins=8, max_steps=400, random_state=0
    ),
    "independent": lambda: landmass.Independent(random_state=0),
}

GIVEN = [
    {"subscribes": True},
    {"subscribes": False},
    {"channel": "mail"},
    {"channel": "link"},
    {"channel": "print"},
    {"job_title": "nurse", "site_visits": 18},
    {"job_title": "judge", "site_visits": 3},
    {"rating": None},
    {"read": None},
    {"spent": 0.0},
    {"site_visits": 0},
    {"site_visits": 20, "spent": 0.0},
    {"channel": "mail", "rating": None, "subscribes": False},
]
ASKED = [
    ("subscribes", True),
    ("channel", "mail"),
    ("channel", "advert"),
    ("spent", 0.0),
    ("read", None),
    ("rating", None),
]
QUESTIONS = [(given, asked) for given, asked in itertools.product(GIVEN, ASKED) if asked[0] not in given]

# Of so many sound answers more are beyond three standard errors with a chance of 1e-6.
MOST_BEYOND = int(stats.binom.isf(1e-6, len(QUESTIONS), 2.0 * stats.norm.sf(3.0)))


@pytest.fixture(scope="module")
def data():
    return landmass.read("visitors", n=ROWS)


@pytest.fixture(scope="module", params=RUNGS)
def rung(request, data):
    return request.param, RUNGS[request.param]().fit(data)


@pytest.fixture(scope="module")
def whole():
    """A million true rows."""
    return TRUTH.sample(1_000_000, np.random.default_rng(5))


def number(name, value):
    """What a cell is as a number of its column."""
    column = TRUTH.schema.columns[NAMES.index(name)]
    return math.nan if value is None else float(column.levels.index(value) if isinstance(value, str) else value)


def row(cells):
    """One event, which holds anything in all other columns."""
    event = np.zeros((1, len(NAMES)))
    for name, value in cells.items():
        event[0, NAMES.index(name)] = number(name, value)
    return event


def chance(given, asked):
    """The true chance of a cell, and of what is given."""
    event = row({**given, asked[0]: asked[1]})
    told = TRUTH.log_conditional(event, [asked[0]], given), TRUTH.log_marginal(event, given)
    return np.exp(told)[:, 0]


def shares(model, given, asked):
    """The shares of cells among draws of which something is given."""
    drawn = landmass.read(model.conditional(given).sample(DRAWS, random_state=0), schema=TRUTH.schema).X
    found = []
    for name, value in asked:
        cells, cell = drawn[:, NAMES.index(name)], number(name, value)
        found.append((np.isnan(cells) if math.isnan(cell) else cells == cell).mean())
    return found


def test_conditionals_are_recovered_within_three_standard_errors(rung):
    """Those of the rows that hold what is given, and of the draws; one in a million sound fits fails."""
    name, model = rung
    beyond = []
    for given in GIVEN:
        asked = [each for each in ASKED if each[0] not in given]
        for each, share in zip(asked, shares(model, given, asked), strict=True):
            p, of_given = chance(given, each)
            error = math.sqrt(p * (1.0 - p) * (1.0 / (ROWS * of_given) + 1.0 / DRAWS))
            beyond.append(abs(share - p) > 3.0 * error)
    assert len(beyond) == len(QUESTIONS)
    # Negative control: columns that know nothing of each other.
    assert (sum(beyond) <= MOST_BEYOND) == (name != "independent")
    assert name != "independent" or sum(beyond) > len(beyond) / 3


def test_levels_given_all_other_columns_are_as_likely_as_in_truth(rung):
    """On average over rows of about as many visits, within three standard errors of such training rows."""
    name, model = rung
    held_out = landmass.read("visitors", n=2_000, seed=1)
    told = model.predict_proba(held_out, "channel")
    true = np.empty_like(told)
    for level in range(len(numbers.CHANNELS)):
        X = held_out.X.copy()
        X[:, 3] = level
        true[:, level] = TRUTH.log_prob(X)
    true = softmax(true, axis=1)
    beyond = []
    for visits in range(0, 21, 3):
        some = (held_out.X[:, 1] >= visits) & (held_out.X[:, 1] < visits + 3)
        spread = np.sqrt((true[some] * (1.0 - true[some])).mean(0) / (ROWS / 7))
        beyond += (np.abs(told[some].mean(0) - true[some].mean(0)) > 3.0 * spread).tolist()
    most = int(stats.binom.isf(1e-6, len(beyond), 2.0 * stats.norm.sf(3.0)))
    assert (sum(beyond) <= most) == (name != "independent")


def test_expected_amount_is_that_of_the_truth(rung):
    """In closed form: the mean of a lognormal number over all heads of rows of a channel; false alarm 1e-6."""
    name, model = rung
    visits, subscribes, purpose = np.ogrid[:21, :2, :3]
    weight = softmax(numbers.FIRST + numbers.LATER * visits, axis=-1) * numbers.CHANNEL[:, 2]
    some = 1.0 - expit(numbers.NOTHING[purpose] + numbers.LOYAL * subscribes)
    amount = [
        some * np.exp(k * (numbers.SPENT[purpose] + numbers.MORE * visits) + 0.5 * k**2 * numbers.SPREAD**2)
        for k in (1, 2)
    ]
    weight = weight / weight.sum() / 2.0
    mean, square = ((weight * each).sum() for each in amount)
    found, error = model.expectation(
        lambda table: table["spent"].to_numpy(), {"channel": "mail"}, n_draws=DRAWS, random_state=0
    )
    of_rows = math.sqrt((square - mean**2) / (ROWS * chance({}, ("channel", "mail"))[0]))
    near = abs(found - mean) < stats.norm.isf(5e-7) * math.hypot(error, of_rows)
    assert near == (name != "independent")


def test_draws_of_a_rare_combination_agree_with_a_million_true_rows(rung, whole):
    """Of one row in a thousand; each other column, empty cells included, by Kolmogorov's and Smirnov's test."""
    name, model = rung
    given = {"job_title": "judge", "site_visits": 3, "channel": "link", "spent": 0.0}
    told = row(given)[0]
    places = [NAMES.index(each) for each in given]
    filtered = whole[(whole[:, places] == told[places]).all(axis=1)]
    assert 700 < len(filtered) < 1_300
    drawn = landmass.read(model.conditional(given).sample(1_000, random_state=0), schema=TRUTH.schema).X
    assert (drawn[:, places] == told[places]).all()
    others = [place for place in range(len(NAMES)) if place not in places]
    p_values = [stats.ks_2samp(*(np.nan_to_num(X[:, i], nan=-99.0) for X in (drawn, filtered))).pvalue for i in others]
    assert (min(p_values) > 1e-6 / len(others)) == (name != "independent")
