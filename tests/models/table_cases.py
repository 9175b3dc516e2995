"""Small tables of all kinds of columns for the contract of densities of tables, and what all their rows are."""

import itertools
import math

import numpy as np
from scipy import stats

import landmass
from landmass import Boolean, Category, Dataset, Datetime, Grid, Integer, Real, Schema
from tests.models.cases import estimator

FALSE_ALARM = 1e-6

COUNTED = Schema(
    (
        Boolean(name="member"),
        Category(name="city", levels=("Bonn", "Oslo", "Rome"), nullable=True),
        Integer(name="rooms", least=0, most=3),
        Grid(name="price", step=0.25, least=0.0, most=1.0, nullable=True),
    )
)
MEASURED = Schema(
    (
        Real(name="loss", atoms=(0.0,), nullable=True),
        Category(name="kind", levels=("a", "b")),
        landmass.Bounded(name="share", low=0.0, high=2.0),
    )
)
UNBOUNDED = Schema((Integer(name="visits"), Datetime(name="day", nullable=True), Boolean(name="late")))


def counted(n, seed=0):
    """Rows whose columns depend on each other, some of their cells empty."""
    rng = np.random.default_rng(seed)
    member = rng.random(n) < 0.4
    city = np.where(member, rng.choice(3, n, p=[0.6, 0.3, 0.1]), rng.choice(3, n, p=[0.1, 0.2, 0.7])).astype(float)
    rooms = np.minimum(rng.binomial(3, np.where(city == 0, 0.7, 0.3)), 3)
    price = np.clip(np.rint(rng.normal(1.0 + rooms / 1.5, 0.5, n)) / 4.0, 0.0, 1.0)
    city[rng.random(n) < np.where(member, 0.2, 0.05)] = np.nan
    price[rng.random(n) < 0.1] = np.nan
    return Dataset(np.column_stack([member, city, rooms, price]), COUNTED, "counted", incomplete=True)


def measured(n, seed=0):
    rng = np.random.default_rng(seed)
    kind = rng.random(n) < 0.3
    loss = np.where(rng.random(n) < np.where(kind, 0.7, 0.2), 0.0, rng.lognormal(np.where(kind, 1.0, -1.0), 0.5))
    loss[rng.random(n) < 0.1] = np.nan
    share = 2.0 * rng.beta(np.where(kind, 2.0, 5.0), 3.0)
    return Dataset(np.column_stack([loss, kind, share]), MEASURED, "measured", incomplete=True)


def unbounded(n, seed=0):
    rng = np.random.default_rng(seed)
    late = rng.random(n) < 0.5
    visits, day = rng.poisson(np.where(late, 20.0, 5.0)), 19_000.0 + rng.geometric(np.where(late, 0.02, 0.1), n)
    day[rng.random(n) < 0.1] = np.nan
    return Dataset(np.column_stack([visits, day, late]), UNBOUNDED, "unbounded", incomplete=True)


MAKERS = {"counted": counted, "measured": measured, "unbounded": unbounded}


def fresh(family):
    """An estimator that is quick to fit; a stack of tables' own parts."""
    return landmass.Stack(random_state=0) if family == "stack" else estimator(family)


def every(schema=COUNTED):
    """All rows that the counted schema allows."""
    values = {
        "member": [0.0, 1.0],
        "city": [0.0, 1.0, 2.0, np.nan],
        "rooms": [0.0, 1.0, 2.0, 3.0],
        "price": [0.0, 0.25, 0.5, 0.75, 1.0, np.nan],
    }
    rows = np.array(list(itertools.product(*(values[name] for name in schema.names))))
    return Dataset(rows, schema, "every", incomplete=bool(np.isnan(rows).any()))


def line(breaks, low, high, parts=1):
    """Places on a line and their weights, by Gauss-Legendre in parts between breaks, and far into both tails."""
    span = breaks.max() - breaks.min() + 1.0
    ends = [low, breaks.min() - span * np.geomspace(1e5, 1e-3, 45)][not math.isfinite(low)]
    tops = [high, breaks.max() + span * np.geomspace(1e-3, 1e5, 45)][not math.isfinite(high)]
    inner = [np.linspace(*pair, parts + 1) for pair in itertools.pairwise(np.sort(breaks))]
    ends = np.unique(np.concatenate([np.atleast_1d(ends), breaks, *inner, np.atleast_1d(tops)]))
    node, weight = np.polynomial.legendre.leggauss(8)
    half = np.diff(ends)[:, None] / 2.0
    return (ends[:-1, None] + half * (1.0 + node)).ravel(), (half * weight).ravel()


def chi_square(rows, chances, drawn):
    """P-value of the test that rows are drawn as often as they are likely; rare rows count as one."""
    places = {tuple(row): i for i, row in enumerate(np.nan_to_num(rows, nan=-9.0).tolist())}
    seen = np.bincount([places[tuple(row)] for row in np.nan_to_num(drawn, nan=-9.0).tolist()], minlength=len(rows))
    often = chances * len(drawn) >= 5
    expected = np.append(chances[often], 1.0 - chances[often].sum()) * len(drawn)
    seen = np.append(seen[often], seen[~often].sum())
    expected[-1] = max(expected[-1], 1.0)
    return stats.chi2.sf(((seen - expected) ** 2 / expected).sum(), len(seen) - 1)
