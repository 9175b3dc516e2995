"""How a family learns: pure functions over an explicit state, and their makers.

A learner compares equal to another that would compile to the same program, so that a refit compiles nothing.
"""

import itertools
import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Integer

from landmass.core.capabilities import AbstractModel
from landmass.core.distributions import Mixture
from landmass.train.rows import BLOCK, Rows
from landmass.types import Key, Scalar, Tree

# Members whose batches hold fewer numbers than this take a step side by side, others one after the other: a batched
# product of small matrices saves calls, one of large matrices is slower on a CPU than as many products.
MANY_NUMBERS = 1024


@dataclass(frozen=True)
class Learner:
    """What the loop needs to know of a family.

    Args:
        init: makes the first state from a key; called once, outside the compiled loop.
        step: advances the state by one step over the training events, and gives the step's loss.
        model: the density that a state stands for.
        max_steps: the most steps to take.
        chunk_steps: steps that are compiled together, and taken between two looks at the validation score.
        patience: chunks without a better validation score after which to stop; None never looks.
        tolerance: stop when a chunk lowers the loss by less than this a step; None never stops for that.
        slow_down: the same state with its learning rate scaled; None if there is none to scale.
    """

    init: Callable[[Key], Tree] = field(compare=False)
    step: Callable[[Tree, Rows, Key], tuple[Tree, Array]]
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
    return Learner(lambda key: model, _no_step, itself, max_steps=0)


def closed_form(
    empty: Tree,
    accumulate: Callable[[Tree, Float[Array, "block columns"], Float[Array, " block"]], Tree],
    finish: Callable[[Tree], AbstractModel],
) -> Learner:
    """A learner that reads the events once, all at once or in pieces.

    Args:
        empty: the statistics of no events.
        accumulate: adds a block of events with their weights (0 for padding) to the statistics.
        finish: the model of the statistics.
    """
    return Learner(lambda key: empty, Pass(itself, _Told(accumulate), _second), finish)


def expectation_maximisation(
    init: Callable[[Key], Tree],
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
    return Learner(init, Pass(empty, accumulate, maximise), model, max_steps, chunk_steps=10, tolerance=tolerance)


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

    def init(key: Key) -> "Descent":
        models = members(key)
        weights, rest = eqx.partition(models, eqx.is_inexact_array)
        leaves, structure = jax.tree.flatten(weights)
        form, count = Form(structure, tuple(leaf.shape[1:] for leaf in leaves)), len(leaves[0])
        flat, moments = _first_moments(optimiser, leaves)
        rate = jnp.full(count, learning_rate, jnp.float32)
        steps = jnp.full(count, max_steps), jnp.zeros(count, jnp.int32)
        return Descent(rest, flat, flat, moments, rate, *steps, form)

    step = _GradientStep(loss, optimiser, batch_size, average)
    return Learner(init, step, _ensemble, max_steps, chunk_steps, patience=patience, slow_down=_slow_down)


@eqx.filter_jit
def _first_moments(optimiser: optax.GradientTransformation, leaves: list[Array]) -> tuple[Array, Tree]:
    flat = jnp.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)
    return flat, eqx.filter_vmap(optimiser.init)(flat)


class Form(NamedTuple):
    """How a model's weights lie in a row of numbers.

    Args:
        structure: the nest they are taken from.
        shapes: of its arrays, one after the other.
    """

    structure: Any
    shapes: tuple[tuple[int, ...], ...]

    def nest(self, flat: Float[Array, " weights"]) -> Tree:
        """The nest of weights."""
        ends = itertools.accumulate(math.prod(shape) for shape in self.shapes)
        starts = itertools.pairwise([0, *ends])
        leaves = [flat[a:b].reshape(shape) for (a, b), shape in zip(starts, self.shapes, strict=True)]
        return jax.tree.unflatten(self.structure, leaves)


class Descent(eqx.Module):
    """State of a gradient learner; all arrays have a leading axis of members.

    Weights lie in one row: an update of many small arrays would take as long as the gradient.

    Args:
        rest: the models without their weights.
        weights: of the models being trained.
        average: running average of the weights.
        moments: the optimiser's state.
        rate: the greatest learning rate.
        max_steps: steps after which the learning rate has fallen.
        steps: steps taken.
        form: how the weights lie.
    """

    rest: Tree
    weights: Float[Array, "*members weights"]
    average: Float[Array, "*members weights"]
    moments: Tree
    rate: Float[Array, "..."]
    max_steps: Integer[Array, "..."]
    steps: Integer[Array, "..."]
    form: Form = eqx.field(static=True)


class Gathered(NamedTuple):
    """What a pass has added up: statistics, log-likelihood, and weight of the events seen."""

    stats: Tree
    log_likelihood: Scalar
    weight: Scalar


@dataclass(frozen=True)
class Pass:
    """A step that reads every event once, all at once or in pieces.

    Args:
        empty: statistics of no events, shaped after the state.
        accumulate: adds a block's statistics; also gives the block's summed log-likelihood.
        finish: the state that comes of a state and of the statistics gathered under it.
    """

    empty: Callable[[Tree], Tree]
    accumulate: Callable[[Tree, Tree, Float[Array, "block columns"], Float[Array, " block"]], tuple[Tree, Scalar]]
    finish: Callable[[Tree, Tree], Tree]

    def __call__(self, state: Tree, rows: Rows, key: Key) -> tuple[Tree, Array]:
        return self.end(state, self.gather(state, self.begin(state), rows))

    def begin(self, state: Tree) -> Gathered:
        """What no events have told."""
        return Gathered(self.empty(state), jnp.zeros(()), jnp.zeros(()))

    def gather(self, state: Tree, gathered: Gathered, rows: Rows) -> Gathered:
        """Add rows, a block of bounded memory at a time."""
        places, columns = rows.x.shape
        size = min(BLOCK, places)
        blocks = -(-places // size)
        x = jnp.pad(rows.x, ((0, blocks * size - places), (0, 0))).reshape(blocks, size, columns)
        weights = jnp.pad(rows.weight, (0, blocks * size - places)).reshape(blocks, size)

        def add(seen: Gathered, block: tuple[Array, Array]) -> tuple[Gathered, None]:
            stats, log_likelihood = self.accumulate(state, seen.stats, *block)
            return Gathered(stats, seen.log_likelihood + log_likelihood, seen.weight + block[1].sum()), None

        return jax.lax.scan(add, gathered, (x, weights))[0]

    def end(self, state: Tree, gathered: Gathered) -> tuple[Tree, Array]:
        """The next state, and minus the mean log-likelihood under the one before."""
        return self.finish(state, gathered.stats), -gathered.log_likelihood / gathered.weight


@dataclass(frozen=True)
class _Told:
    """Statistics that are gathered without a look at the state, and are the next one."""

    accumulate: Callable

    def __call__(self, state: Tree, stats: Tree, x: Array, weight: Array) -> tuple[Tree, Scalar]:
        return self.accumulate(stats, x, weight), jnp.zeros(())


@dataclass(frozen=True)
class _GradientStep:
    loss: Callable
    optimiser: optax.GradientTransformation
    batch_size: int
    average: float

    def __call__(self, state: Descent, rows: Rows, key: Key) -> tuple[Descent, Array]:
        keys = jax.random.split(key, state.rate.size)
        if keys.size > 1 and self.batch_size * rows.x.shape[1] <= MANY_NUMBERS:
            return eqx.filter_vmap(self._one, in_axes=(eqx.if_array(0), None, 0))(state, rows, keys)
        arrays, rest = eqx.partition(state, eqx.is_array)

        def one(member: tuple[Tree, Key]) -> tuple[Tree, Scalar]:
            fresh, loss = self._one(eqx.combine(member[0], rest), rows, member[1])
            return eqx.filter(fresh, eqx.is_array), loss

        arrays, losses = jax.lax.map(one, (arrays, keys))
        return eqx.combine(arrays, rest), losses

    def _one(self, state: Descent, rows: Rows, key: Key) -> tuple[Descent, Scalar]:
        draw, noise = jax.random.split(key)
        batch = rows.x[jax.random.randint(draw, (self.batch_size,), 0, rows.n)]
        model = eqx.combine(state.form.nest(state.weights), state.rest)
        loss, slopes = eqx.filter_value_and_grad(self.loss)(model, batch, noise)
        slope = jnp.concatenate([leaf.reshape(-1) for leaf in jax.tree.leaves(slopes)])
        # Optax multiplies its integer step count with floats.
        with jax.numpy_dtype_promotion("standard"):
            update, moments = cast(tuple[Array, Tree], self.optimiser.update(slope, state.moments, state.weights))
        step, max_steps = state.steps.astype(loss.dtype), state.max_steps.astype(loss.dtype)
        rate = state.rate * _schedule(step, max_steps)
        weights = state.weights - rate * update
        # Early on the average is short, so that it is not of the random first weights.
        decay = jnp.minimum(self.average, step / (step + 10.0))
        average = weights + decay * (state.average - weights)
        last = state.rate, state.max_steps, state.steps + 1, state.form
        return Descent(state.rest, weights, average, moments, *last), loss


def _schedule(step: Scalar, max_steps: Scalar) -> Scalar:
    """Share of the learning rate: a linear rise over 50 steps, or half of a short training, then a cosine to 0.01."""
    rise = jnp.maximum(jnp.minimum(50.0, max_steps / 2.0), 1.0)
    fallen = jnp.clip((step - rise) / jnp.maximum(max_steps - rise, 1.0), 0.0, 1.0)
    return jnp.minimum((step + 1.0) / rise, 0.01 + 0.99 * 0.5 * (1.0 + jnp.cos(jnp.pi * fallen)))


def _no_step(state: Tree, rows: Rows, key: Key) -> tuple[Tree, Array]:
    return state, jnp.zeros(())


def itself(state: Tree) -> Tree:
    """The state as it is: for learners whose state is the model."""
    return state


def _second(state: Tree, stats: Tree) -> Tree:
    return stats


def _ensemble(state: Descent) -> Mixture:
    """The average of the members' densities."""
    return Mixture(jnp.zeros_like(state.rate), _models(state))


@eqx.filter_jit
def _models(state: Descent) -> Any:
    return eqx.combine(jax.vmap(state.form.nest)(state.average), state.rest)


def _slow_down(state: Descent, factor: float) -> Descent:
    return eqx.tree_at(lambda s: s.rate, state, state.rate * factor)
