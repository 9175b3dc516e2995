"""How a family learns: pure functions over an explicit state, and their makers.

A learner compares equal to another that would compile to the same program, so that a refit compiles nothing.
"""

import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Integer

from landmass.core.capabilities import AbstractModel
from landmass.core.distributions import Mixture
from landmass.types import Key, Scalar, Tree

# Rows that a pass reads at a time: bounds the memory of a pass.
BLOCK = 4096


@dataclass(frozen=True)
class Learner:
    """What the loop needs to know of a family.

    Args:
        init: makes the first state from a key and the training events; called once, outside the compiled loop.
        step: advances the state by one step over the training events, and gives the step's loss.
        model: the density that a state stands for.
        max_steps: the most steps to take.
        chunk_steps: steps that are compiled together, and taken between two looks at the validation score.
        patience: chunks without a better validation score after which to stop; None never looks.
        tolerance: stop when a chunk lowers the loss by less than this a step; None never stops for that.
        slow_down: the same state with its learning rate scaled; None if there is none to scale.
    """

    init: Callable[[Key, Float[Array, "events columns"]], Tree] = field(compare=False)
    step: Callable[[Tree, Float[Array, "events columns"], Key], tuple[Tree, Array]]
    model: Callable[[Tree], Any]
    max_steps: int = 1
    chunk_steps: int = 1
    patience: int | None = None
    tolerance: float | None = None
    slow_down: Callable[[Tree, float], Tree] | None = None


Search = Generator[tuple[Any, Learner], float, None]
"""Yields a setting's value and its learner, and is sent the validation score that came of it."""


@dataclass(frozen=True)
class Selection:
    """Several learners of which the one with the best validation score is kept.

    Args:
        search: starts the search for candidates.
        setting: what the candidates' value is called.
    """

    search: Callable[[], Search]
    setting: str


def in_order(candidates: Iterable[tuple[Any, Learner]], give_up: int) -> Search:
    """Try candidates from simple to rich, and stop after some in a row that were worse than the best.

    Args:
        candidates: values and their learners.
        give_up: how many in a row.
    """
    best, worse = -math.inf, 0
    for candidate in candidates:
        score = yield candidate
        best, worse = (score, 0) if score > best else (best, worse + 1)
        if worse == give_up:
            return


def fixed(model: AbstractModel) -> Learner:
    """A learner with nothing to learn: the model is given.

    Args:
        model: the model.
    """
    return Learner(lambda key, x: model, _no_step, itself, max_steps=0)


def closed_form(
    empty: Callable[[Float[Array, "events columns"]], Tree],
    accumulate: Callable[[Tree, Float[Array, "block columns"], Float[Array, " block"]], Tree],
    finish: Callable[[Tree], AbstractModel],
) -> Learner:
    """A learner that reads the events once.

    Args:
        empty: the statistics of no events.
        accumulate: adds a block of events with their weights (0 for padding) to the statistics.
        finish: the model of the statistics.
    """
    return Learner(lambda key, x: empty(x), _ClosedForm(accumulate), finish)


def expectation_maximisation(
    init: Callable[[Key, Float[Array, "events columns"]], Tree],
    empty: Callable[[Tree], Tree],
    accumulate: Callable[[Tree, Tree, Float[Array, "block columns"], Float[Array, " block"]], tuple[Tree, Scalar]],
    maximise: Callable[[Tree, Tree], Tree],
    model: Callable[[Tree], AbstractModel],
    *,
    max_steps: int,
    tolerance: float,
) -> Learner:
    """A learner whose steps are passes: expected statistics under the state, then the state that fits them best.

    Args:
        init: the first state.
        empty: statistics of no events, shaped after the state.
        accumulate: adds a block's expected statistics; also gives the block's summed log-likelihood.
        maximise: the state that maximises the expected log-likelihood.
        model: the model of a state.
        max_steps: the most passes.
        tolerance: stop when a pass gains less than this, in nats an event.
    """
    step = _ExpectationMaximisation(empty, accumulate, maximise)
    return Learner(init, step, model, max_steps, chunk_steps=10, tolerance=tolerance)


def gradient(
    init: Callable[[Key, Integer[Array, ""]], AbstractModel],
    loss: Callable[[Any, Float[Array, "batch columns"], Key], Scalar],
    optimiser: optax.GradientTransformation,
    *,
    max_steps: int,
    batch_size: int,
    members: int,
    patience: int,
    average: float = 0.0,
    chunk_steps: int = 100,
) -> Learner:
    """A learner that follows stochastic gradients of a loss, for several members side by side.

    Args:
        init: a fresh model from a key and the member's number.
        loss: mean loss of a batch; a function defined at module level, or each fit compiles anew.
        optimiser: an Optax transformation; made once for equal settings, or each fit compiles anew.
        max_steps: the most steps.
        batch_size: events a step and member, drawn with replacement.
        members: how many models.
        patience: chunks without improvement before stopping.
        average: decay of the running average of the weights that is validated and kept; 0 keeps the last weights.
        chunk_steps: steps between looks at the validation score.
    """

    def init_members(key: Key, x: Float[Array, "events columns"]) -> "Descent":
        def one(key: Key, member: Integer[Array, ""]) -> Descent:
            model = init(key, member)
            weights = eqx.filter(model, eqx.is_inexact_array)
            return Descent(model, weights, optimiser.init(weights), jnp.ones(()), jnp.zeros((), jnp.int32))

        return eqx.filter_jit(eqx.filter_vmap(one))(jax.random.split(key, members), jnp.arange(members))

    step = _GradientStep(loss, optimiser, batch_size, average)
    return Learner(
        init_members,
        step,
        _ensemble,
        max_steps,
        chunk_steps,
        patience=patience,
        slow_down=_slow_down,
    )


class Descent(eqx.Module):
    """State of a gradient learner.

    Args:
        model: the models being trained, with a leading axis of members.
        average: running average of the models' weights.
        moments: the optimiser's state.
        rate: what the optimiser's updates are scaled by, a member.
        steps: steps taken, a member.
    """

    model: AbstractModel
    average: Tree
    moments: Tree
    rate: Float[Array, "..."]
    steps: Integer[Array, "..."]


@dataclass(frozen=True)
class _ClosedForm:
    accumulate: Callable

    def __call__(self, state: Tree, x: Float[Array, "events columns"], key: Key) -> tuple[Tree, Array]:
        stats = _over_blocks(lambda stats, block, weight: self.accumulate(stats, block, weight), state, x)
        return stats, jnp.zeros(())


@dataclass(frozen=True)
class _ExpectationMaximisation:
    empty: Callable
    accumulate: Callable
    maximise: Callable

    def __call__(self, state: Tree, x: Float[Array, "events columns"], key: Key) -> tuple[Tree, Array]:
        def add(carry: tuple[Tree, Scalar], block: Array, weight: Array) -> tuple[Tree, Scalar]:
            stats, total = carry
            stats, log_likelihood = self.accumulate(state, stats, block, weight)
            return stats, total + log_likelihood

        stats, total = _over_blocks(add, (self.empty(state), jnp.zeros(())), x)
        return self.maximise(state, stats), -total / x.shape[0]


@dataclass(frozen=True)
class _GradientStep:
    loss: Callable
    optimiser: optax.GradientTransformation
    batch_size: int
    average: float

    def __call__(self, state: Descent, x: Float[Array, "events columns"], key: Key) -> tuple[Descent, Array]:
        keys = jax.random.split(key, state.rate.size)
        return eqx.filter_vmap(self._one, in_axes=(eqx.if_array(0), None, 0))(state, x, keys)

    def _one(self, state: Descent, x: Float[Array, "events columns"], key: Key) -> tuple[Descent, Scalar]:
        rows, noise = jax.random.split(key)
        batch = x[jax.random.randint(rows, (self.batch_size,), 0, x.shape[0])]
        loss, slopes = eqx.filter_value_and_grad(self.loss)(state.model, batch, noise)
        weights = eqx.filter(state.model, eqx.is_inexact_array)
        # Optax multiplies its integer step count with floats.
        with jax.numpy_dtype_promotion("standard"):
            updates, moments = self.optimiser.update(slopes, state.moments, weights)
        model = eqx.apply_updates(state.model, jax.tree.map(lambda u: u * state.rate, updates))
        steps = state.steps + 1
        # Early on the average is short, so that it is not of the random first weights.
        decay = jnp.minimum(self.average, state.steps.astype(loss.dtype) / (state.steps.astype(loss.dtype) + 10.0))
        fresh = eqx.filter(model, eqx.is_inexact_array)
        average = jax.tree.map(lambda old, new: new + decay * (old - new), state.average, fresh)
        return Descent(model, average, moments, state.rate, steps), loss


def _no_step(state: Tree, x: Float[Array, "events columns"], key: Key) -> tuple[Tree, Array]:
    return state, jnp.zeros(())


def itself(state: Tree) -> Tree:
    """The state as it is: for learners whose state is the model."""
    return state


def _ensemble(state: Descent) -> Mixture:
    """The average of the members' densities."""
    return Mixture(jnp.zeros_like(state.rate), eqx.combine(state.average, state.model))


def _slow_down(state: Descent, factor: float) -> Descent:
    return eqx.tree_at(lambda s: s.rate, state, state.rate * factor)


def _over_blocks(add: Callable, carry: Tree, x: Float[Array, "events columns"]) -> Tree:
    """Fold `add(carry, block, weight)` over blocks of rows; the last block is padded with weight 0."""
    n, columns = x.shape
    size = min(BLOCK, n)
    blocks = -(-n // size)
    padded = jnp.pad(x, ((0, blocks * size - n), (0, 0))).reshape(blocks, size, columns)
    weights = (jnp.arange(blocks * size) < n).astype(x.dtype).reshape(blocks, size)
    return jax.lax.scan(lambda c, block: (add(c, *block), None), carry, (padded, weights))[0]
