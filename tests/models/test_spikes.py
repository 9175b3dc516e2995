"""Spikes: however large a model of a table grows, rounded and capped values earn it no more than there is to know."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.neighbors import KernelDensity

import landmass
from landmass import Category, Grid, Positive

COMPILES = True

FALSE_ALARM = 1e-6
CUTS = ("fair", "good", "ideal")
CHANCES = np.array([0.2, 0.3, 0.5])

# Weights in carat, of which those of a quarter, half and whole carat come often; prices in euro; values have a cap.
CARATS = np.arange(20, 121) / 100.0
HEAPS = np.where(np.isin(CARATS, (0.25, 0.5, 0.75, 1.0)), 20.0, 1.0)
STEP, PRICES = 10, np.arange(60)
CAP = 5.0


def weights(cut):
    chances = HEAPS * stats.norm(0.4 + 0.2 * cut, 0.25).pdf(CARATS)
    return chances / chances.sum()


def prices(cut):
    return stats.poisson(10.0 + 8.0 * cut).pmf(PRICES)


def table(n, seed):
    """Diamonds of a cut, on which all other columns depend."""
    rng = np.random.default_rng(seed)
    cut = rng.choice(3, n, p=CHANCES)
    carat, price, value = np.empty(n), np.empty(n), np.empty(n)
    for i in range(3):
        mine = cut == i
        carat[mine] = rng.choice(CARATS, mine.sum(), p=weights(i))
        price[mine] = STEP * rng.choice(PRICES, mine.sum(), p=prices(i) / prices(i).sum())
        value[mine] = np.minimum(rng.exponential(2.0 + i, mine.sum()), CAP)
    return pd.DataFrame({"cut": np.array(CUTS)[cut], "carat": carat, "price": price, "value": value})


def entropy():
    """Of a row, in nats: counted but for values below the cap, which have a density."""
    total = stats.entropy(CHANCES)
    for i, chance in enumerate(CHANCES):
        mean = 2.0 + i
        capped = math.exp(-CAP / mean)
        # Below the cap the density is exp(-x / mean) / mean; the mean of x there is that of all, less what is beyond.
        below = (1.0 - capped) * math.log(mean) + (mean - (CAP + mean) * capped) / mean
        value = below - capped * math.log(capped)
        total += chance * (stats.entropy(weights(i)) + stats.entropy(prices(i)) + value)
    return total


@pytest.fixture(scope="module")
def rows():
    return table(2_000, 0), table(2_000, 1)


def test_columns_are_found_to_be_counted_or_to_have_an_atom(rows):
    columns = landmass.read(rows[0], find=True).schema.columns
    assert columns[0] == Category(name="cut", levels=CUTS)
    assert columns[1] == Grid(name="carat", step=0.01)
    assert isinstance(columns[3], Positive | landmass.Real)
    assert columns[3].atoms == (CAP,)


@pytest.mark.parametrize(
    ("classes", "cells"), [(1, 8), (8, 64), (64, 512), pytest.param(512, 512, marks=pytest.mark.slow)]
)
def test_ledger_is_bounded_by_the_entropy_however_many_classes_and_cells(rows, classes, cells):
    train, held_out = rows
    model = landmass.LatentClass(n_components=classes, cells=cells, max_iter=8, random_state=0).fit(train)
    scores = model.score_samples(held_out)
    bound = -entropy() + stats.norm.isf(FALSE_ALARM) * scores.std() / math.sqrt(len(scores))
    assert scores.mean() < bound
    # Each counted column alone is no likelier than certain, not even of rows that were learned.
    assert model.marginal(["carat"]).score_samples(train).max() <= 0.0
    assert model.marginal(["price"]).score_samples(train).max() <= 0.0


@pytest.mark.parametrize(("bins", "cells"), [(4, 16), (64, 512)])
def test_ledger_is_bounded_by_the_entropy_however_many_bins_a_spline_has(rows, bins, cells):
    train, held_out = rows
    sizes = {"members": 1, "hidden": 32, "max_steps": 150}
    model = landmass.MixedSplineFlow(n_bins=bins, cells=cells, random_state=0, **sizes).fit(train)
    scores = model.score_samples(held_out)
    assert scores.mean() < -entropy() + stats.norm.isf(FALSE_ALARM) * scores.std() / math.sqrt(len(scores))


def test_truth_itself_reaches_the_bound(rows):
    """So the bound says something: the sample's own chances come to it."""
    held_out = rows[1]
    cut = np.array([CUTS.index(each) for each in held_out["cut"]])
    log_p = np.log(CHANCES[cut])
    for i in range(3):
        mine = held_out[cut == i]
        places = np.rint(100.0 * mine["carat"].to_numpy()).astype(int) - 20
        log_p[cut == i] += np.log(weights(i)[places]) + np.log(prices(i)[(mine["price"] // STEP).astype(int)])
        x = mine["value"].to_numpy()
        log_p[cut == i] += np.where(x < CAP, -math.log(2.0 + i), 0.0) - x / (2.0 + i)
    error = log_p.std() / math.sqrt(len(log_p))
    assert abs(log_p.mean() + entropy()) < stats.norm.isf(FALSE_ALARM / 2) * error


@pytest.mark.parametrize(("name", "unit"), [("price", STEP), ("carat", 0.01), ("value", 1.0)])
def test_density_of_the_same_column_spikes(rows, name, unit):
    """Negative control: the sharper its bumps, the better a density scores on values that repeat, without bound."""
    train, held_out = (part[name].to_numpy()[:, None] / unit for part in rows)
    known = held_out[np.isin(held_out, train)][:, None] if name != "value" else held_out[held_out == CAP][:, None]
    scores = [KernelDensity(bandwidth=width).fit(train).score(known) / len(known) for width in (1e-1, 1e-3, 1e-5)]
    assert np.diff(scores).min() > 0.9 * math.log(100.0)
    assert scores[-1] > 0.0
