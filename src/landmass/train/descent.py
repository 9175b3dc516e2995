"""Gradient descent: the learner that follows stochastic gradients of a loss, for several members side by side."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Integer

from landmass.arrays import on_device
from landmass.core.bounds import mixture
from landmass.core.capabilities import AbstractModel
from landmass.nn.network import Running
from landmass.train.learner import Learner
from landmass.train.rows import Batch, Rows
from landmass.train.watch import Watch, gradient_norms
from landmass.types import Key, Scalar, Tree

# Weights of as many numbers or more are updated on their own: to copy them into a row and out of it would cost more.
LARGE = 1 << 16

# Members whose batches hold fewer numbers than this take a step side by side, others one after the other: a batched
# product of small matrices saves calls, one of large matrices is slower on a CPU than as many products.
MANY_NUMBERS = 1024


Schedule = Literal["cosine", "linear", "constant"]
"""How a learning rate falls after its rise."""


def gradient(
    members: Callable[[Key], AbstractModel],
    loss: Callable[[Any, Batch, Key], tuple[Scalar, Any]],
    optimiser: optax.GradientTransformation,
    *,
    learning_rate: float,
    max_steps: int,
    batch_size: int,
    patience: int | None,
    average: float = 0.0,
    chunk_steps: int = 100,
    schedule: Schedule = "cosine",
    decay: float = 0.0,
    in_shape: bool = False,
    in_order: bool = False,
    watch: Watch | None = None,
) -> Learner:
    """A learner that follows stochastic gradients of a loss, for several members side by side.

    The learning rate rises over 50 steps, and falls to a hundredth at `max_steps`.

    Args:
        members: the first models, as one whose arrays carry a leading axis of members.
        loss: mean loss of a batch, and the model with its running statistics after it; equal for each fit, as
            functions at module level are, or each fit compiles anew.
        optimiser: an Optax transformation that leaves the learning rate to us; the same object for each fit, or each
            fit compiles anew.
        learning_rate: its greatest value.
        max_steps: the most steps.
        batch_size: events a step and member, drawn with replacement.
        patience: chunks without improvement before stopping; None goes on to the end.
        average: decay of the running average of the weights that is validated and kept; 0 keeps the last weights.
        chunk_steps: steps between looks at the validation score.
        schedule: how the learning rate falls: along a cosine, along a line, or not at all.
        decay: share of the weights of products that a step of learning rate 1 takes off them.
        in_shape: whether the optimiser needs the weights in their shapes; all others are faster on a single row.
        in_order: whether batches are taken one after the other, of events that come in random order, and not drawn.
        watch: what to record inside the layers; None records nothing, and the program is the same as without.
    """

    def init(key: Key) -> "Descent":
        models = members(key)
        weights, rest = parted(models)
        leaves, structure = jax.tree.flatten(weights)
        form, count = Form(structure, tuple(leaf.shape[1:] for leaf in leaves)), len(leaves[0])
        packed, moments = _first_moments(optimiser, form, in_shape, weights)
        rate = on_device(np.full(count, learning_rate), np.float32)
        steps = on_device(np.full(count, max_steps), np.int32), on_device(np.zeros(count), np.int32)
        norms = None if watch is None else on_device(np.zeros((count, sum(each > 0 for each in watch.arrays))))
        return Descent(rest, packed, packed, moments, rate, *steps, form, norms)

    arrays = None if watch is None else watch.arrays
    step = _GradientStep(loss, optimiser, batch_size, average, schedule, decay, in_shape, in_order, arrays)
    seen = {} if watch is None else {"watch": watch, "norms": _first_norms}
    return Learner(init, step, _ensemble, max_steps, chunk_steps, patience=patience, slow_down=_slow_down, **seen)


@eqx.filter_jit
def _first_moments(
    optimiser: optax.GradientTransformation, form: "Form", in_shape: bool, weights: Tree
) -> "tuple[Packed, Tree]":
    packed = jax.vmap(form.pack)(weights)
    return packed, eqx.filter_vmap(lambda one: optimiser.init(form.nest(one) if in_shape else one))(packed)


Packed = tuple[Float[Array, "..."], ...]
"""Weights as they are updated: the small ones in one row, an update of many small arrays would take as long as the
gradient; then each of the large ones."""


class Form(NamedTuple):
    """How a model's weights lie where they are packed.

    Args:
        structure: the nest they are taken from.
        shapes: of its arrays, one after the other.
    """

    structure: Any
    shapes: tuple[tuple[int, ...], ...]

    def nest(self, packed: Packed) -> Tree:
        """The nest of weights."""
        row, large, start, leaves = packed[0], iter(packed[1:]), 0, []
        for shape in self.shapes:
            size = math.prod(shape)
            leaves.append(next(large) if size >= LARGE else row[start : start + size].reshape(shape))
            start += 0 if size >= LARGE else size
        return jax.tree.unflatten(self.structure, leaves)

    def pack(self, nest: Tree) -> Packed:
        """The weights of a nest, or one number for each of them, as they are updated."""
        leaves = jax.tree.leaves(nest)
        small = [leaf.reshape(-1) for leaf in leaves if leaf.size < LARGE]
        return jnp.concatenate([jnp.zeros(0, leaves[0].dtype), *small]), *(
            leaf for leaf in leaves if leaf.size >= LARGE
        )

    @property
    def in_products(self) -> Packed:
        """Which weights stand in a product, and are no bias or scale: 1 for these, 0 for the others."""
        return self.pack([jnp.full(shape, len(shape) > 1, jnp.float32) for shape in self.shapes])


class Descent(eqx.Module):
    """State of a gradient learner; all arrays have a leading axis of members.

    Args:
        rest: the models without their weights, but with their running statistics.
        weights: of the models being trained.
        average: running average of the weights.
        moments: the optimiser's state.
        rate: the greatest learning rate.
        max_steps: steps after which the learning rate has fallen.
        steps: steps taken.
        form: how the weights lie.
        norms: of the last step's gradient, for each layer with weights; None where nobody asks.
    """

    rest: Tree
    weights: Packed
    average: Packed
    moments: Tree
    rate: Float[Array, "..."]
    max_steps: Integer[Array, "..."]
    steps: Integer[Array, "..."]
    form: Form = eqx.field(static=True)
    norms: Float[Array, "*members layers"] | None = None


@dataclass(frozen=True)
class _GradientStep:
    loss: Callable
    optimiser: optax.GradientTransformation
    batch_size: int
    average: float
    schedule: Schedule
    decay: float
    in_shape: bool
    in_order: bool
    arrays: tuple[int, ...] | None = None

    def __call__(self, state: Descent, rows: Rows, key: Key) -> tuple[Descent, Array]:
        keys = jax.random.split(key, state.rate.size)
        beside = 0 if rows.context is None else math.prod(rows.context.shape[1:])
        if keys.size > 1 and self.batch_size * (rows.x.shape[1] + beside) <= MANY_NUMBERS:
            return eqx.filter_vmap(self._one, in_axes=(eqx.if_array(0), None, 0))(state, rows, keys)
        arrays, rest = eqx.partition(state, eqx.is_array)

        def one(member: tuple[Tree, Key]) -> tuple[Tree, Scalar]:
            fresh, loss = self._one(eqx.combine(member[0], rest), rows, member[1])
            return eqx.filter(fresh, eqx.is_array), loss

        arrays, losses = jax.lax.map(one, (arrays, keys))
        return eqx.combine(arrays, rest), losses

    def _one(self, state: Descent, rows: Rows, key: Key) -> tuple[Descent, Scalar]:
        draw, noise = jax.random.split(key)
        if self.in_order:
            drawn = (state.steps * self.batch_size + jnp.arange(self.batch_size)) % rows.n
        else:
            drawn = jax.random.randint(draw, (self.batch_size,), 0, rows.n)
        batch = Batch(rows.x[drawn], None if rows.context is None else rows.context[drawn])

        def objective(weights: Tree) -> tuple[Scalar, Tree]:
            loss, after = self.loss(eqx.combine(weights, state.rest), batch, noise)
            return loss, parted(after)[1]

        form, nest = state.form, state.form.nest(state.weights)
        (loss, rest), slopes = eqx.filter_value_and_grad(objective, has_aux=True)(nest)
        slope, weights = (slopes, nest) if self.in_shape else (form.pack(slopes), state.weights)
        # Optax multiplies its integer step count with floats.
        with jax.numpy_dtype_promotion("standard"):
            update, moments = cast(tuple[Any, Tree], self.optimiser.update(slope, state.moments, weights))
        update = form.pack(update) if self.in_shape else update
        if self.decay:
            update = jax.tree.map(lambda u, p, w: u + self.decay * p * w, update, form.in_products, state.weights)
        step, max_steps = state.steps.astype(loss.dtype), state.max_steps.astype(loss.dtype)
        rate = state.rate * _schedule(self.schedule, step, max_steps)
        weights = jax.tree.map(lambda w, u: w - rate * u, state.weights, update)
        # Early on the average is short, so that it is not of the random first weights.
        decay = jnp.minimum(self.average, step / (step + 10.0))
        average = jax.tree.map(lambda w, a: w + decay * (a - w), weights, state.average)
        norms = None if self.arrays is None else gradient_norms(jax.tree.leaves(slopes), self.arrays)
        last = state.rate, state.max_steps, state.steps + 1, form, norms
        return Descent(rest, weights, average, moments, *last), loss


def parted(models: Any) -> tuple[Any, Any]:
    """A model's weights, which gradients move, and the rest of it, running statistics among it."""
    leaves = jax.tree.map(
        lambda node: not isinstance(node, Running) and eqx.is_inexact_array(node),
        models,
        is_leaf=lambda node: isinstance(node, Running),
    )
    return eqx.partition(models, leaves)


def _schedule(kind: Schedule, step: Scalar, max_steps: Scalar) -> Scalar:
    """Share of the learning rate: a linear rise over 50 steps, or half of a short training, then a fall to 0.01."""
    rise = jnp.maximum(jnp.minimum(50.0, max_steps / 2.0), 1.0)
    fallen = jnp.clip((step - rise) / jnp.maximum(max_steps - rise, 1.0), 0.0, 1.0)
    left = {
        "cosine": 0.01 + 0.99 * 0.5 * (1.0 + jnp.cos(jnp.pi * fallen)),
        "linear": 1.0 - 0.99 * fallen,
        "constant": jnp.ones(()),
    }
    return jnp.minimum((step + 1.0) / rise, left[kind])


def _ensemble(state: Descent) -> AbstractModel:
    """The average of the members' densities."""
    return mixture(on_device(np.zeros(state.rate.shape), state.rate.dtype), _models(state))


@eqx.filter_jit
def _models(state: Descent) -> Any:
    return eqx.combine(jax.vmap(state.form.nest)(state.average), state.rest)


def _first_norms(state: Descent) -> Array | None:
    """Of the first member."""
    return None if state.norms is None else state.norms[0]


def _slow_down(state: Descent, factor: float) -> Descent:
    return eqx.tree_at(lambda s: s.rate, state, state.rate * factor)
