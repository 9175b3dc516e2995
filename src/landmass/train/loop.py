"""The loop: compiled chunks of steps, validate, keep the best, report, repeat. It knows only `Learner`."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from jaxtyping import Array, Float

from landmass.core.many import log_prob
from landmass.errors import FitError
from landmass.train.checkpoint import NOWHERE, Checkpoint
from landmass.train.learner import Gathered, Learner, Pass, Score, Search, Selection
from landmass.train.progress import LayerRecord, Listener, Progress, silent
from landmass.train.rows import Coordinates, Rows
from landmass.train.trees import filled, named_arrays
from landmass.types import Key, Tree

MAX_ROLLBACKS = 3
SLOWER = 0.3


@dataclass(frozen=True)
class Outcome:
    """What a fit leaves behind.

    Args:
        model: the model of the best state.
        history: the progress records of the fit that was kept; of steps that were taken back, only where layers are
            watched.
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


class Place(msgspec.Struct):
    """Where a loop stands, beside its arrays.

    Args:
        step: steps done.
        waited: looks at the validation score without a better one.
        rollbacks: steps taken back.
        ended: whether there is nothing left to do.
        history: the progress records so far.
    """

    step: int = 0
    waited: int = 0
    rollbacks: int = 0
    ended: bool = False
    history: tuple[Progress, ...] = ()


class Tried(msgspec.Struct):
    """The record beside the scores of a selection's candidates."""


def run(
    learner: Learner | Selection,
    train: Coordinates,
    validation: Coordinates,
    key: Key,
    listen: Listener,
    checkpoint: Checkpoint = NOWHERE,
) -> Outcome:
    """Fit a learner, or the best of a selection of them.

    Args:
        learner: how the family learns.
        train: events to learn from, in the model's space.
        validation: events to choose by, in the model's space.
        key: source of all randomness.
        listen: hears every progress record.
        checkpoint: where the loop keeps what it has reached; if there is something, it goes on from there, and ends
            with the same bits.

    Raises:
        Diverged: a non-finite step came back after three roll-backs.
    """
    if isinstance(learner, Learner):
        return _run_one(learner, train, validation, key, listen, checkpoint)
    found = checkpoint.load(Tried)
    known = [] if found is None else found[1]["scores"].tolist()
    search, scores, best, score = learner.search(), [], None, None
    while (proposal := _propose(search, score)) is not None:
        value, candidate = proposal
        here = checkpoint.inside(f"candidate_{len(scores)}")
        if len(scores) < len(known):
            outcome, score = None, known[len(scores)]
        else:
            outcome = _run_one(candidate, train, validation, key, listen, here)
            score = _score(outcome.model, validation)
        scores.append(score)
        if best is None or score > best[0]:
            best = score, value, candidate, outcome
        if outcome is None:
            continue
        if here.exists or checkpoint.due:
            checkpoint.save(Tried(), {"scores": np.array(scores)})
            here.remove()
        log_det = train.log_det, validation.log_det
        listen(Progress("chosen", score=score, message=f"{learner.setting} = {value}", log_det=log_det))
    if best is None:
        raise FitError(f"there is no candidate for {learner.setting}")
    score, value, candidate, outcome = best
    if outcome is None:
        # Tried and told before this process began: the same key gives the same model.
        outcome = _run_one(candidate, train, validation, key, silent, NOWHERE)
    return replace(outcome, score=score, selected=learner.setting, chosen=value)


def _propose(search: Search, score: float | None) -> tuple[Any, Learner] | None:
    try:
        return next(search) if score is None else search.send(score)
    except StopIteration:
        return None


def _run_one(
    learner: Learner, train: Coordinates, validation: Coordinates, key: Key, listen: Listener, checkpoint: Checkpoint
) -> Outcome:
    init_key, step_key = jax.random.split(key)
    state = learner.init(init_key)
    rows = next(train.rows()) if train.at_hand and learner.max_steps else None
    walk = _Walk(learner, state, state, step_key, (train.log_det, validation.log_det))
    walk.go_on_from(checkpoint)
    # Steps that need not see every event take those of one block, and then those of another.
    streamed = train.at_hand is None and not isinstance(learner.step, Pass)
    stream = train.stream(step_key, walk.place.step // learner.chunk_steps) if streamed else iter(())
    watch = learner.watch
    events = None if watch is None else watch.events(train)
    while not walk.place.ended and walk.place.step < learner.max_steps:
        start = walk.place.step
        stop = min(start + learner.chunk_steps, learner.max_steps)
        rows = next(stream) if streamed else rows
        if rows is None:
            (fresh, losses), norms = _advance_in_pieces(learner.step, walk.state, train, stop - start), None
        else:
            program = learner.step, learner.chunk_steps, learner.norms
            fresh, losses, norms = _advance(*program, walk.state, rows, walk.key, jnp.int32(start), jnp.int32(stop))
        losses = np.asarray(losses)[: stop - start]
        score = None if learner.patience is None else _score(learner.model(fresh), validation, learner.score)
        # A step that breaks the state shows in its score, and in the loss only one step later.
        if not np.isfinite(losses).all() or (score is not None and np.isnan(score)):
            listen(walk.roll_back(() if watch is None else watch.records(np.asarray(norms)[: stop - start])))
            continue
        layers = () if watch is None else watch.records(np.asarray(norms)[: len(losses)], learner.model(fresh), events)
        record = walk.accept(fresh, losses, score, layers)
        if checkpoint.due:
            walk.keep(checkpoint)
        listen(record)
    if checkpoint.exists:
        walk.place.ended = True
        walk.keep(checkpoint)
    return walk.outcome


@dataclass
class _Walk:
    """A training under way: all that a checkpoint holds of it."""

    learner: Learner
    state: Tree
    best: Tree
    key: Key
    log_det: tuple[float | None, float | None]
    best_score: float = -np.inf
    previous: float = np.inf
    place: Place = field(default_factory=Place)
    began: float = field(default_factory=time.perf_counter)

    @property
    def outcome(self) -> Outcome:
        if self.learner.patience is None:
            return Outcome(self.learner.model(self.state), self.place.history)
        return Outcome(self.learner.model(self.best), self.place.history, self.best_score)

    def accept(
        self, fresh: Tree, losses: Float[np.ndarray, " steps"], score: float | None, layers: tuple[LayerRecord, ...]
    ) -> Progress:
        """Take over the state that a chunk of steps led to."""
        learner, place = self.learner, self.place
        self.state, place.step = fresh, place.step + len(losses)
        if score is not None:
            place.waited = 0 if score > self.best_score else place.waited + 1
            if score > self.best_score:
                self.best, self.best_score = fresh, score
        settled = learner.tolerance is not None and self.previous - losses[-1] < learner.tolerance * len(losses)
        tired = learner.patience is not None and place.waited >= learner.patience
        place.ended = tired or bool(settled)
        self.previous = float(losses[-1])
        seconds = time.perf_counter() - self.began
        told = float(losses.mean()), score, seconds, "", layers, self.log_det
        record = Progress("advanced", "", place.step, learner.max_steps, *told)
        place.history = (*place.history, record)
        return record

    def roll_back(self, layers: tuple[LayerRecord, ...]) -> Progress:
        """Stay at the state before the last chunk, and go on more slowly."""
        learner, place = self.learner, self.place
        slow_down = learner.slow_down if place.rollbacks < MAX_ROLLBACKS else None
        cut = f"rolled back to step {place.step}: the loss was not finite; learning rate cut to {SLOWER:g} of itself"
        kind, message = ("failed", "the loss was not finite") if slow_down is None else ("rolled_back", cut)
        seconds = time.perf_counter() - self.began if layers else 0.0
        record = Progress(kind, "", place.step, learner.max_steps, None, None, seconds, message, layers)
        if layers:
            place.history = (*place.history, record)
        if slow_down is None:
            raise Diverged(
                f"the training loss was not finite after step {place.step}, {place.rollbacks} roll-backs included; "
                "lower the learning rate, or look for extreme values in the data",
                replace(self.outcome, model=learner.model(self.best)),
            )
        place.rollbacks += 1
        self.state = slow_down(self.state, SLOWER)
        # Other keys than before: the same batches might only fail again.
        self.key = jax.random.fold_in(self.key, place.rollbacks)
        return record

    def keep(self, checkpoint: Checkpoint) -> None:
        # On the host, because the device would round them.
        scores = np.array([self.best_score, self.previous])
        checkpoint.save(self.place, {**named_arrays(self._trees()), "scores": scores})

    def go_on_from(self, checkpoint: Checkpoint) -> None:
        if (found := checkpoint.load(Place)) is None:
            return
        self.place, arrays = found
        self.best_score, self.previous = arrays.pop("scores").tolist()
        trees = filled(self._trees(), arrays, checkpoint.folder)
        self.state, self.best, self.key = trees["state"], trees["best"], jax.random.wrap_key_data(trees["key"])
        self.began -= self.place.history[-1].seconds

    def _trees(self) -> dict[str, Tree]:
        return {"state": self.state, "best": self.best, "key": jax.random.key_data(self.key)}


@eqx.filter_jit
def _advance(
    step: Callable,
    chunk_steps: int,
    norms: Callable[[Tree], Array] | None,
    state: Tree,
    rows: Rows,
    key: Key,
    start: Array,
    stop: Array,
) -> tuple[Tree, Array, Array | None]:
    """Take the steps from `start` to `stop`, `chunk_steps` at most, in one compiled program."""
    arrays, rest = eqx.partition(state, eqx.is_array)

    def take(place: Array, reached: tuple[Tree, Array, Array | None]) -> tuple[Tree, Array, Array | None]:
        arrays, losses, seen = reached
        fresh, loss = step(eqx.combine(arrays, rest), rows, jax.random.fold_in(key, start + place))
        losses = losses.at[place].set(jnp.mean(loss))
        seen = None if norms is None or seen is None else seen.at[place].set(norms(fresh))
        return eqx.filter(fresh, eqx.is_array), losses, seen

    # A loop that ends where it is told copies no state, as a branch for steps that are left out would.
    first = None if norms is None else jnp.zeros((chunk_steps, *jax.eval_shape(norms, state).shape))
    arrays, losses, seen = jax.lax.fori_loop(0, stop - start, take, (arrays, jnp.zeros(chunk_steps), first))
    return eqx.combine(arrays, rest), losses, seen


def _advance_in_pieces(step: Callable, state: Tree, train: Coordinates, steps: int) -> tuple[Tree, Array]:
    """Take steps that are passes over events which are read block by block."""
    if not isinstance(step, Pass):
        raise TypeError(f"only passes can be made in pieces, not {step}")
    losses = []
    for _ in range(steps):
        gathered = step.begin(state)
        for rows in train.rows():
            gathered = _gather(step, state, gathered, rows)
        state, loss = _end(step, state, gathered)
        losses.append(loss)
    return state, jnp.stack(losses)


@eqx.filter_jit
def _gather(step: Pass, state: Tree, gathered: Gathered, rows: Rows) -> Gathered:
    return step.gather(state, gathered, rows)


@eqx.filter_jit
def _end(step: Pass, state: Tree, gathered: Gathered) -> tuple[Tree, Array]:
    return step.end(state, gathered)


def _score(model: Any, validation: Coordinates, score: Score | None = None) -> float:
    """Mean log-density, or whatever else a learner is judged by; NaN of no events."""
    z, weight = validation.whole
    if not len(z):
        return float("nan")
    if score is not None:
        return score(model, z, weight)
    return float(weight @ log_prob(model, z, validation.context)) / validation.total
