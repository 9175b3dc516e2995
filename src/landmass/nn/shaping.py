"""Layers that only move numbers: they learn nothing, and change nothing but an event's shape."""

import math

import jax.numpy as jnp

from landmass.errors import SettingError
from landmass.nn.base import Batch, Layer, Shape, image_shape
from landmass.types import Key, Tree


class Flatten(Layer, frozen=True, tag="flatten"):
    """All numbers of an event in one row."""

    def shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        # Each pixel's channels stay together.
        return jnp.moveaxis(x, 0, -2).reshape(-1, x.shape[-1]), running


class Reshape(Layer, frozen=True, tag="reshape"):
    """The numbers of an event in another shape, in the same order.

    Args:
        to: the shape.
    """

    to: tuple[int, ...]

    def shape(self, shape: Shape) -> Shape:
        if math.prod(shape) != math.prod(self.to):
            raise SettingError(f"{math.prod(shape)} numbers do not fill {self.to}; give a shape of as many")
        return self.to

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        in_a_row = jnp.moveaxis(x, 0, -2).reshape(-1, x.shape[-1])
        return jnp.moveaxis(in_a_row.reshape(*self.to, x.shape[-1]), -2, 0), running


class Crop(Layer, frozen=True, tag="crop"):
    """The upper left part of an image.

    Args:
        height: of the part.
        width: of the part.
    """

    height: int
    width: int

    def shape(self, shape: Shape) -> Shape:
        height, width, channels = image_shape(self, shape)
        if height < self.height or width < self.width:
            raise SettingError(f"{self.height}×{self.width} pixels cannot be cut out of {height}×{width}")
        return self.height, self.width, channels

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        return x[:, : self.height, : self.width], running


class PixelShuffle(Layer, frozen=True, tag="pixel_shuffle"):
    """Makes an image larger: the channels of a pixel become a square of pixels.

    Args:
        factor: side of the squares; a pixel has a multiple of its square in channels.

    Source: Shi, Caballero, Huszár, Totz, Aitken, Bishop, Rueckert & Wang 2016.
    """

    factor: int = 2

    def shape(self, shape: Shape) -> Shape:
        height, width, channels = image_shape(self, shape)
        if channels % self.factor**2:
            raise SettingError(
                f"{channels} channels do not make squares of {self.factor} pixels; give a multiple of {self.factor**2}"
            )
        return height * self.factor, width * self.factor, channels // self.factor**2

    def __call__(self, weights: Tree, running: Tree, x: Batch, key: Key | None) -> tuple[Batch, Tree]:
        channels, height, width, events = x.shape
        squares = x.reshape(channels // self.factor**2, self.factor, self.factor, height, width, events)
        larger = height * self.factor, width * self.factor
        return squares.transpose(0, 3, 1, 4, 2, 5).reshape(-1, *larger, events), running
