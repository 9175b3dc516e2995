"""Figures of densities: the last rung large, every rung small, over the map or along the line."""

import math

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from landmass.report.measures import Measures
from landmass.report.style import (
    DENSITY_MAP,
    Theme,
    density_norm,
    label,
    log_ticks,
    new_figure,
    per,
    shown,
    signed,
    title,
)
from landmass.types import LogDensities

WIDTH = 10.0

# Points drawn of the data: more only blacken the paper.
MOST_POINTS = 10_000


def large_map(m: Measures, theme: Theme) -> Figure | None:
    """The last rung's density, as large as the page allows."""
    if m.view is None or m.dim != 2:
        return None
    shape = _aspect(m)
    width = WIDTH if shape < 0.8 else 7.0
    figure = new_figure(width, min(width * shape, 7.5) + 0.75)
    axes = figure.subplots()
    norm = _norm(m)
    _picture(axes, m, m.pictures[m.last], norm)
    _outline(axes, m, 0.55)
    _frame(axes, m, theme, ticks=True)
    _colour_bar(figure, axes, norm, m)
    return figure


def small_maps(m: Measures, theme: Theme) -> Figure | None:
    """The data, the truth and every rung side by side, on one scale."""
    if m.view is None or m.dim != 2:
        return None
    panels = ["data", *([""] if "" in m.pictures else []), *m.rungs]
    columns = min((3, 4), key=lambda wide: (-len(panels) % wide, wide))
    rows = math.ceil(len(panels) / columns)
    side = WIDTH / columns
    figure = new_figure(WIDTH, rows * (min(side * _aspect(m), 1.2 * side) + 0.36) + 0.6)
    grid = figure.subplots(rows, columns, squeeze=False)
    norm = _norm(m)
    for axes, panel in zip(grid.flat, panels, strict=False):
        if panel == "data":
            _scatter(axes, m, theme)
            continue
        _picture(axes, m, m.pictures[panel], norm)
        _outline(axes, m, 0.3)
        _frame(axes, m, theme, ticks=False)
        axes.set_title(title(panel), fontsize=9.0, pad=4.0)
        axes.set_title(_score(m, panel), loc="right", fontsize=8.0, color=theme.quiet, pad=4.0)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    _colour_bar(figure, list(grid.flat), norm, m)
    return figure


def lines(m: Measures, theme: Theme) -> Figure | None:
    """With one column: every rung's density along the line, over a histogram of the data."""
    if m.view is None or m.dim != 1:
        return None
    names = ([""] if "" in m.pictures else []) + list(m.rungs)
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure = new_figure(WIDTH, 2.1 * rows + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    x, edges = m.view.middles[0], m.view.edges[0][::20]
    events = m.data if m.data is not None else m.draws
    for axes, name in zip(grid.flat, names, strict=False):
        if events is not None:
            counts = np.histogram(events[:, 0], edges)[0] / (len(events) * np.diff(edges))
            axes.stairs(counts, edges, fill=True, color=theme.line)
        axes.plot(x, np.exp(m.pictures[name]), color=theme.accent, linewidth=1.2)
        axes.set_title(title(name), fontsize=9.0)
        axes.set_title(_score(m, name), loc="right", fontsize=8.0, color=theme.quiet)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    tallest = [float(np.exp(np.quantile(m.pictures[name], 0.995))) for name in names]
    grid[0, 0].set_ylim(0.0, 1.15 * max(tallest))
    grid[0, 0].set_xlim(edges[0], m.view.edges[0][-1])
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    figure.supxlabel(label(m.schema, 0), fontsize=9.0, color=theme.quiet)
    return figure


def _norm(m: Measures) -> LogNorm:
    pictures = [picture for name, picture in m.pictures.items() if name]
    return density_norm(pictures, float(m.view.volumes.sum()) if m.view else 1.0)


def _score(m: Measures, name: str) -> str:
    if not name:
        return "" if m.ledger.true_entropy is None else signed(-m.ledger.true_entropy, 2)
    nats = m.ledger.rung(name).nats
    return "−∞" if nats is None else signed(nats, 2)


def _ends(m: Measures) -> Float[np.ndarray, "columns 2"]:
    return np.array([[edges[0], edges[-1]] for edges in (m.view.edges if m.view else ())])


def _equal(m: Measures) -> bool:
    """Whether a step across is as long as a step up: the columns share a unit, or the truth says nothing of units."""
    units = [column.unit for column in m.schema.columns]
    widths = np.diff(_ends(m))[:, 0]
    one_unit = units[0] == units[1] and (units[0] != "" or m.truth is not None)
    return one_unit and bool(0.25 < widths[0] / widths[1] < 4.0)


def _aspect(m: Measures) -> float:
    """Height of a picture as a share of its width."""
    widths = np.diff(_ends(m))[:, 0]
    return float(widths[1] / widths[0]) if _equal(m) else 0.85


def _picture(axes: Axes, m: Measures, picture: LogDensities, norm: LogNorm) -> None:
    if m.view is None:
        return
    density = np.exp(picture).reshape(m.view.shape).T
    # The scale's floor stands for everything fainter, zero included.
    density = np.maximum(density, norm.vmin or 0.0)
    axes.imshow(
        density,
        origin="lower",
        extent=tuple(_ends(m).ravel()),
        norm=norm,
        cmap=DENSITY_MAP,
        aspect="equal" if _equal(m) else "auto",
        interpolation="nearest",
    )


def _outline(axes: Axes, m: Measures, width: float, colour: str = "white") -> None:
    """The truth's outline as one line with gaps: a long path is thinned out to the picture's pixels, many are not."""
    pieces = [] if m.truth is None else list(m.truth.outline)
    if pieces:
        gap = np.full((1, 2), np.nan)
        path = np.concatenate([part for piece in pieces for part in (piece, gap)])
        axes.plot(path[:, 0], path[:, 1], color=colour, linewidth=width, alpha=0.75, scalex=False, scaley=False)


def _scatter(axes: Axes, m: Measures, theme: Theme) -> None:
    events = m.data if m.data is not None else m.draws
    axes.set_aspect("equal" if _equal(m) else "auto")
    axes.set_xlim(*_ends(m)[0])
    axes.set_ylim(*_ends(m)[1])
    word = "the data" if m.data is not None else f"draws from the {title(m.last)}"
    if events is not None:
        size = float(np.clip(3_000.0 / len(events), 0.35, 6.0))
        axes.scatter(events[:MOST_POINTS, 0], events[:MOST_POINTS, 1], s=size, color=theme.ink, linewidths=0, alpha=0.8)
        axes.set_title(
            f"{min(len(events), MOST_POINTS):,} events", loc="right", fontsize=8.0, color=theme.quiet, pad=4.0
        )
    _frame(axes, m, theme, ticks=False)
    axes.set_title(word, fontsize=9.0, pad=4.0)


def _frame(axes: Axes, m: Measures, theme: Theme, ticks: bool) -> None:
    for spine in axes.spines.values():
        spine.set_visible(not ticks)
        spine.set_edgecolor(theme.line)
    if not ticks:
        axes.set_xticks([])
        axes.set_yticks([])
        return
    axes.set_xlabel(label(m.schema, 0))
    axes.set_ylabel(label(m.schema, 1))
    if {column.unit for column in m.schema.columns} == {"degree"}:
        axes.set_xticks(range(-180, 181, 60))
        axes.set_yticks(range(-90, 91, 30))


def _colour_bar(figure: Figure, axes: Axes | list[Axes], norm: LogNorm, m: Measures) -> None:
    bar = figure.colorbar(
        ScalarMappable(norm, DENSITY_MAP),
        ax=axes,
        location="bottom",
        fraction=0.03,
        aspect=60,
        shrink=0.6,
        pad=0.02,
        extend="both",
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    log_ticks(bar.ax, norm)
    bar.set_label(f"probability density per {shown(per(m.schema))} (logarithmic)", fontsize=8.0)
