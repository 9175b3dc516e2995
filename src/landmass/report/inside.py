"""The section "Inside the network": its layers, and what happened in them while it learned."""

from pathlib import Path

import numpy as np
from jaxtyping import Num
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from landmass.report.answers import Answered
from landmass.report.charts import WIDTH
from landmass.report.parts import Plate, paragraphs, plate_of, table
from landmass.report.style import Theme, new_figure, shown, title

# Layers that are named in a figure; of more, as many are, evenly spread.
MOST_NAMES = 12


def section(m: Answered, figures: Path) -> str:
    """What the network is made of.

    Args:
        m: what is measured.
        figures: the folder of the pictures.
    """
    told = [] if m.training is None else list(m.training.sentences)
    curves = Plate(
        "layers",
        layers,
        "Gradient norm, mean and standard deviation of the activations of each layer, by training step",
        "A line a layer, dark ones near the events, bright ones near the answer. Left: the norm of its gradient at "
        "each step. Right: mean and standard deviation of what comes out of it, of the same events at every look.",
    )
    return "\n".join(
        ["<h2>Inside the network</h2>", paragraphs([_size(m), *told]), _layers(m), plate_of(m, curves, figures)]
    )


def layers(m: Answered, theme: Theme) -> Figure | None:
    """What happened in each layer while the network learned, if that was recorded."""
    found = m.training
    if found is None or not found.layers:
        return None
    colours = _colours(len(found.layers))
    figure = new_figure(WIDTH, 3.4)
    gradient, mean, spread = figure.subplots(1, 3)
    # A step that was taken back comes twice: the line goes on where the steps do.
    order = np.argsort(found.steps, kind="stable")
    norms = np.where(np.isfinite(found.gradients), found.gradients, np.nan)[order]
    for axes, steps, values, name in (
        (gradient, found.steps[order], norms, "gradient norm"),
        (mean, found.looks, found.means, "mean of the activations"),
        (spread, found.looks, np.sqrt(found.variances), "their standard deviation"),
    ):
        _lines(axes, steps, values, colours)
        axes.set_title(name)
        axes.set_xlabel("step")
    if np.nanmax(norms, initial=0.0) > 0.0:
        gradient.set_yscale("log")
    spread.set_yscale("log")
    named = np.unique(np.linspace(0, len(found.layers) - 1, MOST_NAMES).round().astype(int))
    lines = [spread.plot([], [], color=colours[i], linewidth=1.4, label=shown(found.layers[i]))[0] for i in named]
    figure.legend(handles=lines, loc="outside right center", frameon=False, fontsize=7.5, labelcolor=theme.quiet)
    return figure


def _lines(
    axes: Axes, steps: Num[np.ndarray, " steps"], values: Num[np.ndarray, "steps layers"], colours: list
) -> None:
    for colour, line in zip(colours, values.T, strict=True):
        if np.isfinite(line).any():
            axes.plot(steps, line, color=colour, linewidth=0.9)


def _colours(many: int) -> list:
    """From dark to bright, without the ends that a page's own colour swallows."""
    return list(colormaps["viridis"](np.linspace(0.08, 0.92, max(many, 2)))[:many])


def _size(m: Answered) -> str:
    """How many numbers were learned."""
    each = sum(count for *_, count in m.layers)
    if m.members == 1:
        return f"The {title(m.last)} learned {each:,} numbers."
    return (
        f"The {title(m.last)} is {m.members} networks of {each:,} learned numbers each, {m.members * each:,} in all. "
        "The probabilities that they give are averaged."
    )


def _layers(m: Answered) -> str:
    rows = [["input", _shape(m.shape), ""]]
    rows += [[name, _shape(shape), f"{count:,}"] for name, shape, count in m.layers]
    rows.append(["in all", "", f"{sum(count for *_, count in m.layers):,}"])
    whose = "The network's layers" if m.members == 1 else "The layers of each network"
    return table(f"{whose}, from the event to the answer.", ["layer", "output", "parameters"], rows)


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
