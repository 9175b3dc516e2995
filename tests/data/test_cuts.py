"""The states of one column: what lies within each counts to one, and draws come back to their state."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, stats

from landmass import Bounded, Category, Circular, Grid, Integer, Positive, Real
from landmass.data.cuts import Tail, cut

RNG = np.random.default_rng(0)
N = 2_000
COLUMNS = {
    "real": (Real(name="x"), RNG.standard_t(3, N)),
    "atom": (Real(name="x", atoms=(0.0, 2.0)), np.where(RNG.random(N) < 0.3, 0.0, RNG.normal(size=N))),
    "positive": (Positive(name="x"), RNG.lognormal(size=N)),
    "bounded": (Bounded(name="x", low=-1.0, high=3.0), -1.0 + 4.0 * RNG.beta(2.0, 0.5, N)),
    "circular": (Circular(name="x", low=2.0, high=26.0), RNG.normal(20.0, 9.0, N)),
    "grid": (Grid(name="x", step=0.25), (RNG.gamma(3.0, 20.0, N)).round() / 4.0),
    "few": (Integer(name="x"), RNG.choice([1, 2, 7, 40], N).astype(float)),
    "many": (Integer(name="x", least=0), RNG.negative_binomial(2, 0.01, N).astype(float)),
    "nullable": (Integer(name="x", nullable=True), np.where(RNG.random(N) < 0.2, np.nan, RNG.poisson(5.0, N))),
}


@pytest.fixture(params=COLUMNS)
def made(request):
    column, values = COLUMNS[request.param]
    return column, values, cut(column, values, 24)


def test_every_training_value_has_a_state_and_a_chance_within_it(made):
    _, values, states = made
    codes, inside = states.forward(values)
    assert codes.min() >= 0
    assert codes.max() < states.states
    assert np.isfinite(inside).all()


def test_draws_of_a_state_come_back_to_it(made):
    column, _, states = made
    codes = np.repeat(np.arange(states.states, dtype=np.int32), 300)
    drawn = states.inverse(codes, np.random.RandomState(0))
    again, inside = states.forward(drawn)
    np.testing.assert_array_equal(again, codes)
    assert np.isfinite(inside).all()
    known = drawn[~np.isnan(drawn)]
    assert known.min() >= column.low
    assert known.max() <= column.high


def test_chances_within_each_state_sum_to_one(made):
    _, values, states = made
    step = states.step
    if step:
        # Far into the tails.
        whole = np.arange(np.nanmin(values) / step - 30_000, np.nanmax(values) / step + 30_000) * step
        codes, inside = states.forward(whole)
        mass = np.bincount(codes, np.exp(inside), states.states)
    else:
        mass = np.zeros(states.states)
        span = np.ptp(values)
        ends = [
            *([min(states.edges) - span * r for r in np.geomspace(1e4, 1e-3, 60)] if states.low else []),
            *states.edges,
            *([max(states.edges) + span * r for r in np.geomspace(1e-3, 1e4, 60)] if states.high else []),
        ]
        for low, high in itertools.pairwise(ends):
            middle = low + (high - low) * 0.43210987
            code = states.forward(np.array([middle]))[0][0]
            mass[code] += integrate.fixed_quad(lambda x: np.exp(states.forward(x)[1]), low, high, n=9)[0]
        mass[: len(states.points)] = 1.0
    if states.nullable:
        mass[-1] = 1.0
    np.testing.assert_allclose(mass, 1.0, atol=2e-4)


def test_values_outside_of_the_sample_space_cannot_be():
    for name, wrong in {"positive": 0.0, "bounded": 3.1, "grid": 0.1, "few": 1.5, "many": -1.0, "real": np.nan}.items():
        column, values = COLUMNS[name]
        assert np.isneginf(cut(column, values, 24).forward(np.array([wrong]))[1]).all(), name


def test_an_hour_is_the_same_a_day_later():
    column, values = COLUMNS["circular"]
    states = cut(column, values, 24)
    for first, second in zip(states.forward(values), states.forward(values + 24.0), strict=True):
        np.testing.assert_array_equal(first, second)


def test_few_values_have_states_of_their_own_and_the_others_share_the_gaps():
    column, values = COLUMNS["few"]
    states = cut(column, values, 24)
    codes, inside = states.forward(np.array([1.0, 2.0, 3.0, 6.0, 7.0, 40.0]))
    assert len(set(codes[[0, 1, 2, 4, 5]])) == 5
    assert codes[2] == codes[3]
    np.testing.assert_allclose(np.exp(inside), [1.0, 1.0, 0.25, 0.25, 1.0, 1.0])


def test_cells_of_a_continuous_column_hold_about_as_many_values_each():
    column, values = COLUMNS["real"]
    counts = np.bincount(cut(column, values, 24).forward(values)[0])
    assert len(counts) == 24
    assert counts.max() < 2 * counts.min()


def test_rarest_levels_share_a_state():
    column = Category(name="x", levels=tuple(f"w{i}" for i in range(1_000)))
    values = np.minimum(RNG.zipf(1.5, 5_000), 1_000) - 1.0
    states = cut(column, values, 24)
    assert states.states == 256
    codes, inside = states.forward(np.arange(1_000.0))
    np.testing.assert_allclose(np.bincount(codes, np.exp(inside)), 1.0)


@pytest.mark.parametrize("shape", [0.0, 0.3])
def test_tails_are_generalised_pareto(shape):
    tail, excess = Tail(2.0, shape), np.geomspace(1e-3, 1e3, 50)
    known = stats.genpareto(shape, scale=2.0)
    np.testing.assert_allclose(tail.log_survival(excess), known.logsf(excess), rtol=1e-12)
    np.testing.assert_allclose(tail.log_density(excess), known.logpdf(excess), rtol=1e-12)
    np.testing.assert_allclose(tail.quantile(np.array([0.1, 0.9])), known.ppf([0.1, 0.9]), rtol=1e-12)
    steps = np.arange(40.0)
    np.testing.assert_allclose(np.exp(tail.log_mass(steps)), known.sf(steps) - known.sf(steps + 1.0), rtol=1e-8)


def test_tails_fit_moments():
    excess = stats.genpareto(0.2, scale=3.0).rvs(200_000, random_state=0)
    found = Tail.fit(excess, np.ones(len(excess)), 1.0)
    assert found.shape == pytest.approx(0.2, abs=0.03)
    assert found.scale == pytest.approx(3.0, rel=0.03)
    assert Tail.fit(np.empty(0), np.empty(0), 7.0) == Tail(7.0, 0.0)
    assert math.isclose(Tail.fit(np.array([2.0]), np.array([5.0]), 1.0).scale, 2.0)
