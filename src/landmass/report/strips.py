"""Strips: rows of small images with a name to the left, what they are counted by above, and words below."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from landmass.report.style import Theme, look, shown

WIDTH = 10.0

# In inches: the place of the names, and what is left between images, rows and groups.
NAMES, GAP, BETWEEN, GROUP = 1.75, 0.05, 0.09, 0.3

# In inches: the widest and the highest image, and the least width of a column, which has a head.
WIDEST, HIGHEST, LEAST = 1.02, 1.5, 0.62

# Heights of words: above the strips, below an image, and a line of the note at the end.
HEAD, BELOW, LINE = 0.34, 0.2, 0.2

# Letters of a name, and of what is said below it.
LETTERS, SAID = 20, 26

# Pixels across below which an image is shown pixel by pixel.
SMALL = 160


@dataclass(frozen=True, eq=False)
class Strip:
    """A row of images.

    Args:
        name: of the row.
        said: of it, below the name.
        images: bytes, shape (images, height, width, channels).
        below: a word under each image; none where there is nothing to say.
        apart: whether more room is left above.
    """

    name: str
    said: str
    images: UInt8[np.ndarray, "_ height width channels"]
    below: Sequence[str] = ()
    apart: bool = False


def draw_strips(
    strips: Sequence[Strip], theme: Theme, heads: Sequence[str] = (), counted: str = "", groups: int = 1, note: str = ""
) -> Figure:
    """A figure of rows of images, all of one number.

    Args:
        strips: the rows.
        theme: the page's face.
        heads: above each column.
        counted: what the heads are, left of them.
        groups: into how many groups of as many columns each row falls.
        note: below everything; its lines are parted.
    """
    many, (height, width) = len(strips[0].images), strips[0].images.shape[1:3]
    room = WIDTH - NAMES - 0.1 - (many - 1) * GAP - (groups - 1) * GROUP
    wide = min(room / many, WIDEST, HIGHEST * width / height)
    tall, column = wide * height / width, max(wide, LEAST)
    lefts = [NAMES + i * (column + GAP) + i // (many // groups) * GROUP + (column - wide) / 2 for i in range(many)]
    lines = note.splitlines()
    tops, y = [], HEAD if heads else 0.1
    for i, strip in enumerate(strips):
        y += GROUP if strip.apart and i else 0.0
        tops.append(y)
        y += max(tall, 0.4) + BETWEEN + (BELOW if strip.below else 0.0)
    full = y + (0.1 + LINE * len(lines) if lines else 0.0)
    with look(theme):
        figure = Figure(figsize=(WIDTH, full))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        for left, head in zip(lefts, heads, strict=False):
            axes.text(left + wide / 2, HEAD - 0.1, head, ha="center", va="baseline", fontsize=8.5, color=theme.quiet)
        if counted:
            axes.text(0.1, HEAD - 0.1, counted, va="baseline", fontsize=8.0, color=theme.quiet)
        for top, strip in zip(tops, strips, strict=True):
            _draw_strip(axes, strip, top, lefts, (wide, tall), theme)
        for i, line in enumerate(lines):
            axes.text(0.1, y + 0.1 + LINE * (i + 0.5), line, va="center", fontsize=8.5, color=theme.quiet)
        axes.set_aspect("auto")
        axes.set_xlim(0.0, WIDTH)
        axes.set_ylim(full, 0.0)
    return figure


def _draw_strip(
    axes: Axes, strip: Strip, top: float, lefts: Sequence[float], size: tuple[float, float], theme: Theme
) -> None:
    wide, tall = size
    middle = top + max(tall, 0.4) / 2
    apart = 0.09 if strip.said else 0.0
    axes.text(0.1, middle - apart, shown(strip.name, LETTERS), va="center", fontsize=9.0, color=theme.ink)
    axes.text(0.1, middle + apart, shown(strip.said, SAID), va="center", fontsize=8.0, color=theme.quiet)
    for i, (left, pixels) in enumerate(zip(lefts, strip.images, strict=True)):
        draw_image(axes, pixels, (left, left + wide, top + tall, top), theme)
        if strip.below:
            place = left + wide / 2, top + max(tall, 0.4) + 0.04
            axes.text(*place, strip.below[i], ha="center", va="top", fontsize=7.5, color=theme.quiet)


def draw_image(
    axes: Axes,
    pixels: UInt8[np.ndarray, "height width channels"],
    extent: tuple[float, float, float, float],
    theme: Theme,
) -> None:
    """Draw an image with a hair line around it.

    Args:
        axes: where.
        pixels: bytes.
        extent: left, right, bottom, top, in the axes' units.
        theme: the page's face.
    """
    grey = pixels.shape[-1] == 1
    sharp = "nearest" if max(pixels.shape[:2]) <= SMALL else "antialiased"
    shown_pixels = pixels[..., 0] if grey else pixels
    axes.imshow(shown_pixels, cmap="gray", vmin=0, vmax=255, interpolation=sharp, extent=extent, aspect="auto")
    left, right, bottom, top = extent
    axes.plot([left, right, right, left, left], [top, top, bottom, bottom, top], color=theme.line, linewidth=0.6)
