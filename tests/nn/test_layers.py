"""Layers against plain loops in NumPy, values and gradients; train mode against test mode."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

import landmass
from landmass import SettingError
from landmass.nn.base import Drawn, events_of, laid
from landmass.nn.convolution import _by_patches, _native
from landmass.nn.layers import (
    ACTIVATIONS,
    Activation,
    Attention,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    GlobalMean,
    GroupNorm,
    LayerNorm,
    Pool,
    Standardise,
    Waves,
)
from landmass.nn.shaping import Flatten, PixelShuffle

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((2, 6, 9, 4)).astype(np.float32)
KEY = jax.random.key(0)


def fresh(layer, shape):
    """Weights that are not all zeros or ones, and running statistics."""
    make, rng = Drawn(np.random.default_rng(1)), np.random.default_rng(2)
    weights = layer.weights(shape, make)
    weights = jax.tree.map(lambda leaf: leaf + 0.3 * jnp.asarray(rng.standard_normal(leaf.shape), jnp.float32), weights)
    return weights, layer.running(shape, make)


def passed(layer, weights, running, x, key=None):
    """What a layer makes of events, and its running statistics."""
    found, running = layer(weights, running, laid(jnp.asarray(x)), key)
    return np.asarray(events_of(found)), running


def out(layer, x, key=None):
    return passed(layer, *fresh(layer, x.shape[1:]), x, key)[0]


def convolved(x, kernel, stride):
    """One sum at a time, zeros beyond the edges."""
    events, height, width, _ = x.shape
    side, _, _, outputs = kernel.shape
    rows, columns = -(-height // stride), -(-width // stride)
    before = [max((n - 1) * stride + side - size, 0) // 2 for n, size in ((rows, height), (columns, width))]
    found = np.zeros((events, rows, columns, outputs))
    for e, r, c, i, j in itertools.product(*map(range, (events, rows, columns, side, side))):
        y, z = r * stride + i - before[0], c * stride + j - before[1]
        if 0 <= y < height and 0 <= z < width:
            found[e, r, c] += x[e, y, z].astype(float) @ kernel[i, j].astype(float)
    return found


CONVOLUTIONS = [(3, 1), (3, 2), (1, 1), (1, 2), (2, 1), (5, 3)]


@pytest.mark.parametrize("side, stride", CONVOLUTIONS)
@pytest.mark.parametrize("way", [_by_patches, _native])
def test_convolution_is_the_sum_over_each_neighbourhood(way, side, stride):
    kernel = RNG.standard_normal((side, side, 4, 3)).astype(np.float32)
    found = events_of(way(laid(jnp.asarray(IMAGES)), jnp.asarray(kernel), stride))
    np.testing.assert_allclose(found, convolved(IMAGES, kernel, stride), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side, stride", CONVOLUTIONS)
def test_slopes_of_a_convolution_are_those_of_its_sums(side, stride):
    kernel = RNG.standard_normal((side, side, 4, 3)).astype(np.float32)
    out_shape = convolved(IMAGES, kernel, stride).shape
    back = RNG.standard_normal(out_shape).astype(np.float32)
    _, pull = jax.vjp(lambda x, k: events_of(_by_patches(laid(x), k, stride)), jnp.asarray(IMAGES), jnp.asarray(kernel))
    for_images, for_kernel = pull(jnp.asarray(back))
    # A convolution is linear in either: its slope along a direction is its value there.
    for _ in range(5):
        towards = RNG.standard_normal(IMAGES.shape).astype(np.float32)
        expected = (convolved(towards, kernel, stride) * back).sum()
        assert float((for_images * towards).sum()) == pytest.approx(expected, abs=2e-3)
        towards = RNG.standard_normal(kernel.shape).astype(np.float32)
        expected = (convolved(IMAGES, towards, stride) * back).sum()
        assert float((for_kernel * towards).sum()) == pytest.approx(expected, abs=2e-3)


def test_convolution_adds_its_bias():
    layer = Conv(3)
    weights, running = fresh(layer, IMAGES.shape[1:])
    expected = convolved(IMAGES, np.asarray(weights["weight"]), 1) + np.asarray(weights["bias"])
    np.testing.assert_allclose(passed(layer, weights, running, IMAGES)[0], expected, rtol=1e-4, atol=1e-4)


def test_dense_is_a_product_and_a_bias():
    x = RNG.standard_normal((5, 7)).astype(np.float32)
    weights, _ = fresh(Dense(3), (7,))
    np.testing.assert_allclose(
        out(Dense(3), x), x @ np.asarray(weights["weight"]) + np.asarray(weights["bias"]), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("kind, whole", [("max", np.max), ("mean", np.mean)])
def test_pool_takes_one_value_of_each_square(kind, whole):
    found = out(Pool(3, kind), IMAGES)
    for e, r, c, k in itertools.product(range(2), range(2), range(3), range(4)):
        square = IMAGES[e, 3 * r : 3 * r + 3, 3 * c : 3 * c + 3, k]
        assert found[e, r, c, k] == pytest.approx(whole(square), abs=1e-6)


def test_slope_of_the_greatest_is_there_however_the_program_is_compiled():
    """Compiled without optimising, pixels are computed twice here, and the second time rounded otherwise."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        layers = [BatchNorm(), Pool(2), Flatten(), Dense(10)]
        landmass.NeuralClassifier(max_steps=3, architecture=layers, random_state=0).fit(
            landmass.examples("digits", n=50)
        )
    finally:
        jax.config.update("jax_disable_most_optimizations", before)


def test_pool_that_does_not_fit_the_image_is_refused():
    with pytest.raises(SettingError, match="squares of 2 pixels do not fill an image of 7×8; resize"):
        Pool(2).shape((7, 8, 3))


def test_global_mean_is_each_channels_mean():
    np.testing.assert_allclose(out(GlobalMean(), IMAGES), IMAGES.mean((1, 2)), rtol=1e-5, atol=1e-6)


def test_pixel_shuffle_makes_a_square_of_each_pixels_channels():
    found = out(PixelShuffle(2), IMAGES)
    assert found.shape == (2, 12, 18, 1)
    for r, c, i, j in itertools.product(range(6), range(9), range(2), range(2)):
        assert found[0, 2 * r + i, 2 * c + j, 0] == IMAGES[0, r, c, 2 * i + j]


def scaled_and_shifted(layer, normal):
    weights, _ = fresh(layer, normal.shape[1:])
    return normal * np.asarray(weights["scale"]) + np.asarray(weights["shift"])


@pytest.mark.parametrize("x", [IMAGES, IMAGES[:, 0, 0]], ids=["images", "rows"])
def test_layer_norm_is_the_standardised_last_axis(x):
    normal = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(out(LayerNorm(), x), scaled_and_shifted(LayerNorm(), normal), rtol=1e-4, atol=1e-5)


def test_group_norm_is_standardised_over_a_group_of_channels_of_an_image():
    normal = np.empty_like(IMAGES)
    for e, group in itertools.product(range(2), (slice(0, 2), slice(2, 4))):
        part = IMAGES[e, :, :, group]
        normal[e, :, :, group] = (part - part.mean()) / np.sqrt(part.var() + 1e-5)
    found = out(GroupNorm(2), IMAGES)
    np.testing.assert_allclose(found, scaled_and_shifted(GroupNorm(2), normal), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("x", [IMAGES, IMAGES[:, 0, 0]], ids=["images", "rows"])
def test_batch_norm_in_train_mode_is_standardised_over_the_batch(x):
    axes = tuple(range(x.ndim - 1))
    normal = (x - x.mean(axes)) / np.sqrt(x.var(axes) + 1e-5)
    found = out(BatchNorm(), x, KEY)
    np.testing.assert_allclose(found, scaled_and_shifted(BatchNorm(), normal), rtol=1e-4, atol=1e-5)


def test_batch_norm_keeps_a_running_average_and_uses_it_in_test_mode():
    layer = BatchNorm(momentum=0.9)
    weights, running = fresh(layer, (3,))
    mean, variance = np.zeros(3), np.ones(3)
    for step in range(200):
        x = np.random.default_rng(step).normal([1.0, -2.0, 0.0], [1.0, 3.0, 0.1], (16, 3)).astype(np.float32)
        _, running = passed(layer, weights, running, x, KEY)
        decay = min(0.9, step / (step + 10.0))
        mean = decay * mean + (1.0 - decay) * x.mean(0)
        variance = decay * variance + (1.0 - decay) * x.var(0)
    np.testing.assert_allclose(running["mean"], mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(running["variance"], variance, rtol=1e-4, atol=1e-5)
    events = RNG.standard_normal((4, 3)).astype(np.float32)
    scale, shift = np.asarray(weights["scale"]), np.asarray(weights["shift"])
    expected = (events - mean) / np.sqrt(variance + 1e-5) * scale + shift
    found, after = passed(layer, weights, running, events)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    jax.tree.map(np.testing.assert_array_equal, after, running)
    alone, _ = passed(layer, weights, running, events[:1])
    np.testing.assert_allclose(alone[0], found[0], rtol=1e-6)


def test_dropout_keeps_the_expectation_in_train_mode_and_everything_in_test_mode():
    x = np.full((400, 500), 3.0, np.float32)
    found = out(Dropout(0.3), x, KEY)
    # 45,875 of 65,536 is the nearest share to 0.7, and what is kept is scaled by just that.
    np.testing.assert_allclose(np.unique(found), [0.0, 3.0 * 65_536 / 45_875], rtol=2e-7)
    # Five standard errors of the mean of 200,000 numbers.
    assert found.mean() == pytest.approx(3.0, abs=5 * 3.0 * np.sqrt(0.3 / 0.7 / x.size))
    assert not (found[0] == found[1]).all()
    np.testing.assert_array_equal(out(Dropout(0.3), x), x)


def test_waves_are_cosines_of_each_numbers_place():
    x = RNG.standard_normal((5, 2)).astype(np.float32)
    found = out(Waves(3), x)
    np.testing.assert_array_equal(found[:, :2], x)
    for column, k in itertools.product(range(2), (1, 2, 3)):
        wave = np.sqrt(2.0 / k) * np.cos(np.pi * k * special.ndtr(x[:, column]))
        np.testing.assert_allclose(found[:, 2 + 3 * column + k - 1], wave, atol=1e-5)


def test_waves_of_the_last_numbers_leave_the_others_alone():
    x = RNG.standard_normal((5, 3)).astype(np.float32)
    found = out(Waves(4, last=1), x)
    np.testing.assert_allclose(found[:, :3], x)
    np.testing.assert_allclose(found[:, 3:], out(Waves(4), x[:, 2:])[:, 1:], atol=1e-6)
    with pytest.raises(SettingError, match="not the last 4"):
        Waves(4, last=4).shape((3,))


def test_known_means_and_scales_standardise():
    layer = Standardise((1.0, 2.0), (0.5, 4.0))
    x = RNG.standard_normal((5, 2)).astype(np.float32)
    np.testing.assert_allclose(out(layer, x), (x - [1.0, 2.0]) / [0.5, 4.0], rtol=1e-5, atol=1e-6)


def test_attention_takes_from_each_position_what_is_asked_for():
    layer, x = Attention(2), RNG.standard_normal((2, 5, 6)).astype(np.float32)
    weights, running = fresh(layer, (5, 6))
    query, keys, value = np.split(x.astype(float) @ weights["ask"], 3, axis=-1)
    taken = np.zeros((2, 5, 6))
    for e, position, head in itertools.product(range(2), range(5), range(2)):
        units = slice(3 * head, 3 * head + 3)
        match = special.softmax(keys[e, :, units] @ query[e, position, units] / np.sqrt(3.0))
        taken[e, position, units] = match @ value[e, :, units]
    found, _ = passed(layer, weights, running, x)
    np.testing.assert_allclose(found, x + taken @ weights["tell"], rtol=1e-4, atol=1e-5)


EXPECTED = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0.0),
    "leaky_relu": lambda x: np.where(x > 0.0, x, 0.01 * x),
    "silu": lambda x: x * special.expit(x),
    "gelu": lambda x: x * special.ndtr(x),
    "tanh": np.tanh,
    "sigmoid": special.expit,
}


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_activation_and_its_slope(kind):
    x = np.concatenate([np.linspace(-6.0, 6.0, 41)[np.arange(41) != 20], [-1e-3, 1e-3]])
    with jax.enable_x64(True):
        found = Activation(kind)({}, {}, jnp.asarray(x), None)[0]
        slopes = jax.vmap(jax.grad(ACTIVATIONS[kind]))(jnp.asarray(x))
    np.testing.assert_allclose(found, EXPECTED[kind](x), rtol=1e-6, atol=1e-9)
    step = 1e-5
    steps = (EXPECTED[kind](x + step) - EXPECTED[kind](x - step)) / (2 * step)
    np.testing.assert_allclose(slopes, steps, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    "layer, shape, told",
    [
        (Conv(3), (8,), r"Conv needs images \(height, width, channels\)"),
        (GroupNorm(3), (4, 4, 8), "3 groups do not share 8 channels"),
        (PixelShuffle(2), (4, 4, 6), "6 channels do not make squares"),
        (Attention(4), (3, 6), "4 heads do not share 6 units"),
        (Attention(1), (6,), "attention needs positions"),
    ],
)
def test_events_that_a_layer_cannot_take_are_refused(layer, shape, told):
    with pytest.raises(SettingError, match=told):
        layer.shape(shape)
