"""A grid of held-out images with what is said of them: where the predictor is sure, wrong, or cannot tell."""

import numpy as np
from jaxtyping import Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from landmass.report.answers import Answered, Classified, Estimated
from landmass.report.style import Theme, general, shown

WIDTH = 10.0

# Images in a row, and letters of a class's name.
ACROSS, LETTERS = 8, 12

# Pixels across below which an image is shown pixel by pixel.
SMALL = 160


def images(m: Answered, theme: Theme) -> Figure | None:
    """Rows of images, each with its answer."""
    rows = chosen_images(m)
    if m.images is None or not rows:
        return None
    height, width = m.images.X.shape[1:3]
    tall = min(WIDTH / ACROSS * height / width, 2.5) + 0.75
    figure = Figure(figsize=(WIDTH, tall * len(rows)), layout="constrained")
    figure.set_layout_engine("constrained", w_pad=0.04, h_pad=0.04)
    parts = np.atleast_1d(np.asarray(figure.subfigures(len(rows), 1, hspace=0.04)))
    for part, (title, chosen) in zip(parts, rows.items(), strict=True):
        part.suptitle(title, x=0.008, ha="left", fontsize=10.0)
        grid = part.subplots(1, ACROSS, squeeze=False)[0]
        for axes, i in zip(grid, chosen, strict=False):
            draw_image(axes, m.images.X[i], theme)
            said, is_wrong = _said(m, int(i))
            axes.set_xlabel(said, fontsize=7.5, color=theme.second if is_wrong else theme.ink, linespacing=1.25)
        for axes in grid[len(chosen) :]:
            axes.set_axis_off()
    return figure


def chosen_images(m: Answered) -> dict[str, Int[np.ndarray, " few"]]:
    """Which images are shown, by what they have in common; a group without images is left out.

    Args:
        m: what is measured.
    """
    found = m.answers
    if isinstance(found, Classified):
        surest = np.argsort(-found.chances.max(axis=1), kind="stable")
        groups = {
            "surest and right": surest[found.right[surest]],
            "surest and wrong": surest[~found.right[surest]],
            "least sure": surest[::-1],
        }
    elif isinstance(found, Estimated):
        width = np.diff(found.interval(0.9), axis=1)[:, 0]
        groups = {
            "likeliest answers": np.argsort(-m.scores, kind="stable"),
            "strangest answers": np.argsort(m.scores, kind="stable"),
            "least sure": np.argsort(-width, kind="stable"),
        }
    else:
        groups = {}
    return {title: those[:ACROSS] for title, those in groups.items() if len(those)}


def draw_image(axes: Axes, pixels: UInt8[np.ndarray, "height width channels"], theme: Theme) -> None:
    """Draw an image.

    Args:
        axes: where.
        pixels: grey or coloured.
        theme: the page's face.
    """
    grey = pixels.shape[-1] == 1
    sharp = "nearest" if max(pixels.shape[:2]) <= SMALL else "antialiased"
    axes.imshow(pixels[..., 0] if grey else pixels, cmap="gray", vmin=0, vmax=255, interpolation=sharp)
    axes.set_anchor("N")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(theme.line)


def _said(m: Answered, i: int) -> tuple[str, bool]:
    """What is predicted of an image and what came, and whether that is wrong."""
    found = m.answers
    if isinstance(found, Classified):
        taken, true = int(found.predicted[i]), int(found.true[i])
        said = f"{shown(found.classes[taken], LETTERS)}  {_percent(found.chances[i, taken])}"
        came = "right" if taken == true else f"is {shown(found.classes[true], LETTERS)}"
        return f"{said}\n{came}", taken != true
    if isinstance(found, Estimated):
        low, high = found.interval(0.9)[i]
        said = f"{_short(low)} to {_short(high)}\nis {_short(found.actual[i])}"
        return said, not bool(found.inside(0.9)[i])
    return "", False


def _percent(chance: float) -> str:
    """A probability that is never told as certain."""
    return f"{100 * chance:.1f}%" if chance < 0.9995 else ">99.9%"


def _short(value: float) -> str:
    return general(float(f"{value:.3g}"))
