"""Cells of events: what the others say of each, and how likely values are that are no likelier than its own."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Integer, Shaped
from scipy import special

from landmass.core.capabilities import AbstractDensity
from landmass.core.many import in_blocks, log_prob
from landmass.core.states import StateMixture
from landmass.data.cuts import Levels
from landmass.data.lines import LineSpace
from landmass.data.states import StateSpace
from landmass.types import CellScores, HostEvents

# Rows of states that are asked about together.
MOST_ROWS = 65_536

# Events of which a mixture tells every state at a time.
EVENTS = 16

# Nats by which a value counts as no likelier: of a flat density no value is likelier than another.
SLACK = 1e-3


class Cells(NamedTuple):
    """What a density says of events' cells.

    Args:
        log_rest: log-density of all other cells of the event, whatever this one holds.
        tails: how likely a value of the column is, given the others, that is no likelier than the cell's own.
    """

    log_rest: CellScores
    tails: CellScores


def cells_of_states(model: AbstractDensity, space: StateSpace | LineSpace, X: HostEvents) -> Cells:
    """What a model of states says of events' cells.

    A mixture tells it in one pass; another model is asked for each row with each of a column's states. Where columns
    after a number see more of it than its state, they are taken to see the middle of each: that is coarse where they
    depend on it within less than a cell.

    Args:
        model: of rows of states.
        space: in which it sees events.
        X: events.
    """
    codes, inside = space.cells(X)
    if isinstance(model, StateMixture):
        levels = np.concatenate([np.stack(each.levels()) for each in space.cuts], axis=1)
        asked = (model, jnp.asarray(levels, jnp.float32)), codes, inside.astype(np.float32)
        log_rest, tails = in_blocks(_of_mixture, *asked, at_once=EVENTS).astype(np.float64).swapaxes(0, 1)
    else:
        own = log_prob(model, codes)
        parts = [_of_column(model, codes, own + inside[:, i], i, *space.every(i)) for i in range(len(space))]
        log_rest, tails = np.stack(parts, axis=2)
    others = [np.delete(inside, place, axis=1).sum(1) for place in range(inside.shape[1])]
    return Cells(log_rest + np.column_stack(others), np.minimum(tails, 1.0))


def _of_column(
    model: AbstractDensity,
    codes: Shaped[np.ndarray, "events columns ..."],
    own: Float[np.ndarray, " events"],
    place: int,
    states: Shaped[np.ndarray, "states ..."],
    log_masses: Float[np.ndarray, " states"],
    levels: Levels,
) -> Float[np.ndarray, "2 events"]:
    """Of one column's cells the log-probability of the rest, and the tails.

    Args:
        model: of rows of states.
        codes: the rows.
        own: their log-densities, those of the other columns within their states left out.
        place: the column.
        states: what stands for each of its states.
        log_masses: what the model's log-density of each lacks of its log-probability.
        levels: how high each is.
    """
    step, found = max(1, MOST_ROWS // (len(states) * states[0].size)), np.empty((2, len(codes)))
    for start in range(0, len(codes), step):
        rows = slice(start, start + step)
        some = codes[rows]
        every = np.repeat(some, len(states), axis=0)
        every[:, place] = np.concatenate([states] * len(some))
        scores = log_prob(model, every).reshape(-1, len(states)) + log_masses
        found[0, rows] = special.logsumexp(scores, axis=1)
        chances, cell = scores - found[0, rows, None], own[rows] - found[0, rows]
        low = np.minimum((cell[:, None] + SLACK - chances - levels.tops) * levels.powers, 0.0)
        found[1, rows] = np.exp(chances + low).sum(1)
    return found


def _of_mixture(
    known: tuple[StateMixture, Float[Array, "2 states"]],
    codes: Integer[Array, "events columns"],
    inside: Float[Array, "events columns"],
) -> Float[Array, "events 2 columns"]:
    model, (tops, powers) = known
    columns = model.layout.column_of

    def one(x: Integer[Array, " columns"], within: Float[Array, " columns"]) -> Float[Array, "2 columns"]:
        others = model.given_others(x)
        log_rest = logsumexp(others, axis=1)
        given = others - log_rest[:, None]
        states = logsumexp(given[columns] + model.tables, axis=1)
        own = states[model.layout.starts + x] + within
        low = jnp.minimum((own[columns] + SLACK - states - tops) * powers, 0.0)
        return jnp.stack([log_rest, jax.ops.segment_sum(jnp.exp(states + low), columns, len(x))])

    return jax.vmap(one)(codes, inside)
