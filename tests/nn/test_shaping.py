"""Layers that only move numbers: the same as NumPy's, and refused where they do not fit."""

import jax.numpy as jnp
import numpy as np
import pytest

from landmass.errors import SettingError
from landmass.nn.architectures import decoder_by_name
from landmass.nn.base import Drawn, events_of, laid
from landmass.nn.layers import Activation
from landmass.nn.network import Network
from landmass.nn.shaping import Crop, Flatten, Reshape

X = np.random.default_rng(0).normal(size=(5, 24)).astype(np.float32)


def passed(layer, x):
    return np.asarray(events_of(layer({}, {}, laid(jnp.asarray(x)), None)[0]))


def test_reshape_keeps_the_order_and_flatten_undoes_it():
    for shape in ((4, 3, 2), (6, 4), (24,)):
        np.testing.assert_array_equal(passed(Reshape(shape), X), X.reshape(5, *shape))
    np.testing.assert_array_equal(passed(Flatten(), X.reshape(5, 4, 3, 2)), X)
    with pytest.raises(SettingError, match=r"24 numbers do not fill \(5, 5\)"):
        Reshape((5, 5)).shape((24,))


def test_crop_takes_the_upper_left():
    images = X.reshape(5, 4, 3, 2)
    np.testing.assert_array_equal(passed(Crop(3, 2), images), images[:, :3, :2])
    assert Crop(3, 2).shape((4, 3, 2)) == (3, 2, 2)
    with pytest.raises(SettingError, match="5×2 pixels cannot be cut out of 4×3"):
        Crop(5, 2).shape((4, 3, 2))


@pytest.mark.parametrize(
    ("name", "shape", "numbers"),
    [
        ("linear", (3,), 2),
        ("mlp", (9, 5, 3), 2),
        ("mlp", (4, 4, 1), 256),
        ("cnn", (28, 28, 1), 1),
        ("cnn", (9, 13, 3), 2),
    ],
)
def test_decoders_end_in_the_numbers_of_an_event(name, shape, numbers):
    given = {"hidden": 4, "depth": 2, "activation": Activation(), "dropout": 0.0, "batch_norm": False}
    network = Network.fresh(decoder_by_name(name, shape, numbers, given), (2,), Drawn(np.random.default_rng(0)))
    found = network(jnp.zeros((3, 2)))
    assert found.size == 3 * np.prod(shape) * numbers
    if name == "cnn":
        assert found.shape == (3, *shape[:2], shape[2] * numbers)
