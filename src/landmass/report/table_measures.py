"""What the page of a ladder of tables shows, measured once: what each column costs, alone and given the others."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int, Integer

from landmass.core.many import in_blocks
from landmass.core.states import StateMixture
from landmass.data.dataset import Dataset
from landmass.data.schema import Category, Schema
from landmass.data.states import StateSpace
from landmass.estimator.questions import AnsweringEstimator
from landmass.evaluate.cells import beside
from landmass.ladder import Ladder
from landmass.models.independent import Independent
from landmass.models.latent_class import LatentClass
from landmass.report.measures import MOST_EVENTS, Curve, Shown, curves_of
from landmass.types import CellScores, Copies, HostEvents

# Events drawn from the rung that answers.
DRAWS = 4_000

# Events whose every state is asked about at a time.
SURE_AT_ONCE = 16

# Rows that are told as strange, and columns that are told of each.
STRANGE_ROWS, STRANGE_COLUMNS = 8, 2

# Columns that are paired, and groups that a column's states are brought down to where their dependence is measured.
MOST_PAIRED, GROUPS = 4, 16


@dataclass(frozen=True)
class Odd:
    """A cell that is less likely than those of its column are.

    Args:
        column: its place.
        nats: its log-density given all other columns of its row.
        usual: the mean of that over the held-out events.
        beside: the place of the column that it goes with least; None where no single one tells much against it.
    """

    column: int
    nats: float
    usual: float
    beside: int | None


@dataclass(frozen=True, eq=False)
class Strange:
    """A held-out event of low density.

    Args:
        row: its place in the data, or in the test data where that came on its own; None of data in pieces.
        nats: its log-density under the rung that answers.
        event: its cells.
        odd: the cells that are least likely, measured by what is usual; none where no rung knows.
    """

    row: int | None
    nats: float
    event: Float[np.ndarray, " columns"]
    odd: list[Odd]


@dataclass(frozen=True, eq=False, kw_only=True)
class Tabled(Shown):
    """All that a report says of a ladder of tables of any columns.

    Args:
        schema: the sample space.
        data: held-out events, the first 10,000 at most; None for a run read back without them.
        copies: which of them are copies of each other.
        empty: each column's share of empty cells among all events; None without events.
        draws: events drawn from the rung that answers.
        alone: log-densities of the cells of `data`, each column by itself; None without independent columns.
        given: the same given all other columns of the row; None without latent classes.
        sureness: how far each held-out cell's log-probability, given the others, lies above what the latent classes
            expect of it, in nats: zero on average where they are as sure as they may be; None without them.
        pairs: the places of the columns that depend most on each other; none without events.
        strange: the held-out events of lowest density.
    """

    schema: Schema
    data: Float[np.ndarray, "_ columns"] | None
    copies: Copies | None
    empty: Float[np.ndarray, " columns"] | None
    draws: Float[np.ndarray, "_ columns"]
    alone: CellScores | None
    given: CellScores | None
    sureness: CellScores | None
    pairs: list[int]
    strange: list[Strange]


def measure(ladder: Ladder) -> Tabled:
    """Measure what the page shows.

    Args:
        ladder: fitted, or read back.
    """
    rungs, last = ladder.rungs_, ladder.last_
    parts: tuple[Dataset, ...] = ()
    if hasattr(ladder, "train_"):
        parts = ladder.train_, ladder.validation_, ladder.test_
    independent = next((rung for rung in rungs.values() if isinstance(rung, Independent)), None)
    classes = next((rung for rung in rungs.values() if isinstance(rung, LatentClass)), None)
    seen = parts[2].take(np.arange(min(len(parts[2]), MOST_EVENTS))) if parts else None
    given = None if seen is None or classes is None else classes.score_cells(seen)
    curves: dict[str, Curve] = curves_of(rungs, parts) if parts else {}
    return Tabled(
        ledger=ladder.ledger_,
        last=ladder.answering_,
        curves=curves,
        schema=last.data_.schema,
        data=None if seen is None else seen.X,
        copies=None if seen is None else seen.copies(),
        empty=np.isnan(np.concatenate([part.X for part in parts])).mean(0) if parts else None,
        draws=last._draw(DRAWS, np.random.RandomState(0)),
        alone=None if seen is None or independent is None else cells_alone(independent, seen.X),
        given=given,
        sureness=None if seen is None or classes is None else sureness(classes, seen.X),
        pairs=paired(parts[0]) if parts else [],
        strange=_strangest(ladder, classes, given) if parts else [],
    )


def cells_alone(rung: AnsweringEstimator, X: HostEvents) -> CellScores:
    """Log-density of each cell, whatever the rest of its row is.

    Args:
        rung: a mixture of states.
        X: events.
    """
    codes, inside = rung.space_.cells(X)
    return in_blocks(_alone, rung.model_, codes) + inside


def _alone(model: StateMixture, codes: Integer[Array, "events columns"]) -> Float[Array, "events columns"]:
    log_weights = jax.nn.log_softmax(model.log_weights)
    return jax.vmap(lambda x: logsumexp(log_weights[None] + model.tables[model.layout.starts + x], axis=1))(codes)


def sureness(rung: AnsweringEstimator, X: HostEvents) -> CellScores:
    """How far each cell's log-probability, given the others of its row, lies above its own expectation of it.

    Both are of the cells' states: where values lie within one does not depend on the other columns.

    Args:
        rung: a mixture of states.
        X: events.
    """
    return in_blocks(_sureness, rung.model_, rung.space_.cells(X)[0], at_once=SURE_AT_ONCE)


def _sureness(model: StateMixture, codes: Integer[Array, "events columns"]) -> Float[Array, "events columns"]:
    columns = model.layout.column_of

    def one(x: Integer[Array, " columns"]) -> Float[Array, " columns"]:
        given = jax.nn.log_softmax(model.given_others(x), axis=1)
        states = logsumexp(given[columns] + model.tables, axis=1)
        expected = jax.ops.segment_sum(jnp.exp(states) * states, columns, len(x))
        return states[model.layout.starts + x] - expected

    return jax.vmap(one)(codes)


def _strangest(ladder: Ladder, classes: LatentClass | None, given: CellScores | None) -> list[Strange]:
    """The held-out events of lowest density, the lowest first."""
    scores, X = ladder.test_scores_[ladder.answering_], ladder.test_.X
    chosen = np.argsort(scores, kind="stable")[:STRANGE_ROWS]
    rows = (ladder.split_.test if len(ladder.split_.test) == len(X) else np.arange(len(X))).tolist()
    if ladder.ledger_.in_pieces:
        rows = [None] * len(X)
    odd: list[list[Odd]] = [[] for _ in chosen]
    if classes is not None and given is not None:
        odd = odd_cells(classes, ladder.test_.take(chosen), given.mean(0))
    return [Strange(rows[i], float(scores[i]), X[i], each) for i, each in zip(chosen, odd, strict=True)]


def odd_cells(rung: AnsweringEstimator, events: Dataset, usual: Float[np.ndarray, " columns"]) -> list[list[Odd]]:
    """The least likely cells of events, measured by what is usual in their column.

    Args:
        rung: a mixture of states.
        events: the events.
        usual: each column's mean log-density given the others.
    """
    found = []
    for row, each in enumerate(rung.score_cells(events)):
        # A column whose cells are impossible on average says nothing of one of them.
        below = np.where(np.isfinite(usual), each - np.where(np.isfinite(usual), usual, 0.0), np.inf)
        places = [i for i in np.argsort(below, kind="stable")[:STRANGE_COLUMNS].tolist() if below[i] < 0.0]
        one = events.take(np.array([row]))
        found.append([Odd(i, float(each[i]), float(usual[i]), beside(rung, one, i)) for i in places])
    return found


def paired(data: Dataset) -> list[int]:
    """The columns that depend most on each other: the strongest pair, and one after the other what tells most of these.

    Args:
        data: events.
    """
    some = data.take(np.arange(min(len(data), MOST_EVENTS)))
    columns = len(some.schema.columns)
    if columns < 2:
        return []
    information = dependence(some)
    apart = np.where(np.eye(columns, dtype=bool), -1.0, information)
    chosen = [int(i) for i in np.unravel_index(apart.argmax(), apart.shape)]
    while len(chosen) < min(MOST_PAIRED, columns):
        told = information[chosen].sum(0)
        told[chosen] = -1.0
        chosen.append(int(told.argmax()))
    return sorted(chosen)


def dependence(data: Dataset) -> Float[np.ndarray, "columns columns"]:
    """Mutual information of each two columns' states in nats, corrected for their number; zero on the diagonal.

    Args:
        data: events.

    Source: Miller 1955.
    """
    space = StateSpace.fit(data.schema, data.blocks())
    words = [isinstance(column, Category) for column in data.schema.columns]
    codes = [_grouped(each, plain) for each, plain in zip(space.forward(data.X)[0].T, words, strict=True)]
    found = np.zeros((len(codes), len(codes)))
    for i, first in enumerate(codes):
        for j, second in enumerate(codes[:i]):
            found[i, j] = found[j, i] = _information(first, second)
    return found


def _grouped(codes: Int[np.ndarray, " events"], words: bool) -> Int[np.ndarray, " events"]:
    """States brought down to a few: the rarest words together, and numbers that are neighbours."""
    states, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    if len(states) <= GROUPS:
        return place
    if words:
        rank = np.empty(len(states), int)
        rank[np.argsort(-counts, kind="stable")] = np.arange(len(states))
        return np.minimum(rank, GROUPS - 1)[place]
    return ((np.cumsum(counts) - counts) * GROUPS // len(codes))[place]


def _information(first: Int[np.ndarray, " events"], second: Int[np.ndarray, " events"]) -> float:
    n, width = len(first), int(second.max()) + 1
    joint, *single = (np.bincount(each) for each in (first * width + second, first, second))
    entropy, states = zip(*(_entropy(counts, n) for counts in (joint, *single)), strict=True)
    return max(entropy[1] + entropy[2] - entropy[0] - (states[0] - states[1] - states[2] + 1) / (2.0 * n), 0.0)


def _entropy(counts: Int[np.ndarray, " states"], n: int) -> tuple[float, int]:
    """Entropy in nats of counts, and how many of them are not zero."""
    share = counts[counts > 0] / n
    return float(-(share * np.log(share)).sum()), len(share)
