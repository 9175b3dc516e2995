"""How a family learns: pure functions over an explicit state, and their makers.

A learner compares equal to another that would compile to the same program, so that a refit compiles nothing.
"""

import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Integer

from landmass.core.capabilities import AbstractModel
from landmass.core.distributions import Mixture
from landmass.types import Key, Scalar, Tree

# Members whose batches hold fewer numbers than this take a step side by side, others one after the other: a batched
# product of small matrices saves calls, one of large matrices is slower on a CPU than as many products.
MANY_NUMBERS = 1024

# Rows that a pass reads at a time: bounds the memory of a pass.
BLOCK = 4096


class Rows(NamedTuple):
    """Training events on the device, with rows of padding behind them: close numbers of events share a program.

    Args:
        x: the events, then padding, shape (places, columns).
        n: how many events there are.
    """

    x: Float[Array, "places columns"]
    n: Integer[Array, ""]


def padded(x: Float[Array, "events columns"]) -> Rows:
    """Events with padding up to the next multiple of 64, or of 1, 1.25, 1.5, 1.75, 2, 2.5, … times a power of two."""
    quarter = 1 << max((len(x) - 1).bit_length() - 3, 6)
    return Rows(jnp.pad(x, ((0, -len(x) % quarter), (0, 0))), jnp.int32(len(x)))


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
    step: Callable[[Tree, "Rows", Key], tuple[Tree, Array]]
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
    members: Callable[[Key], AbstractModel],
    loss: Callable[[Any, Float[Array, "batch columns"], Key], Scalar],
    optimiser: optax.GradientTransformation,
    *,
    learning_rate: float,
    max_steps: int,
    batch_size: int,
    patience: int | None,
    average: float = 0.0,
    chunk_steps: int = 100,
) -> Learner:
    """A learner that follows stochastic gradients of a loss, for several members side by side.

    The learning rate rises over 50 steps and falls along a cosine to a hundredth at `max_steps`.

    Args:
        members: the first models, as one whose arrays carry a leading axis of members.
        loss: mean loss of a batch; a function defined at module level, or each fit compiles anew.
        optimiser: an Optax transformation that leaves the learning rate to us; the same object for each fit, or each
            fit compiles anew.
        learning_rate: its greatest value.
        max_steps: the most steps.
        batch_size: events a step and member, drawn with replacement.
        patience: chunks without improvement before stopping; None goes on to the end.
        average: decay of the running average of the weights that is validated and kept; 0 keeps the last weights.
        chunk_steps: steps between looks at the validation score.
    """

    def init(key: Key, x: Float[Array, "events columns"]) -> "Descent":
        models = members(key)
        weights = eqx.filter(models, eqx.is_inexact_array)
        count = jax.tree.leaves(weights)[0].shape[0]
        moments = _first_moments(optimiser, weights)
        rate = jnp.full(count, learning_rate, jnp.float32)
        return Descent(models, weights, moments, rate, jnp.full(count, max_steps), jnp.zeros(count, jnp.int32))

    step = _GradientStep(loss, optimiser, batch_size, average)
    return Learner(init, step, _ensemble, max_steps, chunk_steps, patience=patience, slow_down=_slow_down)


@eqx.filter_jit
def _first_moments(optimiser: optax.GradientTransformation, weights: Tree) -> Tree:
    return eqx.filter_vmap(optimiser.init)(weights)


class Descent(eqx.Module):
    """State of a gradient learner.

    Args:
        model: the models being trained, with a leading axis of members.
        average: running average of the models' weights.
        moments: the optimiser's state.
        rate: the greatest learning rate, a member.
        max_steps: steps after which the learning rate has fallen, a member.
        steps: steps taken, a member.
    """

    model: AbstractModel
    average: Tree
    moments: Tree
    rate: Float[Array, "..."]
    max_steps: Integer[Array, "..."]
    steps: Integer[Array, "..."]


@dataclass(frozen=True)
class _ClosedForm:
    accumulate: Callable

    def __call__(self, state: Tree, x: Rows, key: Key) -> tuple[Tree, Array]:
        stats = _over_blocks(lambda stats, block, weight: self.accumulate(stats, block, weight), state, x)
        return stats, jnp.zeros(())


@dataclass(frozen=True)
class _ExpectationMaximisation:
    empty: Callable
    accumulate: Callable
    maximise: Callable

    def __call__(self, state: Tree, x: Rows, key: Key) -> tuple[Tree, Array]:
        def add(carry: tuple[Tree, Scalar], block: Array, weight: Array) -> tuple[Tree, Scalar]:
            stats, total = carry
            stats, log_likelihood = self.accumulate(state, stats, block, weight)
            return stats, total + log_likelihood

        stats, total = _over_blocks(add, (self.empty(state), jnp.zeros(())), x)
        return self.maximise(state, stats), -total / x.n.astype(total.dtype)


@dataclass(frozen=True)
class _GradientStep:
    loss: Callable
    optimiser: optax.GradientTransformation
    batch_size: int
    average: float

    def __call__(self, state: Descent, x: Rows, key: Key) -> tuple[Descent, Array]:
        keys = jax.random.split(key, state.rate.size)
        if keys.size > 1 and self.batch_size * x.x.shape[1] <= MANY_NUMBERS:
            return eqx.filter_vmap(self._one, in_axes=(eqx.if_array(0), None, 0))(state, x, keys)
        arrays, rest = eqx.partition(state, eqx.is_array)

        def one(member: tuple[Tree, Key]) -> tuple[Tree, Scalar]:
            fresh, loss = self._one(eqx.combine(member[0], rest), x, member[1])
            return eqx.filter(fresh, eqx.is_array), loss

        arrays, losses = jax.lax.map(one, (arrays, keys))
        return eqx.combine(arrays, rest), losses

    def _one(self, state: Descent, x: Rows, key: Key) -> tuple[Descent, Scalar]:
        rows, noise = jax.random.split(key)
        batch = x.x[jax.random.randint(rows, (self.batch_size,), 0, x.n)]
        loss, slopes = eqx.filter_value_and_grad(self.loss)(state.model, batch, noise)
        weights = eqx.filter(state.model, eqx.is_inexact_array)
        # Optax multiplies its integer step count with floats.
        with jax.numpy_dtype_promotion("standard"):
            updates, moments = self.optimiser.update(slopes, state.moments, weights)
        step, max_steps = state.steps.astype(loss.dtype), state.max_steps.astype(loss.dtype)
        rate = state.rate * _schedule(step, max_steps)
        model = eqx.apply_updates(state.model, jax.tree.map(lambda update: -rate * update, updates))
        # Early on the average is short, so that it is not of the random first weights.
        decay = jnp.minimum(self.average, step / (step + 10.0))
        fresh = eqx.filter(model, eqx.is_inexact_array)
        average = jax.tree.map(lambda old, new: new + decay * (old - new), state.average, fresh)
        return Descent(model, average, moments, state.rate, state.max_steps, state.steps + 1), loss


def _schedule(step: Scalar, max_steps: Scalar) -> Scalar:
    """Share of the learning rate: a linear rise over 50 steps, or half of a short training, then a cosine to 0.01."""
    rise = jnp.maximum(jnp.minimum(50.0, max_steps / 2.0), 1.0)
    fallen = jnp.clip((step - rise) / jnp.maximum(max_steps - rise, 1.0), 0.0, 1.0)
    return jnp.minimum((step + 1.0) / rise, 0.01 + 0.99 * 0.5 * (1.0 + jnp.cos(jnp.pi * fallen)))


def _no_step(state: Tree, x: Rows, key: Key) -> tuple[Tree, Array]:
    return state, jnp.zeros(())


def itself(state: Tree) -> Tree:
    """The state as it is: for learners whose state is the model."""
    return state


def _ensemble(state: Descent) -> Mixture:
    """The average of the members' densities."""
    return Mixture(jnp.zeros_like(state.rate), eqx.combine(state.average, state.model))


def _slow_down(state: Descent, factor: float) -> Descent:
    return eqx.tree_at(lambda s: s.rate, state, state.rate * factor)


def _over_blocks(add: Callable, carry: Tree, rows: Rows) -> Tree:
    """Fold `add(carry, block, weight)` over blocks of rows; padding has weight 0."""
    places, columns = rows.x.shape
    size = min(BLOCK, places)
    blocks = -(-places // size)
    x = jnp.pad(rows.x, ((0, blocks * size - places), (0, 0))).reshape(blocks, size, columns)
    weights = (jnp.arange(blocks * size) < rows.n).astype(x.dtype).reshape(blocks, size)
    return jax.lax.scan(lambda c, block: (add(c, *block), None), carry, (x, weights))[0]
