"""Figures of numbers: the ledger, the training curves, the product that underflows, the likelihood as a peak."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from landmass.evaluate.ledger import MARKS
from landmass.evaluate.likelihood import Surface
from landmass.report.measures import Curve, Measures, Shown
from landmass.report.style import Theme, new_figure, shown, signed, title

WIDTH = 10.0

# The least float64 above zero, and the greatest, as powers of ten.
UNDERFLOW, OVERFLOW = math.log10(5e-324), math.log10(np.finfo(float).max)

# Contours of a likelihood surface: so many nats below the peak lies the ellipse of 1, 2, 3, … standard errors.
CONTOURS = [0.5 * r**2 for r in range(5)]


def ledger(m: Shown, theme: Theme) -> Figure:
    """Every rung's held-out score with an error bar of two standard errors, and the truth where it is known."""
    rungs = m.ledger.rungs
    figure = new_figure(WIDTH, 0.36 * len(rungs) + 1.0)
    axes = figure.subplots()
    places = np.arange(len(rungs))[::-1]
    scores = [rung.nats for rung in rungs if rung.nats is not None]
    truth = None if m.ledger.true_entropy is None else -m.ledger.true_entropy
    bars = [2.0 * r.se if r.se is not None and math.isfinite(r.se) else 0.0 for r in rungs if r.nats is not None]
    spread = [*np.subtract(scores, bars), *np.add(scores, bars), *([] if truth is None else [truth])] or [0.0]
    low, high = float(min(spread)), float(max(spread))
    room = max(high - low, 1e-3)
    left = low - 0.06 * room
    for place, rung in zip(places, rungs, strict=True):
        colour = theme.accent if rung.family == m.last else theme.ink
        if rung.nats is None:
            axes.plot([left], [place], "<", color=theme.second, markersize=6, clip_on=False)
            text = f"−∞   {rung.zero_density:,} of {rung.n:,} events have density zero"
            axes.annotate(text, (left, place), (10, 0), textcoords="offset points", va="center", color=theme.second)
            continue
        error = 0.0 if rung.se is None or not math.isfinite(rung.se) else 2.0 * rung.se
        axes.plot([left, rung.nats], [place, place], color=theme.line, linewidth=0.6, zorder=1)
        axes.errorbar(rung.nats, place, xerr=error, fmt="o", color=colour, markersize=5, elinewidth=1.6, capsize=0)
        axes.annotate(
            MARKS[rung.label] + signed(rung.nats, 3),
            (rung.nats + error, place),
            (8, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=8.5,
        )
    if truth is not None:
        axes.axvline(truth, color=theme.second, linewidth=1.0)
        axes.annotate(
            f"the truth  {signed(truth, 3)}",
            (truth, 1.0),
            (4, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color=theme.second,
            fontsize=8.5,
            annotation_clip=False,
        )
    axes.set_xlim(left, high + 0.16 * room)
    axes.set_ylim(-0.6, len(rungs) - 0.4)
    axes.set_yticks(places, [title(rung.family) for rung in rungs], color=theme.ink, fontsize=9.0)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("held-out log-likelihood, nats an event (higher is better)")
    return figure


def curves(m: Shown, theme: Theme) -> Figure | None:
    """How the rungs learned that took steps: the score of training batches and of validation events, by step."""
    if not m.curves:
        return None
    columns = min(3, len(m.curves))
    rows = math.ceil(len(m.curves) / columns)
    figure = new_figure(WIDTH, 2.6 * rows + 0.2)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, (name, curve) in zip(grid.flat, m.curves.items(), strict=False):
        _curve(axes, curve, theme)
        axes.set_title(title(name))
        axes.set_ylabel("nats an event")
    for axes in grid.flat[len(m.curves) :]:
        axes.set_axis_off()
    return figure


def _curve(axes: Axes, curve: Curve, theme: Theme) -> None:
    values, ends = [], []
    if np.isfinite(curve.train).any():
        axes.plot(curve.steps, curve.train, color=theme.quiet, linewidth=1.2)
        values.append(curve.train)
        ends.append((curve.train[-1], "training", theme.quiet))
    if np.isfinite(curve.held_out).any():
        axes.plot(curve.steps, curve.held_out, color=theme.accent, linewidth=1.6)
        best = int(np.nanargmax(curve.held_out))
        axes.plot(curve.steps[best], curve.held_out[best], "o", color=theme.accent, markersize=4)
        values.append(curve.held_out)
        ends.append((curve.held_out[-1], "validation", theme.accent))
    every = np.concatenate(values)
    top = float(np.nanmax(every))
    # The first steps may be hopeless; what matters happens near the top.
    bottom = max(float(np.nanmin(every)), top - 4.0 * max(top - float(np.nanmedian(every)), 0.02))
    room = max(top - bottom, 1e-3)
    axes.set_ylim(bottom - 0.08 * room, top + 0.12 * room)
    axes.set_xlim(0.0, 1.25 * curve.steps[-1])
    # The two names must not stand on each other.
    ends.sort(key=lambda end: end[0])
    heights = [end[0] for end in ends]
    if len(ends) == 2 and heights[1] - heights[0] < 0.09 * room:
        middle = sum(heights) / 2.0
        heights = [middle - 0.05 * room, middle + 0.05 * room]
    for height, (_, word, colour) in zip(heights, ends, strict=True):
        axes.annotate(
            word, (curve.steps[-1], height), (6, 0), textcoords="offset points", va="center", color=colour, fontsize=8.0
        )
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlabel("step")


def running_product(m: Measures, theme: Theme) -> Figure | None:
    """The product of the events' densities, one event after the other, until float64 ends."""
    if not m.products:
        return None
    first, last = next(iter(m.products)), m.last
    ended = [m.products[name].ended or m.products[name].n for name in (first, last)]
    most = min(max(math.ceil(1.12 * max(ended)), 12), m.products[last].n)
    figure = new_figure(WIDTH, 2.9)
    axes = figure.subplots()
    drawn = []
    for name, colour in dict.fromkeys([(first, theme.second), (last, theme.accent)]):
        log10 = np.concatenate([[0.0], np.cumsum(m.log_density[name][:most]) / math.log(10.0)])
        known = np.isfinite(log10)
        axes.plot(np.arange(most + 1)[known], log10[known], color=colour, linewidth=1.4)
        drawn.append((float(log10[known][-1]), title(name), colour))
    lowest, highest = min(end for end, _, _ in drawn), max(end for end, _, _ in drawn)
    if lowest < UNDERFLOW:
        axes.axhspan(2 * lowest, UNDERFLOW, color=theme.line, alpha=0.6, linewidth=0)
        axes.annotate("float64 ends at 5·10⁻³²⁴: below it stands 0.0", (0.0, UNDERFLOW), (4, -12), **_small(theme))
    if highest > OVERFLOW:
        axes.axhspan(OVERFLOW, 2 * highest, color=theme.line, alpha=0.6, linewidth=0)
        axes.annotate("float64 ends at 1.8·10³⁰⁸: above it stands inf", (0.0, OVERFLOW), (4, 5), **_small(theme))
    span = max(highest, 0.0) - min(lowest, 0.0)
    axes.set_ylim(min(lowest, 0.0) - 0.08 * span, max(highest, 0.0) + 0.08 * span)
    axes.set_xlim(0.0, 1.14 * most)
    drawn.sort()
    heights = [end for end, _, _ in drawn]
    if len(heights) == 2 and heights[1] - heights[0] < 0.09 * span:
        heights[0] = heights[1] - 0.09 * span
    for height, (_, word, colour) in zip(heights, drawn, strict=True):
        axes.annotate(word, (most, height), (6, 0), textcoords="offset points", va="center", color=colour, fontsize=8.5)
    ticks = axes.get_yticks()
    axes.set_yticks(ticks, [f"$10^{{{tick:.0f}}}$" if tick else "1" for tick in ticks])
    axes.set_ylim(min(lowest, 0.0) - 0.08 * span, max(highest, 0.0) + 0.08 * span)
    axes.set_xlabel("events multiplied")
    axes.set_ylabel("likelihood so far")
    return figure


def _small(theme: Theme) -> dict:
    return {"textcoords": "offset points", "color": theme.quiet, "fontsize": 8.0}


def surfaces(m: Measures, theme: Theme) -> Figure | None:
    """The log-likelihood of the training events over two parameters of a rung: maximum likelihood is the peak."""
    if not m.surfaces:
        return None
    figure = new_figure(WIDTH, 4.0)
    grid = figure.subplots(1, 2, squeeze=False)
    for axes, (name, found) in zip(grid.flat, m.surfaces.items(), strict=False):
        _surface(axes, found, theme)
        axes.set_title(title(name))
    for axes in grid.flat[len(m.surfaces) :]:
        axes.set_axis_off()
    return figure


def _surface(axes: Axes, found: Surface, theme: Theme) -> None:
    x, y = found.axes
    height = found.log_likelihood.T
    possible = np.isfinite(height)
    # Nats below the peak; the colours end where the last contour does.
    below = np.ma.masked_array(np.where(possible, -height, 0.0), ~possible)
    axes.pcolormesh(x, y, below, cmap="viridis_r", vmin=0.0, vmax=16.0, shading="nearest", rasterized=True)
    if possible.all():
        axes.contour(x, y, below, levels=CONTOURS[1:], colors="white", linewidths=0.7, alpha=0.8)
    else:
        axes.set_facecolor(theme.line)
        corner = (0.03, 0.04)
        axes.text(*corner, "impossible: −∞", transform=axes.transAxes, color=theme.ink, fontsize=9.0)
    stroke = [withStroke(linewidth=2.5, foreground="white")]
    mark = {"color": "black", "fontsize": 8.5, "path_effects": stroke, "textcoords": "offset points"}
    axes.plot(*found.peak, "+", color="black", markersize=11, markeredgewidth=1.6, path_effects=stroke)
    axes.annotate("peak", found.peak, (0, -17), ha="center", **mark)
    inside = x[0] <= found.fitted[0] <= x[-1] and y[0] <= found.fitted[1] <= y[-1]
    if inside and not np.allclose(found.fitted, found.peak, rtol=0.0, atol=0.02 * float(min(np.ptp(x), np.ptp(y)))):
        axes.plot(*found.fitted, "o", color="black", markerfacecolor="none", markersize=6, path_effects=stroke)
        axes.annotate("fitted", found.fitted, (0, 9), ha="center", **mark)
    axes.set_xlabel(shown(found.labels[0]))
    axes.set_ylabel(shown(found.labels[1]))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    for spine in axes.spines.values():
        spine.set_visible(False)
