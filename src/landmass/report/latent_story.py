"""What a page says of a rung whose images have codes: what is kept, what each latent does, whether it copies, edits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from landmass.data.images import Images
from landmass.errors import DataError, SettingError
from landmass.estimator.latent import LatentEstimator
from landmass.evaluate.nearest import Copying, copying
from landmass.evaluate.readers import Reader
from landmass.report import latents
from landmass.report.codes import Coded, Few
from landmass.report.edit_table import Edits, edits_of
from landmass.report.parts import Plate, paragraphs, plate_of, table
from landmass.report.strips import Strip, draw_strips
from landmass.report.style import Theme, title
from landmass.train.directions import Directions, directions
from landmass.train.labels import has_direction

# Images that are drawn: where there are none at hand, and to look whether they are copies.
DRAWN = 64

# Images with labels that directions are learned from.
MOST_LABELLED = 5_000


@dataclass(frozen=True, eq=False)
class Latent:
    """All that a page says of a rung with codes.

    Args:
        name: of the rung.
        model: fitted.
        coded: held-out images with their codes; of a run read back without its images, some that the rung drew.
        own: whether the rung drew them.
        fresh: what the rung draws, without noise of the pixels; None where nothing is compared with them.
        train: the images that the rung learned from; None where they are not at hand.
        copied: whether `fresh` are copies of them; None where that is not known.
        found: which way leads to more of each attribute; None if there are no labels.
        edited: what such steps change; None where that cannot be read.
    """

    name: str
    model: LatentEstimator
    coded: Coded
    own: bool
    fresh: Few | None = None
    train: Few | None = None
    copied: Copying | None = None
    found: Directions | None = None
    edited: Edits | None = None


def measure(
    name: str, model: Any, test: Images | None, train: Images | None, readers: dict[frozenset[str], Reader]
) -> Latent | str | None:
    """Measure what a page says of a rung's codes.

    Args:
        name: of the rung.
        model: fitted.
        test: held-out images; None for a run read back without them.
        train: the images that it learned from; None likewise.
        readers: of attributes, by what they read, which rungs of the same images share; is added to.

    Returns:
        What is measured; or why there is nothing to say, as a sentence; None for a rung without codes.
    """
    if not isinstance(model, LatentEstimator):
        return None
    try:
        if not model.n_latents_:
            return None
    except SettingError as error:
        return f"{error}."
    if test is None or train is None:
        own = model._draw(DRAWN, np.random.RandomState(0))
        return Latent(name, model, Coded.of(model, own), own=True, found=getattr(model, "directions_", None))
    coded, events = Coded.of(model, test), model._read_again(train)
    fresh = coded.fresh(DRAWN)
    copied = copying(fresh, coded.images[:DRAWN], events.X) if len(events) > 1 else None
    found = getattr(model, "directions_", None) or _directions(model, train)
    few = train.take(np.arange(min(len(train), MOST_LABELLED)))
    edited = None if found is None else edits_of(coded, found, model._read_again(few).X, few.labels, readers)
    return Latent(name, model, coded, False, fresh, events.X, copied, found, edited)


def _directions(model: LatentEstimator, train: Images) -> Directions | None:
    """The directions of all labels of numbers and of two classes, if there are such."""
    few = train.take(np.arange(min(len(train), MOST_LABELLED)))
    attributes = {name: values for name, values in few.labels.items() if has_direction(values)}
    try:
        # As the estimator's own, but nothing is left behind in it.
        return directions(model.encode(few, draw=True, random_state=0), attributes) if attributes else None
    except DataError:
        return None


def section(m: Latent | str, figures: Path) -> str:
    """The part of the page about a rung's codes.

    Args:
        m: what is measured; or a sentence to say instead.
        figures: where the pictures go.
    """
    if isinstance(m, str):
        return paragraphs([m])
    plates = [_kept(m), _strips(m), _map(m), _ways(m)]
    parts = [f"<h2>What the {title(m.name)} sees in an image</h2>", paragraphs(opening(m))]
    parts += [plate_of(m, plate, figures) for plate in plates if plate is not None]
    if m.copied is not None:
        parts += [f"<h3>Does the {title(m.name)} draw copies?</h3>", paragraphs(copied(m))]
        parts.append(plate_of(m, _near(m), figures))
    if m.found is not None:
        parts += ["<h3>Which way leads to more of an attribute</h3>", paragraphs(directed(m.found)), _table(m.found)]
        parts.append(plate_of(m, _edited(m), figures))
    if m.edited is not None:
        parts.append(m.edited.html())
    return "\n".join(parts)


def opening(m: Latent) -> list[str]:
    """What codes are, how many numbers they have, and which of these say something."""
    n = m.coded.means.shape[1]
    pixels = int(np.prod(m.coded.images.shape[1:]))
    numbers = "one number, a latent" if n == 1 else f"{n} numbers, the latents"
    said = [
        f"The {title(m.name)} describes an image by {numbers}, in place of the {pixels:,} of its pixels: this is the "
        "image's code. One way leads from an image to its code, another from a code to an image. Nobody said what "
        "the latents are to stand for: the pictures show what it made of them."
    ]
    if m.own:
        return [
            *said,
            "The images that this run was fitted to are not at hand, so that what needs them is left out: which "
            "latents are used, what is lost on the way through the codes, and whether drawn images are copies. The "
            f"pictures are of codes of {len(m.coded.means)} images that the {title(m.name)} drew itself.",
        ]
    active, told = m.coded.activity, _of_images(str(m.coded.activity))
    unused = ~active.active
    if unused.any():
        most = m.coded.effects(m.coded.middle)[unused].max()
        told += (
            " An unused latent says nothing: it is guessed alike for every image, and while it goes its way the image "
            f"changes by no more than {most:.1f}, where black is 0 and white 255."
        )
    elif active.kl is not None:
        told += f" That is {active.kl.sum() / np.log(2.0):.3g} bits: so much do codes tell of an image."
    return [*said, told]


def _of_images(told: str) -> str:
    return told.replace("event", "image")


def _strips(m: Latent) -> Plate:
    grey = "; grey stands for how likely white is" if _levels(m) == 2 else ""
    return Plate(
        f"{m.name}_traversals",
        lambda m, theme: latents.traversals(m.model, m.coded.images, theme),
        f"Rows of images: in each row one latent of the {title(m.name)} grows from left to right",
        "Each row turns one knob: from left to right one latent grows, while all others stay in the middle. The latent "
        "that changes the image most stands first; below its name by how much, root mean square over pixels and row, "
        f"where black is 0 and white 255{grey}.",
    )


def _kept(m: Latent) -> Plate | None:
    if m.own:
        return None
    return Plate(
        f"{m.name}_reconstructions",
        lambda m, theme: latents.reconstructions(m.model, m.coded.images, theme),
        f"Held-out images, and what is left of them when the {title(m.name)} keeps only their codes",
        "Held-out images, the images that are made of nothing but their codes, and the difference, which the codes do "
        "not tell. The numbers are its size: root mean square over the pixels, where black is 0 and white 255.",
    )


def _map(m: Latent) -> Plate | None:
    if len(m.coded.used) < 2:
        return None
    whose = "images that it drew" if m.own else "held-out images"
    return Plate(
        f"{m.name}_map",
        lambda m, theme: latents.latent_map(m.model, m.coded.images, theme, labels=m.coded.labels),
        f"Images decoded on a grid over two latents of the {title(m.name)}, and where images lie there",
        "Left: a map of the two latents that change an image most; at each place stands the image that is made of that "
        f"code, all other latents in the middle. Right: where {whose} lie on this map. Neighbours look alike, and "
        "where no image lies the model was never asked what to show.",
    )


def _ways(m: Latent) -> Plate | None:
    """From a held-out image to the one whose code is farthest from its own, twice."""
    if m.own or len(m.coded.means) < 4:
        return None
    z = (m.coded.means / np.where(m.coded.spread > 0.0, m.coded.spread, 1.0))[:, m.coded.activity.active]
    last = [int(np.argmax(((z - z[first]) ** 2).sum(1))) for first in (0, 1)]
    pairs = [m.coded.images[[first, end]] for first, end in zip((0, 1), last, strict=True)]
    return Plate(
        f"{m.name}_interpolations",
        lambda m, theme: latents.interpolations(m.model, pairs, theme),
        "The way from one image to another through their pixels, and through their codes",
        "From one held-out image to another. Mixing pixels shows both at once, one fading out while the other fades "
        "in. Mixing codes goes through images that might be real, if the model understood what changes.",
    )


def copied(m: Latent) -> list[str]:
    """Whether drawn images are copies of training images, and how near they are."""
    if m.copied is None:
        return []
    root = np.sqrt(np.prod(m.coded.images.shape[1:]))
    drawn, held = (np.median(near.distances[:, 0]) / root for near in (m.copied.drawn, m.copied.held_out))
    than = (
        "farther from them than"
        if drawn > 1.2 * held
        else "nearer to them than"
        if held > 1.2 * drawn
        else "as near to them as"
    )
    return [
        _of_images(str(m.copied)),
        f"A drawn image differs from the training image nearest to it by {drawn:.1f} at the median, a held-out image "
        f"by {held:.1f}: root mean square over the pixels, where black is 0 and white 255. What it draws is {than} new "
        "images are. Drawn images are taken without the noise of their pixels, which would hide a copy.",
    ]


def _near(m: Latent) -> Plate:
    return Plate(
        f"{m.name}_nearest",
        _nearest,
        f"Images that the {title(m.name)} draws, and the training images nearest to them",
        "Below each drawn image the two training images nearest to it, with the difference: root mean square over the "
        "pixels. A copy would differ by next to nothing from the first, and by much more from the second.",
    )


def _nearest(m: Latent, theme: Theme) -> Figure | None:
    if m.copied is None or m.fresh is None or m.train is None:
        return None
    # The likeliest copies first.
    near = m.copied.drawn
    chosen = np.argsort(near.distances[:, 0] / np.maximum(near.distances[:, 1], 1e-300), kind="stable")
    chosen = chosen[: latents.ACROSS]
    sizes = near.distances[chosen] / np.sqrt(np.prod(m.fresh.shape[1:]))
    rows = [
        Strip(
            name,
            "in training",
            m.train[near.indices[chosen, place]],
            [f"{size:.1f} of 255" for size in sizes[:, place]],
        )
        for place, name in enumerate(("nearest", "second nearest"))
    ]
    return draw_strips([Strip("drawn", "most copy-like first", m.fresh[chosen]), *rows], theme)


def directed(found: Directions) -> list[str]:
    """How to read the table of directions, which are chance, and which are one with another."""
    return [
        "The images came with labels. From the codes of training images a straight line was learned for each of them: "
        "which way, and how far, to move a code so that its image has more of the attribute. Held out says how well "
        "the codes tell it, of images that the line was not fitted to: an R² of 1 is perfect and 0 is blind; an AUC of "
        "1 is perfect and 0.5 is blind. A step is one standard deviation of the attribute, or half of the way from one "
        "class to the other; is long tells its length in standard deviations of the codes, also while the others are "
        "held where they are.",
        *found.doubts,
        *(["Only the one of them that is told best is followed here."] if found.doubles else []),
    ]


def _table(found: Directions) -> str:
    heads, *rows = found.only(*[name for name in found.names if name not in found.doubles]).rows()
    return table("Attributes, and the steps of the code that change them.", list(heads), [list(row) for row in rows])


def _edited(m: Latent) -> Plate:
    return Plate(
        f"{m.name}_edits",
        _edits,
        "Two images with less and more of each attribute",
        f"Two {'drawn' if m.own else 'held-out'} images, edited through their codes: each row changes one attribute by "
        "so many steps, while the codes go on telling the same of the others wherever that can be. As it is: the image "
        "that its own code tells. Far out: the code lies outside of those of the data, and its image is not to be "
        "trusted.",
    )


def _edits(m: Latent, theme: Theme) -> Figure | None:
    if m.found is None or not any(m.found.told):
        return None
    # One in the middle of all, and one farther out.
    order = np.argsort(m.found.cloud.lengths(m.coded.means - m.found.cloud.mean), kind="stable")
    return latents.edits(m.model, m.coded.images[order[[0, len(order) // 2]]], m.found, theme)


def _levels(m: Latent) -> int:
    image = m.model.data_.schema.image
    return 256 if image is None else image.levels
