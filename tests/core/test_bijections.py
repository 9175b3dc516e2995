"""Bijections: there and back again, with the log-determinant that autodiff finds."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landmass.core.bijections import Affine, Chain, ElementwiseSpline, MaskedAutoregressive, Permutation
from landmass.core.spline import spline_from_parameters
from landmass.nn.masked import MaskedNetwork

COLUMNS = 3
BINS = 3
ORDER = (2, 0, 1)


def splines(raw):
    """One spline a column, from -5 to 5."""
    ends = jnp.full(COLUMNS, 5.0)
    yes = jnp.ones(COLUMNS, bool)
    make = jax.vmap(lambda r, a, b, u, p: spline_from_parameters(r, a, b, unit_ends=u, periodic=p))
    return ElementwiseSpline(make(raw, -ends, ends, yes, ~yes))


class AffineConditioner(eqx.Module):
    """Offsets and scales by a linear map of the columns that stand earlier in an order."""

    shift: jax.Array
    log_scale: jax.Array
    order: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x, context=None):
        place = np.argsort(self.order)
        earlier = jnp.asarray(place[None, :] < place[:, None], x.dtype)
        return Affine((self.shift * earlier) @ x, jnp.exp((self.log_scale * earlier) @ x))


class SplineConditioner(eqx.Module):
    """Splines by a masked network."""

    network: MaskedNetwork

    def __call__(self, x, context=None):
        return splines(self.network(jnp.tanh(x)[:, None]))


def a_network():
    network = MaskedNetwork(COLUMNS, 1, 3 * BINS + 1, 6, 1, jax.random.key(0))
    return jax.tree.map(lambda leaf: 3.0 * leaf if eqx.is_array(leaf) else leaf, network)


def spline_autoregressive():
    return MaskedAutoregressive(SplineConditioner(a_network()))


def numbers(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


BIJECTIONS = {
    "affine": lambda: Affine(numbers(0, COLUMNS), jnp.array([0.5, -2.0, 3.0])),
    "permutation": lambda: Permutation(jnp.array(ORDER)),
    "splines": lambda: splines(numbers(1, COLUMNS, 3 * BINS + 1)),
    "affine autoregressive": lambda: MaskedAutoregressive(
        AffineConditioner(numbers(2, COLUMNS, COLUMNS), 0.3 * numbers(3, COLUMNS, COLUMNS), ORDER)
    ),
    "chain": lambda: Chain(
        (
            spline_autoregressive(),
            Permutation(jnp.array(ORDER)),
            Affine(numbers(0, COLUMNS), jnp.array([0.5, -2.0, 3.0])),
            splines(numbers(1, COLUMNS, 3 * BINS + 1)),
        )
    ),
    "empty chain": lambda: Chain(()),
}
EVENTS = np.concatenate([2.0 * np.random.default_rng(4).standard_normal((12, COLUMNS)), [[40.0, -40.0, 7.0]]])


@pytest.fixture(scope="module", params=BIJECTIONS)
def mapped(request, mapped_by_name):
    return mapped_by_name(request.param)


@pytest.fixture(scope="module")
def mapped_by_name():
    return functools.cache(in_float64)


def in_float64(name):
    """Both directions at some events, and the log-determinants that autodiff gives for them; in float64."""
    narrow = BIJECTIONS[name]()
    with jax.enable_x64(True):
        bijection = jax.tree.map(lambda leaf: leaf.astype(jnp.float64) if eqx.is_inexact_array(leaf) else leaf, narrow)
        events = jnp.asarray(EVENTS)

        @eqx.filter_jit
        def both(bijection, events):
            def one(event):
                x, forward = bijection.forward(event)
                z, inverse = bijection.inverse(event)
                by_autodiff = [
                    jnp.linalg.slogdet(jax.jacfwd(lambda e, f=f: f(e)[0])(event))[1]
                    for f in (bijection.forward, bijection.inverse)
                ]
                round_trips = bijection.inverse(x)[0], bijection.forward(z)[0]
                return (forward, inverse), by_autodiff, round_trips

            return jax.vmap(one)(events)

        return jax.tree.map(np.asarray, both(bijection, events))


def test_log_determinants_are_autodiffs(mapped):
    told, by_autodiff, _ = mapped
    np.testing.assert_allclose(told[0], by_autodiff[0], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(told[1], by_autodiff[1], rtol=1e-10, atol=1e-10)


def test_inverse_undoes_forward_and_forward_undoes_inverse(mapped):
    for back in mapped[2]:
        np.testing.assert_allclose(back[:12], EVENTS[:12], rtol=1e-10, atol=1e-10)
        # The far event passes scales of e^20 and back.
        np.testing.assert_allclose(back[12], EVENTS[12], rtol=1e-8)


@pytest.mark.parametrize("name", BIJECTIONS)
def test_float32_log_determinants_are_those_that_autodiff_finds_in_float64(name, mapped_by_name):
    bijection, events = BIJECTIONS[name](), jnp.asarray(EVENTS, jnp.float32)
    found = eqx.filter_jit(eqx.filter_vmap(lambda b, e: (b.forward(e)[1], b.inverse(e)[1]), in_axes=(None, 0)))(
        bijection, events
    )
    for told, exact in zip(found, mapped_by_name(name)[1], strict=True):
        # A chain of four adds up the roundings of each, and of the places where each is asked.
        np.testing.assert_allclose(told, exact, rtol=1e-5, atol=1e-5 if name != "chain" else 1e-4)


def chained():
    order = Permutation(jnp.array(ORDER))
    return Chain((spline_autoregressive(), order, BIJECTIONS["affine"](), spline_autoregressive()))


@pytest.mark.parametrize("make", [BIJECTIONS["affine"], BIJECTIONS["permutation"], spline_autoregressive, chained])
def test_events_that_stand_behind_their_columns_are_mapped_as_one_by_one(make):
    bijection, events = make(), jnp.asarray(EVENTS[:12], jnp.float32)
    for direction in ("forward", "inverse"):
        together = eqx.filter_jit(lambda b, x, d=direction: getattr(b, d)(x))(bijection, events.T)
        each = eqx.filter_vmap(lambda b, x, d=direction: getattr(b, d)(x), in_axes=(None, 0))(bijection, events)
        np.testing.assert_allclose(together[0].T, each[0], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(together[1], each[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", BIJECTIONS)
def test_float32_comes_back_to_where_it_was(name):
    bijection = BIJECTIONS[name]()
    events = jnp.asarray(EVENTS[:12], jnp.float32)
    back, cancels = eqx.filter_jit(eqx.filter_vmap(lambda b, e: round_trip(b, e), in_axes=(None, 0)))(bijection, events)
    np.testing.assert_allclose(back, events, atol=2e-4)
    np.testing.assert_allclose(cancels, 0.0, atol=5e-3)


def round_trip(bijection, event):
    x, forward = bijection.forward(event)
    z, inverse = bijection.inverse(x)
    return z, forward + inverse


@pytest.mark.parametrize(
    "make, order", [(BIJECTIONS["affine autoregressive"], ORDER), (spline_autoregressive, (0, 1, 2))]
)
def test_autoregressive_jacobian_is_triangular_in_its_order(make, order):
    bijection = make()
    for direction in (bijection.forward, bijection.inverse):
        jacobian = np.asarray(jax.jit(jax.jacfwd(lambda e, f=direction: f(e)[0]))(numbers(5, COLUMNS)))
        in_order = jacobian[np.ix_(order, order)]
        assert (np.triu(in_order, 1) == 0.0).all()
        assert (in_order[np.tril_indices(COLUMNS)] != 0.0).all()


def test_permutation_puts_each_column_in_its_place():
    z = jnp.array([10.0, 11.0, 12.0])
    np.testing.assert_array_equal(Permutation(jnp.array(ORDER)).forward(z)[0], [12.0, 10.0, 11.0])


def test_chain_applies_the_first_part_first():
    double, add = Affine(jnp.zeros(1), jnp.full(1, 2.0)), Affine(jnp.ones(1), jnp.ones(1))
    assert Chain((double, add)).forward(jnp.full(1, 5.0))[0] == 11.0
    assert Chain((add, double)).forward(jnp.full(1, 5.0))[0] == 12.0
