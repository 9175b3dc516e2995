"""Portraits: drawn faces whose factors are known: hair, width, height, eyes, smile and glasses."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from landmass.data.images import Images
from landmass.data.limits import check_size
from landmass.errors import SettingError

Factors = Mapping[str, Shaped[np.ndarray, " faces"]]

RANGES = {
    "hair_colour": (0.0, 1.0),
    "hair_length": (0.0, 1.0),
    "face_width": (0.42, 0.62),
    "face_height": (0.58, 0.78),
    "eye_distance": (0.17, 0.29),
    "smile": (-1.0, 1.0),
}
"""The factors that are numbers, uniform in these ranges; beside them there are `glasses`, on every third face."""

# No mouth is so straight that its sign could not be seen.
LEAST_SMILE = 0.25

# Colours from one end of a range to the other: of hair, skin and background.
HAIR = np.array([[35, 25, 20], [120, 70, 35], [225, 180, 95]], float)
SKIN = np.array([[95, 60, 45], [200, 150, 120], [245, 215, 190]], float)

# Faces drawn at a time, and numbers at most.
BLOCK, NUMBERS = 1_000, 13_000_000


def portraits(
    n: int = 10_000, *, size: int = 32, seed: int = 0, label_noise: float = 0.0, occlusion: float = 0.0
) -> Images:
    """Draw faces with known factors.

    Skin, background, place and grain vary too, and tell nothing. The labels are the factors of `RANGES`, `glasses`, and
    `smiling` ("yes" where the mouth is curved upwards), with `smiling_chance`: its exact probability given the image.

    Args:
        n: how many faces.
        size: side of the images, in pixels.
        seed: seed of the draw.
        label_noise: share of the labels `smiling` that are turned round.
        occlusion: share of the faces of which a bar hides the mouth, or, as often, the brow.
    """
    if n < 1 or size < 16 or not (0.0 <= label_noise <= 0.5 and 0.0 <= occlusion <= 1.0):
        raise SettingError(
            f"portraits need n from 1, size from 16, label_noise from 0 to 0.5 and occlusion from 0 to 1, got n={n}, "
            f"size={size}, label_noise={label_noise}, occlusion={occlusion}"
        )
    check_size(f"drawing n = {n:,} portraits", 3 * n * size**2)
    rng = np.random.default_rng(seed)
    factors: dict[str, Shaped[np.ndarray, " faces"]] = {
        name: rng.uniform(low, high, n) for name, (low, high) in RANGES.items()
    }
    curved = factors["smile"]
    factors["smile"] = np.sign(curved) * (LEAST_SMILE + (1.0 - LEAST_SMILE) * np.abs(curved))
    factors["glasses"] = rng.random(n) < 1 / 3
    # 0: nothing is hidden, 1: the brow, 2: the mouth.
    hidden = np.where(rng.random(n) < occlusion, rng.integers(1, 3, n), 0)
    at_a_time = max(min(BLOCK, NUMBERS // (3 * size**2)), 1)
    blocks = [slice(start, min(start + at_a_time, n)) for start in range(0, n, at_a_time)]
    X = [draw({name: each[rows] for name, each in factors.items()}, hidden[rows], size, rng) for rows in blocks]
    smiling = (factors["smile"] > 0.0) ^ (rng.random(n) < label_noise)
    seen = np.where(factors["smile"] > 0.0, 1.0 - label_noise, label_noise)
    labels = {
        **factors,
        "smiling": np.where(smiling, "yes", "no"),
        "smiling_chance": np.where(hidden == 2, 0.5, seen),
    }
    return Images(np.concatenate(X), labels, "portraits")


def draw(
    factors: Factors, hidden: Shaped[np.ndarray, " faces"], size: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "faces size size 3"]:
    """Draw faces, edges smoothed over a pixel.

    Args:
        factors: of each face.
        hidden: 1 where a bar hides the brow, 2 where one hides the mouth, 0 for none.
        size: side of the images.
        rng: source of skin, background, place and grain.
    """
    n = len(hidden)

    def each(name: str) -> Float[np.ndarray, "faces 1 1"]:
        return np.asarray(factors[name], float)[:, None, None]

    ends = (np.arange(size) + 0.5) * 2.0 / size - 1.0
    shift = rng.uniform(-0.06, 0.06, (2, n, 1, 1))
    x, y = ends[None, None, :] - shift[0], ends[None, :, None] - shift[1]
    edge = 2.0 / size
    wide, high, apart, smile = each("face_width"), each("face_height"), each("eye_distance"), each("smile")
    hair, skin = _between(HAIR, factors["hair_colour"]), _between(SKIN, rng.random(n))
    canvas = np.broadcast_to(rng.uniform(40.0, 230.0, (n, 1, 1, 3)), (n, size, size, 3)).copy()

    def paint(inside: Float[np.ndarray, "faces size size"], colour: Float[np.ndarray, "_ 3"]) -> None:
        """Cover what lies inside; `inside` is the distance from the edge, in units of the canvas."""
        share = np.clip(0.5 + inside / edge, 0.0, 1.0)[..., None]
        canvas[:] = canvas + share * (colour[:, None, None, :] - canvas)

    def ellipse(
        cx: np.ndarray | float, cy: np.ndarray | float, a: np.ndarray | float, b: np.ndarray | float
    ) -> np.ndarray:
        return (1.0 - np.sqrt(((x - cx) / a) ** 2 + ((y - cy) / b) ** 2)) * np.minimum(a, b)

    black, white = np.full((1, 3), 25.0), np.full((1, 3), 245.0)
    # Hair falls beside the face as far as it is long; its cap covers the brow.
    fall = np.minimum(wide + 0.14 - np.abs(x), np.minimum(y + 0.2, -0.15 + 1.1 * each("hair_length") - y))
    paint(np.maximum(ellipse(0.0, -0.1, wide + 0.14, high + 0.1), -1.0) * (y < 0.0) - (y >= 0.0), hair)
    paint(fall, hair)
    paint(ellipse(0.0, 0.0, wide, high), skin)
    paint(np.minimum(ellipse(0.0, 0.0, wide + edge, high + edge), -0.62 * high - y), hair)
    for side in (-1.0, 1.0):
        paint(ellipse(side * apart, -0.08, 0.1, 0.065), white)
        paint(ellipse(side * apart, -0.08, 0.05, 0.055), black)
    paint(ellipse(0.0, 0.12, 0.035, 0.09), 0.8 * skin)
    # A mouth is a part of a parabola; its ends are raised by a smile.
    across = x / 0.24
    line = 0.38 - 0.16 * smile * (across**2 - 0.5)
    mouth = np.minimum(0.035 - np.abs(y - line), 0.24 - np.abs(x))
    paint(mouth, np.array([[150.0, 35.0, 45.0]]))
    frames = np.maximum(*(0.025 - np.abs(ellipse(side * apart, -0.08, 0.15, 0.13)) for side in (-1.0, 1.0)))
    bridge = np.minimum(0.025 - np.abs(y + 0.08), apart - 0.14 - np.abs(x))
    paint(np.where(each("glasses") > 0.0, np.maximum(frames, bridge), -1.0), black)
    bar = np.where(hidden[:, None, None] == 2, 0.24 - np.abs(y - 0.38), 0.16 - np.abs(y + 0.5))
    paint(np.where(hidden[:, None, None] > 0, np.minimum(bar, 0.75 - np.abs(x)), -1.0), rng.uniform(20, 235, (n, 3)))
    canvas += rng.normal(0.0, 6.0, canvas.shape)
    return np.clip(canvas.round(), 0.0, 255.0).astype(np.uint8)


def _between(colours: Float[np.ndarray, "stops 3"], share: Float[np.ndarray, " faces"]) -> Float[np.ndarray, "faces 3"]:
    """Colours along a line through some."""
    stops = np.linspace(0.0, 1.0, len(colours))
    return np.column_stack([np.interp(share, stops, channel) for channel in colours.T])
