"""What the page of predictors shows, measured once: the answers to the held-out events, and how sure they are."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.special import rel_entr
from scipy.stats import binom
from sklearn.base import is_classifier, is_regressor

from landmass.core.heads import Head
from landmass.data.examples import Examples
from landmass.data.images import Images
from landmass.estimator.conditional import ConditionalEstimator
from landmass.evaluate.calibration import BINS, Calibration, calibration_of
from landmass.evaluate.diagnosis import Diagnosis, diagnose
from landmass.ladder import Ladder
from landmass.nn.base import Shape
from landmass.report.measures import Curve, Shown, curve_of
from landmass.types import LogDensities

# A regressor's distributions are asked for these quantiles, which part them into 20 pieces of equal chance.
PIECES = 20
LEVELS = np.arange(1, PIECES) / PIECES


@dataclass(frozen=True, eq=False, kw_only=True)
class Classified:
    """A classifier's answers to the held-out events.

    Args:
        classes: what they are called, in order.
        chances: each event's probabilities.
        true: the place of each event's class.
        known: the exact probabilities, where they are known.
        calibration: probabilities against frequencies; None of fewer events than bins.
    """

    classes: tuple[str, ...]
    chances: Float[np.ndarray, "events classes"]
    true: Int[np.ndarray, " events"]
    known: Float[np.ndarray, "events classes"] | None
    calibration: Calibration | None

    @property
    def predicted(self) -> Int[np.ndarray, " events"]:
        """The place of each event's likeliest class."""
        return self.chances.argmax(axis=1)

    @property
    def right(self) -> np.ndarray:
        """Whether that is the event's class."""
        return self.predicted == self.true

    @property
    def confusion(self) -> Int[np.ndarray, "classes classes"]:
        """How many events of each class (rows) are taken for each (columns)."""
        counts = np.zeros((len(self.classes), len(self.classes)), int)
        np.add.at(counts, (self.true, self.predicted), 1)
        return counts

    @property
    def divergence(self) -> float | None:
        """Mean Kullback-Leibler divergence from the truth, in nats; None where that is not known."""
        if self.known is None:
            return None
        found = float(rel_entr(self.known, self.chances).sum(axis=1).mean())
        return found if math.isfinite(found) else None


@dataclass(frozen=True, eq=False, kw_only=True)
class Estimated:
    """A regressor's answers to the held-out events, in the answers' unit.

    Args:
        actual: the answers that came.
        expected: the expected ones.
        quantiles: of each event's distribution, at `LEVELS`.
    """

    actual: Float[np.ndarray, " events"]
    expected: Float[np.ndarray, " events"]
    quantiles: Float[np.ndarray, "events levels"]

    @property
    def pieces(self) -> Int[np.ndarray, " pieces"]:
        """How many answers fall into each piece of their own distribution."""
        return np.bincount((self.quantiles < self.actual[:, None]).sum(axis=1), minlength=PIECES)

    def interval(self, share: float) -> Float[np.ndarray, "events 2"]:
        """The middle of each event's distribution that holds a share of it: a multiple of 0.1 below 1.

        Args:
            share: how much.
        """
        tail = round(PIECES * (1.0 - share) / 2.0)
        return self.quantiles[:, [tail - 1, PIECES - 1 - tail]]

    def inside(self, share: float) -> np.ndarray:
        """Whether each answer lies in the middle of its distribution.

        Args:
            share: as of `interval`.
        """
        low, high = self.interval(share).T
        return (low <= self.actual) & (self.actual <= high)


@dataclass(frozen=True, eq=False, kw_only=True)
class Answered(Shown):
    """All that a report says of a ladder of predictors.

    Args:
        target: what the answers are called.
        columns: names of the columns that tell something; None of images.
        shape: of an event for the networks.
        layers: name, output shape and learned numbers of each layer of the last rung's network.
        members: how many such networks it has.
        events: the held-out ones, with their answers; None for a run read back without them.
        rows: the place of each in the data, or in the test data where that came on its own.
        scores: the last rung's log-densities of the answers.
        answers: what the last rung says of them.
        training: how the last rung's training went; None where nothing is known of it.
    """

    target: str
    columns: list[str] | None
    shape: Shape
    layers: list[tuple[str, Shape, int]]
    members: int
    events: Examples | None
    rows: Int[np.ndarray, " events"]
    scores: LogDensities
    answers: Classified | Estimated | None
    training: Diagnosis | None

    @property
    def images(self) -> Images | None:
        """The held-out events, where they are images."""
        return self.events.inputs if self.events is not None and isinstance(self.events.inputs, Images) else None


def measure_answers(ladder: Ladder) -> Answered:
    """Measure what a report of predictors shows.

    Args:
        ladder: fitted, or read back.
    """
    last: ConditionalEstimator = ladder.last_
    events: Examples | None = getattr(ladder, "test_", None)
    curves = {name: _curve(rung) for name, rung in ladder.rungs_.items() if name != "constant"}
    rows = np.arange(0 if events is None else len(events))
    return Answered(
        ledger=ladder.ledger_,
        last=ladder.best_,
        curves={name: curve for name, curve in curves.items() if curve is not None},
        target=str(ladder.target_),
        columns=getattr(last.inputs_, "names", None),
        shape=last.inputs_.shape,
        layers=last.network_.table(),
        members=last.members,
        events=events,
        rows=ladder.split_.test if len(ladder.split_.test) == len(rows) else rows,
        scores=np.empty(0) if events is None else last.log_prob(events),
        answers=None if events is None else _answers(last, events),
        training=diagnose(last) if last.history_ else None,
    )


def _answers(model: Any, events: Examples) -> Classified | Estimated | None:
    if is_classifier(model):
        # Classes that only held-out events are of have no chance.
        classes = list(dict.fromkeys([*model.classes_.tolist(), *events.answers.tolist()]))
        places = {each: i for i, each in enumerate(classes)}
        chances = model.predict_proba(events.inputs)
        chances = np.pad(chances, ((0, 0), (0, len(classes) - chances.shape[1])))
        known = events.chances
        return Classified(
            classes=tuple(map(str, classes)),
            chances=chances,
            true=np.array([places[answer] for answer in events.answers.tolist()], int),
            # Classes that never came are not among the model's.
            known=known if known is not None and known.shape == chances.shape else None,
            calibration=calibration_of(chances, np.array(classes), events.answers, BINS)
            if len(events) >= BINS
            else None,
        )
    if is_regressor(model):
        return Estimated(
            actual=np.asarray(events.answers, np.float64),
            expected=model.predict(events.inputs),
            quantiles=model.predict_quantiles(events.inputs, LEVELS),
        )
    return None


def _curve(rung: ConditionalEstimator) -> Curve | None:
    """How a rung learned; of a loss that is no log-likelihood, the validation events alone."""
    found = curve_of(rung.history_, rung.log_det, rung.log_det)
    settings = rung.get_params()
    weighed = settings.get("class_weight") is not None or settings.get("label_smoothing", 0.0) > 0.0
    if found is None or (type(rung._head).losses is Head.losses and not weighed):
        return found
    return replace(found, train=np.full_like(found.train, np.nan))


def expected_error(of: Calibration) -> float:
    """The calibration error that chance alone makes of probabilities that are right.

    Args:
        of: what was measured; a bin's events are taken to have its mean probability.

    Source: de Moivre 1730, the mean distance of a binomial count from its mean.
    """
    p, n = np.asarray(of.probability), np.asarray(of.count)
    above = np.floor(n * p) + 1
    distance = 2.0 * above * (1.0 - p) * binom.pmf(above, n, p)
    return float(distance.sum() / n.sum())
