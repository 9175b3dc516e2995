"""Estimators that follow stochastic gradients, several members side by side."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Integer

from landmass.core.capabilities import AbstractDensity
from landmass.data.dataset import Dataset
from landmass.data.space import Space
from landmass.estimator.density import require
from landmass.estimator.learned import SelectingEstimator
from landmass.train import loop
from landmass.train.learner import Learner, gradient
from landmass.train.progress import silent
from landmass.types import Key, Scalar

# How often a training of full length looks at the validation score.
LOOKS = 20

# The most steps that are taken unless more are asked for.
MOST_STEPS = 20_000

# Decay of the running average of the weights.
AVERAGE = 0.99

# After validation has had its say, training goes on over all events: for this share of the steps, from this share of
# the learning rate.
REFIT_STEPS, REFIT_RATE = 0.3, 0.3


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

    @abstractmethod
    def _member(self, space: Space, n: int) -> Callable[[Key, Integer[Array, ""]], AbstractDensity]:
        """What makes a fresh member for `n` events, from a key and the member's number."""

    def _learner(self, space: Space, z: Float[Array, "events columns"]) -> Learner:
        steps = self.max_steps or min(int(2 * len(z) ** 0.75), MOST_STEPS)
        return self._descent(self._member(space, len(z)), steps, self.learning_rate)

    def refit(self, data: Dataset) -> None:
        taken = self.history_[-1].step if self.history_ else 0
        steps = int(REFIT_STEPS * taken)
        if not steps:
            return
        members = self.model_.components

        def member(key: Key, index: Integer[Array, ""]) -> AbstractDensity:
            return jax.tree.map(lambda leaf: leaf[index] if eqx.is_array(leaf) else leaf, members)

        learner = replace(self._descent(member, steps, REFIT_RATE * self.learning_rate), patience=None)
        z, nothing = jnp.asarray(self.space_.forward(data.X)[0]), jnp.zeros((0, len(self.space_)))
        # Another seed than the fit's: it is not to see the same batches again.
        self.model_ = loop.run(learner, z, nothing, jax.random.key(self._seed() + 1), silent).model

    def _descent(self, member: Callable, steps: int, learning_rate: float) -> Learner:
        return gradient(
            member,
            negative_log_likelihood,
            _optimiser(learning_rate, steps),
            max_steps=steps,
            batch_size=self.batch_size,
            members=self.members,
            patience=self.patience,
            average=AVERAGE,
            chunk_steps=max(steps // LOOKS, 1),
        )

    def _check_settings(self) -> None:
        super()._check_settings()
        require(self, "max_steps", self.max_steps is None or self.max_steps >= 1, "None or at least 1")
        for name in ("batch_size", "patience", "members"):
            require(self, name, getattr(self, name) >= 1, "at least 1")
        require(self, "learning_rate", self.learning_rate > 0.0, "above 0")


def negative_log_likelihood(model: AbstractDensity, batch: Float[Array, "batch columns"], key: Key) -> Scalar:
    """Minus the mean log-density of a batch, in nats: the loss that maximum likelihood asks for."""
    return -jnp.mean(jax.vmap(model.log_prob)(batch))


@lru_cache
def _optimiser(learning_rate: float, max_steps: int) -> optax.GradientTransformation:
    warm_up = min(50, max_steps // 2)
    schedule = optax.warmup_cosine_decay_schedule(0.0, learning_rate, warm_up, max_steps, 0.01 * learning_rate)
    return optax.chain(optax.clip_by_global_norm(5.0), optax.adam(schedule, b2=0.99))
