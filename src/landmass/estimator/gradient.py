"""Estimators that follow stochastic gradients, several members side by side."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax

from landmass.core.capabilities import AbstractDensity
from landmass.data.space import Space
from landmass.estimator.base import require
from landmass.estimator.learned import SelectingEstimator, coordinates
from landmass.train import loop
from landmass.train.checkpoint import NOWHERE, Checkpoint
from landmass.train.descent import gradient
from landmass.train.learner import Learner
from landmass.train.progress import silent
from landmass.train.rows import Batch, Coordinates
from landmass.types import Key, Scalar

# How often a training of full length looks at the validation score.
LOOKS = 20

# The most steps that are taken unless more are asked for.
MOST_STEPS = 20_000

# Decay of the running average of the weights.
AVERAGE = 0.99

# After validation has had its say, training goes on over all events: for this share of the steps, from this share of
# the learning rate.
REFIT_STEPS, REFIT_RATE = 0.5, 0.4

# Made once: learners with the same optimiser share their compiled programs.
OPTIMISER = optax.chain(optax.clip_by_global_norm(5.0), optax.scale_by_adam(b2=0.99))


@dataclass(kw_only=True, eq=False, repr=False)
class GradientEstimator(SelectingEstimator, ABC):
    """A family trained by stochastic gradients of the negative log-likelihood.

    Training follows Adam under a cosine schedule, and keeps the running average of the weights that scored best on
    validation. Then it goes on for a while, at a small learning rate, over the validation events too.

    Args:
        max_steps: the most training steps; None takes twice the number of events to the power of 0.75.
        batch_size: events a step and member.
        learning_rate: the optimiser's greatest learning rate.
        patience: looks at the validation score without improvement after which training stops; there are 20.
        members: networks trained side by side; their densities are averaged.
        validation_fraction: share of the events that `fit` keeps aside for early stopping.
        random_state: seed of everything random; None draws one.
    """

    max_steps: int | None = None
    batch_size: int = 256
    learning_rate: float = 0.01
    patience: int = 4
    members: int = 8

    @property
    def _loss(self) -> Callable:
        """Of the models, a batch and a key: what training lowers, and the models after it."""
        return negative_log_likelihood

    @abstractmethod
    def _members(self, space: Space, n: int, key: Key) -> AbstractDensity:
        """Fresh members for `n` events, as one model whose arrays carry a leading axis of members."""

    def _learner(self, space: Space, z: Coordinates) -> Learner:
        steps = self.max_steps or min(int(2 * z.n**0.75), MOST_STEPS)
        return self._descent(lambda key: self._members(space, z.n, key), steps, steps, self.learning_rate)

    def refit(self, data: Any, checkpoint: Checkpoint = NOWHERE) -> None:
        if not self.history_:
            return
        last, members = list(self.history_)[-1], self._learnt()
        steps, planned = math.ceil(REFIT_STEPS * last.step), last.max_steps
        learner = self._descent(lambda key: members, steps, planned, REFIT_RATE * self.learning_rate)
        z, nothing = coordinates(self.space_, data), coordinates(self.space_, data.nothing())
        # Another seed than the fit's: it is not to see the same batches again.
        key = jax.random.key(self._seed() + 1)
        self.model_ = self._settle(loop.run(replace(learner, patience=None), z, nothing, key, silent, checkpoint).model)

    def _learnt(self) -> AbstractDensity:
        """The fitted members, ready to learn on."""
        return self.model_.components

    def _descent(
        self, members: Callable, steps: int, planned: int, learning_rate: float, block: int | None = None
    ) -> Learner:
        """Train members; where the events come in blocks of a size, go through each block once, in order."""
        return gradient(
            members,
            self._loss,
            OPTIMISER,
            learning_rate=learning_rate,
            max_steps=steps,
            batch_size=self.batch_size,
            patience=self.patience,
            average=AVERAGE,
            # Of the first training's length, so that learning again compiles nothing.
            chunk_steps=max(planned // LOOKS if block is None else block // self.batch_size, 1),
            in_order=block is not None,
        )

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "max_steps", self.max_steps is None or self.max_steps >= 1, "None or at least 1")
        for name in ("batch_size", "patience"):
            require(self, name, getattr(self, name) >= 1, "at least 1")
        require(self, "members", 1 <= self.members <= 1000, "between 1 and 1000")
        require(self, "learning_rate", self.learning_rate > 0.0, "above 0")


def negative_log_likelihood(model: AbstractDensity, batch: Batch, key: Key) -> tuple[Scalar, AbstractDensity]:
    """Minus the mean log-density of a batch, in nats: the loss that maximum likelihood asks for."""
    return -jnp.mean(model.log_probs(batch.x)), model
