"""How a family learns: pure functions over an explicit state, and their makers.

A learner compares equal to another that would compile to the same program, so that a refit compiles nothing.
"""

import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landmass.core.capabilities import AbstractModel
from landmass.train.rows import BLOCK, Rows
from landmass.train.watch import Watch
from landmass.types import Key, Scalar, Tree

Score = Callable[[Any, Any, Float[np.ndarray, " events"]], float]
"""Of a model, of events in its space, and of how often each counts, what validation compares."""


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
        watch: what to record inside the layers; None records nothing.
        norms: of a state, the gradient norms of the watched layers at its last step.
        score: of a model and of held-out events, what validation compares; None compares mean log-densities.
    """

    init: Callable[[Key], Tree] = field(compare=False)
    step: Callable[[Tree, Rows, Key], tuple[Tree, Array]]
    model: Callable[[Tree], Any]
    max_steps: int = 1
    chunk_steps: int = 1
    patience: int | None = None
    tolerance: float | None = None
    slow_down: Callable[[Tree, float], Tree] | None = None
    watch: Watch | None = None
    norms: Callable[[Tree], Array] | None = None
    score: Score | None = None


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
        places, *event = rows.x.shape
        size = min(BLOCK, places)
        blocks = -(-places // size)
        more = blocks * size - places
        x = jnp.pad(rows.x, ((0, more), *[(0, 0)] * len(event))).reshape(blocks, size, *event)
        weights = jnp.pad(rows.weight, (0, more)).reshape(blocks, size)

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


def _no_step(state: Tree, rows: Rows, key: Key) -> tuple[Tree, Array]:
    return state, jnp.zeros(())


def itself(state: Tree) -> Tree:
    """The state as it is: for learners whose state is the model."""
    return state


def _second(state: Tree, stats: Tree) -> Tree:
    return stats
