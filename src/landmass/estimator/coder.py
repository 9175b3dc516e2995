"""Estimators of a pair of networks to and from codes, trained by stochastic gradients."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from landmass.core.bounds import mixture
from landmass.core.likelihoods import LIKELIHOODS, Likelihood
from landmass.data.pixels import PixelSpace
from landmass.data.schema import Column
from landmass.data.space import EVERY_BOUND
from landmass.errors import DataError, SettingError
from landmass.estimator.base import require, require_usual
from landmass.estimator.density import EventKind
from landmass.estimator.latent import LatentEstimator
from landmass.estimator.learned import SelectingEstimator
from landmass.nn.architectures import by_name, decoder_by_name
from landmass.nn.base import Drawn, Make
from landmass.nn.layers import Activation
from landmass.train.checkpoint import NOWHERE, Checkpoint
from landmass.train.coder import Coder, stacked
from landmass.train.descent import gradient, parted
from landmass.train.learner import Learner, Score
from landmass.train.optimisers import OPTIMISERS
from landmass.train.rows import Coordinates
from landmass.train.trees import named_arrays
from landmass.types import Key

Activations = Literal["relu", "leaky_relu", "silu", "gelu", "tanh", "sigmoid"]

# How often a training of full length looks at the validation score, and the decay of the weights' running average.
LOOKS, AVERAGE = 20, 0.995

# The fewest steps and the most that are taken unless others are asked for.
LEAST_STEPS, MOST_STEPS = 2_000, 20_000


@dataclass(kw_only=True, eq=False, repr=False)
class CoderEstimator(LatentEstimator, SelectingEstimator, ABC):
    """Base of the estimators of an encoder and a decoder.

    Training follows stochastic gradients, and keeps the running average of the weights that scored best on validation.

    Args:
        latents: numbers of a code.
        architecture: of both networks; `cnn` is for images, where an epoch takes it many times as long as `mlp`;
            `linear` has no hidden layers, and takes none of the settings of such.
        hidden: units of each hidden layer of `mlp`, 64 for columns and 512 for images if None; channels of the first
            layers of `cnn`, 16 if None.
        depth: hidden layers of `mlp`, 2 if None; halvings of an image by `cnn`, 3 if None or fewer in small images.
        activation: between the layers.
        batch_norm: whether to normalise each batch before the activations.
        dropout: chance of a hidden number to be dropped in training.
        optimiser: how the weights follow their gradients.
        learning_rate: its greatest learning rate; None takes one that suits the optimiser.
        schedule: how the learning rate falls.
        max_steps: the most training steps; None takes twice the number of events to the power of 0.75, from 2,000 to
            20,000.
        batch_size: events a step and member.
        patience: looks at the validation score without improvement after which training stops; there are 20.
        members: coders trained side by side; their densities are averaged, and codes need a single one.
        validation_fraction: share of the events that `fit` keeps aside to choose by.
        random_state: seed of everything random; None draws one.
    """

    _takes: ClassVar[frozenset[EventKind]] = frozenset({"row", "image"})
    _onto_line: ClassVar[Collection[type[Column]]] = EVERY_BOUND

    # Numbers that the encoder gives for each latent.
    _outputs: ClassVar[int]

    # Likelihoods of coordinates, of black and white, and of bytes, by the levels of a byte; the first is the usual one.
    _likelihoods: ClassVar[Mapping[int, Sequence[str]]]

    # Families say which there are.
    likelihood: Any = None

    latents: int = 8
    architecture: Literal["linear", "mlp", "cnn"] = "mlp"
    hidden: int | None = None
    depth: int | None = None
    activation: Activations = "silu"
    batch_norm: bool = False
    dropout: float = 0.0
    optimiser: Literal["sgd", "momentum", "adam", "adamw", "lion", "muon"] = "adam"
    learning_rate: float | None = None
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    max_steps: int | None = None
    batch_size: int = 256
    patience: int = 5
    members: int = 1

    @abstractmethod
    def _member(self, coder: Coder, make: Make) -> Any:
        """A model around a coder."""

    @abstractmethod
    def _objective(self, steps: int, drawn: bool) -> Any:
        """What training lowers, of so many steps; `drawn` is whether pixels are drawn anew for each batch."""

    @abstractmethod
    def _score_of(self, objective: Any) -> Score | None:
        """What validation compares; None compares mean log-densities."""

    def _learner(self, space: Any, z: Coordinates) -> Learner:
        steps = self.max_steps or int(np.clip(2 * z.n**0.75, LEAST_STEPS, MOST_STEPS))
        chosen, objective = OPTIMISERS[self.optimiser], self._objective(steps, drawn=_levels(space) == 2)
        learner = gradient(
            lambda key: self._begin(space, z.whole[0], key),
            objective,
            chosen.transformation,
            learning_rate=self.learning_rate or chosen.learning_rate,
            max_steps=steps,
            batch_size=self.batch_size,
            patience=self.patience,
            average=AVERAGE,
            chunk_steps=max(steps // LOOKS, 1),
            schedule=self.schedule,
            decay=chosen.weight_decay,
            in_shape=chosen.in_shape,
        )
        return replace(learner, score=self._score_of(objective))

    def refit(self, data: Any, checkpoint: Checkpoint = NOWHERE) -> None:
        """Nothing: the weights that validation chose are kept."""

    def _begin(self, space: Any, x: Shaped[np.ndarray, "events ..."], key: Key) -> Any:
        """Members that know of the events only how each of their parts is spread."""
        make = Drawn(np.random.default_rng(np.asarray(jax.random.key_data(key))))
        likelihood = self._likelihood(space)
        return stacked(self._members(likelihood, make, likelihood.blind(x), _spread(x)))

    def _members(self, likelihood: Likelihood, make: Make, start: Any, spread: Any) -> list[Any]:
        """Fresh members."""
        shape = start.shape[:-1]
        given = vars(self) | {"ranks": 0, "activation": Activation(self.activation)}
        name = self.architecture
        if given["hidden"] is None and len(shape) == 3 and name == "mlp":
            given["hidden"] = 512
        encoder = by_name(name, shape, self._outputs * self.latents, given)
        decoder = decoder_by_name(name, shape, likelihood.decoded, given)
        fresh = (
            Coder.fresh(encoder, decoder, likelihood, start, spread, self.latents, make) for _ in range(self.members)
        )
        return [self._member(coder, make) for coder in fresh]

    def _empty(self, space: Any, sizes: Mapping[str, int]) -> Any:
        shape = space.image.shape if isinstance(space, PixelSpace) else (len(space),)
        likelihood = self._saved_likelihood(space, sizes)
        start, spread = np.zeros((*shape, likelihood.numbers)), np.zeros((2, shape[-1]))
        members = self._members(likelihood, _zeros, start, spread)
        return mixture(jnp.zeros(self.members), jax.tree.map(lambda *leaves: jnp.stack(leaves), *members))

    def _likelihood(self, space: Any) -> Likelihood:
        return LIKELIHOODS[self.likelihood or self._likelihoods[_levels(space)][0]](_levels(space))

    def _saved_likelihood(self, space: Any, sizes: Mapping[str, int]) -> Likelihood:
        """That of a model whose manifest tells these sizes."""
        return self._likelihood(space)

    def check_for(self, part: Any) -> None:
        self._check_space(part)

    def _check_space(self, space: Any) -> None:
        possible = self._likelihoods[_levels(space)]
        if self.likelihood in (None, *possible):
            return
        if self.likelihood == "bernoulli" and _levels(space) == 256:
            raise DataError(
                "the bernoulli likelihood is of black and white, and these images hold bytes from 0 to 255; declare "
                "how grey becomes black or white, with landmass.read(…, binary='draw') or binary='threshold' (on the "
                f"shell: --binary), or take another likelihood: {', '.join(possible)}"
            )
        kind = {0: "columns of numbers", 2: "black and white images", 256: "images"}[_levels(space)]
        raise SettingError(
            f"{type(self).__name__}'s likelihood must be {'one of ' * (len(possible) > 1)}{', '.join(possible)} "
            f"for {kind}, "
            f"got {self.likelihood!r}"
        )

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """The networks' numbers by their place in the model, with a leading axis of members; they have no units."""
        return named_arrays(parted(self.model_.components)[0])

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "latents", 1 <= self.latents <= 10_000, "between 1 and 10000")
        require(self, "max_steps", self.max_steps is None or self.max_steps >= 1, "None or at least 1")
        for name in ("batch_size", "patience"):
            require(self, name, getattr(self, name) >= 1, "at least 1")
        require(self, "members", 1 <= self.members <= 1000, "between 1 and 1000")
        for name, most in (("hidden", 10_000), ("depth", 100)):
            value = getattr(self, name)
            require(self, name, value is None or 1 <= value <= most, f"None or between 1 and {most}")
        require(self, "learning_rate", self.learning_rate is None or self.learning_rate > 0.0, "None or above 0")
        require(self, "dropout", 0.0 <= self.dropout < 1.0, "from 0 to less than 1")
        if self.architecture == "linear":
            # The many numbers of a categorical likelihood are made of a few by an activation.
            activation = [] if self.likelihood == "categorical" else ["activation"]
            require_usual(self, ["hidden", "depth", "batch_norm", "dropout", *activation], "in a linear architecture")


def _levels(space: Any) -> int:
    """Values that a byte of an event may take; 0 of coordinates. Also of a part of the data."""
    return 0 if space.schema.image is None else space.schema.image.levels


def _spread(x: Shaped[np.ndarray, "events ..."]) -> Float[np.ndarray, "2 channels"]:
    """Mean and standard deviation of each channel, or of each column."""
    axes = tuple(range(x.ndim - 1))
    return np.stack([x.mean(axes, dtype=np.float64), np.maximum(x.std(axes, dtype=np.float64), 1e-3)])


def _zeros(value: float, shape: tuple[int, ...], *, random: bool = False) -> Float[Array, "..."]:
    """Numbers for a model that is only asked for its shape."""
    return jnp.zeros(shape)
