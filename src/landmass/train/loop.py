"""The loop: compiled chunks of steps, validate, keep the best, report, repeat. It knows only `Learner`."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landmass.core.capabilities import AbstractDensity
from landmass.core.many import log_prob
from landmass.errors import FitError
from landmass.train.learner import Learner, Rows, Search, Selection, padded
from landmass.train.progress import Listener, Progress
from landmass.types import Key, Tree

MAX_ROLLBACKS = 3
SLOWER = 0.3


@dataclass(frozen=True)
class Outcome:
    """What a fit leaves behind.

    Args:
        model: the model of the best state.
        history: the progress records of the fit that was kept.
        score: its mean validation log-density in nats of the model's space; NaN where nothing was validated.
        selected: the setting that validation chose, if there was a choice.
        chosen: its value.
    """

    model: Any
    history: tuple[Progress, ...]
    score: float = float("nan")
    selected: str = ""
    chosen: Any = None


class Diverged(FitError):
    """Training went on being non-finite; `outcome` holds the best state before."""

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


def run(
    learner: Learner | Selection,
    train: Float[Array, "events columns"],
    validation: Float[np.ndarray, "held_out columns"],
    key: Key,
    listen: Listener,
) -> Outcome:
    """Fit a learner, or the best of a selection of them.

    Args:
        learner: how the family learns.
        train: events to learn from, in the model's space.
        validation: events to choose by, in the model's space.
        key: source of all randomness.
        listen: hears every progress record.

    Raises:
        Diverged: a non-finite step came back after three roll-backs.
    """
    if isinstance(learner, Learner):
        return _run_one(learner, train, validation, key, listen)
    search, best, score = learner.search(), None, None
    while (proposal := _propose(search, score)) is not None:
        value, candidate = proposal
        outcome = _run_one(candidate, train, validation, key, listen)
        score = _score(outcome.model, validation)
        listen(Progress("chosen", score=score, message=f"{learner.setting} = {value}: {score:.4f} nats"))
        if best is None or score > best.score:
            best = replace(outcome, score=score, selected=learner.setting, chosen=value)
    if best is None:
        raise FitError(f"there is no candidate for {learner.setting}")
    return best


def _propose(search: Search, score: float | None) -> tuple[Any, Learner] | None:
    try:
        return next(search) if score is None else search.send(score)
    except StopIteration:
        return None


def _run_one(learner: Learner, train: Array, validation: np.ndarray, key: Key, listen: Listener) -> Outcome:
    began = time.perf_counter()
    init_key, step_key = jax.random.split(key)
    state, rows = learner.init(init_key, train), padded(train)
    best, best_score, waited = state, -np.inf, 0
    history: list[Progress] = []
    step, rollbacks, previous = 0, 0, np.inf
    while step < learner.max_steps:
        stop = min(step + learner.chunk_steps, learner.max_steps)
        fresh, losses = _advance(
            learner.step, learner.chunk_steps, state, rows, step_key, jnp.int32(step), jnp.int32(stop)
        )
        losses = np.asarray(losses)[: stop - step]
        score = None if learner.patience is None else _score(learner.model(fresh), validation)
        # A step that breaks the state shows in its score, and in the loss only one step later.
        if not np.isfinite(losses).all() or (score is not None and np.isnan(score)):
            if learner.slow_down is None or rollbacks == MAX_ROLLBACKS:
                raise Diverged(
                    f"the training loss was not finite after step {step}, {rollbacks} roll-backs included; "
                    "lower the learning rate, or look for extreme values in the data",
                    Outcome(learner.model(best), tuple(history), best_score),
                )
            rollbacks += 1
            state = learner.slow_down(state, SLOWER)
            # Other keys than before: the same batches might only fail again.
            step_key = jax.random.fold_in(step_key, rollbacks)
            message = f"rolled back to step {step}: the loss was not finite; learning rate cut to {SLOWER:g} of itself"
            listen(Progress("rolled_back", step=step, max_steps=learner.max_steps, message=message))
            continue
        state, step = fresh, stop
        loss = float(losses.mean())
        seconds = time.perf_counter() - began
        history.append(Progress("advanced", "", step, learner.max_steps, loss, score, seconds))
        listen(history[-1])
        if score is not None:
            waited = 0 if score > best_score else waited + 1
            best, best_score = (state, score) if score > best_score else (best, best_score)
            if learner.patience is not None and waited >= learner.patience:
                break
        if learner.tolerance is not None and previous - losses[-1] < learner.tolerance * len(losses):
            break
        previous = losses[-1]
    if learner.patience is None:
        return Outcome(learner.model(state), tuple(history))
    return Outcome(learner.model(best), tuple(history), best_score)


@eqx.filter_jit
def _advance(
    step: Callable, chunk_steps: int, state: Tree, rows: Rows, key: Key, start: Array, stop: Array
) -> tuple[Tree, Array]:
    """Take `chunk_steps` steps in one compiled program; those from `stop` on leave the state as it is."""
    arrays, rest = eqx.partition(state, eqx.is_array)

    def take(arrays: Tree, number: Array) -> tuple[Tree, Array]:
        def advance(arrays: Tree) -> tuple[Tree, Array]:
            fresh, loss = step(eqx.combine(arrays, rest), rows, jax.random.fold_in(key, number))
            return eqx.filter(fresh, eqx.is_array), jnp.mean(loss)

        return jax.lax.cond(number < stop, advance, lambda arrays: (arrays, jnp.zeros(())), arrays)

    arrays, losses = jax.lax.scan(take, arrays, start + jnp.arange(chunk_steps))
    return eqx.combine(arrays, rest), losses


def _score(model: AbstractDensity, validation: Float[np.ndarray, "held_out columns"]) -> float:
    """Mean log-density; NaN of no events."""
    return float(log_prob(model, validation).mean()) if len(validation) else float("nan")
