"""Splines of tables beyond the contract: tables without numbers, ends of lines, and more columns than units."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import landmass
from landmass import Boolean, Category, DataError, Dataset, MixedSplineFlow, Real, Schema
from landmass.core.states import Layout
from landmass.models.autoregressive import MaskedStates

COMPILES = True

SMALL = {"members": 2, "hidden": 8, "depth": 1, "n_bins": 4, "waves": 2, "max_steps": 40, "random_state": 0}


def test_table_without_numbers_has_chances_that_sum_to_one():
    schema = Schema((Boolean(name="member"), Category(name="city", levels=("Bonn", "Oslo"), nullable=True)))
    rows = np.array(list(itertools.product([0.0, 1.0], [0.0, 1.0, np.nan])))
    learned = rows[np.random.default_rng(0).integers(0, 6, 300)]
    model = MixedSplineFlow(**SMALL).fit(Dataset(learned, schema, incomplete=True))
    chances = np.exp(model.score_samples(Dataset(rows, schema, incomplete=True)))
    assert chances.sum() == pytest.approx(1.0, abs=1e-6)
    drawn = model.sample(2_000, given={"member": True}, random_state=0)
    share = np.isnan(drawn[:, 1]).mean()
    expected = chances[5] / chances[3:].sum()
    assert abs(share - expected) < 5.0 * math.sqrt(expected / 1_000)


def test_far_draws_are_as_rare_as_the_tails_say():
    """In single precision the places next to the ends are the ends, where tails are endless: draws stay before them."""
    values = stats.t(2).rvs(2_000, random_state=0)
    schema = Schema((Real(name="x"), Real(name="y")))
    data = Dataset(np.column_stack([values, np.random.default_rng(1).normal(size=2_000)]), schema)
    model = MixedSplineFlow(**SMALL).fit(data)
    drawn = model.space_.inverse(
        np.stack(
            [
                np.zeros((4, 2)),
                np.array([[0.0] * 2, [1.0] * 2, [2.0**-25] * 2, [1.0 - 2.0**-24] * 2]),
                np.zeros((4, 2)),
            ],
            axis=2,
        ),
        np.random.RandomState(0),
    )
    ends = np.abs(drawn[2:, 0]).max()
    assert ends < 0.1 * np.abs(drawn[:2, 0]).max()
    assert np.abs(model.sample(100_000, random_state=0)[:, 0]).max() <= ends


def test_more_columns_than_units_see_each_other():
    """The last column depends on the last but one, and units are few: it is told of it."""
    units, columns = 4, 12
    layout = Layout((2,) * columns, (False,) * columns)
    ones = jnp.ones((layout.total, units))
    member = MaskedStates(
        ones,
        (),
        jnp.linspace(-1.0, 1.0, layout.total)[None] * jnp.ones((units, 1)),
        (jnp.zeros(units),),
        jnp.zeros(layout.total),
        jnp.arange(columns),
        dropout=0.0,
        layout=layout,
    )
    assert member.degree.tolist() == [0, 2, 5, 8]
    # Half of the columns and more are seen by some unit that tells the last.
    seen = [member.rank[place] <= member.degree.max() for place in range(columns)]
    assert sum(map(bool, seen)) == 9


def test_value_on_the_last_edge_lies_at_its_place():
    values = np.random.default_rng(0).standard_t(3, 2_000)
    model = MixedSplineFlow(**SMALL).fit(Dataset(np.column_stack([values, values[::-1]]), Schema.real(["x", "y"])))
    edge = model.space_.cuts[0].edges[-1]
    places = model.space_.cell(0, np.array([edge - 1e-9, edge, edge + 1e-9]))[0][:, 1]
    np.testing.assert_allclose(places, places[0], atol=1e-6)


def test_rare_evidence_is_refused_when_it_is_scored_too(monkeypatch):
    model = MixedSplineFlow(**SMALL).fit(landmass.read("visitors", n=500))
    part = model.conditional({"site_visits": 3})
    part.sample(5, random_state=0)
    monkeypatch.setattr("landmass.estimator.ordered.LEAST_EFFECTIVE", 1e9)
    for ask in (lambda: part.sample(5), lambda: part.log_given):
        with pytest.raises(DataError, match="too rare for this network"):
            ask()
