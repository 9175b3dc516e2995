"""Autoregressive: each column of any kind given the columns before it, by a masked network; several orders mixed."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer
from scipy.special import logsumexp

from landmass.arrays import on_device
from landmass.core.capabilities import AbstractDensity, Context
from landmass.core.distributions import Mixture
from landmass.core.many import in_blocks, log_prob
from landmass.core.particles import AbstractChain, Column, Particles, follow
from landmass.core.states import FREE, GIVEN, Layout
from landmass.data.dataset import AT_A_TIME
from landmass.data.states import StateSpace
from landmass.errors import DataError
from landmass.estimator.base import require
from landmass.estimator.gradient import MOST_STEPS, REFIT_RATE, GradientEstimator
from landmass.estimator.questions import AnsweringEstimator, Codes
from landmass.estimator.states import LongEstimator, counted
from landmass.nn.hats import HatWeights
from landmass.nn.layers import coins
from landmass.train.learner import Learner
from landmass.train.rows import Batch, Coordinates
from landmass.types import Key, LogDensities, Scalar

# Particles of each member where many events are asked for of which the same is known, and for each event elsewhere.
MANY, FEW = 4_096, 64

# Of so many events at a time.
EVENTS = 16

# With fewer particles that count, answers are refused.
LEAST_EFFECTIVE = 100

# Events that each state is given besides those that it has, where a network begins.
SMOOTHING = 0.1

States = Integer[Array, "events columns"]


class MaskedStates(AbstractDensity, AbstractChain):
    """One member: a network whose numbers for a column see the columns before it in its order, and no others.

    Args:
        into: from states to the first hidden units, shape (states, units).
        between: from hidden units to the next, shape (units, units) each; they add to what passes through.
        out: from the last hidden units to states, shape (units, states).
        biases: of the hidden layers, shape (units,) each.
        start: log-probabilities where nothing is known, shape (states,).
        rank: each column's place in the order, shape (columns,).
        layout: how many states each column has.
        dropout: share of the hidden units that a training step sets to zero.
        shared: while it learns, what neighbouring cells of a number line share of their weights, beside their own.

    Source: Germain, Gregor, Murray & Larochelle 2015 (MADE); Nash & Durkan 2019 (residual layers).
    """

    into: Float[Array, "states units"]
    between: tuple[Float[Array, "units units"], ...]
    out: Float[Array, "units states"]
    biases: tuple[Float[Array, " units"], ...]
    start: Float[Array, " states"]
    rank: Integer[Array, " columns"]
    layout: Layout
    dropout: float = eqx.field(static=True)
    shared: HatWeights | None = None

    def log_prob(self, x: Integer[Array, " columns"], context: Context = None) -> Scalar:
        return self.log_probs(x[None])[0]

    def log_probs(self, x: States, context: Context = None) -> Float[Array, " events"]:
        return self.trained_log_probs(x, None)

    def trained_log_probs(self, x: States, key: Key | None) -> Float[Array, " events"]:
        """Log-probabilities of events, with dropout where a key is given."""
        ones = self.layout.ones(x)
        return (self._log_softmax(ones, key) * ones).sum(-1)

    def sample(self, key: Key, context: Context = None) -> Integer[Array, " columns"]:
        return self.samples(key, 1)[0]

    def samples(self, key: Key, n: int, context: Context = None) -> States:
        """Column by column, in the member's order."""
        nothing = jnp.zeros(len(self.layout.sizes), jnp.int32)
        return follow(self, key, nothing, jnp.full_like(nothing, FREE), n).states

    def begin(self, count: int) -> Float[Array, "events units"]:
        return jnp.repeat(self.biases[0][None], count, axis=0)

    def see(
        self, known: Float[Array, "events units"], column: Column, state: Integer[Array, " events"]
    ) -> Float[Array, "events units"]:
        sees = self.rank[column] <= self._degree
        return known + jnp.where(sees[None], self.into[jnp.asarray(self.layout.starts)[column] + state], 0.0)

    def tell(self, known: Float[Array, "events units"], column: Column) -> Float[Array, "events most"]:
        places, inside = self.layout.places(column)
        told = jnp.where((self._degree < self.rank[column])[:, None], self.out[:, places], 0.0)
        logits = self.start[places][None] + self._deeper(known, None) @ told
        return jax.nn.log_softmax(jnp.where(inside[None], logits, -jnp.inf), axis=1)

    def weights(self) -> tuple[Float[Array, "states units"], Float[Array, "units states"]]:
        """From states to units and from units to states, with what they share."""
        if self.shared is None:
            return self.into, self.out
        into, out = self.shared.spread(self.layout.total)
        return self.into + into, self.out + out

    @property
    def _degree(self) -> Integer[np.ndarray, " units"]:
        """Units of degree d see the columns of rank d and before, and tell those after."""
        return np.arange(len(self.biases[0]), dtype=np.int32) % max(len(self.layout.sizes) - 1, 1)

    def _log_softmax(self, ones: Float[Array, "events states"], key: Key | None) -> Float[Array, "events states"]:
        rank = self.rank[self.layout.column_of]
        into, out = self.weights()
        first = ones @ jnp.where(rank[:, None] <= self._degree[None], into, 0.0) + self.biases[0][None]
        told = jnp.where(self._degree[:, None] < rank[None], out, 0.0)
        return self.layout.log_softmax(self.start[None] + self._deeper(first, key) @ told)

    def _deeper(self, hidden: Float[Array, "events units"], key: Key | None) -> Float[Array, "events units"]:
        """What the last layer gives, of what has come to the first."""
        for i, (weight, bias) in enumerate(zip(self.between, self.biases[1:], strict=True)):
            seen = jnp.where(self._degree[:, None] <= self._degree[None], weight, 0.0)
            hidden = hidden + self._dropped(jax.nn.silu(hidden), key, i) @ seen + bias[None]
        return self._dropped(jax.nn.silu(hidden), key, -1)

    def _dropped(self, hidden: Float[Array, "events units"], key: Key | None, layer: int) -> Float[Array, "..."]:
        if key is None or not self.dropout:
            return hidden
        kept, share = coins(jax.random.fold_in(key, layer + 1), 1.0 - self.dropout, hidden.shape)
        return jnp.where(kept, hidden / share, 0.0)


@dataclass(kw_only=True, eq=False, repr=False)
class Autoregressive(LongEstimator, AnsweringEstimator, GradientEstimator):
    """Masked networks that tell each column given those before it; a mixture of members, each with an order of its own.

    Log-densities of rows are exact. What is asked of some columns given others is answered by particles, which are many
    enough or refuse; where all other columns are given, or nothing, it is exact too.

    Args:
        hidden: units of each hidden layer.
        depth: hidden layers of each network.
        dropout: share of the hidden units that each training step sets to zero.
    """

    learning_rate: float = 0.003
    members: int = 4
    hidden: int = 256
    depth: int = 2
    dropout: float = 0.1

    @property
    def _loss(self) -> Callable:
        return _minus_log_likelihood

    def _learner(self, space: Any, z: Coordinates) -> Learner:
        steps = self.max_steps or min(int(2 * z.n**0.75), MOST_STEPS)
        counts = counted(space.layout, z)

        def members(key: Key) -> MaskedStates:
            return self._fresh(space, counts, np.random.default_rng(np.asarray(jax.random.key_data(key))))

        return self._descent(members, steps, steps, self.learning_rate)

    def _once(self, z: Coordinates) -> Learner:
        members, steps = self._learnt(), -(-z.n // self.batch_size)
        return self._descent(lambda key: members, steps, steps, REFIT_RATE * self.learning_rate, AT_A_TIME)

    def _members(self, space: Any, n: int, key: Key) -> AbstractDensity:
        return self._fresh(space, np.zeros(space.layout.total), np.random.default_rng(0))

    def _fresh(self, space: StateSpace, counts: Float[np.ndarray, " states"], rng: np.random.Generator) -> MaskedStates:
        """Members that know how often each state comes, and nothing of how they go together."""
        layout = space.layout
        smooth, columns, many = counts + SMOOTHING, len(layout.sizes), (self.members,)
        shares = smooth / np.repeat(np.add.reduceat(smooth, layout.starts), layout.sizes)

        def normal(scale: float, *shape: int) -> Array:
            drawn = scale * rng.standard_normal((*many, *shape)) if scale else np.zeros((*many, *shape))
            return on_device(drawn, np.float32)

        # Half of the orders are each other's reverse.
        orders = [rng.permutation(columns) for _ in range((self.members + 1) // 2)]
        ranks = [each for order in orders for each in (order, columns - 1 - order)][: self.members]
        log_shares = on_device(np.broadcast_to(np.log(shares), (*many, layout.total)), np.float32)
        fresh = self._shaped(layout, normal, log_shares, on_device(np.stack(ranks), np.int32))
        shared = HatWeights.draw(space.stretches, self.hidden, normal, 1.0 / math.sqrt(columns))
        if shared is None:
            return fresh
        # At first cells differ by what they share alone.
        own = np.ones((layout.total, 1), np.float32)
        for first, cells in shared.stretches:
            own[first : first + cells] = 0.0
        return _sharing(eqx.tree_at(lambda each: each.into, fresh, fresh.into * own[None]), shared)

    def _learnt(self) -> MaskedStates:
        """The fitted members, ready to learn on."""

        def nothing(scale: float, *shape: int) -> Array:
            return jnp.zeros((self.members, *shape))

        return _sharing(self.model_.components, HatWeights.draw(self.space_.stretches, self.hidden, nothing, 0.0))

    def _settle(self, model: Any) -> Mixture:
        return _alone(model)

    def _shaped(self, layout: Layout, normal: Callable[..., Array], start: Array, ranks: Array) -> MaskedStates:
        """Members whose weights are normal, or zero, by a scale and a shape without that of the members."""
        units, columns = self.hidden, len(layout.sizes)
        weights = (
            normal(1.0 / math.sqrt(columns), layout.total, units),
            tuple(normal(0.5 / math.sqrt(units), units, units) for _ in range(self.depth - 1)),
            normal(0.0, units, layout.total),
            tuple(normal(0.0, units) for _ in range(self.depth)),
            start,
            ranks,
        )
        made: Callable[..., MaskedStates] = partial(MaskedStates, layout=layout, dropout=self.dropout)
        return eqx.filter_vmap(made)(*weights)

    def _empty(self, space: Any, sizes: Mapping[str, int]) -> AbstractDensity:
        layout, many = space.layout, self.members
        # Only shapes are asked for, and a file may ask for ones that no memory holds.
        start, ranks = jnp.zeros((many, layout.total)), jnp.zeros((many, len(layout.sizes)), jnp.int32)
        members = self._shaped(layout, lambda scale, *shape: jnp.zeros((many, *shape)), start, ranks)
        return Mixture(jnp.zeros(many), members)

    def log_marginals(self, codes: Codes, known: Codes) -> LogDensities:
        whole, found = (known == GIVEN).all(1), np.zeros(len(codes))
        if whole.any():
            found[whole] = log_prob(self.model_, codes[whole])
        if len(codes) == 1 and not whole.any():
            clouds = _clouds(self.model_, jax.random.key(self._seed()), on_device(codes[0]), on_device(known[0]), MANY)
            found[0] = logsumexp(np.asarray(clouds.log_total, np.float64))
        elif not whole.all():
            seeds = np.arange(len(codes))[~whole]
            found[~whole] = in_blocks(_log_totals, self.model_, codes[~whole], known[~whole], seeds, at_once=EVENTS)
        return found

    def completed(self, codes: Codes, known: Codes, rng: np.random.RandomState) -> Codes:
        if len(codes) > 1 and (known == known[0]).all() and (codes == codes[0])[:, known[0] == GIVEN].all():
            return self._alike(codes[0], known[0], len(codes), rng)
        return self.completions(codes, known, 1, rng)[0]

    def completions(self, codes: Codes, known: Codes, n_draws: int, rng: np.random.RandomState) -> list[Codes]:
        """Of each event the draws are from the same particles."""
        seeds = rng.randint(0, 2**31 - 1, (len(codes), n_draws))
        return list(in_blocks(_completed, self.model_, codes, known, seeds, at_once=EVENTS).swapaxes(0, 1))

    def _alike(
        self,
        x: Integer[np.ndarray, " columns"],
        known: Integer[np.ndarray, " columns"],
        n: int,
        rng: np.random.RandomState,
    ) -> Codes:
        """Many events of which the same is known, from clouds of particles for each member."""
        seeds = rng.randint(0, 2**31 - 1, -(-n // MANY))
        told = [_clouds(self.model_, jax.random.key(seed), on_device(x), on_device(known), MANY) for seed in seeds]
        clouds = jax.tree.map(lambda *each: np.concatenate(each), *told)
        within = _shares(clouds.log_weights.astype(np.float64))
        of_clouds = _shares(clouds.log_total.astype(np.float64))
        weights = (of_clouds[:, None] * within).ravel()
        effective = 1.0 / float((of_clouds**2 / clouds.effective).sum())
        if effective < LEAST_EFFECTIVE:
            raise DataError(
                f"what is given is too rare for this network: of {weights.size:,} particles {effective:.0f} are left "
                "that count; ask a family that answers exactly (latent_class), or give less"
            )
        chosen = rng.choice(weights.size, n, p=weights / weights.sum())
        return clouds.states.reshape(-1, len(x))[chosen]

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """`ranks`: each column's place in each member's order; and the networks' numbers, by name."""
        model = self.model_.components
        return {
            "ranks": np.asarray(model.rank),
            **{name: np.asarray(getattr(model, name)) for name in ("into", "out", "start")},
            **{f"between_{i}": np.asarray(each) for i, each in enumerate(model.between)},
            **{f"bias_{i}": np.asarray(each) for i, each in enumerate(model.biases)},
        }

    def check_settings(self) -> None:
        super().check_settings()
        for name, most in (("hidden", 10_000), ("depth", 100)):
            require(self, name, 1 <= getattr(self, name) <= most, f"from 1 to {most:,}")
        require(self, "dropout", 0.0 <= self.dropout < 1.0, "from 0 to below 1")


def _shares(logs: Float[np.ndarray, "*members shares"]) -> Float[np.ndarray, "*members shares"]:
    """What is proportional to the exponentials of numbers and sums to one along the last axis."""
    shares = np.exp(logs - logs.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


@eqx.filter_jit
def _clouds(model: Mixture, key: Key, x: Array, known: Array, count: int) -> Particles:
    """A cloud of particles for each member, the log-probability of what is known together with that member."""
    arrays, rest = eqx.partition(model.components, eqx.is_array)
    keys = jax.random.split(key, len(model.log_weights))
    # One after the other: products of several members at once take longer.
    found = jax.lax.map(lambda each: follow(eqx.combine(each[0], rest), each[1], x, known, count), (arrays, keys))
    return found._replace(log_total=found.log_total + jax.nn.log_softmax(model.log_weights))


def _log_totals(model: Mixture, codes: Array, known: Array, seeds: Array) -> Array:
    def one(x: Array, what: Array, seed: Array) -> Array:
        return jax.nn.logsumexp(_clouds(model, jax.random.key(seed), x, what, FEW).log_total)

    return jax.vmap(one)(codes, known, seeds)


def _completed(model: Mixture, codes: Array, known: Array, seeds: Array) -> Array:
    def one(x: Array, what: Array, each: Array) -> Array:
        cloud, choose = jax.random.split(jax.random.key(each[0]))
        found = _clouds(model, cloud, x, what, FEW)
        within = jax.nn.log_softmax(found.log_weights, axis=1) + found.log_total[:, None]
        return found.states.reshape(-1, len(x))[jax.random.categorical(choose, within.ravel(), shape=each.shape)]

    return jax.vmap(one)(codes, known, seeds)


def _sharing(members: MaskedStates, shared: HatWeights | None) -> MaskedStates:
    return eqx.tree_at(lambda each: each.shared, members, shared, is_leaf=lambda leaf: leaf is None)


@eqx.filter_jit
def _alone(model: Mixture) -> Mixture:
    """The same density, its cells' weights added to what they shared."""
    members = model.components
    weights = eqx.filter_vmap(MaskedStates.weights)(members)
    members = eqx.tree_at(lambda each: (each.into, each.out), members, weights)
    return Mixture(model.log_weights, _sharing(members, None))


def _minus_log_likelihood(model: MaskedStates, batch: Batch, key: Key) -> tuple[Scalar, MaskedStates]:
    return -jnp.mean(model.trained_log_probs(batch.x, key)), model
