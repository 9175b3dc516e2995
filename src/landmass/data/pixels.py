"""Pixels: how images become numbers for a network."""

import math
from typing import Self

import msgspec
import numpy as np
from jaxtyping import Float

from landmass.data.images import Images, Pixels
from landmass.errors import DataError
from landmass.nn.base import Layer
from landmass.nn.layers import Standardise


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
        few = n if math.prod(self.shape) < 1_000_000 else 1
        return np.arange(few, dtype=np.float64)[:, None]

    def of_golden(self, rows: Float[np.ndarray, "events 1"]) -> Pixels:
        """Images of noise."""
        return np.stack(
            [np.random.default_rng(int(abs(row[0])) % 2**32).integers(0, 256, self.shape, np.uint8) for row in rows]
        )
