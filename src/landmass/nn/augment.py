"""Augmentation: images moved, flipped and cropped at random, so that a network learns what does not matter."""

from collections.abc import Collection
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from landmass.types import Key

Change = Literal["flip", "shift", "crop"]
"""Left for right; by up to an eighth of each side; a window of four fifths to all of each side, enlarged."""

SHIFT, CROP = 1.0 / 8.0, 0.8

Images = Float[Array, "events height width channels"]


def augmented(images: Images, changes: Collection[Change], key: Key) -> Images:
    """Images, each changed at random.

    Args:
        images: a batch.
        changes: which kinds of change.
        key: source of the chance.
    """
    if not changes:
        return images
    events, height, width, _ = images.shape
    flip_key, *keys = jax.random.split(key, 4)
    flip = jax.random.bernoulli(flip_key, 0.5, (events,)) if "flip" in changes else jnp.zeros(events, bool)
    scale = jax.random.uniform(keys[0], (events,), minval=CROP if "crop" in changes else 1.0)
    ways = []
    for size, side_key, turned in ((height, keys[1], jnp.zeros(events, bool)), (width, keys[2], flip)):
        window, move = jax.random.split(side_key)
        # Where the window begins, and how far it is moved beyond the image: what lies there is the edge's colour.
        begin = jax.random.uniform(window, (events,)) * (1.0 - scale) * size
        moved = jax.random.uniform(move, (events,), minval=-1.0) * (SHIFT * size if "shift" in changes else 0.0)
        ways.append(_taken_from(size, scale, begin + moved, turned))
    # One side after the other: each pixel is a weighted sum of two along a column, then of two along a row.
    return jnp.einsum("ehy,eywc,ewx->ehxc", ways[0], images, ways[1].transpose(0, 2, 1))


def _taken_from(
    size: int, scale: Float[Array, " events"], offset: Float[Array, " events"], turned: Array
) -> Float[Array, "events out in"]:
    """How much each pixel of one side takes from each: linear interpolation, beyond the ends the last pixel."""
    out = jnp.arange(size, dtype=jnp.float32)[None]
    out = jnp.where(turned[:, None], size - 1.0 - out, out)
    place = jnp.clip((out + 0.5) * scale[:, None] + offset[:, None] - 0.5, 0.0, size - 1.0)
    return jnp.maximum(0.0, 1.0 - jnp.abs(place[:, :, None] - jnp.arange(size, dtype=jnp.float32)[None, None]))
