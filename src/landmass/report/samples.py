"""Figures for many columns: the data beside draws from the last rung, one column and two columns at a time."""

import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from scipy.stats import rankdata

from landmass.report.measures import Measures, window
from landmass.report.style import Theme, label, new_figure, title

WIDTH = 10.0

# Columns that get a histogram, and columns that are paired.
MOST_COLUMNS = 12
MOST_PAIRED = 4

# Points in each panel of the pairs.
POINTS = 1_500


def marginals(m: Measures, theme: Theme) -> Figure | None:
    """Histograms of each column: the data filled, the draws as a line."""
    if m.dim <= 2 or m.draws is None:
        return None
    shown_columns = min(m.dim, MOST_COLUMNS)
    rows = math.ceil(shown_columns / 4)
    figure = new_figure(WIDTH, 1.9 * rows + 0.3)
    grid = figure.subplots(rows, 4, squeeze=False)
    for i, axes in enumerate(grid.flat):
        if i >= shown_columns:
            axes.set_axis_off()
            continue
        low, high = window(m.draws[:, i] if m.data is None else m.data[:, i])
        edges = np.linspace(low, high, 49)
        for events, filled in ((m.data, True), (m.draws, False)):
            if events is not None:
                counts = np.histogram(events[:, i], edges)[0] / len(events)
                colour = theme.line if filled else theme.accent
                axes.stairs(counts, edges, fill=filled, color=colour, linewidth=1.1)
        axes.set_title(label(m.schema, i), fontsize=8.5)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    handles = _key(m, theme)
    figure.legend(handles=handles, loc="outside lower right", frameon=False, ncols=2, fontsize=8.5)
    return figure


def pairs(m: Measures, theme: Theme) -> Figure | None:
    """Scatters of the columns that hang together most: the data below the diagonal, the draws above it."""
    if m.dim <= 2 or m.draws is None or m.data is None:
        return None
    chosen = paired_columns(m.data)
    n = len(chosen)
    figure = new_figure(WIDTH, 0.8 * WIDTH)
    grid = figure.subplots(n, n, squeeze=False, sharex="col", sharey="row")
    windows = [window(m.data[:, i]) for i in chosen]
    for row, axes_row in enumerate(grid):
        for column, axes in enumerate(axes_row):
            axes.set_xlim(*windows[column])
            axes.set_ylim(*windows[row])
            axes.tick_params(length=0, labelbottom=row == n - 1, labelleft=column == 0)
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.yaxis.set_major_locator(MaxNLocator(3))
            if row == column:
                name = label(m.schema, chosen[row])
                axes.text(0.5, 0.5, name, transform=axes.transAxes, ha="center", va="center", fontsize=9.0, wrap=True)
                continue
            events, colour = (m.data, theme.ink) if row > column else (m.draws, theme.accent)
            x, y = events[:POINTS, chosen[column]], events[:POINTS, chosen[row]]
            axes.scatter(x, y, s=2.0, color=colour, linewidths=0, alpha=0.6)
            for spine in axes.spines.values():
                spine.set_visible(True)
    return figure


def paired_columns(X: np.ndarray) -> list[int]:
    """The few columns whose ranks are most correlated with the others', in the order of the data.

    Args:
        X: events.
    """
    correlation = np.corrcoef(rankdata(X, axis=0), rowvar=False)
    strength = (np.nan_to_num(correlation) ** 2).sum(axis=0)
    return sorted(np.argsort(-strength, kind="stable")[:MOST_PAIRED].tolist())


def _key(m: Measures, theme: Theme) -> list:
    line = Line2D([], [], color=theme.accent, linewidth=1.1, label=f"draws from the {title(m.last)}")
    return [*([Patch(color=theme.line, label="the data")] if m.data is not None else []), line]
