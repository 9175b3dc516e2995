"""The spline: held against a slow float64 implementation of the paper, against autodiff, and pushed to extremes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from landmass.core.spline import Spline, spline_from_parameters

COMPILES = True

BINS = 8
POINTS = 64

evaluate = jax.jit(jax.vmap(Spline.__call__, in_axes=(None, 0)))
invert = jax.jit(jax.vmap(Spline.inverse, in_axes=(None, 0)))
slopes = jax.jit(jax.vmap(jax.grad(lambda spline, x: spline(x)[0], argnums=1), in_axes=(None, 0)))
inverse_slopes = jax.jit(jax.vmap(jax.grad(lambda spline, y: spline.inverse(y)[0], argnums=1), in_axes=(None, 0)))


@jax.jit
def make(raw, low, high, unit_ends, periodic):
    return spline_from_parameters(raw, low, high, unit_ends=unit_ends, periodic=periodic)


def spline_of(raw, low=-5.0, high=5.0, unit_ends=True, periodic=False):
    number = jnp.zeros(()).dtype
    ends = jnp.asarray(low, number), jnp.asarray(high, number)
    return make(jnp.asarray(raw, number), *ends, jnp.asarray(unit_ends), jnp.asarray(periodic))


def random_raw(seed, size=1.0):
    return size * np.random.default_rng(seed).standard_normal(3 * BINS + 1)


def durkan(spline, x):
    """Value and log-derivative at x: equations 4 and 5 of Durkan et al. 2019, one point at a time, in float64."""
    xs, ys, ds = (np.asarray(part, np.float64) for part in (spline.x, spline.y, spline.slope))
    if x < xs[0]:
        return ys[0] + ds[0] * (x - xs[0]), np.log(ds[0])
    if x >= xs[-1]:
        return ys[-1] + ds[-1] * (x - xs[-1]), np.log(ds[-1])
    k = max(i for i in range(BINS) if xs[i] <= x)
    s = (ys[k + 1] - ys[k]) / (xs[k + 1] - xs[k])
    xi = (x - xs[k]) / (xs[k + 1] - xs[k])
    below = s + (ds[k + 1] + ds[k] - 2 * s) * xi * (1 - xi)
    y = ys[k] + (ys[k + 1] - ys[k]) * (s * xi**2 + ds[k] * xi * (1 - xi)) / below
    slope = s**2 * (ds[k + 1] * xi**2 + 2 * s * xi * (1 - xi) + ds[k] * (1 - xi) ** 2) / below**2
    return y, np.log(slope)


def knots_and_between(spline):
    """All knots, points between them, and points in both tails."""
    knots = np.asarray(spline.x, np.float64)
    rest = np.linspace(knots[0] - 7.0, knots[-1] + 7.0, POINTS - len(knots))
    return np.concatenate([knots, rest])


@pytest.mark.parametrize("seed", range(5))
def test_values_and_slopes_are_those_of_durkan_et_al(seed):
    with jax.enable_x64(True):
        spline = spline_of(random_raw(seed))
        x = knots_and_between(spline)
        y, log_slope = evaluate(spline, jnp.asarray(x))
        expected = np.array([durkan(spline, one) for one in x])
    np.testing.assert_allclose(y, expected[:, 0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(log_slope, expected[:, 1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_inverse_is_the_root_that_scipy_finds(seed):
    with jax.enable_x64(True):
        spline = spline_of(random_raw(seed))
        y = np.linspace(-9.0, 9.0, POINTS)
        x, log_slope = invert(spline, jnp.asarray(y))
        roots = [brentq(lambda x, y=one: durkan(spline, x)[0] - y, -20, 20, xtol=1e-14) for one in y]
        expected = [-durkan(spline, root)[1] for root in roots]
    np.testing.assert_allclose(x, roots, atol=1e-11)
    np.testing.assert_allclose(log_slope, expected, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_float32_agrees_with_float64(seed):
    spline = spline_of(random_raw(seed))
    x = knots_and_between(spline).astype(np.float32)
    expected = np.array([durkan(spline, float(one)) for one in x])
    y, log_slope = evaluate(spline, jnp.asarray(x))
    np.testing.assert_allclose(y, expected[:, 0], rtol=2e-6, atol=5e-6)
    np.testing.assert_allclose(log_slope, expected[:, 1], atol=5e-5)


@pytest.mark.parametrize("seed", range(5))
def test_log_slope_is_the_log_of_autodiffs_slope(seed):
    with jax.enable_x64(True):
        spline = spline_of(random_raw(seed, 2.0))
        x = jnp.asarray(knots_and_between(spline))
        np.testing.assert_allclose(evaluate(spline, x)[1], np.log(slopes(spline, x)), atol=1e-9)
        y = evaluate(spline, x)[0]
        np.testing.assert_allclose(invert(spline, y)[1], np.log(inverse_slopes(spline, y)), atol=1e-7)


def test_a_wrong_log_slope_is_found_out():
    with jax.enable_x64(True):
        spline = spline_of(random_raw(0, 2.0))
        x = jnp.asarray(knots_and_between(spline))
        assert np.abs(1.001 * evaluate(spline, x)[1] - np.log(slopes(spline, x))).max() > 1e-9


@pytest.mark.parametrize("unit_ends, periodic", [(True, False), (False, False), (False, True)])
def test_all_zeros_give_the_identity(unit_ends, periodic):
    spline = spline_of(np.zeros(3 * BINS + 1), 0.0, 1.0, unit_ends, periodic)
    x = np.linspace(-0.5, 1.5, POINTS).astype(np.float32)
    y, log_slope = evaluate(spline, jnp.asarray(x))
    np.testing.assert_allclose(y, x, atol=1e-6)
    np.testing.assert_allclose(log_slope, 0.0, atol=1e-6)


def test_interval_is_mapped_onto_itself():
    spline = spline_of(random_raw(1, 3.0), 0.0, 1.0, unit_ends=False)
    assert (spline.x[0], spline.y[0], spline.x[-1], spline.y[-1]) == (0.0, 0.0, 1.0, 1.0)


def test_unit_ends_continue_as_the_identity():
    spline = spline_of(random_raw(2, 3.0))
    x = np.concatenate([np.linspace(-1e4, -5.0, POINTS // 2), np.linspace(5.0, 1e4, POINTS // 2)]).astype(np.float32)
    y, log_slope = evaluate(spline, jnp.asarray(x))
    np.testing.assert_allclose(y, x, rtol=1e-6)
    np.testing.assert_allclose(log_slope, 0.0, atol=1e-6)


def test_periodic_spline_has_one_slope_at_both_ends():
    spline = spline_of(random_raw(3, 3.0), 0.0, 1.0, unit_ends=False, periodic=True)
    assert spline.slope[0] == spline.slope[-1] != spline.slope[1]


raws = st.lists(st.floats(-100, 100, width=32), min_size=3 * BINS + 1, max_size=3 * BINS + 1)
places = st.lists(st.floats(-1e6, 1e6, width=32), min_size=POINTS - BINS - 1, max_size=POINTS - BINS - 1)


@given(raws, places, st.booleans(), st.booleans())
def test_values_and_gradients_are_finite_with_extreme_parameters_everywhere(raw, far, unit_ends, periodic):
    spline = spline_of(raw, -5.0, 5.0, unit_ends, periodic)
    for points, f in ((spline.x, Spline.__call__), (spline.y, Spline.inverse)):
        at = jnp.concatenate([points, jnp.asarray(far, jnp.float32)])
        value, log_slope, gradients = everything(f)(jnp.asarray(raw, jnp.float32), at, unit_ends, periodic)
        assert np.isfinite(value).all()
        assert np.isfinite(log_slope).all()
        assert all(np.isfinite(gradient).all() for gradient in gradients)


GRADIENTS = {}


def everything(f):
    """Value, log-slope, and the gradients of both with respect to the parameters and the point."""
    if f not in GRADIENTS:

        def one(raw, x, unit_ends, periodic):
            spline = spline_from_parameters(
                raw, jnp.float32(-5.0), jnp.float32(5.0), unit_ends=unit_ends, periodic=periodic
            )
            return f(spline, x)

        def with_gradients(raw, x, unit_ends, periodic):
            value, pull = jax.vjp(lambda r, x: one(r, x, unit_ends, periodic), raw, x)
            one_, zero = jnp.ones(()), jnp.zeros(())
            return *value, (*pull((one_, zero)), *pull((zero, one_)))

        mapped = jax.jit(jax.vmap(with_gradients, in_axes=(None, 0, None, None)))
        GRADIENTS[f] = lambda raw, x, u, p: mapped(raw, x, jnp.asarray(u), jnp.asarray(p))
    return GRADIENTS[f]


@given(raws)
def test_map_never_falls(raw):
    spline = spline_of(raw)
    for f in (evaluate, invert):
        values = np.asarray(f(spline, jnp.linspace(-6.0, 6.0, POINTS))[0])
        assert (np.diff(values) >= -2e-6).all()


@given(st.lists(st.floats(-4, 4, width=32), min_size=3 * BINS + 1, max_size=3 * BINS + 1))
def test_there_and_back_is_where_one_was(raw):
    with jax.enable_x64(True):
        spline = spline_of(raw)
        x = jnp.linspace(-8.0, 8.0, POINTS)
        y, log_slope = evaluate(spline, x)
        back, minus = invert(spline, y)
        np.testing.assert_allclose(back, x, atol=1e-8)
        np.testing.assert_allclose(minus, -log_slope, atol=1e-6)


def test_inverse_error_in_float32_is_that_of_the_rounded_value():
    # A value rounded to float32 moves the point by half a unit in the last place of y, divided by the slope.
    for seed in range(5):
        spline = spline_of(random_raw(seed))
        x = jnp.linspace(-8.0, 8.0, POINTS)
        y, log_slope = evaluate(spline, x)
        error = np.abs(np.asarray(invert(spline, y)[0] - x))
        assert (error <= 2e-6 + 2e-6 / np.minimum(np.exp(log_slope), 1.0)).all()


def between(spline, low, high):
    """What the spline grows by from one place to another, by the paper, in float64."""
    return np.array([durkan(spline, b)[0] - durkan(spline, a)[0] for a, b in zip(low, high, strict=True)])


mean_slopes = jax.jit(jax.vmap(Spline.mean_slope, in_axes=(None, 0, 0)))


@pytest.mark.parametrize("seed", range(3))
def test_mean_slope_is_the_growth_over_the_width(seed):
    spline = spline_of(random_raw(seed, 1.5), 0.0, 1.0, unit_ends=False)
    rng = np.random.default_rng(seed)
    middle, width = rng.uniform(0.3, 0.7, POINTS), rng.choice([0.5, 0.05, 0.01], POINTS)
    found = np.asarray(mean_slopes(spline, jnp.asarray(middle, jnp.float32), jnp.asarray(width, jnp.float32)))
    np.testing.assert_allclose(found, between(spline, middle - width / 2, middle + width / 2) / width, rtol=1e-3)


def test_mean_slope_of_no_width_is_the_slope():
    spline = spline_of(random_raw(4), 0.0, 1.0, unit_ends=False)
    x = jnp.linspace(0.001, 0.999, POINTS)
    np.testing.assert_allclose(mean_slopes(spline, x, jnp.zeros(POINTS)), np.exp(evaluate(spline, x)[1]), rtol=1e-4)
    # At a knot too, which two bins share.
    knots = spline.x[1:-1]
    np.testing.assert_allclose(mean_slopes(spline, knots, jnp.zeros(len(knots))), spline.slope[1:-1], rtol=1e-4)


@pytest.mark.parametrize("values", [7, 1_000, 300_000])
def test_growth_over_all_values_sums_to_one(values):
    """However many share the line: differences of the spline's values would lose the small ones to rounding."""
    spline = spline_of(random_raw(5, 2.0), 0.0, 1.0, unit_ends=False)
    middle, width = (np.arange(values) + 0.5) / values, np.full(values, 1.0 / values)
    found = mean_slopes(spline, jnp.asarray(middle, jnp.float32), jnp.asarray(width, jnp.float32))
    assert (np.asarray(found, np.float64) * width).sum() == pytest.approx(1.0, abs=2e-6)
    assert np.asarray(found).min() > 0.0
