"""Figures of tables of any columns: held-out cells beside draws, one column and two columns at a time."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from landmass.report.style import Theme, label, new_figure, title
from landmass.report.table_measures import Tabled
from landmass.report.table_scales import Bars, Line, Values, is_words, jittered

WIDTH = 10.0

# Columns that are drawn one by one, so many in a row, and words of each.
MOST_COLUMNS, ACROSS, MOST_WORDS = 24, 3, 12

# Words and points in each panel of the pairs.
MOST_PAIRED_WORDS, POINTS = 8, 1_500

Events = Float[np.ndarray, "_ columns"]


def columns(m: Tabled, theme: Theme) -> Figure | None:
    """Each column: shares of words, histograms of numbers and dates, empty cells as a bar of their own."""
    many = min(len(m.schema.columns), MOST_COLUMNS)
    across = min(many, ACROSS)
    rows = math.ceil(many / across)
    figure = new_figure(WIDTH, 2.2 * rows + 0.4)
    grid = figure.subplots(rows, across, squeeze=False)
    for i, axes in enumerate(grid.flat):
        if i >= many:
            axes.set_axis_off()
            continue
        held_out, drawn = None if m.data is None else m.data[:, i], m.draws[:, i]
        draw = _bars if is_words(m.schema.columns[i]) else _histogram
        draw(axes, m, i, held_out, drawn, theme)
        axes.set_title(label(m.schema, i), fontsize=9.0)
    figure.legend(handles=_key(m, theme), loc="outside lower right", frameon=False, ncols=2, fontsize=8.5)
    return figure


def _bars(axes: Axes, m: Tabled, i: int, held_out: Values | None, drawn: Values, theme: Theme) -> None:
    bars = Bars.of(m.schema.columns[i], drawn if held_out is None else held_out, MOST_WORDS)
    places = np.arange(bars.size)
    if held_out is not None:
        axes.barh(places, bars.shares(held_out), height=0.8, color=theme.line)
    axes.barh(places, bars.shares(drawn), height=0.8, fill=False, edgecolor=theme.accent, linewidth=1.0)
    small = 7.5 if bars.size <= 9 else 6.0
    axes.set_yticks(places, bars.names(18), fontsize=small, color=theme.quiet)
    axes.set_ylim(max(bars.size, 4) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xticks([])
    axes.spines[["left", "bottom"]].set_visible(False)


def _histogram(axes: Axes, m: Tabled, i: int, held_out: Values | None, drawn: Values, theme: Theme) -> None:
    """Heights are square roots, so that a pile at one value leaves the rest visible."""
    column = m.schema.columns[i]
    line = Line.of(column, drawn if held_out is None else held_out)
    edges = line.edges()
    width = (edges[-1] - edges[0]) / 16.0
    # Bars that have no place on the axis stand beside it.
    left, right = edges[0] - 2.0 * width, edges[-1] + 2.0 * width
    zeros = line.logarithmic and any(values is not None and (values <= 0.0).any() for values in (held_out, drawn))
    for values, filled in ((held_out, True), (drawn, False)):
        if values is None:
            continue
        look: dict[str, Any] = (
            {"color": theme.line} if filled else {"fill": False, "edgecolor": theme.accent, "linewidth": 1.1}
        )
        counts = np.histogram(line.places(values), edges)[0] / len(values)
        axes.stairs(np.sqrt(counts), edges, fill=filled, color=theme.line if filled else theme.accent, linewidth=1.1)
        if column.nullable:
            axes.bar(right, math.sqrt(np.isnan(values).mean()), width, **look)
        if zeros:
            axes.bar(left, math.sqrt((values <= 0.0).mean()), width, **look)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    line.ticks(axes.xaxis, 4)
    axes.set_xlim(left - width if zeros else edges[0], right + width if column.nullable else edges[-1])
    for there, place, word in ((zeros, left, "0"), (column.nullable, right, "empty")):
        if there:
            below = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "fontsize": 8.0}
            axes.annotate(word, (place, 0.0), (0, -5), ha="center", va="top", color=theme.quiet, **below)


def pairs(m: Tabled, theme: Theme) -> Figure | None:
    """The columns that depend most on each other: the data below the diagonal, the draws above it."""
    if m.data is None or len(m.pairs) < 2:
        return None
    n, rng = len(m.pairs), np.random.RandomState(0)
    figure = new_figure(WIDTH, 0.8 * WIDTH)
    grid = figure.subplots(n, n, squeeze=False, sharex="col", sharey="row")
    scales = [_scale(m, i) for i in m.pairs]
    for row, axes_row in enumerate(grid):
        for place, axes in enumerate(axes_row):
            _frame(axes, scales[place], scales[row], theme, bottom=row == n - 1, left=place == 0)
            if row == place:
                name = label(m.schema, m.pairs[row])
                axes.text(0.5, 0.5, name, transform=axes.transAxes, ha="center", va="center", fontsize=9.0, wrap=True)
                continue
            across, up, drawn = scales[place], scales[row], row < place
            x, y = m.pairs[place], m.pairs[row]
            if isinstance(across, Bars) and isinstance(up, Bars):
                _heat(axes, m, (x, across), (y, up), drawn, theme)
                continue
            events = (m.draws if drawn else m.data)[:POINTS]
            points = (_scattered(scale, events[:, i], rng) for i, scale in ((x, across), (y, up)))
            axes.scatter(*points, s=2.0, color=theme.accent if drawn else theme.ink, linewidths=0, alpha=0.6)
    return figure


def _scale(m: Tabled, i: int) -> Bars | Line:
    column, values = m.schema.columns[i], m.draws[:, i] if m.data is None else m.data[:, i]
    return Bars.of(column, values, MOST_PAIRED_WORDS) if is_words(column) else Line.of(column, values)


def _frame(axes: Axes, across: Bars | Line, up: Bars | Line, theme: Theme, bottom: bool, left: bool) -> None:
    """Limits and ticks, which panels of a row and of a column share."""
    axes.tick_params(length=0, labelbottom=bottom, labelleft=left)
    if isinstance(across, Bars):
        axes.set_xticks(np.arange(across.size), across.names(12), rotation=90, fontsize=7.0)
        axes.set_xlim(-0.5, across.size - 0.5)
    else:
        across.ticks(axes.xaxis, 3)
        axes.set_xlim(across.low, across.high)
    if isinstance(up, Bars):
        axes.set_yticks(np.arange(up.size), up.names(12), fontsize=7.0)
        axes.set_ylim(up.size - 0.5, -0.5)
    else:
        up.ticks(axes.yaxis, 3)
        axes.set_ylim(up.low, up.high)
    for spine in axes.spines.values():
        spine.set_visible(True)


def _scattered(scale: Bars | Line, values: Values, rng: np.random.RandomState) -> Values:
    return jittered(scale.column, scale.places(values).astype(float), rng)


def _heat(axes: Axes, m: Tabled, across: tuple[int, Bars], up: tuple[int, Bars], drawn: bool, theme: Theme) -> None:
    """Shares of pairs of words, on a scale that both halves have; shades are square roots, so that few are seen."""
    shares = [np.sqrt(_table(X, across, up)) for X in (m.draws, m.data) if X is not None]
    most = max(float(each.max()) for each in shares)
    shades = LinearSegmentedColormap.from_list("shares", [theme.paper, theme.accent if drawn else theme.ink])
    edges = (np.arange(scale.size + 1.0) - 0.5 for _, scale in (across, up))
    axes.pcolormesh(*edges, shares[0 if drawn else -1], cmap=shades, vmin=0.0, vmax=most, rasterized=True)


def _table(X: Events, across: tuple[int, Bars], up: tuple[int, Bars]) -> Float[np.ndarray, "up across"]:
    """The share of events with each pair of words."""
    (i, columns_of), (j, rows_of) = across, up
    both = rows_of.places(X[:, j]) * columns_of.size + columns_of.places(X[:, i])
    counts = np.bincount(both, minlength=rows_of.size * columns_of.size)
    return counts.reshape(rows_of.size, columns_of.size) / len(X)


def _key(m: Tabled, theme: Theme) -> list:
    line = Line2D([], [], color=theme.accent, linewidth=1.1, label=f"draws from the {title(m.last)}")
    return [*([Patch(color=theme.line, label="held-out events")] if m.data is not None else []), line]
