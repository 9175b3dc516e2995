"""The page of a ladder of densities of images: the ledger in bits, what each rung draws, likely and strange images."""

from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure

from landmass.data.binary import drawn as events_drawn
from landmass.evaluate.ledger import Ledger
from landmass.evaluate.readers import Reader
from landmass.ladder import Ladder
from landmass.models.stack import Stack
from landmass.report import latent_story, sections, verdict
from landmass.report.latent_story import Latent
from landmass.report.measures import Curve, Shown, curve_of
from landmass.report.parts import Plate, paragraphs, plate_of
from landmass.report.pictures import ACROSS, grid
from landmass.report.style import Theme, signed, title

Few = UInt8[np.ndarray, "_ height width channels"]
"""Some images."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Seen(Shown):
    """All that a report says of a ladder of densities of images.

    Args:
        shape: of an image: height, width, channels.
        levels: values that each of its numbers may take: 256, or 2 of black and white.
        drawn: a few images that each rung draws, by its name.
        held_out: test images; None for a run read back without them.
        scores: their log-densities under the rung that answers for the ladder.
        latents: of each rung whose images have codes, what there is to say of them.
    """

    shape: tuple[int, int, int]
    levels: int
    drawn: dict[str, Few]
    held_out: Few | None
    scores: Float[np.ndarray, " events"] | None
    latents: list[Latent | str]


def measure(ladder: Ladder) -> Seen:
    """Measure what the page shows.

    Args:
        ladder: fitted, or read back.
    """
    rungs, image = ladder.rungs_, ladder.last_.data_.schema.image
    seed = np.random.RandomState(0)
    at_hand = hasattr(ladder, "test_")
    test, train = (ladder.test_, ladder.train_) if at_hand else (None, None)
    curves: dict[str, Curve | None] = {name: _curve(rung) for name, rung in rungs.items()}
    readers: dict[frozenset[str], Reader] = {}
    found = [latent_story.measure(name, rung, test, train, readers) for name, rung in rungs.items()]
    return Seen(
        ledger=ladder.ledger_,
        last=ladder.answering_,
        curves={name: curve for name, curve in curves.items() if curve is not None},
        shape=image.shape,
        levels=image.levels,
        drawn={name: rung._draw(ACROSS, seed) for name, rung in rungs.items() if not isinstance(rung, Stack)},
        held_out=None if test is None else events_drawn(test).X,
        scores=ladder.test_scores_[ladder.answering_] if at_hand else None,
        latents=[each for each in found if each is not None],
    )


def _curve(rung: object) -> Curve | None:
    # A loss that weighs its parts otherwise is no log-likelihood.
    train = 0.0 if getattr(rung, "loss_is_bound", True) else np.nan
    return curve_of(getattr(rung, "history_", ()), train, 0.0)


def body(m: Seen, figures: Path) -> str:
    """The page's HTML, its pictures written beside it.

    Args:
        m: what is measured.
        figures: where the pictures go.
    """
    drawn = Plate(
        "images",
        draws,
        "Images of the data, and images that each rung draws",
        "A density can be asked for new events: what a rung draws shows what it believes.",
    )
    strange = Plate(
        "strange",
        likely,
        f"Held-out images that the {title(m.last)} holds most and least likely",
        f"Below each image its log-density under the {title(m.last)}, in nats. An even picture is likely under many "
        "models, whatever it shows: likelihood alone is no measure of what is typical.",
    )
    return "\n".join(
        [
            f"<header><h1>{escape(m.ledger.data)}: where the probability is</h1>",
            paragraphs(opening(m)),
            "</header><main>",
            paragraphs(verdict.troubles(m), "troubles"),
            sections.ledger(m, "image", figures, f" {_bits(m)} {_bounds(m.ledger)}"),
            "<h2>What each rung believes</h2>",
            plate_of(m, drawn, figures),
            plate_of(m, strange, figures),
            *[latent_story.section(each, figures) for each in m.latents],
            sections.learned(m, figures),
            "</main>",
            sections.footer("image"),
        ]
    )


def opening(m: Seen) -> list[str]:
    """What was fitted to what, and what came of it.

    Args:
        m: what is measured.
    """
    ledger = m.ledger
    height, width, channels = m.shape
    kind = "black and white" if m.levels == 2 else "grey" if channels == 1 else "coloured"
    best, first = ledger.rung(ledger.best), ledger.rungs[0]
    said = []
    if best.nats is not None:
        least, most = ("at least ", "at most ") if best.label == "lower_bound" else ("", "")
        said.append(
            f"Validation prefers the {title(best.family)}, which scores {least}{verdict.nats(best)} nats an image: "
            f"{most}{ledger.bits(best):.3f} bits for each of its {ledger.dimensions:,} numbers."
        )
    said += verdict.ratio(best, first, "image") if best.family != first.family else []
    return [verdict.parts(m, f"{kind} images of {height}×{width} pixels"), *([" ".join(said)] if said else [])]


def _bits(m: Seen) -> str:
    bits = "8 bits say" if m.levels == 256 else "1 bit says"
    return (
        f"Images are counted, not measured: each of their {m.ledger.dimensions:,} numbers is one of {m.levels} values, "
        f"and {bits} it without any model."
    )


def _bounds(ledger: Ledger) -> str:
    """What marks of bounds mean; nothing where there is none."""
    if not any(rung.label == "lower_bound" for rung in ledger.rungs):
        return ""
    return (
        "≥ marks a bound: the exact number is not known, only that it is no lower; how much higher, nobody can say. In "
        "bits that is ≤, no more than so many."
    )


def draws(m: Seen, theme: Theme) -> Figure | None:
    """A row of images of the data, where it is at hand, and one of each rung's draws."""
    rows = {} if m.held_out is None else {"held-out images": m.held_out[:ACROSS]}
    rows |= {f"drawn: {title(name)}": images for name, images in m.drawn.items()}
    return grid({name: [(image, "", False) for image in images] for name, images in rows.items()}, theme, room=0.5)


def likely(m: Seen, theme: Theme) -> Figure | None:
    """The likeliest and the strangest held-out images."""
    X, scores = m.held_out, m.scores
    if X is None or scores is None:
        return None
    order = np.argsort(-scores, kind="stable")
    groups = {"likeliest": order[:ACROSS], "strangest": order[::-1][:ACROSS]}
    rows = {name: [(X[i], signed(float(scores[i]), 1), False) for i in chosen] for name, chosen in groups.items()}
    return grid(rows, theme, room=0.65)
