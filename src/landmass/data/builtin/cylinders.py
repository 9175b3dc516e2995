"""Cylinders: pictures that differ in two things alone, the radius and the height of what stands there."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from scipy.ndimage import gaussian_filter, laplace

from landmass.data.images import Images
from landmass.data.limits import check_size
from landmass.errors import SettingError

RANGES = {"radius": (0.2, 0.6), "height": (0.3, 1.3)}
"""The two factors, uniform in these ranges; a picture is 2 units wide and 2 high."""

# The camera is far away (its rays are parallel) and looks down by this angle; it sees the middle of the base here.
DOWN = np.deg2rad(18.0)
BASE = -0.66

# Where the light comes from: left, above and front. Greys go from 0 to 255.
LIGHT = np.array([-0.44, 0.8, 0.41])
AMBIENT, DIFFUSE = 86.0, 186.0

# The floor is lighter in front, and dark beside the base, where the cylinder keeps the light away.
NEAR, FAR = 62.0, 40.0
SHADE, REACH = 0.6, 0.26

# Strips of a pixel in which an edge that bends is as good as straight.
STRIPS = 4

# Numbers of a drawing that are held at a time.
BLOCK = 200_000

# How `measured` looks: at pictures smoothed by so many pixels, in so many steps, with slopes over so many units.
SMOOTHING, STEPS, NUDGE = 1.0, 7, 1e-3


def cylinders(n: int = 5_000, *, size: int = 32, seed: int = 0) -> Images:
    """Draw upright cylinders in grey, whose radius and height are their labels.

    Nothing else differs: camera, light and floor are fixed and there is no noise, so that two numbers tell all of a
    picture.

    Args:
        n: how many.
        size: side of the images, in pixels.
        seed: seed of the draw.
    """
    if n < 1 or size < 16:
        raise SettingError(f"cylinders need n from 1 and size from 16, got n={n}, size={size}")
    check_size(f"drawing n = {n:,} cylinders", n * size**2)
    rng = np.random.default_rng(seed)
    labels = {name: rng.uniform(low, high, n) for name, (low, high) in RANGES.items()}
    return Images(draw(labels["radius"], labels["height"], size), labels, "cylinders")


def draw(
    radius: Float[np.ndarray, " events"], height: Float[np.ndarray, " events"], size: int = 32
) -> UInt8[np.ndarray, "events size size 1"]:
    """Draw the cylinders of given factors.

    Args:
        radius: of each, in units of the scene.
        height: of each, in units of the scene.
        size: side of the images, in pixels.
    """
    drawn = np.empty((len(radius), size, size, 1), np.uint8)
    for rows in _blocks(len(radius), size):
        drawn[rows, ..., 0] = brightness(radius[rows], height[rows], size).round()
    return drawn


def brightness(
    radius: Float[np.ndarray, " events"], height: Float[np.ndarray, " events"], size: int
) -> Float[np.ndarray, "events size size"]:
    """The mean brightness of each pixel's area, from 0 to 255: exact, but for edges that bend within a strip.

    Args:
        radius: see `draw`, and so for the next two.
        height: see there.
        size: see there.
    """
    pixel, strip = 2.0 / size, 2.0 / size / STRIPS
    x = (np.arange(size * STRIPS) + 0.5) * strip - 1.0
    y = 1.0 - (np.arange(size) + 0.5) * pixel
    r, h = radius[:, None], height[:, None]
    # The share of each strip within the cylinder's width, and the middle of this share in radii from the axis.
    within = np.clip((r - np.abs(x)) / strip + 0.5, 0.0, 1.0)
    across = np.sign(x) * np.minimum((np.abs(x) - 0.5 * (1.0 - within) * strip) / r, 1.0)
    ahead = np.sqrt(1.0 - across**2)

    def below(edge: Float[np.ndarray, "events strips"]) -> Float[np.ndarray, "events size strips"]:
        """The share of each strip of a pixel that lies in the cylinder's width and below an edge."""
        return within[:, None] * np.clip((edge[:, None] - y[:, None]) / pixel + 0.5, 0.0, 1.0)

    # From below, a strip meets the near edge of the base, and the near and the far edge of the top.
    bow, top = r * ahead * np.sin(DOWN), BASE + h * np.cos(DOWN)
    foot, brim, back = below(BASE - bow), below(top - bow), below(top + bow)
    # Lambert: a surface is the brighter the more it faces the light.
    on_side = AMBIENT + DIFFUSE * np.maximum(across * LIGHT[0] + ahead * LIGHT[2], 0.0)
    on_top = AMBIENT + DIFFUSE * LIGHT[1]
    seen = (brim - foot) * on_side[:, None] + (back - brim) * on_top
    seen, hidden = (each.reshape(len(r), size, size, STRIPS).mean(-1) for each in (seen, back - foot))
    return seen + (1.0 - hidden) * _floor(r[..., None], x.reshape(size, STRIPS).mean(-1), y[:, None])


class Measured(NamedTuple):
    """What was read off pictures; one of little contrast or much misfit shows no cylinder.

    Args:
        radius: in units of the scene.
        height: in units of the scene.
        contrast: 1 for a cylinder as it is drawn, 0 where nothing stands out.
        misfit: what is unlike any cylinder: root mean square over the pixels, smoothed, in greys.
    """

    radius: Float[np.ndarray, " events"]
    height: Float[np.ndarray, " events"]
    contrast: Float[np.ndarray, " events"]
    misfit: Float[np.ndarray, " events"]


def measured(X: Shaped[np.ndarray, "events size size 1"]) -> Measured:
    """Radius and height of cylinders in pictures, by comparison with drawings: no learning.

    Least squares in radius and height, while brightness, contrast and blur are free. The errors are less than 0.1 % of
    the range (root mean square) for pictures of 32×32 as they were drawn or blurred by a Gaussian of 1 pixel, and less
    than 0.4 % with noise of 2 % of the greys.

    Args:
        X: greys from 0 to 255, whole or not.
    """
    size = X.shape[1]
    axes = [np.linspace(low, high, 9) for low, high in RANGES.values()]
    starts = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
    drawings = _smoothly(starts, size).reshape(len(starts), -1)
    blocks = [X[rows, ..., 0] for rows in _blocks(len(X), size)]
    found = [_nearest(_smooth(block.astype(float)), starts, drawings) for block in blocks]
    return Measured(*np.concatenate(found).T)


def _nearest(
    seen: Float[np.ndarray, "events size size"],
    starts: Float[np.ndarray, "starts 2"],
    drawings: Float[np.ndarray, "starts pixels"],
) -> Float[np.ndarray, "events 4"]:
    """The factors of the drawings that are nearest to pictures, by Gauss and Newton's method, contrast and misfit."""
    n, size = seen.shape[:2]
    factors = starts[((drawings**2).sum(1) - 2.0 * seen.reshape(n, -1) @ drawings.T).argmin(1)]
    low, high = np.array(list(RANGES.values())).T
    left, contrast = np.zeros((n, size**2, 1)), np.ones(n)
    for _ in range(STEPS):
        drawn = _smoothly(factors, size)
        slopes = [(_smoothly(factors + step, size) - drawn) / NUDGE for step in NUDGE * np.eye(2)]
        # A blur adds multiples of the Laplacian, of its Laplacian, and so on (the heat equation).
        bleeding = laplace(drawn, axes=(1, 2))
        blur = [bleeding, laplace(bleeding, axes=(1, 2))]
        ways = np.stack([*slopes, *blur, drawn, np.ones_like(drawn)], 1).reshape(n, 6, -1)
        missing, turned = (seen - drawn).reshape(n, -1, 1), ways.swapaxes(1, 2)
        change = np.linalg.solve(ways @ turned, ways @ missing)
        left, contrast = missing - turned @ change, 1.0 + change[:, 4, 0]
        factors = np.clip(factors + change[:, :2, 0], low / 2.0, high * 1.25)
    return np.column_stack([factors, contrast, np.sqrt((left**2).mean((1, 2)))])


def _floor(
    r: Float[np.ndarray, "events 1 1"], x: Float[np.ndarray, " size"], y: Float[np.ndarray, "size 1"]
) -> Float[np.ndarray, "events size size"]:
    """Brightness of the floor, where it is seen."""
    ground = FAR + (NEAR - FAR) * (1.0 - y) / 2.0
    away = np.maximum(np.hypot(x, (y - BASE) / np.sin(DOWN)) - r, 0.0)
    return ground * (1.0 - SHADE * np.exp(-((away / REACH) ** 2)))


def _smoothly(factors: Float[np.ndarray, "events 2"], size: int) -> Float[np.ndarray, "events size size"]:
    return _smooth(brightness(factors[:, 0], factors[:, 1], size))


def _smooth(pictures: Float[np.ndarray, "events size size"]) -> Float[np.ndarray, "events size size"]:
    return gaussian_filter(pictures, SMOOTHING, axes=(1, 2))


def _blocks(n: int, size: int) -> list[slice]:
    """Rows that are drawn at a time."""
    some = max(1, BLOCK // (STRIPS * size**2))
    return [slice(start, start + some) for start in range(0, n, some)]
