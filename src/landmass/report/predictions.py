"""The page of a ladder of predictors: how well answers are known, how sure the predictor is, and what it looks at."""

from html import escape
from pathlib import Path

from landmass.report import classes, inside, numbers, pictures, prediction_story, sections, strange, verdict
from landmass.report.answers import PIECES, Answered, Classified, Estimated
from landmass.report.parts import Draw, Plate, paragraphs, plate_of
from landmass.report.style import title


def body(m: Answered, figures: Path) -> str:
    """The page's HTML, its pictures written beside it.

    Args:
        m: what is measured.
        figures: where the pictures go.
    """

    def plate(name: str, draw: Draw, alt: str, caption: str) -> str:
        return plate_of(m, Plate(name, draw, alt, caption), figures)

    last = title(m.last)
    return "\n".join(
        [
            f"<header><h1>{escape(m.ledger.data)}: {escape(m.target)} from the {_source(m)}</h1>",
            paragraphs(prediction_story.opening(m)),
            "</header><main>",
            paragraphs(verdict.troubles(m), "troubles"),
            paragraphs(prediction_story.mistakes(m)),
            plate(
                "confusion",
                classes.confusion,
                "Matrix of the classes that came and those that were predicted, and the share of each that is right",
                f"Held-out events: a row for each class that came{_of_classes(m)}, a column for each that was "
                "predicted. Colour is a cell's share of its row: blue is right, orange wrong. Bars reach two standard "
                "errors to each side.",
            ),
            plate(
                "answers",
                numbers.answers,
                "The answers that came over the expected ones, with their 90% intervals",
                f"Held-out events{_of_points(m)}: each dot is an answer that came, over what was expected; the grey "
                "line behind it is its 90% interval, the small dot on that the expected answer.",
            ),
            sections.ledger(m, m.ledger.unit, figures, " The first rung is told nothing of an event."),
            *(["<h2>How sure it is</h2>"] if prediction_story.sureness(m) else []),
            paragraphs(prediction_story.sureness(m)),
            plate(
                "calibration",
                classes.calibration,
                "Predicted probabilities against frequencies, and a histogram of the probabilities",
                "Left: on the line, an event of probability p comes with frequency p. Bars: two standard errors of "
                "the frequency, were the probability right; about one in twenty misses the line by chance. Right: how "
                "often each probability is given.",
            ),
            plate(
                "distribution",
                numbers.distribution,
                "Histogram of the answers' places in their distributions, and the coverage of intervals",
                f"Left: where the answers fall in their own distributions, which should give each of {PIECES} columns "
                "as many; the grey band is what two standard errors allow. Right: the share of the answers in the "
                "middle of their distributions; bars are two standard errors.",
            ),
            plate(
                "truth",
                classes.truth,
                "Predicted probabilities against the exact ones, and a histogram of their differences",
                f"The exact probabilities of these answers are known: left the {last}'s over them, right how far it is "
                "off.",
            ),
            *(["<h2>Sure, wrong and unsure</h2>"] if m.images is not None else []),
            plate(
                "images",
                pictures.images,
                "Held-out images with what was predicted of them and what came",
                _images_caption(m),
            ),
            strange.section(m),
            inside.section(m, figures),
            sections.learned(m, figures),
            "</main>",
            sections.footer(m.ledger.unit),
        ]
    )


def _source(m: Answered) -> str:
    return "image" if m.columns is None else "rest"


def _of_classes(m: Answered) -> str:
    many = len(m.answers.classes) if isinstance(m.answers, Classified) else 0
    return f" (the {classes.MOST_CLASSES} most frequent of {many})" if many > classes.MOST_CLASSES else ""


def _of_points(m: Answered) -> str:
    many = len(m.answers.actual) if isinstance(m.answers, Estimated) else 0
    return f" (the first {numbers.POINTS} of {many:,})" if many > numbers.POINTS else ""


def _images_caption(m: Answered) -> str:
    if isinstance(m.answers, Classified):
        return "Held-out images: the predicted class and its probability; below it, in orange, the class that came."
    return "Held-out images: the 90% interval; below it the answer that came, in orange where that lies outside."
