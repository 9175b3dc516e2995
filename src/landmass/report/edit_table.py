"""Edits by attribute in numbers: what was asked of held-out images, what came, and what changed with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8

from landmass.errors import DataError
from landmass.evaluate.edits import Change, Changes, what_changed
from landmass.evaluate.readers import Reader
from landmass.report.codes import Coded
from landmass.report.latents import best_told, held
from landmass.report.parts import paragraphs, table
from landmass.train.directions import Directions
from landmass.train.labels import labelled

HEADS = ["attribute", "is read with", "asked", "came", "what else changed most"]

# Held-out images that are edited.
EDITED = 200


@dataclass(frozen=True, eq=False)
class Edits:
    """What one step of each attribute changed.

    Args:
        found: the directions that were followed; all but the one that was asked for are held where they can be.
        quality: how well each attribute is read off held-out images: R² of amounts, ROC AUC of classes.
        changes: of all attributes, by the one that was asked for.
        n: images that were edited.
    """

    found: Directions
    quality: Mapping[str, float]
    changes: Mapping[str, Changes]
    n: int

    def rows(self) -> list[list[str]]:
        """A row an attribute: how well it is read, what was asked, what came, and what else changed most."""
        rows = []
        for place, name in enumerate(self.found.names):
            came, *others = self.changes[name].changes
            classes, unit = self.found.classes[place], float(self.found.units[place])
            score = f"{'R²' if classes is None else 'AUC'} {self.quality[name]:.3f}"
            if classes is None:
                asked, told = f"+{unit:.3g}", f"{came.mean:+.3g}, {came.mean / unit:.0%} of it"
            else:
                asked, told = self.found.step(place), f"{came.mean:+.0%} seen as {classes[1]}"
            rows.append([name, score, asked, told, _told(others[0]) if others else "nothing else is labelled"])
        return rows

    def html(self) -> str:
        """The table, and how to read it."""
        said = (
            "How far an edit goes, and what it takes along, is measured: one step of each attribute was asked of "
            f"{self.n:,} held-out images, and a network that reads attributes off pixels, and knows nothing of codes, "
            "told what the images showed before and after. It learned from training images with their labels; how well "
            "it reads held-out ones says how far to trust it. What else changed most is told by its change on average, "
            "and by the mean size of an image's change, which counts what the network reads wrong."
        )
        caption = "What one step of each attribute changed, while the others were to stay."
        return paragraphs([said]) + table(caption, HEADS, self.rows())


def edits_of(
    coded: Coded,
    directions: Directions,
    images: UInt8[np.ndarray, "events height width channels"],
    labels: Mapping[str, Any],
    readers: dict[frozenset[str], Reader],
) -> Edits | None:
    """Edit held-out images, and read what changed.

    Args:
        coded: held-out images with their codes and labels.
        directions: which way leads to more of each attribute.
        images: that the reader learns from.
        labels: of these.
        readers: of the same images, by what they read: those of other rungs, so that none is taught twice; is added to.

    Returns:
        None where codes tell nothing of any attribute, or labels are too few to read or to judge by.
    """
    if not any(directions.told):
        return None
    found = best_told(directions)
    try:
        known = {name: _values(name, coded.labels[name]) for name in found.names}
        asked = frozenset(found.names)
        if asked not in readers:
            readers[asked] = Reader(images, {name: labels[name] for name in found.names})
        read = readers[asked]
        quality = read.quality(coded.images, coded.labels)
    except (DataError, KeyError):
        return None
    codes, changes = coded.means[:EDITED], {}
    before = read(coded.decode(codes))
    for name in found.names:
        after = read(coded.decode(codes + held(found, name, 1.0)))
        changes[name] = what_changed(before, after, name, reference=known)
    return Edits(found, quality, changes, len(codes))


def _told(other: Change) -> str:
    return f"{other.name}: {other.of_range:+.1%} of its range on average, {other.size:.2f} of its deviation in size"


def _values(name: str, labels: Shaped[np.ndarray, " events"]) -> Shaped[np.ndarray, " labelled"]:
    return labelled(name, labels, len(labels)).values
