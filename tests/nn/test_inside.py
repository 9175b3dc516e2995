"""Inside a network: its layers one by one give what it gives as a whole, in both modes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landmass.nn.base import Drawn, events_of, laid
from landmass.nn.inside import Passed, passes, share_of_dead, tell, weights_of
from landmass.nn.layers import Activation, BatchNorm, Conv, Dense, Dropout
from landmass.nn.network import Network, Residual
from landmass.nn.shaping import Flatten

KEY = jax.random.key(3)
NESTED = (Dense(5), Residual((Dropout(0.3), Dense(7), Residual((Activation("tanh"), Dropout(0.5))))), Dense(2))


def fresh(layers, shape):
    return Network.fresh(layers, shape, Drawn(np.random.default_rng(0)))


@pytest.mark.parametrize(
    "layers, shape",
    [
        (NESTED, (4,)),
        ((Residual((Conv(3, stride=2, bias=False), BatchNorm(), Activation())), Flatten(), Dense(3)), (4, 4, 2)),
    ],
    ids=["nested", "images"],
)
def test_last_layer_gives_what_the_network_gives(layers, shape):
    network = fresh(layers, shape)
    x = jnp.asarray(np.random.default_rng(1).standard_normal((6, *shape)), jnp.float32)
    last = eqx.filter_jit(lambda key: events_of(passes(network, x, key)[-1].gave))
    np.testing.assert_allclose(last(None), eqx.filter_jit(network)(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last(KEY), eqx.filter_jit(network.train)(x, KEY)[0], rtol=1e-5, atol=1e-6)


def test_layers_within_residuals_have_dotted_names_and_come_before_them():
    network = fresh(NESTED, (4,))
    expected = [
        "dense_1",
        "residual_1.dropout_1",
        "residual_1.dense_1",
        "residual_1.residual_1.tanh_1",
        "residual_1.residual_1.dropout_1",
        "residual_1.residual_1",
        "residual_1",
        "dense_2",
    ]
    assert [passed.name for passed in passes(network, jnp.ones((3, 4)), None)] == expected
    assert [name for name, _ in weights_of(network)] == expected
    # Each array once, in the order in which a nest of weights is taken apart; the shortcut is the residual's own.
    arrays = [leaf for _, weights in weights_of(network) for leaf in jax.tree.leaves(weights)]
    assert all(a is b for a, b in zip(arrays, jax.tree.leaves(network.weights), strict=True))
    assert dict(weights_of(network))["residual_1"]["weight"].shape == (5, 7)


def passed(layer, gave, given=None, running=None):
    both = (laid(jnp.asarray(each)) for each in (gave if given is None else given, gave))
    return Passed("it", layer, running or {}, *both)


@pytest.mark.parametrize(
    "gave, expected",
    [
        # One unit gives all events nothing, one the same, two differ.
        ([[0.0, 1.0, 1.0, 3.0], [0.0, 1.0, 2.0, 0.0]], 0.5),
        # Small numbers alone do not make a unit dead.
        ([[1e-12, 2e-12], [2e-12, 1e-12]], 0.0),
        ([[0.0, 0.0], [0.0, 0.0]], 1.0),
        # Of images a unit is a channel; this one differs from pixel to pixel, but not from event to event.
        (np.stack([np.arange(4.0).reshape(2, 2, 1)] * 3), 1.0),
        (np.arange(12.0).reshape(3, 2, 2, 1), 0.0),
    ],
)
def test_dead_units_give_all_events_the_same(gave, expected):
    assert share_of_dead(laid(jnp.asarray(gave, jnp.float32))) == expected


def test_numbers_of_activations_are_numpys():
    x = np.random.default_rng(2).standard_normal((50, 3)).astype(np.float32)
    found = tell(passed(Activation("relu"), np.maximum(x, 0.0)))
    assert found.mean == pytest.approx(np.maximum(x, 0.0).mean(), rel=1e-5)
    assert found.variance == pytest.approx(np.maximum(x, 0.0).var(), rel=1e-5)
    assert found.dead == 0.0
    assert np.isnan(found.gap)
    assert np.isnan(tell(passed(Dense(3), x)).dead)


def test_worst_unit_tells_how_far_running_statistics_are_from_the_batchs():
    x = np.random.default_rng(2).standard_normal((40, 5, 5, 3)).astype(np.float32) * np.float32([1.0, 2.0, 3.0])
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    running = {
        "mean": jnp.asarray(mean + np.float32([0.1, -1.0, 0.6])),
        "variance": jnp.asarray(variance * np.float32([1.5, 1.0, 0.5])),
    }
    found = tell(passed(BatchNorm(epsilon=0.0), x, x, running))
    assert found.gap == pytest.approx(1.0 / np.sqrt(variance[1]), rel=1e-4)
    # Half is farther from 1 than one and a half.
    assert found.ratio == pytest.approx(0.5, rel=1e-4)
