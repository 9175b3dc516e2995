"""Estimators whose members tell column by column, each in an order of its own; particles answer what is asked."""

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer, Shaped

from landmass.arrays import on_device
from landmass.core.capabilities import AbstractDensity
from landmass.core.distributions import Mixture
from landmass.core.many import in_blocks, log_prob
from landmass.core.particles import Particles, follow
from landmass.core.states import GIVEN
from landmass.data.dataset import AT_A_TIME
from landmass.errors import DataError, FewParticlesWarning
from landmass.estimator.base import require
from landmass.estimator.gradient import MOST_STEPS, REFIT_RATE, GradientEstimator
from landmass.estimator.questions import AnsweringEstimator, Codes
from landmass.estimator.states import LongEstimator, counted
from landmass.train.learner import Learner
from landmass.train.rows import Batch, Coordinates
from landmass.types import Key, LogDensities, Scalar

# Particles of each member where many events are asked for of which the same is known, and for each event elsewhere.
MANY, FEW = 4_096, 64

# Of so many events at a time; where too few of theirs count, each has more.
EVENTS, SOME = 16, 512

# With fewer particles that count, answers are refused: of one thing that is given, and of each of several, for which
# many particles are taken before.
LEAST_EFFECTIVE, LEAST_OF_EACH = 100, 16

# Events that each state is given besides those that it has, where a network begins.
SMOOTHING = 0.1


@dataclass(kw_only=True, eq=False, repr=False)
class OrderedEstimator(LongEstimator, AnsweringEstimator, GradientEstimator, ABC):
    """A mixture of masked networks, each with an order of the columns of its own.

    Log-densities of rows are exact, and so are chances of words given all other columns. What else is asked of some
    columns given others is estimated by particles, of which the effective number is looked at wherever one thing is
    given: draws, and its density, are refused where it is too low. Where each row gives something else, as in `impute`,
    there are 64 particles a member and row, and up to 4,096 where fewer than 16 count; where these are too few, draws
    are refused, and log-densities warned of.

    Args:
        hidden: units of each hidden layer.
        depth: hidden layers of each network.
        dropout: share of the hidden units that each training step sets to zero.
    """

    # Draws from one cloud of particles are not independent of each other, those from several are.
    _batches: ClassVar[int] = 20

    learning_rate: float = 0.003
    members: int = 4
    hidden: int = 256
    depth: int = 2
    dropout: float = 0.1

    @abstractmethod
    def _shaped(self, space: Any, normal: Callable[..., Array], start: Array, ranks: Array) -> Any:
        """Members with fresh weights.

        Args:
            space: the space of the rows.
            normal: draws numbers of a scale and a shape, with a leading axis of members.
            start: log-probabilities of the states where nothing is known, shape (members, states).
            ranks: each column's place in each member's order, shape (members, columns).
        """

    @property
    def _loss(self) -> Callable:
        return _minus_log_likelihood

    def _learner(self, space: Any, z: Coordinates) -> Learner:
        steps = self.max_steps or min(int(2 * z.n**0.75), MOST_STEPS)
        counts = counted(space.layout, z)

        def members(key: Key) -> Any:
            return self._fresh(space, counts, np.random.default_rng(np.asarray(jax.random.key_data(key))))

        return self._descent(members, steps, steps, self.learning_rate)

    def _once(self, z: Coordinates) -> Learner:
        members, steps = self._learnt(), -(-z.n // self.batch_size)
        return self._descent(lambda key: members, steps, steps, REFIT_RATE * self.learning_rate, AT_A_TIME)

    def _members(self, space: Any, n: int, key: Key) -> AbstractDensity:
        return self._fresh(space, np.zeros(space.layout.total), np.random.default_rng(0))

    def _fresh(self, space: Any, counts: Float[np.ndarray, " states"], rng: np.random.Generator) -> Any:
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
        return self._shaped(space, normal, log_shares, on_device(np.stack(ranks), np.int32))

    def _layers(
        self, features: int, numbers: int, columns: int, normal: Callable[..., Array]
    ) -> tuple[Array, tuple[Array, ...], Array, tuple[Array, ...]]:
        """Weights into the first hidden units, between them and out of the last, and the biases."""
        units = self.hidden
        between = tuple(normal(0.5 / math.sqrt(units), units, units) for _ in range(self.depth - 1))
        into, out = normal(1.0 / math.sqrt(columns), features, units), normal(0.0, units, numbers)
        return into, between, out, tuple(normal(0.0, units) for _ in range(self.depth))

    def _empty(self, space: Any, sizes: Mapping[str, int]) -> Mixture:
        layout, many = space.layout, self.members
        # Only shapes are asked for, and a file may ask for ones that no memory holds.
        start, ranks = jnp.zeros((many, layout.total)), jnp.zeros((many, len(layout.sizes)), jnp.int32)
        members = self._shaped(space, lambda scale, *shape: jnp.zeros((many, *shape)), start, ranks)
        return Mixture(jnp.zeros(many), members)

    def log_marginals(self, codes: Codes, known: Codes) -> LogDensities:
        whole = (known == GIVEN).all(1)
        found = np.zeros(len(codes))
        if not whole.all():
            seeds = np.random.default_rng(self._particle_seed).integers(2**31 - 1, size=len(codes))
            found[:], rare = self._of_each(_log_totals, codes, known, seeds)
            if len(rare):
                warnings.warn(f"{_rare(rare)}; their log-densities are rough", FewParticlesWarning, stacklevel=3)
        found[whole] = log_prob(self.model_, codes[whole])
        return found

    def evidence(self, codes: Codes, known: Codes) -> tuple[float, float | None]:
        if (known == GIVEN).all():
            return float(self.log_marginals(codes, known)[0]), None
        key = jax.random.key(self._particle_seed)
        clouds = _clouds(self.model_, key, on_device(codes[0]), on_device(known[0]), MANY)
        log_totals = np.asarray(clouds.log_total, np.float64)
        effective = float(_together(_shares(log_totals), np.asarray(clouds.effective)))
        _check_effective(effective, clouds.log_weights.size)
        return float(np.logaddexp.reduce(log_totals)), effective

    @property
    def _particle_seed(self) -> int:
        """Always the same, so that what is asked twice is answered alike."""
        return int(self.random_state) if isinstance(self.random_state, int | np.integer) else 0

    def _of_each(
        self, ask: Mapping[int, Callable], codes: Codes, known: Codes, seeds: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What few particles tell of each event that is not wholly given, and more where too few of those count.

        Returns:
            That, and the places of events of which too few of the most particles count.
        """
        left = np.flatnonzero((known != GIVEN).any(1))
        found, effective = in_blocks(ask[FEW], self.model_, codes[left], known[left], seeds[left], at_once=EVENTS)
        whole = np.zeros((len(codes), *found.shape[1:]), found.dtype)
        whole[left] = found
        for particles in (SOME, MANY):
            left = left[effective < LEAST_OF_EACH]
            # Few at a time, as there are few: blocks are filled up.
            at_once, effective = EVENTS * FEW // particles or 1, np.empty(len(left))
            for start in range(0, len(left), at_once):
                places = left[start : start + at_once]
                rows = (each[places] for each in (codes, known, seeds))
                whole[places], effective[start : start + at_once] = in_blocks(
                    ask[particles], self.model_, *rows, at_once=at_once
                )
        return whole, left[effective < LEAST_OF_EACH]

    def completed(self, codes: Codes, known: Codes, rng: np.random.RandomState) -> Codes:
        if (known == known[0]).all() and (codes == codes[0])[:, known[0] == GIVEN].all():
            return self._alike(codes[0], known[0], len(codes), rng)
        return self.completions(codes, known, 1, rng)[0]

    def completions(self, codes: Codes, known: Codes, n_draws: int, rng: np.random.RandomState) -> list[Codes]:
        """Of each event the draws are from the same particles."""
        seeds, whole = rng.randint(0, 2**31 - 1, (len(codes), n_draws)), (known == GIVEN).all(1)
        if whole.all():
            return [codes] * n_draws
        drawn, rare = self._of_each(_completions, codes, known, seeds)
        if len(rare):
            raise DataError(f"{_rare(rare)}; ask a family that answers exactly (latent_class), or leave them out")
        drawn[whole] = codes[whole, None]
        return list(drawn.swapaxes(0, 1))

    def _alike(
        self,
        x: Shaped[np.ndarray, "columns ..."],
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
        _check_effective(float(_together(of_clouds, clouds.effective)) / len(seeds), weights.size // len(seeds))
        # Systematic, so that no particle is drawn more often than its weight asks for, to one.
        chosen = np.searchsorted(np.cumsum(weights), (np.arange(n) + rng.random_sample()) / n * weights.sum())
        return clouds.states.reshape(-1, *x.shape)[rng.permutation(np.minimum(chosen, weights.size - 1))]

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


def _check_effective(effective: float, particles: int) -> None:
    """Refuse what too few particles tell."""
    if not effective >= LEAST_EFFECTIVE:
        raise DataError(
            f"what is given is too rare for this network: of {particles:,} particles {effective:.0f} are left that "
            "count; ask a family that answers exactly (latent_class), or give less"
        )


def _rare(places: Integer[np.ndarray, " rare"]) -> str:
    """Which events are too rare."""
    return (
        f"what {len(places):,} of the rows asked about hold, row {places[0]:,} the first of them (counted from 0), is "
        f"too rare for this network: of {MANY:,} particles a member fewer than {LEAST_OF_EACH} count"
    )


def _together(shares: Shaped[Any, " clouds"], effective: Shaped[Any, " clouds"]) -> Scalar:
    """The effective number of particles of several clouds, of which each has a share; none where no cloud has."""
    shares, effective = jnp.asarray(shares), jnp.asarray(effective)
    lost = jnp.where(shares > 0.0, shares**2 / effective, 0.0).sum()
    return jnp.where(lost > 0.0, 1.0 / lost, 0.0)


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


def _log_total(model: Mixture, x: Array, known: Array, seed: Array, count: int) -> tuple[Scalar, Scalar]:
    """Of an event: the log-probability of what is known, and how many particles count."""
    clouds = _clouds(model, jax.random.key(seed), x, known, count)
    return jax.nn.logsumexp(clouds.log_total), _together(jax.nn.softmax(clouds.log_total), clouds.effective)


def _completion(model: Mixture, x: Array, known: Array, seeds: Array, count: int) -> tuple[Array, Scalar]:
    """Of an event: draws of what is not known, one a seed, and how many particles count."""
    cloud, choose = jax.random.split(jax.random.key(seeds[0]))
    clouds = _clouds(model, cloud, x, known, count)
    within = jax.nn.log_softmax(clouds.log_weights, axis=1) + clouds.log_total[:, None]
    chosen = jax.random.categorical(choose, within.ravel(), shape=seeds.shape)
    effective = _together(jax.nn.softmax(clouds.log_total), clouds.effective)
    return clouds.states.reshape(-1, *x.shape)[chosen], effective


def _of_many(one: Callable, count: int, model: Mixture, *events: Array) -> Any:
    return jax.vmap(lambda *event: one(model, *event, count))(*events)


_log_totals, _completions = (
    {n: partial(_of_many, one, n) for n in (FEW, SOME, MANY)} for one in (_log_total, _completion)
)


def _minus_log_likelihood(model: Any, batch: Batch, key: Key) -> tuple[Scalar, Any]:
    return -jnp.mean(model.trained_log_probs(batch.x, key)), model
