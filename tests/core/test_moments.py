"""Moments gathered block by block are NumPy's of all events at once."""

import jax.numpy as jnp
import numpy as np
import pytest

from landmass.core.moments import add_block, no_moments


def moments_of(blocks, weights):
    seen = no_moments(blocks[0].shape[1])
    for block, weight in zip(blocks, weights, strict=True):
        seen = add_block(seen, jnp.asarray(block), jnp.asarray(weight))
    return seen


def events(n):
    return (np.random.default_rng(0).standard_normal((n, 3)) @ np.triu(np.ones((3, 3)))).astype(np.float32)


@pytest.mark.parametrize("sizes", [(60,), (20, 20, 20), (1, 39, 20)])
def test_blocks_give_numpys_mean_and_covariance(sizes):
    X = events(60)
    blocks = np.split(X, np.cumsum(sizes)[:-1])
    seen = moments_of(blocks, [np.ones(len(block), np.float32) for block in blocks])
    assert seen.weight == 60
    np.testing.assert_allclose(seen.mean, X.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(seen.scatter / seen.weight, np.cov(X.T, bias=True), atol=1e-5)


def test_padding_of_weight_zero_changes_nothing():
    X = events(40)
    padded = np.concatenate([X, np.full((20, 3), 1e6, np.float32)])
    weight = np.repeat(np.array([1.0, 0.0], np.float32), [40, 20])
    seen = moments_of([padded], [weight])
    np.testing.assert_allclose(seen.scatter / 40, np.cov(X.T, bias=True), atol=1e-4)


def test_weights_count_as_copies():
    X, copies = events(20), np.random.default_rng(1).integers(1, 5, 20)
    seen = moments_of([X], [copies.astype(np.float32)])
    np.testing.assert_allclose(seen.mean, np.average(X, axis=0, weights=copies), atol=1e-5)
    np.testing.assert_allclose(seen.scatter / seen.weight, np.cov(X.T, bias=True, fweights=copies), atol=1e-5)


def test_distant_mean_costs_no_digits():
    # The textbook formula, mean of squares minus square of mean, loses all of float32's digits here.
    X = events(60) + 1e4
    seen = moments_of(np.split(X, 3), [np.ones(20, np.float32)] * 3)
    np.testing.assert_allclose(seen.scatter / 60, np.cov(X.T.astype(np.float64), bias=True), rtol=2e-3, atol=2e-3)
    naive = (X**2).mean(axis=0) - X.mean(axis=0) ** 2
    assert np.abs(naive / X.astype(np.float64).var(axis=0) - 1).max() > 1
