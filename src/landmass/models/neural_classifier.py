"""Neural classifier: the probability of each class, given an event, by a network."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import equinox as eqx
import jax.numpy as jnp
import msgspec
import numpy as np
from jaxtyping import Array, Float, Shaped
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from landmass.core.distributions import Mixture
from landmass.core.heads import Bernoulli, Categorical, ClassHead, Focal, Hinge
from landmass.data.examples import Answers, Examples, read_examples
from landmass.errors import DataError, SettingError, StoreError
from landmass.estimator.base import require
from landmass.estimator.conditional import ConditionalEstimator
from landmass.store import parse_json
from landmass.train.conditional import ConditionalLoss

HEADS = {"categorical": Categorical, "bernoulli": Bernoulli, "focal": Focal, "hinge": Hinge}


class Classes(msgspec.Struct, forbid_unknown_fields=True):
    """What the manifest says of the answers.

    Args:
        classes: in the order of their numbers.
        dtype: of an array of them.
        counts: events of each that the fit saw.
        weights: what `class_weight` maps each class to, None where it is silent; None if it is no mapping.
    """

    classes: list[str | float | int | bool]
    dtype: str
    counts: list[int]
    weights: list[float | None] | None


@dataclass(kw_only=True, eq=False, repr=False)
class NeuralClassifier(ClassifierMixin, ConditionalEstimator):
    """A network that gives the probabilities of classes; what it lowers in training is cross-entropy.

    Args:
        head: `categorical` and `bernoulli` (two classes, one output) maximise the likelihood: their losses are
            cross-entropy and binary cross-entropy. `focal` looks away from events that are right already, `hinge` asks
            for a margin; their probabilities come of the temperature that validation chooses.
        class_weight: how much an event of each class counts in training; "balanced" makes all classes count alike.
            Probabilities are then those of data in which classes are as frequent as they count.
        label_smoothing: share of the labels that are taken as drawn at random.
    """

    head: Literal["categorical", "bernoulli", "focal", "hinge"] = "categorical"
    class_weight: Mapping[Any, float] | Literal["balanced"] | None = None
    label_smoothing: float = 0.0

    def predict_proba(self, X: Any) -> Float[np.ndarray, "events classes"]:
        """Probability of each class, in the order of `classes_`, shape (events, classes), float64.

        Args:
            X: events, in any form that `fit` takes.
        """
        found = self._ask(_probabilities, X).astype(np.float64)
        return found / found.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> Shaped[np.ndarray, " events"]:
        """The most likely class of each event.

        Args:
            X: events, in any form that `fit` takes.
        """
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The share of events whose class is right.

        Args:
            X: events, in any form that `fit` takes.
            y: the answers, as in `fit`.
            sample_weight: how much each event counts.
        """
        check_is_fitted(self)
        examples = read_examples(X, y, self.inputs_)
        return float(super().score(examples, examples.answers, sample_weight))

    @property
    def _head(self) -> ClassHead:
        return HEADS[self.head](len(self.classes_))

    @property
    def log_det(self) -> float:
        return 0.0

    def _learn_answers(self, train: Examples, validation: Examples) -> None:
        answers = np.concatenate([train.answers, validation.answers])
        try:
            check_classification_targets(answers if answers.dtype != object else answers.astype(str))
        except ValueError as error:
            raise DataError(f"the target {train.target!r} holds no classes: {error}; use NeuralRegressor") from error
        try:
            self.classes_ = np.unique(answers)
        except TypeError as error:
            raise DataError(
                f"the target {train.target!r} holds words and numbers; make all of them one kind"
            ) from error
        if len(self.classes_) < 2:
            raise DataError(
                f"the target {train.target!r} has one class only: {self.classes_.tolist()[0]!r}; a classifier needs "
                "two or more"
            )
        if self.head == "bernoulli" and len(self.classes_) > 2:
            raise DataError(f"the bernoulli head tells two classes apart, and there are {len(self.classes_)}")
        self._weigh(np.unique(answers, return_counts=True)[1])

    def _coded(self, answers: Answers) -> Float[np.ndarray, "events 1"]:
        places = {each: i for i, each in enumerate(self.classes_.tolist())}
        wrong = [each for each in answers.tolist() if isinstance(each, str) != isinstance(next(iter(places)), str)]
        if wrong:
            raise DataError(f"{wrong[0]!r} is not of the classes' kind ({list(places)}): one is text, the other is not")
        codes = np.array([places.get(answer, np.nan) for answer in answers.tolist()], np.float32)
        return codes[:, None]

    def _weights(self, answers: Float[np.ndarray, "events 1"]) -> Float[np.ndarray, " events"]:
        return self._class_weights[answers[:, 0].astype(int)]

    def _loss(self) -> ConditionalLoss:
        weights = () if self.class_weight is None else tuple(self._class_weights.tolist())
        return ConditionalLoss(self.label_smoothing, weights, self._changes)

    def _weigh(self, counts: Shaped[np.ndarray, " classes"]) -> None:
        """Learn how much an event of each class counts: 1 on average."""
        self._counts, known = counts, self.classes_.tolist()
        weights = np.ones(len(known))
        if self.class_weight == "balanced":
            weights = 1.0 / np.maximum(counts, 1)
        elif isinstance(self.class_weight, Mapping):
            unknown = set(self.class_weight) - set(known) - set(map(str, known))
            require(self, "class_weight", not unknown, f"of the classes {known}")
            given = self._weights_given(self.class_weight)
            weights = np.array([1.0 if weight is None else weight for weight in given])
        require(self, "class_weight", float(weights @ counts) > 0.0, "above 0 for some class of the data")
        self._class_weights = weights * counts.sum() / (weights @ counts)

    def _golden_answers(self, rng: np.random.Generator) -> Float[np.ndarray, " events"]:
        return (np.arange(8) % len(self.classes_)).astype(np.float64)

    def _save_answers(self) -> Classes:
        weights = self._weights_given(self.class_weight) if isinstance(self.class_weight, Mapping) else None
        return Classes(self.classes_.tolist(), self.classes_.dtype.str, self._counts.tolist(), weights)

    def _weights_given(self, given: Mapping[Any, float]) -> list[float | None]:
        """What a mapping says of each class, which may be told by its name as text: JSON has no other keys."""
        found = [given.get(each, given.get(str(each))) for each in self.classes_.tolist()]
        return [None if weight is None else float(weight) for weight in found]

    def _load_answers(self, saved: msgspec.Raw, path: Path) -> None:
        found = parse_json(saved, Classes, path)
        try:
            self.classes_ = np.array(found.classes, dtype=np.dtype(found.dtype))
        except (TypeError, ValueError, OverflowError) as error:
            raise StoreError(f"{path}: the classes are not of type {found.dtype}: {error}") from error
        if len(set(found.classes)) < 2:
            raise StoreError(f"{path}: a classifier has two classes or more, not {found.classes}")
        try:
            if found.weights is not None:
                # Keys in JSON are words, and classes may be numbers.
                given = zip(found.classes, found.weights, strict=True)
                self.class_weight = {each: weight for each, weight in given if weight is not None}
                self.check_settings()
            self._weigh(np.array(found.counts))
        except (SettingError, ValueError, OverflowError) as error:
            raise StoreError(f"{path}: the counts and weights are not those of the classes: {error}") from error

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "label_smoothing", 0.0 <= self.label_smoothing < 1.0, "from 0 to less than 1")
        if isinstance(self.class_weight, Mapping):
            fine = all(np.isfinite(weight) and weight >= 0.0 for weight in self.class_weight.values())
            require(self, "class_weight", fine, "of numbers from 0")


def _probabilities(model: Mixture, context: Array) -> Float[Array, "events classes"]:
    """The members' average."""
    return jnp.mean(eqx.filter_vmap(lambda part: part.probabilities(context))(model.components), axis=0)
