"""A grid of held-out images with what is said of them: where the predictor is sure, wrong, or cannot tell."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from landmass.report.answers import Answered, Classified, Estimated
from landmass.report.style import Theme, general, shown

Pixels = UInt8[np.ndarray, "height width channels"]
"""One image."""

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
    X = m.images.X
    return grid({name: [(X[i], *_said(m, int(i))) for i in chosen] for name, chosen in rows.items()}, theme, room=0.75)


def grid(rows: Mapping[str, Sequence[tuple[Pixels, str, bool]]], theme: Theme, room: float) -> Figure:
    """Rows of images.

    Args:
        rows: images by the title of their row, each with what stands below it, and whether that stands out.
        theme: the page's face.
        room: for the words of a row, in inches.
    """
    height, width = next(iter(rows.values()))[0][0].shape[:2]
    tall = min(WIDTH / ACROSS * height / width, 2.5) + room
    figure = Figure(figsize=(WIDTH, tall * len(rows)), layout="constrained")
    figure.set_layout_engine("constrained", w_pad=0.04, h_pad=0.04)
    parts = np.atleast_1d(np.asarray(figure.subfigures(len(rows), 1, hspace=0.04)))
    for part, (title, shown_there) in zip(parts, rows.items(), strict=True):
        part.suptitle(title, x=0.008, ha="left", fontsize=10.0)
        places = part.subplots(1, ACROSS, squeeze=False)[0]
        for axes, (pixels, said, stands_out) in zip(places, shown_there, strict=False):
            _draw_image(axes, pixels, theme)
            axes.set_xlabel(said, fontsize=7.5, color=theme.second if stands_out else theme.ink, linespacing=1.25)
        for axes in places[len(shown_there) :]:
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


def _draw_image(axes: Axes, pixels: Pixels, theme: Theme) -> None:
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
