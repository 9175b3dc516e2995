"""Directions: the step of a code that changes an attribute of its event, and the step that changes nothing else."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal, Self

import numpy as np
from jaxtyping import Float
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold

from landmass.errors import DataError, InseparableError, SettingError
from landmass.text import table
from landmass.train.cloud import Cloud
from landmass.train.labels import Attributes, Labelled, checked, labelled

Metric = Literal["codes", "latents"]

# Penalty of the probes on each latent, as a share of its variance: latents that tell the same share the weight.
RIDGE = 1e-6

# Parts of the events that a probe's quality is measured on, each after a fit to the others.
FOLDS = 5

# Held-out R² and area under the ROC curve below which codes tell next to nothing of an attribute.
POOR = {"R²": 0.05, "AUC": 0.6}

# Attributes whose predicted values correlate by more than this are one to the codes: to hold one while the other moves
# takes more than twice the way.
ALIKE = 0.9


@dataclass(frozen=True, eq=False)
class Directions:
    """The latent step of each attribute; printed, a table.

    Of amounts a step is one standard deviation of the attribute, as a linear probe predicts it. Of two classes it is
    half the way between their mean codes, from the first in sorted order to the second: two steps lead from one mean to
    the other.

    Args:
        names: of the attributes.
        weights: of each attribute's linear probe.
        units: by how much a step changes the probe's answer.
        quality: of each probe, on events that it was not fitted to: R² of amounts, area under the ROC curve of classes.
        counts: labelled events, of each class.
        classes: what they are called; None of amounts.
        cloud: where the codes lie, with their mean and covariance.
        metric: what the shortest step is shortest in; see `directions`.
    """

    names: tuple[str, ...]
    weights: Float[np.ndarray, "attributes latents"]
    units: Float[np.ndarray, " attributes"]
    quality: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]
    classes: tuple[tuple[str, ...] | None, ...]
    cloud: Cloud
    metric: Metric = "codes"

    @property
    def matrix(self) -> Float[np.ndarray, "attributes latents"]:
        """The step of each attribute, whatever becomes of the others."""
        steps = self._towards()
        # Δ = C w / (wᵀ C w) · unit: the shortest of all that change the answer by the unit.
        return steps * (self.units / (steps * self.weights).sum(axis=1))[:, None]

    @property
    def orthogonalised(self) -> Float[np.ndarray, "attributes latents"]:
        """The step of each attribute that leaves the predicted values of all the others as they are.

        Raises:
            InseparableError: an attribute is told by others, so that it cannot change alone.
        """
        return np.stack([self.holding(counts) for counts in np.eye(len(self.names))])

    def holding(self, counts: Float[np.ndarray, " attributes"]) -> Float[np.ndarray, " latents"]:
        """The shortest step that changes every attribute's predicted value by so many of its units.

        Args:
            counts: of each attribute; 0 holds it.

        Raises:
            InseparableError: no step does, because the codes tell attributes by the same latents.
        """
        steps = self._towards()
        size = np.sqrt((steps * self.weights).sum(axis=1))[:, None]
        told, steps, wanted = self.weights / size, steps / size, counts * self.units
        # Δ = C Wᵀ (W C Wᵀ)⁻¹ wanted, with W scaled to ones on the diagonal.
        found = wanted / size[:, 0] @ np.linalg.pinv(told @ steps.T, rcond=1e-10, hermitian=True) @ steps
        off = np.abs(self.weights @ found - wanted) / self.units
        if off.max() > 1e-6 * np.abs(counts).max():
            raise InseparableError(
                f"attribute {self.names[int(np.abs(counts).argmax())]!r} cannot change while the others stay: codes of "
                f"{self.weights.shape[1]} latents tell some of {', '.join(self.names)} by the same step",
                "hold fewer of them, with hold=[…], or none, with orthogonal=False",
            )
        return found

    def _towards(self) -> Float[np.ndarray, "attributes latents"]:
        return self.weights @ self.cloud.covariance if self.metric == "codes" else self.weights

    def held_beside(self, names: Collection[str]) -> tuple[str, ...]:
        """The attributes that stay while some change, unless others are asked for: those that codes tell by themselves.

        To hold one that they tell nothing of, or as one with another that changes or is held, would lead anywhere.

        Args:
            names: of the attributes that change.

        Raises:
            DataError: there is no such attribute.
        """
        moving, alike, doubles = [self.place(name) for name in names], self._alike, self.doubles
        stay = [place for place in self.best if place not in moving and not (alike[place, moving] > ALIKE).any()]
        return tuple(self.names[place] for place in stay if self.names[place] not in doubles)

    def only(self, *names: str) -> Self:
        """The directions of some attributes: the others are not held.

        Raises:
            DataError: there is no such attribute.
        """
        places = [self.place(name) for name in names]
        return replace(
            self,
            names=names,
            weights=self.weights[places],
            units=self.units[places],
            quality=tuple(self.quality[i] for i in places),
            counts=tuple(self.counts[i] for i in places),
            classes=tuple(self.classes[i] for i in places),
        )

    def place(self, name: str) -> int:
        """Where an attribute stands among the names.

        Raises:
            DataError: there is no such attribute; suggests the closest.
        """
        if name not in self.names:
            close = get_close_matches(name, self.names, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise DataError(f"no attribute is called {name!r}{hint} (there are: {', '.join(self.names)})")
        return self.names.index(name)

    def rows(self) -> list[tuple[str, ...]]:
        """The table for people: its headings, and a row of texts an attribute."""
        found = [("attribute", "held out", "labelled", "a step", "is long", "others held")]
        lengths = self.cloud.lengths(self.matrix)
        for i, (name, classes) in enumerate(zip(self.names, self.classes, strict=True)):
            words = classes or ("",)
            counts = ", ".join(f"{count:,} {word}".strip() for count, word in zip(self.counts[i], words, strict=True))
            score = f"{_score(classes)} {self.quality[i]:.3f}"
            found.append((name, score, counts, self.step(i), f"{lengths[i]:.2f}", self._length_alone(name)))
        return found

    def step(self, place: int) -> str:
        """What a step of an attribute is, in its own units or from class to class."""
        classes = self.classes[place]
        return f"{self.units[place]:.3g}" if classes is None else f"half from {classes[0]} to {classes[1]}"

    @property
    def doubts(self) -> list[str]:
        """A sentence for each attribute that the codes tell next to nothing of, or as one with another."""
        blind = [
            f"The codes tell next to nothing of {name!r} ({_score(classes)} {quality:.2f}): its direction is chance."
            for name, classes, quality, told in zip(self.names, self.classes, self.quality, self.told, strict=True)
            if not told
        ]
        return blind + [
            f"The codes tell {name!r} as one with {other!r}: neither can be held while the other changes."
            for name, other in self.doubles.items()
        ]

    @property
    def doubles(self) -> dict[str, str]:
        """Attributes that the codes tell as one with another, which they tell as well or better, and that other."""
        alike, found, single = self._alike, {}, []
        for place in self.best:
            same = next((other for other in single if alike[place, other] > ALIKE), None)
            if same is None:
                single.append(place)
            else:
                found[self.names[place]] = self.names[same]
        return found

    @property
    def _alike(self) -> Float[np.ndarray, "attributes attributes"]:
        """How far the predicted values of attributes correlate, whichever the sign."""
        agree = self.weights @ self.cloud.covariance @ self.weights.T
        return np.abs(agree) / np.sqrt(np.outer(np.diag(agree), np.diag(agree)))

    @property
    def best(self) -> list[int]:
        """Places of the attributes that the codes tell something of, the best told first."""
        sure = [2 * q - 1 if c else q for q, c in zip(self.quality, self.classes, strict=True)]
        return [place for place in np.argsort(-np.array(sure), kind="stable").tolist() if self.told[place]]

    @property
    def told(self) -> tuple[bool, ...]:
        """Whether the codes tell something of each attribute."""
        pairs = zip(self.quality, self.classes, strict=True)
        return tuple(quality >= POOR[_score(classes)] for quality, classes in pairs)

    def __str__(self) -> str:
        return "\n".join([*self.doubts, table(self.rows())])

    def _length_alone(self, name: str) -> str:
        try:
            return f"{self.cloud.lengths(shift(self, {name: 1.0})[None])[0]:.2f}"
        except InseparableError:
            return "impossible"


def directions(
    codes: Float[np.ndarray, "events latents"],
    attributes: Attributes,
    *,
    metric: Metric = "codes",
    seed: int = 0,
) -> Directions:
    """Learn the latent step of each attribute, by a linear probe.

    The probe w predicts the attribute from the codes by least squares; of two classes it is Fisher's discriminant. Many
    steps change its answer by the same amount. The default takes the shortest in the codes' covariance C, along C w: it
    goes where codes lie that have more of the attribute (the slope of their regression on it; of two classes, from one
    mean code to the other), and chance in w along latents that hardly vary is weighed down. The shortest in plain
    latents, along w, is what was learned of them taken at its word: it goes as readily where no code ever was, and a
    decoder learned nothing. What else varies with the attribute moves along with C w; `orthogonalised` holds it.

    Args:
        codes: of training events.
        attributes: by name, or as a pandas table, one label an event: numbers, or two classes; NaN, None and "" mean
            that there is none.
        metric: what the steps are shortest in: the covariance of the codes, or plain latents.
        seed: of the parts that the probes' quality is measured on.

    Raises:
        DataError: an attribute has fewer than 20 labels, one class only, more than two, or is nothing to the codes.

    Source: Larsen, Sønderby, Larochelle & Winther 2016 (attribute vectors as differences of class means); Haufe et al.
        2014 (C w, the pattern of a linear probe).
    """
    z = checked(codes)
    if len(attributes) == 0:
        raise DataError("there are no attributes to learn directions of; give at least one, by its name")
    found = [labelled(str(name), values, len(z)) for name, values in attributes.items()]
    for each in found:
        if len(each.counts) > 2:
            raise DataError(
                f"attribute {each.name!r} has {len(each.counts)} classes, {', '.join(each.classes or ())}; a direction "
                "leads from one class to another: make an attribute of each, yes or no"
            )
    cloud = Cloud.of(z)
    weights = np.stack([_probe(z[each.known], each.values) for each in found])
    for each, w in zip(found, weights, strict=True):
        if not w.any():
            raise DataError(f"the codes are the same for every value of attribute {each.name!r}; leave it out")
    return Directions(
        names=tuple(each.name for each in found),
        weights=weights,
        units=np.array([_unit(z[each.known], each, w) for each, w in zip(found, weights, strict=True)]),
        quality=tuple(_quality(z[each.known], each, seed) for each in found),
        counts=tuple(each.counts for each in found),
        classes=tuple(each.classes for each in found),
        cloud=cloud,
        metric=metric,
    )


def shift(
    found: Directions,
    steps: Mapping[str, float],
    orthogonal: bool = True,
    hold: str | Collection[str] | None = None,
) -> Float[np.ndarray, " latents"]:
    """What to add to a code so that attributes change by so many steps each.

    Args:
        found: the directions.
        steps: by attribute: how many, of which sign.
        orthogonal: whether the predicted values of other attributes stay as they are.
        hold: of which ones; None holds those that codes tell by themselves, see `Directions.held_beside`.

    Raises:
        DataError: an attribute is not known.
        InseparableError: an attribute cannot change while the others stay.
        SettingError: an attribute is to change and to stay, or some are to be held and none.
    """
    counts = np.zeros(len(found.names))
    for name, count in steps.items():
        counts[found.place(name)] = count
    if not orthogonal:
        if hold is not None:
            raise SettingError(
                f"orthogonal=False lets all other attributes move, and hold={hold!r} keeps some; leave one"
            )
        return counts @ found.matrix
    if not steps:
        return np.zeros(found.weights.shape[1])
    held = found.held_beside(steps) if hold is None else [hold] if isinstance(hold, str) else list(hold)
    if both := [name for name in held if name in steps]:
        raise SettingError(f"attribute {both[0]!r} is to change and to stay; leave it out of one of the two")
    kept = list(dict.fromkeys([*steps, *held]))
    return found.only(*kept).holding(counts[[found.place(name) for name in kept]])


def _probe(z: Float[np.ndarray, "events latents"], y: Float[np.ndarray, " events"]) -> Float[np.ndarray, " latents"]:
    """Weights of least squares, with a tiny penalty; 0 of a latent that does not vary."""
    spread = z.std(axis=0)
    # Rounding makes a constant latent vary a little.
    scale = np.where(spread > 1e-12 * np.abs(z).max(axis=0), spread, np.inf)
    x = (z - z.mean(axis=0)) / scale
    return np.linalg.solve(x.T @ x / len(x) + RIDGE * np.eye(x.shape[1]), x.T @ (y - y.mean()) / len(x)) / scale


def _unit(z: Float[np.ndarray, "events latents"], of: Labelled, w: Float[np.ndarray, " latents"]) -> float:
    if of.classes is None:
        return float(of.values.std())
    answers = z @ w
    return 0.5 * float(answers[of.values == 1.0].mean() - answers[of.values == 0.0].mean())


def _quality(z: Float[np.ndarray, "events latents"], of: Labelled, seed: int) -> float:
    """Held-out R² of all events, or the mean of the folds' areas under the ROC curve."""
    y, told, areas = of.values, np.zeros(len(of.values)), []
    folds = (KFold if of.classes is None else StratifiedKFold)(FOLDS, shuffle=True, random_state=seed)
    for fit, held in folds.split(z, y):
        w = _probe(z[fit], y[fit])
        told[held] = y[fit].mean() + (z[held] - z[fit].mean(axis=0)) @ w
        if of.classes is not None:
            areas.append(float(roc_auc_score(y[held], told[held])))
    return float(np.mean(areas)) if areas else float(r2_score(y, told))


def _score(classes: tuple[str, ...] | None) -> Literal["R²", "AUC"]:
    return "R²" if classes is None else "AUC"
