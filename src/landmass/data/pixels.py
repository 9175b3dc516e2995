"""Pixels: how images become numbers for a network, and the space that densities of images see."""

import math
from typing import Self

import msgspec
import numpy as np
from jaxtyping import Float

from landmass.core.distributions import UniformBytes
from landmass.data.images import Images, Pixels
from landmass.data.schema import Image, Schema
from landmass.errors import DataError
from landmass.nn.base import Layer
from landmass.nn.layers import Standardise
from landmass.types import HostEvents, LogDensities, Precision

# The most numbers of one image: a larger one was never fitted.
MOST_NUMBERS = 100_000_000

# Pixels a side of an image that a network is given.
MOST_SIDE = 4_096


class PixelInputs(msgspec.Struct, frozen=True, tag_field="inputs", tag="pixels", forbid_unknown_fields=True):
    """How images become numbers for a network: bytes, which its first layer standardises.

    Args:
        shape: of one image: height, width, channels.
        resized: whether images are brought to that size.
        loc: each channel's mean over the training part, from 0 to 255.
        scale: its standard deviation.
    """

    shape: tuple[int, int, int]
    resized: bool
    loc: tuple[float, ...]
    scale: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 0 < min(self.shape) <= max(self.shape) <= MOST_SIDE:
            raise DataError(
                f"images of {'×'.join(map(str, self.shape))} are no size for a network, which takes 1 to {MOST_SIDE:,} "
                "pixels a side; read them smaller (size=…, or --size on the shell)"
            )

    @classmethod
    def fit(cls, train: Images, validation: Images) -> Self:
        """Learn the channels' means and scales.

        Args:
            train: the part to learn from.
            validation: the part to choose by.

        Raises:
            DataError: all images are one even colour.
        """
        sums = [train.X.sum((0, 1, 2), dtype=np.float64), np.square(train.X, dtype=np.float64).sum((0, 1, 2))]
        loc, square = (total / math.prod(train.X.shape[:3]) for total in sums)
        scale = np.sqrt(np.maximum(square - loc**2, 0.0))
        if not scale.any():
            raise DataError("every pixel of every image is the same; there is nothing to predict from")
        height, width, channels = train.X.shape[1:]
        spread = np.maximum(scale, 1.0)
        return cls((height, width, channels), train.size is not None, tuple(loc.tolist()), tuple(spread.tolist()))

    @property
    def notes(self) -> tuple[str, ...]:
        """What counts as unknown: nothing."""
        return ()

    @property
    def ranks(self) -> int:
        """How many numbers of an event are ranks."""
        return 0

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What a network begins with."""
        return (Standardise(self.loc, self.scale),)

    def encode(self, images: Images) -> Pixels:
        """The bytes that a network is given.

        Args:
            images: of the training images' size.

        Raises:
            DataError: they have another shape.
        """
        found, fitted = ("×".join(map(str, shape)) for shape in (images.X.shape[1:], self.shape))
        if found != fitted:
            raise DataError(f"images are {found}, and the model was fitted to {fitted} (height × width × channels)")
        return images.X

    def golden(self, n: int) -> Float[np.ndarray, "events 1"]:
        """Numbers that stand for images of noise, which `of_golden` makes."""
        return seeds(n, self.shape)

    def of_golden(self, rows: Float[np.ndarray, "events 1"]) -> Pixels:
        """Images of noise."""
        return noise(rows, self.shape)


class PixelSpace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The space of images: bytes as they are, so that a density counts them and no Jacobian is owed.

    Args:
        schema: the sample space, one image.
    """

    schema: Schema

    @property
    def image(self) -> Image:
        """What an event is."""
        found = self.schema.image
        if found is None:
            raise TypeError("the sample space holds no image")
        return found

    @property
    def complete(self) -> bool:
        """Whether there can be such images: so of fitted spaces, perhaps not of one that was read from a file."""
        return self.schema.image is not None and min(self.image.shape) > 0 and self.schema.dimensions <= MOST_NUMBERS

    def forward(self, X: Pixels, precision: Precision = np.float32) -> tuple[Pixels, LogDensities]:
        """The bytes, which need no precision, and the log-Jacobian of each image, which is zero."""
        return X, np.zeros(len(X))

    def inverse(self, Z: Pixels) -> Pixels:
        """The images of bytes."""
        return np.asarray(Z, np.uint8)

    def box(self, margin: float) -> UniformBytes:
        """All images alike; there is nothing beyond them to widen."""
        return UniformBytes(self.image.shape, self.image.levels)

    def golden(self, n: int) -> HostEvents:
        """Numbers that stand for images of noise, which `of_golden` makes."""
        return seeds(n, self.image.shape)

    def of_golden(self, rows: HostEvents) -> Pixels:
        """Images of noise."""
        found = noise(rows, self.image.shape)
        return found if self.image.levels == 256 else np.where(found >= 128, np.uint8(255), np.uint8(0))


def seeds(n: int, shape: tuple[int, int, int]) -> Float[np.ndarray, "events 1"]:
    """Numbers that stand for images of noise: as many as are asked for, or one where images are large."""
    few = n if math.prod(shape) < 1_000_000 else 1
    return np.arange(few, dtype=np.float64)[:, None]


def noise(rows: Float[np.ndarray, "events 1"], shape: tuple[int, int, int]) -> Pixels:
    """Images of noise, each of the seed that a row holds."""
    return np.stack([np.random.default_rng(int(abs(row[0])) % 2**32).integers(0, 256, shape, np.uint8) for row in rows])
