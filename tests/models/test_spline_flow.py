"""Spline flow: its log-density is the slope of its own map, and it learns what a Gaussian cannot."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from landmass import FitError, Gaussian, SplineFlow, read
from tests.models.cases import data

COMPILES = True


def members(model):
    """Each member's density, one by one."""
    flows, rest = eqx.partition(model.model_.components, eqx.is_array)
    return [eqx.combine(jax.tree.map(lambda leaf, i=i: leaf[i], flows), rest) for i in range(model.members)]


def test_log_density_is_the_mean_of_the_members_densities(fitted):
    model, X = fitted("spline_flow", "plane"), data("plane").X[:32]
    Z, log_det = model.space_.forward(X)
    each = [jax.jit(jax.vmap(flow.log_prob))(jnp.asarray(Z)) for flow in members(model)]
    np.testing.assert_allclose(model.score_samples(X), logsumexp(each, axis=0) - np.log(2) + log_det, atol=1e-4)


def slopes(flow, Z):
    """A member's log-densities, those that autodiff finds by the slopes of its map, and the way there and back."""

    @eqx.filter_jit
    @functools.partial(jax.vmap, in_axes=(None, 0))
    def all_three(flow, z):
        density = flow._transformed()
        u, _ = density.bijection.inverse(z)
        matrix = jax.jacfwd(lambda z: density.bijection.inverse(z)[0])(z)
        by_autodiff = density.base.log_prob(u) + jnp.linalg.slogdet(matrix)[1]
        return flow.log_prob(z), by_autodiff, density.bijection.forward(u)[0]

    return [np.asarray(each) for each in all_three(flow, Z)]


def tails(model, name):
    """Training events, and some far out in the columns that have no bounds."""
    Z, line = model.space_.forward(data(name).X[:32])[0], model.space_.on_line
    far = np.where(line, Z[:8] * np.array([4.0, 8.0, 12.0, 20.0, -4.0, -8.0, -12.0, -20.0])[:, None], Z[:8])
    return np.concatenate([Z, far])


@pytest.mark.parametrize("name", ["plane", "mixed"])
def test_trained_flow_is_the_slope_of_its_own_map_in_float64(fitted, name):
    flow, Z = members(fitted("spline_flow", name))[1], tails(fitted("spline_flow", name), name)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float64) if eqx.is_inexact_array(leaf) else leaf, flow)
        told, by_autodiff, back = slopes(wide, jnp.asarray(Z, jnp.float64))
    np.testing.assert_allclose(told, by_autodiff, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(back, Z, rtol=1e-8, atol=1e-8)
    narrow, _, back = slopes(flow, jnp.asarray(Z))
    np.testing.assert_allclose(narrow, told, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(back, Z, rtol=1e-5, atol=1e-3)


def test_flow_beats_the_gaussian_on_moons():
    moons, held_out = read("moons", n=500), read("moons", n=2000, seed=1).X
    flow = SplineFlow(max_steps=150, members=2, hidden=16, n_bins=8, random_state=0).fit(moons)
    assert flow.score(held_out) > Gaussian().fit(moons).score(held_out) + 0.3


def test_training_is_told_step_by_step(fitted):
    history = fitted("spline_flow", "plane").history_
    steps = [record.step for record in history]
    assert steps == sorted(steps)
    assert 0 < steps[-1] <= 150
    assert all(np.isfinite([record.loss, record.score]).all() for record in history)


def test_seed_decides_the_networks(fitted):
    other = SplineFlow(max_steps=150, members=2, hidden=16, n_bins=8, random_state=1).fit(data("plane"))
    X = data("plane").X
    assert not np.array_equal(other.score_samples(X), fitted("spline_flow", "plane").score_samples(X))


def test_wild_learning_rate_ends_in_a_density_or_in_an_error_that_keeps_one():
    model = SplineFlow(max_steps=150, members=2, hidden=16, n_bins=8, learning_rate=1e9, random_state=0)
    try:
        model.fit(data("plane"))
    except FitError as error:
        assert "learning rate" in str(error)
    assert np.isfinite(model.score_samples(data("plane"))).all()


def test_density_is_the_same_at_both_ends_of_a_circle(fitted):
    X = np.repeat(data("mixed").X[:4], 2, axis=0)
    X[:, 3] = [0.0, 24.0] * 4
    scores = fitted("spline_flow", "mixed").score_samples(X)
    np.testing.assert_allclose(scores[::2], scores[1::2], atol=1e-5)
    X[1::2, 3] = 24.0 - 1e-5
    scores = fitted("spline_flow", "mixed").score_samples(X)
    np.testing.assert_allclose(scores[::2], scores[1::2], atol=1e-3)
