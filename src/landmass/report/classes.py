"""Figures of a classifier's answers: what is taken for what, whether probabilities hold, and how near the truth."""

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from landmass.report.answers import Answered, Classified
from landmass.report.style import Theme, new_figure, shown

WIDTH = 10.0

# Classes that get a row, and classes up to which the cells hold numbers.
MOST_CLASSES, MOST_NUMBERED = 50, 14

# Sides of a cell, in inches.
LARGEST_CELL, LEAST_CELL, MATRIX = 0.7, 0.13, 5.4

# Letters of a class's name.
LETTERS = 18

# Events drawn as points.
POINTS = 3_000


def confusion(m: Answered, theme: Theme) -> Figure | None:
    """How many events of each class are taken for each, and which share of each class is right."""
    found = m.answers
    if not isinstance(found, Classified):
        return None
    chosen = shown_classes(found)
    counts = found.confusion
    many = len(chosen)
    side = float(np.clip(MATRIX / many, LEAST_CELL, LARGEST_CELL))
    figure = new_figure(WIDTH, side * many + 1.5)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[max(side * many, 2.2), 2.6])
    names = [shown(found.classes[i], LETTERS) for i in chosen]
    _matrix(left, counts[np.ix_(chosen, chosen)], counts[chosen].sum(axis=1), theme)
    size = float(np.clip(60.0 * side, 5.5, 9.0))
    upright = many > 12 or max(map(len, names)) * 0.085 > side
    left.set_xticks(np.arange(many), names, rotation=90 if upright else 0, fontsize=size)
    left.set_yticks(np.arange(many), names, fontsize=size)
    left.set_ylim(many - 0.5, -0.5)
    _recall(right, counts, chosen, theme)
    return figure


def shown_classes(found: Classified) -> Int[np.ndarray, " chosen"]:
    """The classes that get a row: all, or those that came most often, in their order.

    Args:
        found: the answers.
    """
    often = np.bincount(found.true, minlength=len(found.classes))
    return np.sort(np.argsort(-often, kind="stable")[:MOST_CLASSES])


def _matrix(
    axes: Axes, counts: Int[np.ndarray, "true predicted"], total: Int[np.ndarray, " true"], theme: Theme
) -> None:
    """Counts, coloured by their share of the row: blue what is right, orange what is wrong."""
    strength = np.sqrt(counts / np.maximum(total, 1)[:, None])
    paper, right, wrong = (np.array(to_rgb(colour)) for colour in (theme.paper, theme.accent, theme.second))
    diagonal = np.eye(len(counts), dtype=bool)
    colours = np.where(diagonal[..., None], right, wrong)
    axes.imshow(paper + strength[..., None] * (colours - paper), aspect="auto", interpolation="nearest")
    edges = np.arange(len(counts) + 1) - 0.5
    thin = 1.5 if len(counts) <= MOST_NUMBERED else 0.3
    axes.hlines(edges, edges[0], edges[-1], color=theme.line, linewidth=0.5 * thin)
    axes.vlines(edges, edges[0], edges[-1], color=theme.line, linewidth=0.5 * thin)
    for row, column in np.argwhere(counts).tolist() if len(counts) <= MOST_NUMBERED else ():
        colour = theme.paper if strength[row, column] > 0.65 else theme.ink
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour, fontsize=8.5)
    axes.tick_params(length=0, labelcolor=theme.ink, labeltop=True, labelbottom=False, top=False)
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("predicted")
    axes.set_ylabel("came")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _recall(
    axes: Axes, counts: Int[np.ndarray, "true predicted"], chosen: Int[np.ndarray, " chosen"], theme: Theme
) -> None:
    """The share of each class that is right, with Wilson's interval of two standard errors."""
    total = counts[chosen].sum(axis=1)
    came = np.nonzero(total)[0]
    numbered = len(chosen) <= MOST_NUMBERED
    for place in range(len(chosen)):
        if not total[place]:
            axes.text(0.0, place, "never came" if numbered else "", va="center", color=theme.quiet, fontsize=8.0)
    share = counts[chosen, chosen][came] / total[came]
    low, high = wilson(share, total[came])
    axes.hlines(came, 0.0, share, color=theme.line, linewidth=0.6, zorder=1)
    axes.hlines(came, low, high, color=theme.accent, linewidth=1.6 if numbered else 1.0)
    axes.plot(share, came, "o", color=theme.accent, markersize=5.0 if numbered else 3.0)
    if numbered:
        for place, each, n in zip(came.tolist(), share, total[came], strict=True):
            text = f"{100 * each:.0f}% of {n:,}"
            axes.text(1.06, place, text, va="center", color=theme.ink, fontsize=8.5)
    axes.set_xlim(-0.03, 1.75 if numbered else 1.03)
    axes.set_xticks([0.0, 0.5, 1.0])
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_bounds(0.0, 1.0)
    axes.set_xlabel("share that is right", loc="left")


def wilson(share: Float[np.ndarray, " _"], n: Int[np.ndarray, " _"]) -> tuple[np.ndarray, np.ndarray]:
    """The shares that lie within two standard errors of those found.

    Args:
        share: found.
        n: of how many events.

    Source: Wilson 1927.
    """
    middle = (share + 2.0 / n) / (1.0 + 4.0 / n)
    half = 2.0 * np.sqrt(share * (1.0 - share) / n + 1.0 / n**2) / (1.0 + 4.0 / n)
    return middle - half, middle + half


def calibration(m: Answered, theme: Theme) -> Figure | None:
    """Probabilities against frequencies, and how often each probability is given."""
    found = m.answers
    if not isinstance(found, Classified) or found.calibration is None:
        return None
    figure = new_figure(WIDTH, 4.2)
    left, right = figure.subplots(1, 2)
    _reliability(left, found, theme)
    _probabilities(right, found, theme)
    return figure


def _reliability(axes: Axes, found: Classified, theme: Theme) -> None:
    of = found.calibration
    if of is None:
        return
    said, came, n = (np.asarray(each) for each in (of.probability, of.frequency, of.count))
    allowed = 2.0 * np.sqrt(said * (1.0 - said) / n)
    axes.plot([0.0, 1.0], [0.0, 1.0], color=theme.quiet, linewidth=0.8)
    low, high = np.clip(came - allowed, 0.0, 1.0), np.clip(came + allowed, 0.0, 1.0)
    axes.vlines(said, low, high, color=theme.accent, linewidth=1.4)
    axes.plot(said, came, "o", color=theme.accent, markersize=4.5, clip_on=False)
    least = 0.0 if len(found.classes) == 2 else min(float(said.min()), float(low.min()))
    axes.set_xlim(least - 0.03, 1.03)
    axes.set_ylim(least - 0.03, 1.03)
    some = f"{n.min():,}" if n.min() == n.max() else f"{n.min():,} to {n.max():,}"
    bins = "One bin" if len(n) == 1 else f"{len(n)} bins"
    told = f"{bins} of {some} events: expected calibration error {of.error:.3f}"
    axes.set_title(told, fontsize=8.5, color=theme.quiet)
    axes.set_xlabel(f"probability of {_likeliest(found)}")
    axes.set_ylabel("how often it came")


def _likeliest(found: Classified) -> str:
    return shown(found.classes[1], LETTERS) if len(found.classes) == 2 else "the likeliest class"


def _probabilities(axes: Axes, found: Classified, theme: Theme) -> None:
    """Of two classes, the second's probability by the class that came; of more, the likeliest one's, right or wrong."""
    two = len(found.classes) == 2
    given = found.chances[:, 1] if two else found.chances.max(axis=1)
    of = found.true == 1 if two else found.right
    first, second = ("wrong", "right")
    if two:
        first, second = (f"came: {shown(name, LETTERS)}" for name in found.classes)
    edges = np.linspace(0.0 if two else float(np.floor(20 * given.min()) / 20), 1.0, 41)
    heights = []
    for events, colour, name in ((of, theme.accent, second), (~of, theme.second, first)):
        counts = np.histogram(given[events], edges)[0]
        heights.append(int(counts.max()))
        axes.stairs(counts, edges, fill=True, color=colour, alpha=0.35)
        axes.stairs(counts, edges, color=colour, linewidth=1.4, label=f"{name} ({int(events.sum()):,})")
    axes.set_ylim(0.0, 1.25 * max(heights))
    axes.legend(loc="upper center", frameon=False, ncols=2, fontsize=8.5)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlabel(f"probability of {_likeliest(found)}")
    axes.set_ylabel("events")


def truth(m: Answered, theme: Theme) -> Figure | None:
    """The predicted probabilities against the exact ones, where these are known and not all certain."""
    found = m.answers
    if not isinstance(found, Classified) or found.known is None or not _uncertain(found.known).any():
        return None
    pairs = slice(1, 2) if len(found.classes) == 2 else slice(None)
    exact, said = (each[:POINTS, pairs].ravel() for each in (found.known, found.chances))
    figure = new_figure(WIDTH, 4.6)
    axes = figure.subplots(1, 2, width_ratios=[1.0, 1.0])
    axes[0].plot([0.0, 1.0], [0.0, 1.0], color=theme.quiet, linewidth=0.8)
    axes[0].scatter(exact, said, s=7.0, color=theme.accent, linewidths=0, alpha=0.5, clip_on=False)
    of = _likeliest(found) if len(found.classes) == 2 else "each class"
    axes[0].set_xlabel(f"exact probability of {of}")
    axes[0].set_ylabel(f"predicted probability of {of}")
    axes[0].set_xlim(-0.03, 1.03)
    axes[0].set_ylim(-0.03, 1.03)
    off = said - exact
    reach = max(float(np.abs(off).max()), 0.01)
    axes[1].hist(off, np.linspace(-reach, reach, 42), color=theme.accent, alpha=0.6)
    axes[1].axvline(0.0, color=theme.quiet, linewidth=0.8)
    axes[1].set_xlabel("predicted less exact")
    axes[1].set_ylabel("events" if len(found.classes) == 2 else "events × classes")
    return figure


def _uncertain(known: Float[np.ndarray, "events classes"]) -> Bool[np.ndarray, "events classes"]:
    return (known > 0.0) & (known < 1.0)
