"""Lines: the places of a column's values tile its line, are found again on the device, and have its likelihood."""

import jax
import numpy as np
import pytest
from scipy import stats

from landmass import Category, Circular, Dataset, Integer, Real, Schema
from landmass.data.lines import MIDDLE, STATE, WIDTH, LineSpace
from tests.data.test_cuts import COLUMNS

COUNTED = ["grid", "few", "many", "nullable"]
MEASURED = ["real", "atom", "positive", "bounded", "circular"]


def fitted(column, values, cells=24):
    schema = Schema((column,))
    return LineSpace.fit(schema, [(values[:, None], np.ones(len(values)))], cells)


@pytest.fixture(params=[*COUNTED, *MEASURED])
def made(request):
    column, values = COLUMNS[request.param]
    return column, values, fitted(column, values)


def on_line(space, codes):
    return codes[:, STATE] == space.lines[0]


@pytest.mark.parametrize("name", COUNTED)
def test_places_of_counted_values_tile_the_line(name):
    column, values = COLUMNS[name]
    space, step = fitted(column, values), getattr(column, "step", 1.0)
    low = 0.0 if name == "many" else np.nanmin(values) - 60.0 * step
    every = np.arange(low, np.nanmax(values) + 20_000.0 * step, step)
    codes, inside = space.cell(0, every)
    assert on_line(space, codes).all()
    np.testing.assert_allclose(np.diff(codes[:, MIDDLE]), (codes[1:, WIDTH] + codes[:-1, WIDTH]) / 2.0, atol=1e-12)
    np.testing.assert_allclose(np.exp(inside), codes[:, WIDTH], atol=1e-12)
    assert codes[:, WIDTH].sum() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("name", MEASURED)
def test_density_of_measured_values_is_how_fast_places_grow(name):
    column, values = COLUMNS[name]
    space = fitted(column, values)
    codes, inside = space.cell(0, values)
    kept = on_line(space, codes)
    assert (codes[:, WIDTH] == 0.0).all()
    near = 1e-7 * np.nanstd(values)
    place = space.cell(0, np.column_stack([values[kept] - near, values[kept] + near]).ravel())[0][:, MIDDLE]
    grown = np.diff(place.reshape(-1, 2), axis=1).ravel() / (2.0 * near)
    # Near an edge or an end the two places lie on both sides of it.
    assert np.quantile(np.abs(grown / np.exp(inside[kept]) - 1.0), 0.95) < 1e-4


def test_values_come_back_from_their_places(made):
    column, values, space = made
    codes, _ = space.forward(values[:, None], np.float64)
    found = space.inverse(codes, np.random.RandomState(0))[:, 0]
    # A day has 24 hours, from 2 to 26.
    expected = 2.0 + np.mod(values - 2.0, 24.0) if isinstance(column, Circular) else values
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)


def test_device_finds_the_middle_and_the_width_of_each_value(made):
    _, values, space = made
    codes, _ = space.cell(0, values[~np.isnan(values)])
    codes = codes[on_line(space, codes)]
    # Anywhere within the value.
    shift = (np.random.default_rng(0).random(len(codes)) - 0.5) * 0.9 * codes[:, WIDTH]
    places = jax.tree.map(lambda each: each[0], space.places())
    middle, width = jax.jit(jax.vmap(places.snap))((codes[:, MIDDLE] + shift).astype(np.float32))
    wide = codes[:, WIDTH] > 1e-5
    near = wide | (codes[:, WIDTH] == 0.0)
    np.testing.assert_allclose(np.asarray(middle)[near], codes[near, MIDDLE], atol=1e-6)
    np.testing.assert_allclose(np.asarray(width)[near], codes[near, WIDTH], rtol=2e-2, atol=1e-9)


def test_training_values_are_spread_evenly():
    """Their places are uniform: the marginal distribution is taken out."""
    values = np.random.default_rng(3).lognormal(size=5_000)
    space = fitted(Real(name="x"), values, 96)
    assert stats.kstest(space.cell(0, values)[0][:, MIDDLE], "uniform").pvalue > 1e-6
    assert stats.kstest(space.cell(0, 1.1 * values)[0][:, MIDDLE], "uniform").pvalue < 1e-6


def test_words_and_empty_cells_are_on_no_line():
    schema = Schema((Category(name="c", levels=("a", "b"), nullable=True), Integer(name="n", nullable=True)))
    X = np.array([[0.0, 4.0], [1.0, np.nan], [np.nan, 7.0], [1.0, 5.0]] * 20)
    space = LineSpace.fit(schema, Dataset(X, schema, incomplete=True).blocks())
    assert space.layout.sizes == (3, 2)
    assert space.lines == (-1, 0)
    codes, _ = space.forward(X[:4])
    assert codes[..., STATE].tolist() == [[0.0, 0.0], [1.0, 1.0], [2.0, 0.0], [1.0, 0.0]]
    assert (codes[:, 0, MIDDLE:] == 0.0).all()
    np.testing.assert_array_equal(space.inverse(codes, np.random.RandomState(0)), X[:4])
