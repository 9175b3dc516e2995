"""Particles: what they say of a known chain of columns."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landmass.core.particles import AbstractChain, follow
from landmass.core.states import FREE, GIVEN, PRESENT, Layout

RNG = np.random.default_rng(0)
SIZES = (3, 2, 4)
FIRST = np.array([0.2, 0.3, 0.5])
SECOND = RNG.dirichlet(np.ones(2), 3)
THIRD = RNG.dirichlet(np.ones(4), (3, 2))
EVERY = np.array(list(itertools.product(*map(range, SIZES))))
JOINT = np.array([FIRST[a] * SECOND[a, b] * THIRD[a, b, c] for a, b, c in EVERY])


class Chain(AbstractChain):
    """Three columns, each given those before it; of the last one a state may stand for a missing cell."""

    rank: jax.Array
    layout: Layout = eqx.field(static=True)

    def begin(self, count):
        return jnp.zeros((count, len(self.layout.sizes)), jnp.int32)

    def see(self, known, column, state):
        return known.at[:, column].set(state)

    def tell(self, known, column):
        places, inside = self.layout.places(column)
        return jnp.where(inside[None], self.log_conditionals(known)[:, places], -jnp.inf), None

    def log_conditionals(self, x):
        a, b = x[:, 0], x[:, 1]
        first = jnp.broadcast_to(jnp.asarray(FIRST, jnp.float32), (len(x), 3))
        second, third = jnp.asarray(SECOND, jnp.float32)[a], jnp.asarray(THIRD, jnp.float32)[a, b]
        return jnp.log(jnp.concatenate([first, second, third], axis=1))


CHAIN = Chain(jnp.arange(3), Layout(SIZES, (False, False, True)))
EVIDENCE = [
    ([0, 0, 0], [FREE, FREE, FREE]),
    ([2, 1, 0], [GIVEN, GIVEN, FREE]),
    ([0, 1, 0], [FREE, GIVEN, FREE]),
    ([0, 0, 2], [FREE, FREE, GIVEN]),
    ([0, 1, 0], [FREE, GIVEN, PRESENT]),
    ([1, 0, 3], [GIVEN, FREE, GIVEN]),
]


@pytest.mark.parametrize(("x", "known"), EVIDENCE)
def test_particles_agree_with_enumeration(x, known):
    """Within five standard errors of a thousand draws: there are sixteen thousand particles."""
    fits = np.ones(len(EVERY), bool)
    for column, (state, what) in enumerate(zip(x, known, strict=True)):
        if what == GIVEN:
            fits &= EVERY[:, column] == state
        if what == PRESENT:
            fits &= EVERY[:, column] != SIZES[column] - 1
    expected = JOINT * fits
    found = follow(CHAIN, jax.random.key(0), jnp.array(x), jnp.array(known), 16_384)
    assert float(found.log_total) == pytest.approx(np.log(expected.sum()), abs=0.05)
    weights = np.asarray(jax.nn.softmax(found.log_weights))
    places = np.ravel_multi_index(np.asarray(found.states).T, SIZES)
    shares = np.bincount(places, weights, len(EVERY))
    expected /= expected.sum()
    assert (np.abs(shares - expected) < 5.0 * np.sqrt(expected / 1_000) + 1e-6).all()
    assert not (np.abs(shares - np.roll(expected, 5)) < 5.0 * np.sqrt(np.roll(expected, 5) / 1_000) + 1e-6).all()


def test_what_is_given_first_is_exact():
    found = follow(CHAIN, jax.random.key(0), jnp.array([2, 1, 0]), jnp.array([GIVEN, GIVEN, FREE]), 64)
    assert float(found.log_total) == pytest.approx(np.log(FIRST[2] * SECOND[2, 1]), abs=1e-5)
    assert float(found.effective) == pytest.approx(64.0, rel=1e-4)


def test_particles_that_hardly_any_evidence_agrees_with_say_so():
    class Copy(Chain):
        def log_conditionals(self, x):
            first = jnp.full((len(x), 1_000), -jnp.log(1_000.0))
            return jnp.concatenate([first, jnp.log(jax.nn.one_hot(x[:, 0], 1_000) + 1e-9)], axis=1)

    copy = Copy(jnp.arange(2), Layout((1_000, 1_000), (False, False)))
    found = follow(copy, jax.random.key(0), jnp.array([0, 7]), jnp.array([FREE, GIVEN]), 4_096)
    assert float(found.effective) < 20.0
    assert float(found.log_total) == pytest.approx(-np.log(1_000.0), abs=1.5)
    assert (np.asarray(found.states)[:, 0] == 7).mean() > 0.99
