"""Networks: what they are told to be, what they print, and their two modes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from landmass import SettingError
from landmass.nn.architectures import ARCHITECTURES, by_name
from landmass.nn.base import Drawn, blank, events_of, laid
from landmass.nn.layers import Activation, BatchNorm, Conv, Dense, Dropout, Pool
from landmass.nn.network import AnyLayer, Network, Residual, names, shapes
from landmass.nn.shaping import Flatten

SIZES = {
    "hidden": 8,
    "depth": 2,
    "activation": Activation("relu"),
    "batch_norm": True,
    "dropout": 0.1,
    "waves": 4,
    "ranks": 2,
}
IMAGES = np.random.default_rng(0).standard_normal((4, 12, 10, 3)).astype(np.float32)


def fresh(layers, shape):
    return Network.fresh(layers, shape, Drawn(np.random.default_rng(0)))


def test_printed_network_lists_layers_with_shapes_and_parameters():
    layers = (Conv(8, bias=False), BatchNorm(), Activation(), Pool(), Flatten(), Dropout(), Dense(10))
    lines = str(fresh(layers, (28, 28, 1))).splitlines()
    cells = [line.split() for line in lines]
    assert cells[0] == ["layer", "output", "parameters"]
    assert cells[2] == ["conv_1", "28×28×8", "72"]
    assert cells[3] == ["batch_norm_1", "28×28×8", "16"]
    assert cells[5] == ["pool_1", "14×14×8", "0"]
    assert cells[8] == ["dense_1", "10", "15,690"]
    assert cells[-1] == ["in", "all", "15,778"]


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("shape", [(28, 28, 1), (33, 45, 3), (7,)], ids=str)
def test_architecture_by_name_gives_the_outputs_of_any_events(name, shape):
    if name in ("cnn", "resnet") and len(shape) == 1:
        with pytest.raises(SettingError, match="layer conv_1: Conv needs images"):
            shapes(by_name(name, shape, 5, SIZES), shape)
        return
    layers = by_name(name, shape, 5, SIZES)
    assert shapes(layers, shape)[-1] == (5,)
    if len(shape) == 1:
        assert fresh(layers, shape)(jnp.ones((3, *shape))).shape == (3, 5)


def test_layers_pass_through_json():
    layers = by_name("resnet", (8, 8, 3), 5, SIZES)
    assert msgspec.json.decode(msgspec.json.encode(layers), type=tuple[AnyLayer, ...]) == layers


def test_blank_network_has_the_shapes_and_takes_no_memory():
    layers = (Dense(2**20), Dense(2**20), Dense(3))
    network = Network.fresh(layers, (2**20,), blank)
    assert network.weights[1]["weight"].shape == (2**20, 2**20)
    small = by_name("resnet", (8, 8, 3), 5, SIZES)
    shaped = [leaf.shape for leaf in jax.tree.leaves(Network.fresh(small, (8, 8, 3), blank))]
    assert shaped == [leaf.shape for leaf in jax.tree.leaves(fresh(small, (8, 8, 3)))]


def test_residual_adds_what_it_was_given():
    inside = (Conv(3), Activation("tanh"))
    network = fresh((Residual(inside),), (12, 10, 3))
    alone = Network(
        network.weights[0]["inside"], eqx.tree_at(lambda r: r.numbers, network.running, ({}, {})), inside, (12, 10, 3)
    )
    np.testing.assert_allclose(network(jnp.asarray(IMAGES)), IMAGES + alone(jnp.asarray(IMAGES)), rtol=1e-5, atol=1e-6)


def test_residual_of_another_shape_adds_a_weighed_sum():
    network = fresh((Residual((Conv(5, stride=2),)),), (12, 10, 3))
    assert network(jnp.asarray(IMAGES)).shape == (4, 6, 5, 5)
    weights = network.weights[0]
    conv = Conv(5, stride=2)
    inside = events_of(conv(weights["inside"][0], {}, laid(jnp.asarray(IMAGES)), None)[0])
    past = np.einsum("ehwc,cd->ehwd", IMAGES[:, ::2, ::2], weights["past"]["weight"][0, 0])
    np.testing.assert_allclose(network(jnp.asarray(IMAGES)) - inside, past, rtol=1e-4, atol=1e-5)


def test_residual_whose_ends_cannot_be_added_is_refused():
    with pytest.raises(SettingError, match="layer residual_1: a residual's layers make"):
        fresh((Residual((Flatten(),)),), (4, 4, 3))


def test_layer_that_does_not_fit_is_named():
    with pytest.raises(SettingError, match="layer pool_2: squares of 2 pixels do not fill an image of 7×7"):
        fresh((Pool(), Pool(), Flatten()), (14, 14, 1))
    assert names((Pool(), Activation("tanh"), Pool())) == ["pool_1", "tanh_1", "pool_2"]


def test_more_layers_than_can_be_compiled_are_refused():
    many = (Residual((Activation(),) * 300), *(Activation(),) * 300)
    with pytest.raises(SettingError, match="a network of 601 layers would take too long to compile"):
        fresh(many, (3,))


def test_members_under_vmap_keep_their_own_running_statistics():
    layers = (Dense(4), BatchNorm(), Residual((Dense(4), BatchNorm())))
    alone = [Network.fresh(layers, (3,), Drawn(np.random.default_rng(seed))) for seed in (0, 1)]
    members = jax.tree.map(lambda *leaves: jnp.stack(leaves), *alone)
    x = jnp.asarray(np.random.default_rng(2).standard_normal((2, 16, 3)), jnp.float32)
    keys = jax.random.split(jax.random.key(0), 2)
    found, after = eqx.filter_vmap(lambda network, x, key: network.train(x, key))(members, x, keys)
    for i, network in enumerate(alone):
        expected, trained = network.train(x[i], keys[i])
        np.testing.assert_allclose(found[i], expected, rtol=1e-5, atol=1e-5)
        of_member = jax.tree.map(lambda leaf, i=i: leaf[i], after.running)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), of_member, trained.running)
        assert float(trained.running.numbers[2][1]["steps"]) == 1.0


def test_train_mode_leaves_weights_as_they_are():
    network = fresh((Dense(4), BatchNorm(), Dropout()), (3,))
    _, after = network.train(jnp.ones((5, 3)), jax.random.key(0))
    jax.tree.map(np.testing.assert_array_equal, after.weights, network.weights)
