"""Latent classes: a mixture of products of columns of any kind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Integer

from landmass.arrays import on_device
from landmass.core.capabilities import AbstractDensity
from landmass.core.smoothing import Smoother
from landmass.core.states import StateMixture, uniform
from landmass.data.states import StateSpace
from landmass.estimator.base import require
from landmass.estimator.density import WeighsEvents
from landmass.estimator.questions import AnsweringEstimator
from landmass.estimator.states import LongEstimator, counted
from landmass.train.learner import Learner, Selection, expectation_maximisation, in_order
from landmass.train.rows import Coordinates
from landmass.types import Key, Scalar

# Events that each state is given besides those that it has, before classes are drawn towards these frequencies.
SMOOTHING = 0.1

# A class begins as one random event, and in this share as all of them.
SPREAD = 0.7

# Numbers of classes that programs are compiled for.
ROOMS = (16, 64, 256, 1024)

# States up to which they are counted by a product; it takes less time than to add them up one by one.
MOST_IN_PRODUCT = 8_192


class Classes(NamedTuple):
    """State of the fit.

    Args:
        mixture: as it is now.
        frequencies: of each state among all events, which classes are drawn towards.
        strength: how strongly, in events.
        smoother: of the counts along number lines; None where there are none.
    """

    mixture: StateMixture
    frequencies: Float[Array, " states"]
    strength: Scalar
    smoother: Smoother | None


class Expected(NamedTuple):
    """Expected events of each class, and of each state in each class."""

    weight: Float[Array, " classes"]
    counts: Float[Array, "states classes"]


@dataclass(kw_only=True, eq=False, repr=False)
class LatentClass(WeighsEvents, LongEstimator, AnsweringEstimator):
    """Mixture of classes whose columns are independent; its size is chosen on validation.

    Any column may be asked about given any others, exactly: what is not known is summed out.

    Args:
        n_components: number of classes; None tries 1, 2, 4, … and chooses on validation.
        max_iter: the most EM passes.
        tol: stop when a pass gains less than this, in nats an event.
        prior_strength: events that draw each class towards the frequencies among all.

    Source: Lazarsfeld & Henry 1968.
    """

    n_components: int | None = None
    max_iter: int = 200
    tol: float = 1e-3
    prior_strength: float = 1.0

    def _learner(self, space: Any, z: Coordinates) -> Selection:
        fits = self.n_components is None or self.n_components <= z.n
        require(self, "n_components", fits, f"None or at most the {z.n} training events")
        return Selection(lambda: in_order(self._candidates(space, z), give_up=2), setting="n_components")

    def _candidates(self, space: Any, z: Coordinates) -> Iterator[tuple[int, Learner]]:
        sizes = [2**i for i in range(10) if 8 * 2**i <= z.total] or [1]
        for k in sizes if self.n_components is None else [self.n_components]:
            yield (
                k,
                expectation_maximisation(
                    partial(_start, k, space, z, self.prior_strength),
                    _nothing,
                    _expect,
                    _maximise,
                    _mixture,
                    max_steps=self.max_iter,
                    tolerance=self.tol,
                ),
            )

    def _once(self, z: Coordinates) -> Learner:
        mixture = self.model_
        frequencies = jnp.exp(mixture.tables) @ jax.nn.softmax(mixture.log_weights)
        smoother = Smoother.fit(self.space_.stretches, np.asarray(frequencies, np.float64))
        start = Classes(mixture, frequencies, on_device(self.prior_strength, np.float32), smoother)
        return expectation_maximisation(
            lambda key: start, _nothing, _expect, _maximise, _mixture, max_steps=1, tolerance=self.tol
        )

    def _settle(self, model: Any) -> StateMixture:
        used = np.isfinite(np.asarray(model.log_weights))
        weights, tables = np.asarray(model.log_weights)[used], np.asarray(model.tables)[:, used]
        return StateMixture(on_device(weights), on_device(tables), model.layout)

    def _empty(self, space: Any, sizes: Mapping[str, int]) -> AbstractDensity:
        return uniform(space.layout, sizes["components"])

    def _sizes(self) -> dict[str, int]:
        return {"components": len(self.model_.log_weights)}

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """`weights` of the classes, and `probabilities` of each state in each class, shape (states, classes)."""
        return {
            "weights": np.asarray(jax.nn.softmax(self.model_.log_weights), np.float64),
            "probabilities": np.exp(np.asarray(self.model_.tables, np.float64)),
        }

    @property
    def n_parameters_(self) -> int:
        """Free weights, and free probabilities of each class."""
        classes, layout = len(self.model_.log_weights), self.model_.layout
        return classes - 1 + classes * (layout.total - len(layout.sizes))

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "n_components", self.n_components is None or self.n_components >= 1, "None or at least 1")
        require(self, "max_iter", self.max_iter >= 1, "at least 1")
        require(self, "prior_strength", self.prior_strength > 0.0, "above 0")


def _start(k: int, space: StateSpace, z: Coordinates, strength: float, key: Key) -> Classes:
    """Classes about random events."""
    layout = space.layout
    rng = np.random.default_rng(int(np.asarray(jax.random.key_data(key))[-1]))
    smooth = counted(layout, z) + SMOOTHING
    totals = np.add.reduceat(smooth, layout.starts)
    frequencies = smooth / np.repeat(totals, layout.sizes)
    # The same ones whether events have weights or copies.
    codes, weight = z.whole
    chosen = np.searchsorted(np.cumsum(weight), rng.random(k) * z.total, side="right")
    events = codes[np.minimum(chosen, z.n - 1)]
    room = next((room for room in ROOMS if room >= k), k)
    tables = np.repeat(SPREAD * frequencies[:, None], room, axis=1)
    for i, event in enumerate(events if k > 1 else []):
        tables[layout.starts + event, i] += 1.0 - SPREAD
    if k == 1:
        tables[:] = frequencies[:, None]
    mixture = StateMixture(
        on_device(np.where(np.arange(room) < k, -np.log(k), -np.inf), np.float32),
        on_device(np.log(np.maximum(tables, 1e-30)), np.float32),
        layout,
    )
    smoother = Smoother.fit(space.stretches, frequencies)
    return Classes(mixture, on_device(frequencies, np.float32), on_device(strength, np.float32), smoother)


def _mixture(state: Classes) -> StateMixture:
    return state.mixture


def _nothing(state: Classes) -> Expected:
    return Expected(jnp.zeros_like(state.mixture.log_weights), jnp.zeros_like(state.mixture.tables))


def _expect(
    state: Classes, stats: Expected, x: Integer[Array, "block columns"], weight: Float[Array, " block"]
) -> tuple[Expected, Scalar]:
    """Add a block's responsibilities; also its log-likelihood."""
    mixture, layout = state.mixture, state.mixture.layout
    in_product = layout.total <= MOST_IN_PRODUCT
    places = x + layout.starts[None]
    ones = layout.ones(x) if in_product else None
    within = mixture.tables[places].sum(1) if ones is None else ones @ mixture.tables
    joint = within + mixture.log_weights[None]
    total = logsumexp(joint, axis=1)
    share = jnp.exp(joint - total[:, None]) * weight[:, None]
    added = share.sum(0)
    if ones is None:
        return Expected(stats.weight + added, stats.counts.at[places].add(share[:, None, :])), (total * weight).sum()
    return Expected(stats.weight + added, stats.counts + ones.T @ share), (total * weight).sum()


def _maximise(state: Classes, stats: Expected) -> Classes:
    mixture = state.mixture
    drawn = state.strength * state.frequencies[:, None]
    counts = stats.counts if state.smoother is None else state.smoother(stats.counts, drawn)
    tables = jnp.log(counts + drawn) - jnp.log(stats.weight + state.strength)[None]
    living = mixture.log_weights > -jnp.inf
    log_weights = jnp.where(living, jnp.log(jnp.maximum(stats.weight, 1e-6) / stats.weight.sum()), -jnp.inf)
    return state._replace(mixture=StateMixture(log_weights, tables, mixture.layout))
