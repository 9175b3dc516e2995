"""Black and white: images whose bytes are 0 or 255, made of grey ones by a threshold, or by chance."""

import zlib
from dataclasses import replace
from typing import Literal

import numpy as np

from landmass.data.images import Images, Pixels
from landmass.errors import DataError

Binary = Literal["threshold", "draw"]
"""How grey becomes black and white: white from 128 on, or white with a probability of the grey over 255."""


def as_binary(images: Images, how: Binary) -> Images:
    """Declare that events are black and white.

    By chance, an image always becomes the same event where it is scored, and another each time it is learned from:
    the distribution that is learned is that of the drawn images.

    Args:
        images: of any bytes; where the largest is 1, 1 is white.
        how: by which rule grey becomes black or white.

    Source: Salakhutdinov & Murray 2008 (drawn), for MNIST.
    """
    X = images.X * np.uint8(255) if images.X.size and images.X.max() == 1 else images.X
    if how == "draw":
        return replace(images, X=X, binary="draw")
    return replace(images, X=np.where(X >= 128, np.uint8(255), np.uint8(0)), binary="yes")


def drawn(images: Images) -> Images:
    """The events of images: those that are to be drawn, drawn once, each by its own noise."""
    if images.binary != "draw":
        return images
    X = np.empty_like(images.X)
    for place, image in enumerate(images.X):
        noise = np.random.default_rng(zlib.crc32(image.tobytes()))
        # Whole numbers from 0 to 254: a grey of 255 is always white.
        X[place] = np.where(noise.integers(0, 255, image.shape, np.uint8) < image, np.uint8(255), np.uint8(0))
    return replace(images, X=X, binary="yes")


def events_of(images: Images, levels: int) -> Images:
    """The events of images in a model's sample space.

    Args:
        images: as they were read.
        levels: values that a byte of the model's events may take.

    Raises:
        DataError: the model knows black and white, and the images are grey.
    """
    if levels == 256 or images.binary != "no":
        return drawn(images)
    found: Pixels = images.X * np.uint8(255) if images.X.size and images.X.max() == 1 else images.X
    grey = (found != 0) & (found != 255)
    if grey.any():
        place = int(np.argmax(grey.any((1, 2, 3))))
        raise DataError(
            f"image {place} (counted from 0) holds {found[place][grey[place]][0]}, and the model's events are black "
            "and white: bytes of 0 and 255; declare how grey becomes so, with landmass.read(…, binary='threshold') or "
            "binary='draw' (on the shell: --binary)"
        )
    return replace(images, X=found, binary="yes")
