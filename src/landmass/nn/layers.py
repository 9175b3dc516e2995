"""Layers: what each makes of an event's shape, which numbers it learns, and what it does to a batch.

A layer is a description, which JSON can hold; its numbers are kept by the network and handed to it. The shape of an
event is (units,), (positions, units) or, of images, (height, width, channels); a batch of them has the units first and
the events last: (units, events), (units, positions, events), (channels, height, width, events).
"""

import math
from functools import reduce
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Bool

from landmass.errors import SettingError
from landmass.nn.base import Batch, Layer, Make, Shape, column, he, image_shape, plus, product, standardised
from landmass.nn.convolution import convolve
from landmass.types import Key, Tree


class Standardise(Layer, frozen=True, tag="standardise"):
    """Each channel less a known mean, over a known standard deviation: nothing is learned.

    Args:
        loc: the means.
        scale: the standard deviations.
    """

    loc: tuple[float, ...]
    scale: tuple[float, ...]

    def shape(self, shape: Shape) -> Shape:
        if not shape[-1] == len(self.loc) == len(self.scale):
            raise SettingError(f"{len(self.loc)} means do not go with {shape[-1]} channels")
        return shape

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        loc, scale = jnp.asarray(self.loc, x.dtype), jnp.asarray(self.scale, x.dtype)
        return plus(x, -loc) * column(1.0 / scale, x), running


class Waves(Layer, frozen=True, tag="waves"):
    """All numbers, and cosines of some: quick changes along a number are hard to learn from the number alone.

    Numbers are taken as standardised; the normal distribution function brings them to [0, 1], of which the cosines are
    half turns and their multiples.

    Args:
        count: cosines a number.
        smoothness: the amplitude of wave k falls as k to the power of minus this.
        last: of how many of the last numbers; None is all.

    Source: Tancik et al. 2020 (Fourier features); Gorishniy, Rubachev & Babenko 2022 (for tables).
    """

    count: int = 16
    smoothness: float = 0.5
    last: int | None = None

    def shape(self, shape: Shape) -> Shape:
        waved = shape[-1] if self.last is None else self.last
        if not 0 <= waved <= shape[-1]:
            raise SettingError(f"an event has {shape[-1]} numbers, and not the last {waved}")
        return *shape[:-1], shape[-1] + waved * self.count

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        multiples = np.arange(1, self.count + 1)
        amplitude = jnp.asarray(np.sqrt(2.0) * multiples**-self.smoothness, x.dtype)
        each = jnp.asarray(np.pi * multiples, x.dtype)
        waved = x if self.last is None else x[len(x) - self.last :]
        waves = column(amplitude, x)[None] * jnp.cos(column(each, x)[None] * ndtr(waved)[:, None])
        return jnp.concatenate([x, waves.reshape(-1, *x.shape[1:])]), running


class Dense(Layer, frozen=True, tag="dense"):
    """Weighed sums of all units, with a bias.

    Args:
        units: numbers that come out.
        gain: how large the first weights are, as a share of those that keep the size of what passes through.
    """

    units: int
    gain: float = 1.0

    def shape(self, shape: Shape) -> Shape:
        return (*shape[:-1], self.units)

    def weights(self, shape: Shape, make: Make) -> Tree:
        return {"weight": he(make, shape[-1], (shape[-1], self.units), self.gain), "bias": make(0.0, (self.units,))}

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        return plus(product(weights["weight"], x), weights["bias"]), running


class Conv(Layer, frozen=True, tag="conv"):
    """Sums of neighbouring pixels, weighed alike everywhere in the image, zeros beyond its edges.

    Args:
        channels: numbers a pixel that come out.
        kernel: side of the neighbourhood, in pixels.
        stride: pixels from one sum to the next; of the last ones some may be left over.
        bias: whether to add a bias; before a batch norm it would have no effect.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    bias: bool = True

    def shape(self, shape: Shape) -> Shape:
        height, width, _ = image_shape(self, shape)
        return -(-height // self.stride), -(-width // self.stride), self.channels

    def weights(self, shape: Shape, make: Make) -> Tree:
        kernel = self.kernel, self.kernel, shape[-1], self.channels
        weights = {"weight": he(make, self.kernel**2 * shape[-1], kernel)}
        return weights | ({"bias": make(0.0, (self.channels,))} if self.bias else {})

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        found = convolve(x, weights["weight"], self.stride)
        return (plus(found, weights["bias"]) if self.bias else found), running


class BatchNorm(Layer, frozen=True, tag="batch_norm"):
    """Each unit less its mean, over its standard deviation, then scaled and shifted as learned.

    In train mode mean and variance are the batch's; a running average of them is kept, and takes their place in test
    mode, so that an event's output does not depend on the other events.

    Args:
        momentum: decay of the running average a step; early on it is shorter.
        epsilon: added to the variance.

    Source: Ioffe & Szegedy 2015.
    """

    momentum: float = 0.99
    epsilon: float = 1e-5

    def weights(self, shape: Shape, make: Make) -> Tree:
        return {"scale": make(1.0, shape[-1:]), "shift": make(0.0, shape[-1:])}

    def running(self, shape: Shape, make: Make) -> Tree:
        return {"mean": make(0.0, shape[-1:]), "variance": make(1.0, shape[-1:]), "steps": make(0.0, ())}

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        if key is None:
            mean, variance = running["mean"], running["variance"]
        else:
            axes = tuple(range(1, x.ndim))
            mean = x.mean(axes)
            variance = (plus(x, -mean) ** 2).mean(axes)
            steps = running["steps"]
            decay = jnp.minimum(self.momentum, steps / (steps + 10.0))
            running = {
                "mean": mean + decay * (running["mean"] - mean),
                "variance": variance + decay * (running["variance"] - variance),
                "steps": steps + 1.0,
            }
        gain = weights["scale"] * jax.lax.rsqrt(variance + self.epsilon)
        return plus(plus(x, -mean) * column(gain, x), weights["shift"]), running


class LayerNorm(Layer, frozen=True, tag="layer_norm"):
    """Each event less the mean over its units, over their standard deviation, then scaled and shifted.

    Args:
        epsilon: added to the variance.

    Source: Ba, Kiros & Hinton 2016.
    """

    epsilon: float = 1e-5

    def weights(self, shape: Shape, make: Make) -> Tree:
        return {"scale": make(1.0, shape[-1:]), "shift": make(0.0, shape[-1:])}

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        found = standardised(x, (0,), self.epsilon)
        return plus(found * column(weights["scale"], x), weights["shift"]), running


class GroupNorm(Layer, frozen=True, tag="group_norm"):
    """Each image less the mean of a group of its channels, over their standard deviation, then scaled and shifted.

    Args:
        groups: how many; they share the channels evenly.
        epsilon: added to the variance.

    Source: Wu & He 2018.
    """

    groups: int = 8
    epsilon: float = 1e-5

    def shape(self, shape: Shape) -> Shape:
        if shape[-1] % self.groups:
            raise SettingError(f"{self.groups} groups do not share {shape[-1]} channels evenly; choose a divisor of it")
        return shape

    def weights(self, shape: Shape, make: Make) -> Tree:
        return {"scale": make(1.0, shape[-1:]), "shift": make(0.0, shape[-1:])}

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        parted = x.reshape(self.groups, -1, *x.shape[1:])
        found = standardised(parted, tuple(range(1, x.ndim)), self.epsilon).reshape(x.shape)
        return plus(found * column(weights["scale"], x), weights["shift"]), running


class Dropout(Layer, frozen=True, tag="dropout"):
    """In train mode sets numbers to zero at random, and scales the others so that the expectation stays.

    Args:
        rate: chance of each number to be dropped, taken to the nearest 1/65,536.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014.
    """

    rate: float = 0.5

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        if key is None or self.rate == 0.0:
            return x, running
        kept, share = coins(key, 1.0 - self.rate, x.shape)
        return jnp.where(kept, x / share, 0.0), running


def coins(key: Key, chance: float, shape: Shape) -> tuple[Bool[Array, "..."], float]:
    """Which coins of a chance show heads, and the chance that they have, a multiple of 1/65,536.

    Each word of random bits makes two coins: drawing words is what takes the time.

    Args:
        key: source of the draws.
        chance: of heads.
        shape: of the coins.
    """
    count = math.prod(shape)
    words = jax.random.bits(key, (-(-count // 2),), jnp.uint32)
    heads = min(max(round(chance * 2**16), 1), 2**16)
    coins = jnp.concatenate([words & 0xFFFF, words >> 16])[:count] < heads
    return coins.reshape(shape), heads / 2**16


ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": jax.nn.relu,
    "leaky_relu": lambda x: jax.nn.leaky_relu(x, 0.01),
    "silu": jax.nn.silu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
}
"""By name; `linear` leaves everything as it is, and a network with no other is one weighted sum, however deep."""


class Activation(Layer, frozen=True, tag="activation"):
    """A function of each number on its own, which makes a network more than one weighted sum.

    Args:
        kind: its name.
    """

    kind: Literal["linear", "relu", "leaky_relu", "silu", "gelu", "tanh", "sigmoid"] = "relu"

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        return ACTIVATIONS[self.kind](x), running


class Pool(Layer, frozen=True, tag="pool"):
    """The greatest or the mean value of each square of pixels.

    Args:
        size: side of the squares.
        kind: which value.
    """

    size: int = 2
    kind: Literal["max", "mean"] = "max"

    def shape(self, shape: Shape) -> Shape:
        height, width, channels = image_shape(self, shape)
        if height % self.size or width % self.size:
            raise SettingError(
                f"squares of {self.size} pixels do not fill an image of {height}×{width}; resize images to a multiple "
                f"of {self.size} there, or leave the pool out"
            )
        return height // self.size, width // self.size, channels

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        if self.kind == "mean":
            channels, height, width, events = x.shape
            squares = x.reshape(channels, height // self.size, self.size, width // self.size, self.size, events)
            return squares.mean((2, 4)), running
        parts = [x[:, i :: self.size, j :: self.size] for i in range(self.size) for j in range(self.size)]
        # The slope of `max` is 0 / 0 where a compiler computes pixels twice, and rounds them otherwise.
        return reduce(lambda most, part: jnp.where(part > most, part, most), parts), running


class GlobalMean(Layer, frozen=True, tag="global_mean"):
    """Each channel's mean over the whole image."""

    def shape(self, shape: Shape) -> Shape:
        return image_shape(self, shape)[-1:]

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        return x.mean((1, 2)), running


class Ignore(Layer, frozen=True, tag="ignore"):
    """Nothing of an event: what follows says the same of all."""

    def shape(self, shape: Shape) -> Shape:
        return (0,)

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        return jnp.zeros((0, x.shape[-1])), running


class Attention(Layer, frozen=True, tag="attention"):
    """Each position takes from all others what it asks for, and adds it to itself; pixels are positions.

    Args:
        heads: questions a position asks at a time; they share the units evenly.

    Source: Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser & Polosukhin 2017.
    """

    heads: int = 4

    def shape(self, shape: Shape) -> Shape:
        if len(shape) < 2:
            raise SettingError(f"attention needs positions and units, not events of shape {shape}")
        if shape[-1] % self.heads:
            raise SettingError(f"{self.heads} heads do not share {shape[-1]} units evenly; choose a divisor of it")
        return shape

    def weights(self, shape: Shape, make: Make) -> Tree:
        units = shape[-1]
        # The last product starts at zero, so that the layer starts as the identity.
        return {"ask": he(make, 2 * units, (units, 3 * units)), "tell": make(0.0, (units, units))}

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        positions = x.reshape(len(x), -1, x.shape[-1])
        asked = jnp.split(product(weights["ask"], positions), 3)
        # (events, positions, heads, units of a head)
        parts = [each.reshape(self.heads, -1, *positions.shape[1:]).transpose(3, 2, 0, 1) for each in asked]
        taken = jax.nn.dot_product_attention(*parts).transpose(2, 3, 1, 0).reshape(positions.shape)
        return x + product(weights["tell"], taken).reshape(x.shape), running
