"""Figures of a regressor's answers: what was expected and what came, and whether its distributions hold."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from landmass.report.answers import PIECES, Answered, Estimated
from landmass.report.measures import window
from landmass.report.style import Theme, new_figure, shown

WIDTH = 10.0

# Events drawn with their intervals.
POINTS = 500

# Central intervals whose coverage is drawn.
SHARES = np.arange(1, 10) / 10.0


def answers(m: Answered, theme: Theme) -> Figure | None:
    """The answers that came over the expected ones, each with its 90% interval."""
    found = m.answers
    if not isinstance(found, Estimated):
        return None
    figure = new_figure(WIDTH, 5.0)
    axes = figure.subplots()
    some = slice(POINTS)
    expected, actual, inside = found.expected[some], found.actual[some], found.inside(0.9)[some]
    low, high = found.interval(0.9)[some].T
    axes.vlines(expected, low, high, color=theme.line, linewidth=1.6)
    axes.plot(expected, expected, ".", color=theme.quiet, markersize=1.5)
    for those, colour, word in ((inside, theme.accent, "inside"), (~inside, theme.second, "outside")):
        label = f"{word} its 90% interval"
        axes.plot(expected[those], actual[those], "o", color=colour, markersize=3.2, markeredgewidth=0, label=label)
    left, right = window(expected)
    # A rung that is told nothing expects the same of every event.
    room = 0.0 if right > left else max(abs(left), 1.0)
    axes.set_xlim(left - room, right + room)
    axes.set_ylim(*window(np.concatenate([actual, low, high])))
    axes.legend(loc="upper left", frameon=False, fontsize=8.5, handletextpad=0.2)
    name = shown(m.target)
    axes.set_xlabel(f"expected {name}")
    axes.set_ylabel(f"{name} that came")
    return figure


def distribution(m: Answered, theme: Theme) -> Figure | None:
    """Where the answers fall in their own distributions, and how many lie in the middle of these."""
    found = m.answers
    if not isinstance(found, Estimated):
        return None
    figure = new_figure(WIDTH, 3.8)
    left, right = figure.subplots(1, 2)
    _pieces(left, found, theme)
    _coverage(right, found, theme)
    return figure


def _pieces(axes: Axes, found: Estimated, theme: Theme) -> None:
    n, even = len(found.actual), 1.0 / PIECES
    share = found.pieces / n
    allowed = 2.0 * np.sqrt(even * (1.0 - even) / n)
    axes.axhspan(max(even - allowed, 0.0), even + allowed, color=theme.line, alpha=0.7, linewidth=0)
    axes.axhline(even, color=theme.quiet, linewidth=0.8)
    axes.stairs(share, np.linspace(0.0, 1.0, PIECES + 1), fill=True, color=theme.accent, alpha=0.45)
    axes.stairs(share, np.linspace(0.0, 1.0, PIECES + 1), color=theme.accent, linewidth=1.2)
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.15 * max(float(share.max()), even + allowed))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("probability that the answer is below what came")
    axes.set_ylabel("share of the answers")


def _coverage(axes: Axes, found: Estimated, theme: Theme) -> None:
    n = len(found.actual)
    held = np.array([found.inside(float(share)).mean() for share in SHARES])
    allowed = 2.0 * np.sqrt(SHARES * (1.0 - SHARES) / n)
    axes.plot([0.0, 1.0], [0.0, 1.0], color=theme.quiet, linewidth=0.8)
    axes.vlines(SHARES, np.clip(held - allowed, 0, 1), np.clip(held + allowed, 0, 1), color=theme.accent, linewidth=1.4)
    axes.plot(SHARES, held, "o", color=theme.accent, markersize=4.5)
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.02)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("what the middle interval should hold")
    axes.set_ylabel("what it holds")
