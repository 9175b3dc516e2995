"""Figures of a model whose images have codes: what each latent does, where codes lie, what is kept, what edits do."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.linear_model import LinearRegression

from landmass.errors import DataError, InseparableError
from landmass.estimator.latent import LatentEstimator, between
from landmass.evaluate.latents import STRIP, strip
from landmass.report.codes import Code, Coded
from landmass.report.strips import Strip, draw_strips
from landmass.report.style import LIGHT, Theme, look, new_figure, shown, signed
from landmass.train.directions import Directions, shift
from landmass.train.labels import Labelled, labelled

# Latents that get a strip, attributes that get a row of edits, and images in a row of them.
MOST_STRIPS, MOST_EDITED, ACROSS = 8, 6, 8

# Steps of an edit, and parts of the way from one image to another.
STEPS, WAY = (-2, -1, 0, 1, 2), "⅛¼⅜½⅝¾⅞"

# Images along each side of a map: fewer of large ones.
SIDE, SIDE_LARGE, LARGE = 11, 7, 48

# Scatters beside a map, and the R² from which a label colours one.
MOST_SCATTERS, LEAST_TOLD = 2, 0.1


def traversals(model: LatentEstimator, images: Any, theme: Theme = LIGHT, *, around: int | None = None) -> Figure:
    """What each latent does: strips of decoded images along which one latent grows and all others stay.

    The latent that changes the image most stands first; those that are unused are only named.

    Args:
        model: fitted to images.
        images: from whose codes the latents' standard deviations are taken.
        theme: the figure's face.
        around: which image's code the others stay at, counted from 0; None takes the mean code.
    """
    coded = Coded.of(model, images)
    code = coded.middle if around is None else coded.means[around]
    size = coded.effects(code)
    order = coded.used[np.argsort(-size[coded.used], kind="stable")]
    # Where nothing is used, strips show just that.
    chosen = (order if len(order) else np.argsort(-size, kind="stable"))[:MOST_STRIPS].tolist()
    strips = [
        Strip(
            coded.name(i),
            f"changes {size[i]:.1f} of 255",
            coded.decode(strip(code, i, coded.middle, coded.spread)),
        )
        for i in chosen
    ]
    heads = ["middle" if step == 0.0 else f"{step:+g}".replace("-", "−") for step in STRIP]
    return draw_strips(strips, theme, heads, "standard deviations", note=_left_out(coded, chosen))


def _left_out(coded: Coded, chosen: list[int]) -> str:
    """What is said of the latents without a strip."""
    others = [i for i in range(coded.means.shape[1]) if i not in chosen]
    unused = [coded.name(i) for i in others if not coded.activity.active[i]]
    less = len(others) - len(unused)
    said = [f"Left out: {less} more latents, which change the image less."] if less else []
    if unused:
        some = ", ".join(unused[:4]) + (f" and {len(unused) - 4} more" if len(unused) > 4 else "")
        said.append(f"Unused, so that next to nothing changes along them: {shown(some, 90)}.")
    return "\n".join(said)


def latent_map(
    model: LatentEstimator,
    images: Any,
    theme: Theme = LIGHT,
    *,
    labels: Mapping[str, Shaped[np.ndarray, " _"]] | None = None,
) -> Figure:
    """A map of the two latents that change an image most: what is decoded at each place, and where images lie.

    Args:
        model: fitted to images.
        images: whose codes are scattered.
        theme: the figure's face.
        labels: numbers, or one of two classes, of each image, by name, which colour the scatters: the two at most that
            the place on the map tells best. None takes those that the images come with.

    Raises:
        DataError: the model uses less than two latents.
    """
    coded = Coded.of(model, images)
    if len(coded.used) < 2:
        raise DataError(f"a map needs two latents that are used, and this model uses {len(coded.used)}; see traversals")
    first, second = coded.used[:2].tolist()
    places = ((coded.means - coded.middle) / coded.spread)[:, [first, second]]
    known = coded.labels if labels is None else {name: values[: len(places)] for name, values in labels.items()}
    colours = _told(places, known)
    with look(theme):
        figure = new_figure(10.0, 5.4)
        left, right = np.asarray(figure.subfigures(1, 2, width_ratios=[1.12, 1.0]))
        _manifold(left.subplots(), coded, (first, second))
        grid = right.subplots(max(len(colours), 1), 1, squeeze=False, sharex=True)[:, 0]
        for axes, each in zip(grid, colours or [None], strict=True):
            _scatter(right, axes, places, each, theme)
            axes.set_ylabel(shown(coded.name(second), 20))
        grid[-1].set_xlabel(f"{shown(coded.name(first), 20)}, standard deviations from the middle")
    return figure


def _manifold(axes: Axes, coded: Coded, pair: tuple[int, int]) -> None:
    """What is decoded at each place of two latents, the others in the middle."""
    height, width = coded.images.shape[1:3]
    n = SIDE if max(height, width) <= LARGE else SIDE_LARGE
    steps = np.linspace(STRIP[0], STRIP[-1], n)
    codes = np.tile(coded.middle, (n, n, 1))
    codes[..., pair[0]] += steps[None, :] * coded.spread[pair[0]]
    # The first row is the uppermost.
    codes[..., pair[1]] += steps[::-1, None] * coded.spread[pair[1]]
    cells = coded.decode(codes.reshape(n * n, -1)).reshape(n, n, *coded.images.shape[1:])
    whole = cells.swapaxes(1, 2).reshape(n * height, n * width, -1)
    end = STRIP[-1] * n / (n - 1)
    smooth = "nearest" if max(height, width) <= LARGE else "antialiased"
    pixels = whole[..., 0] if whole.shape[-1] == 1 else whole
    extent = (-end, end, -end, end)
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation=smooth, extent=extent, aspect=height / width)
    for which, latent in zip((axes.xaxis, axes.yaxis), pair, strict=True):
        which.set_ticks(np.arange(-2, 3), [signed(step, 0) for step in range(-2, 3)])
        which.set_label_text(f"{shown(coded.name(latent), 20)}, standard deviations from the middle")
    axes.set_title("what the model draws at each place")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _told(places: Shaped[np.ndarray, "events 2"], labels: Mapping[str, Any]) -> list[Labelled]:
    """The labels that the places tell best, by the R² of a linear fit; none of which they tell next to nothing."""
    told = []
    for name, values in labels.items():
        try:
            each = labelled(name, values, len(places))
        except DataError:
            continue
        if len(each.counts) <= 2:
            x = places[each.known]
            told.append((LinearRegression().fit(x, each.values).score(x, each.values), each))
    return [each for score, each in sorted(told, key=lambda pair: -pair[0])[:MOST_SCATTERS] if score > LEAST_TOLD]


def _scatter(
    figure: Any, axes: Axes, places: Shaped[np.ndarray, "events 2"], label: Labelled | None, theme: Theme
) -> None:
    """Where images lie, coloured by a label."""
    size = {"s": float(np.clip(6000.0 / len(places), 5.0, 18.0)), "linewidths": 0}
    if label is None:
        axes.scatter(*places.T, color=theme.accent, alpha=0.7, **size)
        axes.set_title("where images lie")
    else:
        axes.set_title(f"where images lie, by {shown(label.name, 30)}")
        x = places[label.known]
        if label.classes is None:
            bar = figure.colorbar(axes.scatter(*x.T, c=label.values, cmap="viridis", **size), ax=axes, pad=0.02)
            bar.outline.set_visible(False)
            bar.ax.tick_params(length=0)
        else:
            for place, (word, colour) in enumerate(zip(label.classes, (theme.second, theme.accent), strict=True)):
                axes.scatter(*x[label.values == place].T, color=colour, alpha=0.7, label=shown(word, 20), **size)
            axes.legend(frameon=False, fontsize=8.0, markerscale=2.0, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    # A few codes far away would make a dot of all others.
    most = max(2.2, float(np.quantile(np.abs(places), 0.99)) * 1.1)
    for which, limit in ((axes.xaxis, axes.set_xlim), (axes.yaxis, axes.set_ylim)):
        which.set_major_locator(MaxNLocator(6, integer=True))
        limit(-most, most)


def reconstructions(model: LatentEstimator, images: Any, theme: Theme = LIGHT) -> Figure:
    """Images, what is left of them when only their code is kept, and what is lost.

    Args:
        model: fitted to images.
        images: the first eight are shown.
        theme: the figure's face.
    """
    coded = Coded.of(model, images, ACROSS)
    kept = coded.decode(coded.means)
    lost = coded.images.astype(np.float64) - kept
    sizes = [f"{size:.1f} of 255" for size in np.sqrt((lost**2).mean((1, 2, 3)))]
    return draw_strips(
        [
            Strip("images", "", coded.images),
            Strip("from their codes", _numbers(coded.means.shape[1]), kept),
            Strip(
                "what is lost", "even grey: nothing", np.clip(np.round(127.5 + lost), 0, 255).astype(np.uint8), sizes
            ),
        ],
        theme,
    )


def interpolations(model: LatentEstimator, pairs: Sequence[Any], theme: Theme = LIGHT) -> Figure:
    """The way from one image to another, through their pixels and through their codes.

    Args:
        model: fitted to images.
        pairs: of images, each of two: arrays of shape (2, height, width, channels), or `Images`.
        theme: the figure's face.

    Raises:
        DataError: there are not two images in each pair.
    """
    strips = []
    for pair in pairs:
        coded = Coded.of(model, pair)
        if len(coded.images) != 2:
            raise DataError(f"interpolation is between two images, and a pair holds {len(coded.images)}")
        share = np.linspace(0.0, 1.0, len(WAY) + 2)[:, None, None, None]
        mixed = (1.0 - share) * coded.images[:1] + share * coded.images[1:]
        codes = between(coded.means[0], coded.means[1], len(share), "straight")
        strips += [
            Strip("mixing pixels", "two pictures at once", np.round(mixed).astype(np.uint8), apart=True),
            Strip("mixing codes", "one that changes", coded.decode(codes)),
        ]
    return draw_strips(strips, theme, ["from", *WAY, "to"], "part of the way")


def edits(model: LatentEstimator, images: Any, directions: Directions, theme: Theme = LIGHT) -> Figure:
    """Two images with less and more of each attribute, while the other attributes shown stay where they can.

    Args:
        model: fitted to images.
        images: the first two are edited.
        directions: which way leads to more of each attribute; the six that codes tell best are shown.
        theme: the figure's face.

    Raises:
        DataError: the codes tell nothing of any attribute.
    """
    coded = Coded.of(model, images, 2)
    if not any(directions.told):
        raise DataError(f"the codes tell nothing of {', '.join(directions.names)}: there is no way to follow")
    found, strips = best_told(directions), []
    for place, name in enumerate(found.names):
        steps = [held(found, name, step) for step in STEPS]
        codes = np.concatenate([code + np.stack(steps) for code in coded.means])
        far = model.outside(codes, found.cloud)
        below = [("far out" if each else "") for each in far] if far.any() else ()
        classes = found.classes[place]
        said = f"a step: {found.step(place)}" if classes is None else f"{classes[0]} → {classes[1]}"
        strips.append(Strip(name, said, coded.decode(codes), below))
    heads = ["as it is" if not step else f"{step:+d}".replace("-", "−") for step in STEPS] * len(coded.images)
    return draw_strips(strips, theme, heads, "steps", groups=len(coded.images))


def best_told(directions: Directions) -> Directions:
    """The six attributes that codes tell best: to hold what they do not tell, or tell as one, would lead anywhere."""
    best = [directions.names[place] for place in directions.best]
    return directions.only(*[name for name in best if name not in directions.doubles][:MOST_EDITED])


def held(found: Directions, name: str, steps: float) -> Code:
    """What to add to a code for so many steps of an attribute; the others are held if that is possible."""
    try:
        return shift(found, {name: steps})
    except InseparableError:
        return shift(found, {name: steps}, orthogonal=False)


def _numbers(n: int) -> str:
    return "1 number each" if n == 1 else f"{n} numbers each"
