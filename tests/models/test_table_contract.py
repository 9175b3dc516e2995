"""What every density of tables must do: count to one, draw what it says, come back as it was, refuse what it cannot."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import landmass
from landmass import DataError, Dataset, Real, Schema
from landmass.catalog import OF_TABLES
from tests.models.table_cases import (
    COUNTED,
    FALSE_ALARM,
    MAKERS,
    MEASURED,
    UNBOUNDED,
    chi_square,
    counted,
    every,
    fresh,
    line,
    measured,
)

COMPILES = True

RNG = np.random.default_rng(0)


@pytest.fixture(params=OF_TABLES)
def family(request):
    return request.param


def test_probabilities_of_all_rows_sum_to_one(fitted_table, family):
    assert np.exp(fitted_table(family, "counted").score_samples(every())).sum() == pytest.approx(1.0, abs=1e-5)


def test_probabilities_and_integrals_sum_to_one(fitted_table, family):
    model = fitted_table(family, "measured")
    breaks = model.breakpoints()
    # Splines bend within cells.
    parts = 6 if family == "mixed_spline_flow" else 1
    loss, by_loss = line(breaks[0], -math.inf, math.inf, parts)
    loss, by_loss = np.concatenate([loss, [0.0, np.nan]]), np.concatenate([by_loss, [1.0, 1.0]])
    # Integration places on an atom would have its mass; there are none.
    assert (loss[:-2] != 0.0).all()
    share, by_share = line(breaks[2], 0.0, 2.0, parts)
    X = np.stack(np.meshgrid(loss, [0.0, 1.0], share, indexing="ij"), -1).reshape(-1, 3)
    weight = (by_loss[:, None, None] * np.ones((1, 2, 1)) * by_share).ravel()
    scores = model.score_samples(Dataset(X, MEASURED, incomplete=True))
    assert np.exp(scores) @ weight == pytest.approx(1.0, abs=1e-5)


def test_probabilities_of_unbounded_counts_sum_to_one(fitted_table, family):
    model = fitted_table(family, "unbounded")
    visits, day = np.arange(-400.0, 700.0), np.append(np.arange(17_000.0, 26_000.0, 1.0), np.nan)
    # Days and visits one after the other: a table of both would have ten million rows.
    for late in (0.0, 1.0):
        if family in ("autoregressive", "mixed_spline_flow", "stack"):
            pytest.skip("its marginals are not known exactly")
        part = model.marginal(["visits", "late"])
        rows = Dataset(np.column_stack([visits, np.full(len(visits), late)]), Schema(UNBOUNDED.columns[::2]))
        given = model.conditional({"late": bool(late), "visits": 7})
        days = Dataset(day[:, None], Schema(UNBOUNDED.columns[1:2]), incomplete=True)
        assert np.exp(given.score_samples(days)).sum() == pytest.approx(1.0, abs=1e-5)
        chance = model.marginal(["late"]).score_samples(Dataset(np.array([[late]]), Schema(UNBOUNDED.columns[2:])))
        assert np.exp(part.score_samples(rows)).sum() == pytest.approx(np.exp(chance[0]), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["autoregressive", "mixed_spline_flow", "stack"])
def test_probabilities_of_twenty_million_rows_of_unbounded_counts_sum_to_one(fitted_table, family):
    model, total = fitted_table(family, "unbounded"), 0.0
    day, late = np.append(np.arange(17_000.0, 26_000.0), np.nan), [0.0, 1.0]
    for visits in np.arange(-400.0, 700.0).reshape(-1, 20):
        X = np.stack(np.meshgrid(visits, day, late, indexing="ij"), -1).reshape(-1, 3)
        total += np.exp(model.score_samples(Dataset(X, UNBOUNDED, incomplete=True))).sum()
    assert total == pytest.approx(1.0, abs=1e-5)


def test_draws_come_as_often_as_they_are_likely(fitted_table, family):
    model, rows = fitted_table(family, "counted"), every()
    drawn = model._draw(20_000, np.random.RandomState(0))
    assert chi_square(rows.X, np.exp(model.score_samples(rows)), drawn) > FALSE_ALARM
    drawn[:, 2] = np.minimum(drawn[:, 2] + (RNG.random(len(drawn)) < 0.2), 3)
    assert chi_square(rows.X, np.exp(model.score_samples(rows)), drawn) < FALSE_ALARM


def test_draws_lie_where_they_may(fitted_table, family):
    for name, make in list(MAKERS.items())[1:]:
        drawn = fitted_table(family, name).sample(2_000, random_state=1)
        assert np.isfinite(
            fitted_table(family, name).score_samples(Dataset(drawn, make(20).schema, incomplete=True))
        ).all()


def test_saved_density_comes_back_to_the_bit(fitted_table, family, tmp_path):
    for name, make in MAKERS.items():
        model = fitted_table(family, name)
        model.save(tmp_path / name)
        read = landmass.load(tmp_path / name)
        np.testing.assert_array_equal(read.score_samples(make(50, seed=1)), model.score_samples(make(50, seed=1)))
        # A file does not remember the container.
        assert read.sample(5, random_state=3).column_names == make(20).schema.names


def test_independent_columns_are_beaten_where_columns_depend_on_each_other(fitted_table, family):
    if family == "independent":
        pytest.skip("it is the one to beat")
    held_out = measured(2_000, seed=5)
    gain = fitted_table(family, "measured").score_samples(held_out) - fitted_table(
        "independent", "measured"
    ).score_samples(held_out)
    assert gain.mean() > 5.0 * gain.std() / math.sqrt(len(gain))


def test_same_seed_same_fit(fitted_table, family):
    again = fresh(family).fit(measured(500))
    np.testing.assert_array_equal(
        again.score_samples(measured(100, 1)), fitted_table(family, "measured").score_samples(measured(100, 1))
    )


def test_change_of_units_shifts_a_refit_by_the_constant(fitted_table, family):
    """Of `n` measured cells the density falls by n · log(scale); counted cells keep theirs."""

    def rescaled(data):
        X = data.X * [scale, 1.0, scale]
        columns = (
            Real(name="loss", atoms=(0.0,), nullable=True),
            MEASURED.columns[1],
            landmass.Bounded(name="share", low=0.0, high=2.0 * scale),
        )
        return Dataset(X, Schema(columns), incomplete=True)

    scale, held_out = 24.0, measured(300, seed=3)
    before = fitted_table(family, "measured").score_samples(held_out)
    after = fresh(family).fit(rescaled(measured(500))).score_samples(rescaled(held_out))
    lengths = 1 + (np.nan_to_num(held_out.X[:, 0]) != 0.0)
    np.testing.assert_allclose(after + lengths * math.log(scale), before, atol=2e-4)


def test_rounded_values_cannot_be_used_for_spikes(family):
    """However fine the cells, no row of counted columns is likelier than certain."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"price": rng.normal(5.0, 1.0, 600).round(1), "half": rng.choice([0.5, 1.0, 7.0], 600)})
    if family == "stack":
        pytest.skip("its parts are asked")
    assert fresh(family).set_params(cells=1000).fit(table).score_samples(table).max() <= 0.0


def test_repeated_values_of_a_continuous_column_have_a_probability_of_their_own(family):
    rng = np.random.default_rng(0)
    capped = np.minimum(rng.lognormal(0.0, 1.0, 800), 2.0)
    data = landmass.read(pd.DataFrame({"x": capped, "y": rng.normal(size=800)}), find=True)
    assert data.schema.columns[0].atoms == (2.0,)
    held_out = pd.DataFrame({"x": [2.0, 1.999], "y": [0.0, 0.0]})
    at_cap, below = fresh(family).fit(data).score_samples(held_out)
    # A probability of about a quarter, times a density of y.
    assert math.log(0.15) < at_cap - stats.norm.logpdf(0.0) < math.log(0.4)
    assert below != at_cap


def test_columns_are_found_by_name_in_any_order(fitted_table, family):
    model = fitted_table(family, "counted")
    table = pd.DataFrame(
        {"price": [0.5, None], "city": [None, "Rome"], "more": [1, 2], "rooms": [1, 2], "member": [True, False]}
    )
    expected = model.score_samples(
        Dataset(np.array([[1.0, np.nan, 1.0, 0.5], [0.0, 2.0, 2.0, np.nan]]), COUNTED, incomplete=True)
    )
    np.testing.assert_array_equal(model.score_samples(table), expected)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"city": "Paris"}, "column 'city' holds 'Paris' .row 1, counted from 0; 1 such cells., which is not among"),
        ({"rooms": 1.5}, "column 'rooms' holds 1.5 .row 1, counted from 0., which is not a multiple of 1"),
        ({"member": None}, "column 'member' has an empty cell .row 1"),
        ({"rooms": "two"}, "column 'rooms' is of numbers, and here it holds words"),
    ],
)
def test_cells_that_cannot_be_are_named(fitted_table, family, change, told):
    rows = [{"member": True, "city": "Bonn", "rooms": 1, "price": 0.5}] * 2
    with pytest.raises(DataError, match=told):
        fitted_table(family, "counted").score_samples(pd.DataFrame([rows[0], {**rows[1], **change}]))


def test_missing_columns_are_named(fitted_table, family):
    with pytest.raises(DataError, match="the columns 'rooms' are missing"):
        fitted_table(family, "counted").score_samples(
            pd.DataFrame({"member": [True], "city": ["Bonn"], "price": [0.5]})
        )


def test_rows_outside_of_the_bounds_have_density_zero(fitted_table, family):
    outside = Dataset(np.array([[1.0, 0.0, 9.0, 0.5], [1.0, 0.0, 1.0, 0.5]]), COUNTED)
    scores = fitted_table(family, "counted").score_samples(outside)
    assert np.isneginf(scores).tolist() == [True, False]


def test_families_of_numbers_say_that_a_table_is_not_for_them():
    with pytest.raises(DataError, match="column 'member' of counted is boolean; fit a family of tables"):
        landmass.Gaussian().fit(counted(50))
