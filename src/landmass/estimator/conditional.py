"""p(y | x): a network reads x and gives the numbers of a distribution of y; the face that its estimators share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

import jax
import msgspec
import numpy as np
from jaxtyping import Array, Float, Shaped
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from landmass.core.capabilities import Likelihood, likelihood
from landmass.core.heads import NumberHead
from landmass.core.many import in_blocks, log_prob
from landmass.data.dataset import Dataset
from landmass.data.examples import Answers, Examples, fit_inputs, read_examples, read_inputs
from landmass.data.features import Features, Table
from landmass.data.images import Images
from landmass.data.schema import Schema
from landmass.errors import DataError, SettingError, StoreError
from landmass.estimator.base import GOLDEN_EVENTS, Estimator, require
from landmass.estimator.saved_network import SavedNetwork, read_members
from landmass.nn.architectures import by_name
from landmass.nn.augment import Change
from landmass.nn.base import Drawn, Make, blank
from landmass.nn.layers import Activation
from landmass.nn.network import AnyLayer, Network, shapes
from landmass.store import parse_json, write_arrays
from landmass.train import loop
from landmass.train.checkpoint import NOWHERE, Checkpoint
from landmass.train.conditional import FLOOR, Conditional, ConditionalLoss, begun, members, watch_of
from landmass.train.descent import gradient, parted
from landmass.train.learner import Learner
from landmass.train.optimisers import OPTIMISERS
from landmass.train.progress import Listener, Progress, silent
from landmass.train.rows import Coordinates
from landmass.train.temperature import tempered
from landmass.train.trees import named_arrays
from landmass.types import Key, LogDensities

Architecture = Literal["constant", "linear", "mlp", "cnn", "resnet"]
Activations = Literal["linear", "relu", "leaky_relu", "silu", "gelu", "tanh", "sigmoid"]

# How often a training of full length looks at the validation score.
LOOKS = 20

# The fewest steps and the most that are taken unless others are asked for; a step with images takes far longer.
LEAST_STEPS, LEAST_STEPS_OF_IMAGES, MOST_STEPS = 2_000, 500, 20_000

# Decay of the running average of the weights.
AVERAGE = 0.99


@dataclass(kw_only=True, eq=False, repr=False)
class ConditionalEstimator(Estimator, ABC):
    """Base of the estimators of p(y | x): a network trained by stochastic gradients of a head's loss.

    Training keeps the running average of the weights that scored best on validation, and then chooses on the same
    events the temperature by which the network is to be less certain, or more, and the small share of a wide
    distribution that is mixed in so that no answer is almost impossible.

    Args:
        architecture: the network's layers by name, or one by one; None takes `mlp` for columns and `cnn` for images.
            `constant` looks at nothing, and says how frequent the answers are, without training.
        hidden: units of each hidden layer of `mlp`, 64 if None; channels of the first layers of the others, 16 if None.
        depth: hidden layers of `mlp`, 2 if None; blocks of the others, 3 if None or fewer in small images, each half as
            large as the last.
        activation: between the layers.
        batch_norm: whether to normalise each batch before the activations; None does so for images.
        waves: cosines by which `mlp` sees the rank of each number of a table, 16 if None; 0 shows it no ranks.
        dropout: chance of a hidden number to be dropped in training.
        optimiser: how the weights follow their gradients.
        learning_rate: its greatest learning rate; None takes one that suits the optimiser.
        schedule: how the learning rate falls.
        weight_decay: share of the weights, biases apart, that a step of learning rate 1 would take off them; None takes
            one that suits the optimiser, which is none but for adamw, lion and muon.
        max_steps: the most training steps; None takes twice the number of events to the power of 0.75, from 2,000 (of
            images from 500) to 20,000.
        batch_size: events a step and member.
        patience: looks at the validation score without improvement after which training stops; there are 20.
        members: networks trained side by side; their densities are averaged.
        augment: how images are changed at random in training: `flip` left for right, `shift` by up to an eighth, `crop`
            to a window of four fifths or more; None shifts them.
        watch: whether to record what happens inside each layer in training; see `landmass.evaluate.diagnose`.
        validation_fraction: share of the events that `fit` keeps aside to choose by.
        random_state: seed of everything random; None draws one.
    """

    architecture: Architecture | Sequence[AnyLayer] | None = None
    hidden: int | None = None
    depth: int | None = None
    activation: Activations = "silu"
    batch_norm: bool | None = None
    waves: int | None = None
    dropout: float = 0.0
    optimiser: Literal["sgd", "momentum", "adam", "adamw", "lion", "muon"] = "adam"
    learning_rate: float | None = None
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    weight_decay: float | None = None
    max_steps: int | None = None
    batch_size: int = 256
    patience: int = 4
    members: int = 1
    augment: Sequence[Change] | None = None
    watch: bool = False
    validation_fraction: float = 0.1
    random_state: int | None = None

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the network.

        Args:
            X: events: an array of shape (events, columns), a table of numbers and words, images, the path of any of
                these, the name of built-in examples, or `Examples`.
            y: the answers, one an event; or the name of the column or label that holds them. Examples, and images with
                one label alone, need none.

        Returns:
            The estimator itself.

        Raises:
            DataError: the events or answers cannot be used; names column, value and remedy.
            FitError: training could not go on.
        """
        self.check_settings()
        examples = read_examples(X, y)
        if len(examples) < 3:
            raise DataError(f"n_samples={len(examples)} examples are too few to learn and to choose by; give more")
        parts = examples.parts(self._seed(), self.validation_fraction, 0.0, classes=is_classifier(self))
        return self.fit_parts(examples.take(parts.train), examples.take(parts.validation))

    def fit_parts(
        self, train: Examples, validation: Examples, listen: Listener = silent, checkpoint: Checkpoint = NOWHERE
    ) -> Self:
        """Fit on one part of the data and choose on another, as a ladder does for all its rungs.

        Args:
            train: examples to learn from.
            validation: examples to choose by.
            listen: hears the progress records.
            checkpoint: where the fit keeps what it has reached, and goes on from.
        """
        self.check_settings()
        self._forget()
        self._learn_answers(train, validation)
        self._describe(train, validation)
        z, held_out = map(self._coordinates, (train, validation))
        listen(Progress("started"))
        try:
            outcome = loop.run(self._learner(z), z, held_out, jax.random.key(self._seed()), listen, checkpoint)
        except loop.Diverged as error:
            self.history_ = error.outcome.history
            raise
        blind = self.architecture == "constant" and not self._head.needs_temperature
        self.model_: Any = outcome.model if blind else tempered(outcome.model, held_out)
        self.history_ = outcome.history
        return self

    def log_prob(self, X: Any, y: Any = None) -> LogDensities:
        """Log p(y | x) of each event, in nats: per unit of the answer, or of its class; -inf for a class never seen.

        Args:
            X: events, in any form that `fit` takes.
            y: the answers, as in `fit`.

        Returns:
            Shape (events,), float64.
        """
        check_is_fitted(self)
        examples = read_examples(X, y, self.inputs_)
        codes, context = self._coded(examples.answers), self._encoded(examples.inputs)
        scores = log_prob(self.model_, np.nan_to_num(codes), context) + self.log_det
        return np.where(np.isnan(codes[:, 0]), -np.inf, scores)

    def check_for(self, part: Examples) -> None:
        fresh = self.fresh()
        fresh._learn_answers(part, part)
        fresh._describe(part, part)
        fresh._members(blank)

    def log_densities(self, part: Examples) -> LogDensities:
        return self.log_prob(part)

    @property
    def network_(self) -> Network:
        """The first member's network; printed, it lists its layers with their shapes and parameter counts."""
        return jax.tree.map(lambda leaf: leaf[0], self.model_.components.network)

    def network_inputs(self, X: Any) -> Shaped[np.ndarray, "events ..."]:
        """Events as the network takes them: columns standardised, words as levels, pixels as bytes.

        Args:
            X: events, in any form that `fit` takes.
        """
        check_is_fitted(self)
        return self._encoded(read_inputs(X, self.inputs_)[0])

    @property
    def likelihood_(self) -> Likelihood:
        """How the log-densities are known: "exact"."""
        return likelihood(self.model_)

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """The networks' numbers by their place in the model, with a leading axis of members; they have no units."""
        return named_arrays(parted(self.model_.components)[0])

    @abstractmethod
    def _learn_answers(self, train: Examples, validation: Examples) -> None:
        """Look at the answers: what they may be, and which head gives them."""

    @property
    @abstractmethod
    def _head(self) -> Any:
        """The distribution of a coded answer."""

    @property
    @abstractmethod
    def log_det(self) -> float:
        """Log-density of an answer in its own unit, less that of its code, in nats."""

    @abstractmethod
    def _coded(self, answers: Answers) -> Float[np.ndarray, "events 1"]:
        """Answers as the head has them; NaN for a class that training never saw."""

    def _coordinates(self, part: Examples) -> Coordinates:
        answers = self._coded(part.answers)
        log_det = np.full(len(answers), self.log_det)
        return Coordinates.of(answers, self._weights(answers), self._encoded(part.inputs), log_det)

    def _weights(self, answers: Float[np.ndarray, "events 1"]) -> Float[np.ndarray, " events"]:
        """How much each event counts."""
        return np.ones(len(answers))

    def _loss(self) -> ConditionalLoss:
        return ConditionalLoss(augment=self._changes)

    @property
    def _changes(self) -> tuple[Change, ...]:
        """How events are changed in training."""
        of_images = len(self.inputs_.shape) == 3
        require(self, "augment", of_images or not self.augment, "None or () for events that are no images")
        usual: tuple[Change, ...] = ("shift",) if of_images else ()
        return usual if self.augment is None else tuple(self.augment)

    def _learner(self, z: Coordinates) -> Learner:
        least = LEAST_STEPS_OF_IMAGES if len(self.inputs_.shape) == 3 else LEAST_STEPS
        steps = self.max_steps or int(np.clip(2 * z.n**0.75, least, MOST_STEPS))
        # The start of a network that looks at nothing is its end.
        steps = 0 if self.architecture == "constant" else steps
        chosen = OPTIMISERS[self.optimiser]
        return gradient(
            lambda key: self._begin(key, *z.whole),
            self._loss(),
            chosen.transformation,
            learning_rate=self.learning_rate or chosen.learning_rate,
            max_steps=steps,
            batch_size=self.batch_size,
            patience=self.patience,
            average=AVERAGE,
            chunk_steps=max(steps // LOOKS, 1),
            schedule=self.schedule,
            decay=chosen.weight_decay if self.weight_decay is None else self.weight_decay,
            in_shape=chosen.in_shape,
            watch=watch_of(self._members(blank)) if self.watch else None,
        )

    def _begin(self, key: Key, answers: Float[np.ndarray, "events 1"], weight: Float[np.ndarray, " events"]) -> Any:
        """Members that have learned nothing but how the answers are spread."""
        fresh = self._members(Drawn(np.random.default_rng(np.asarray(jax.random.key_data(key)))))
        return begun(fresh, self._head.blind(answers[:, 0], weight))

    def _members(self, make: Make) -> Conditional:
        """Fresh members, as one whose arrays carry a leading axis of members."""
        shape, outputs = self.inputs_.shape, self._head.outputs
        layers = self.architecture
        if layers is None or isinstance(layers, str):
            given = vars(self) | {"ranks": self.inputs_.ranks, "activation": Activation(self.activation)}
            layers = by_name(layers, shape, outputs, given)
        layers = (*self.inputs_.layers, *layers)
        ends = shapes(layers, shape)[-1]
        if ends != (outputs,):
            raise SettingError(f"the architecture ends in {ends}; its last layer must give {outputs} numbers here")
        # While classes are learned the score is the network's own; of numbers one event could cost thousands of nats.
        numbers = isinstance(self._head, NumberHead) and self._head.has_floor and self.architecture != "constant"
        return members(layers, shape, self._head, self.members, make, floor=FLOOR if numbers else 0.0)

    def _encoded(self, inputs: Table | Images) -> Shaped[np.ndarray, "events ..."]:
        """Events to answer for, as the network has them."""
        is_table = isinstance(self.inputs_, Features)
        if is_table != isinstance(inputs, Table):
            fitted, found = ("a table", "images") if is_table else ("images", "a table")
            raise DataError(f"the model was fitted to {fitted}, and this is {found}")
        if isinstance(inputs, Images) or not inputs.unnamed or _features(inputs) == self.n_features_in_:
            return cast(Any, self.inputs_).encode(inputs)
        raise DataError(
            f"X has {_features(inputs)} features, but {type(self).__name__} is expecting {self.n_features_in_} "
            "features as input"
        )

    def _ask(self, question: Callable[..., Array], X: Any) -> np.ndarray:
        """What the model says of each event."""
        context = self.network_inputs(X)
        return in_blocks(question, self.model_, context)

    def _golden_events(self) -> np.ndarray:
        rows = self.inputs_.golden(GOLDEN_EVENTS)
        return np.column_stack([self._golden_answers(np.random.default_rng(0))[: len(rows)], rows])

    def _golden_scores(self, events: np.ndarray) -> LogDensities:
        return log_prob(self.model_, events[:, :1].astype(np.float32), self.inputs_.of_golden(events[:, 1:]))

    def _save(self, folder: Path) -> SavedNetwork:
        sha256 = write_arrays(folder / "weights.safetensors", named_arrays(self.model_))
        answers = msgspec.Raw(msgspec.json.encode(self._save_answers()))
        return SavedNetwork(self.inputs_, self.network_.layers, self._head, answers, sha256)  # pyright: ignore[reportArgumentType]

    def _load(self, folder: Path, model: msgspec.Raw, load: Callable[[Path], Estimator]) -> None:
        saved = parse_json(model, SavedNetwork, folder / "manifest.json")
        inputs, head = saved.inputs, saved.head
        self.inputs_ = inputs
        self.n_features_in_ = len(inputs.columns) if isinstance(inputs, Features) else math.prod(inputs.shape)
        self._load_answers(saved.answers, folder / "manifest.json")
        if self._head != head:
            raise StoreError(f"{folder}: the head is {head}, and the answers make {self._head}")
        found = read_members(saved, self.members, folder)
        self.model_, self.history_ = found, ()

    def _describe(self, train: Examples, validation: Examples) -> None:
        """Keep the names of what was seen."""
        ranked = self.waves != 0 and self.architecture in (None, "mlp")
        self.inputs_ = fit_inputs(train.inputs, validation.inputs, ranked)
        if isinstance(train.inputs, Table) and not train.inputs.unnamed:
            self.feature_names_in_ = np.array(list(train.inputs.columns), object)
        nothing = Dataset(np.empty((0, 1)), Schema.real([train.target]), train.name)
        self._remember(nothing, _features(train.inputs))

    @abstractmethod
    def _golden_answers(self, rng: np.random.Generator) -> Float[np.ndarray, " events"]:
        """Coded answers that a saved estimator is checked by."""

    @abstractmethod
    def _save_answers(self) -> msgspec.Struct:
        """What is to be known of the answers when the estimator is read back."""

    @abstractmethod
    def _load_answers(self, saved: msgspec.Raw, path: Path) -> None:
        """Read what `_save_answers` gave."""

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "validation_fraction", 0.0 < self.validation_fraction < 1.0, "between 0 and 1")
        require(self, "max_steps", self.max_steps is None or self.max_steps >= 1, "None or at least 1")
        for name in ("batch_size", "patience"):
            require(self, name, getattr(self, name) >= 1, "at least 1")
        for name, most in (("members", 1000), ("hidden", 10_000), ("depth", 100)):
            value, or_none = getattr(self, name), "" if name == "members" else "None or "
            fits = bool(or_none) if value is None else 1 <= value <= most
            require(self, name, fits, f"{or_none}between 1 and {most}")
        require(self, "waves", self.waves is None or 0 <= self.waves <= 1000, "None or between 0 and 1000")
        require(self, "learning_rate", self.learning_rate is None or self.learning_rate > 0.0, "None or above 0")
        require(self, "dropout", 0.0 <= self.dropout < 1.0, "from 0 to less than 1")
        require(self, "weight_decay", self.weight_decay is None or self.weight_decay >= 0.0, "None or at least 0")


def _features(inputs: Table | Images) -> int:
    """How many columns, or how many numbers an image."""
    return len(inputs.columns) if isinstance(inputs, Table) else math.prod(inputs.X.shape[1:])
