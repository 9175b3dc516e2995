"""The density of an answer, given an event: a network whose outputs a head takes; and the loss it is trained by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landmass.arrays import on_device
from landmass.core.capabilities import AbstractDensity, Context
from landmass.core.distributions import Mixture
from landmass.core.heads import Head
from landmass.nn.augment import Change, augmented
from landmass.nn.base import Layer, Make
from landmass.nn.inside import Told, passes, tell, weights_of
from landmass.nn.layers import Dense
from landmass.nn.network import Network, Running
from landmass.train.rows import Batch
from landmass.train.watch import Watch
from landmass.types import Key, Scalar

# The floor's share before validation has chosen it.
FLOOR = 0.01


class Conditional(AbstractDensity):
    """One member: the density of an answer, given an event as its context.

    Args:
        network: from an event to the head's numbers.
        temperature: how much less certain to be than the network; validation chooses it.
        floor: share of the head's floor in the mixture with it; validation chooses it.
        head: which distribution the numbers are of.
    """

    network: Network
    temperature: Running
    floor: Running
    head: Head = eqx.field(static=True)

    def log_prob(self, x: Array, context: Context = None) -> Scalar:
        return self.log_probs(x[None], None if context is None else context[None])[0]

    def log_probs(self, x: Array, context: Context = None) -> Float[Array, " events"]:
        """Log-densities of answers, shape (events, 1), each given its own event of the context."""
        return mixed_log_probs(self.head, self.outputs(context), x[:, 0], self.temperature.numbers, self.floor.numbers)

    def sample(self, key: Key, context: Context = None) -> Array:
        outputs = self.outputs(None if context is None else context[None])
        choose, floor, noise = jax.random.split(key, 3)
        low = jax.random.bernoulli(choose, self.floor.numbers)
        drawn = self.head.draw(outputs, noise, self.temperature.numbers)
        return jnp.where(low, self.head.floor_draw(outputs, floor), drawn)

    def probabilities(self, context: Context) -> Float[Array, "events classes"]:
        """Of each class; the head is of classes."""
        head: Any = self.head
        found = head.probabilities(self.outputs(context), self.temperature.numbers)
        return (1.0 - self.floor.numbers) * found + self.floor.numbers / head.classes

    def below(self, outputs: Array, y: Array) -> Float[Array, " events"]:
        """The chance of an answer below y, given what the network said; the head is of numbers."""
        head: Any = self.head
        found = head.cdf(outputs, y, self.temperature.numbers)
        return (1.0 - self.floor.numbers) * found + self.floor.numbers * head.floor_cdf(outputs, y)

    def outputs(self, context: Context) -> Float[Array, "events outputs"]:
        """The network's, in test mode."""
        return self.network(_given(context))


def mixed_log_probs(
    head: Head, outputs: Array, y: Array, temperature: Scalar, floor: Scalar
) -> Float[Array, " events"]:
    """Log-densities of answers under a head at a temperature, with a share of its floor mixed in."""
    own = jnp.log1p(-floor) + head.log_probs(outputs, y, temperature)
    return jnp.logaddexp(own, jnp.log(floor) + head.floor_log_probs(outputs, y))


@dataclass(frozen=True)
class ConditionalLoss:
    """The head's mean loss of a batch, the network being in train mode.

    Args:
        smoothing: share of labels that are taken as drawn at random.
        class_weights: how much an event of each class counts; empty counts all alike.
        augment: how images are changed at random.
    """

    smoothing: float = 0.0
    class_weights: tuple[float, ...] = ()
    augment: tuple[Change, ...] = ()

    def __call__(self, model: Conditional, batch: Batch, key: Key) -> tuple[Scalar, Conditional]:
        y = batch.x[:, 0]
        change, noise = jax.random.split(key)
        events = _given(batch.context)
        events = augmented(events, self.augment, change) if self.augment else events
        outputs, network = model.network.train(events, noise)
        head: Any = model.head
        losses = head.smoothed(outputs, y, self.smoothing) if self.smoothing else head.losses(outputs, y)
        if self.class_weights:
            losses = losses * jnp.asarray(self.class_weights)[y.astype(jnp.int32)]
        return losses.mean(), eqx.tree_at(lambda m: m.network.running, model, network.running)


def _given(context: Context) -> Float[Array, "events ..."]:
    """The events that answers are given, as a network takes them."""
    if context is None:
        raise TypeError("a conditional density needs the events that its answers are given")
    return context.astype(jnp.float32)


def members(
    layers: Sequence[Layer], shape: tuple, head: Head, members: int, make: Make, floor: float = FLOOR
) -> Conditional:
    """Members side by side, as one whose arrays carry a leading axis."""

    def fresh() -> Conditional:
        return Conditional(Network.fresh(layers, shape, make), Running(make(1.0, ())), Running(make(floor, ())), head)

    return jax.tree.map(_stacked, *[fresh() for _ in range(members)])


def begun(models: Conditional, outputs: Sequence[float]) -> Conditional:
    """The same members, which say of every event nearly what some outputs say, if their last layer has a bias.

    Args:
        models: fresh members.
        outputs: what to say.
    """
    if not isinstance(models.network.layers[-1], Dense):
        return models
    bias = models.network.weights[-1]["bias"]
    start = on_device(np.broadcast_to(np.asarray(outputs, bias.dtype), bias.shape))
    return eqx.tree_at(lambda model: model.network.weights[-1]["bias"], models, start)


def _stacked(*leaves: Any) -> Any:
    if isinstance(leaves[0], jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct((len(leaves), *leaves[0].shape), leaves[0].dtype)
    return on_device(np.stack(leaves))


def outputs(model: Mixture, context: Array) -> Float[Array, "events members outputs"]:
    """The members' outputs."""
    return eqx.filter_vmap(lambda part: part.outputs(context), out_axes=1)(model.components)


def watch_of(model: Conditional) -> Watch:
    """How to watch the layers of members, as `members` gives them."""
    parts = weights_of(model.network)
    return Watch(tuple(name for name, _ in parts), tuple(len(jax.tree.leaves(own)) for _, own in parts), look)


@eqx.filter_jit
def look(model: Mixture, context: Array) -> list[Told]:
    """What each layer of the first member makes of some events, in train mode with the same noise at every look."""
    components: Any = model.components
    network = jax.tree.map(lambda leaf: leaf[0], components.network)
    return [tell(passed) for passed in passes(network, _given(context), jax.random.key(0))]
