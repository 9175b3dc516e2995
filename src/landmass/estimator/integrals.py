"""Integrals of a density along one column, by nodes that gather where its mass is."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from landmass.data.schema import AnyColumn
from landmass.types import HostEvents, LogDensities

# Nodes among a column's draws, and beyond them on each side, where each is four times as far away as the one before.
NEAR, FAR = 33, 9

# Nodes that a round adds where most of the mass may be, and where most of the tail may be.
ADDED, IN_TAIL = 12, 4

# The fewest rounds of a column, and the most.
FEWEST_ROUNDS, MOST_ROUNDS = 4, 40

# An integral is known when a round changes it by less than this share.
CHANGE = 1e-3

# Nodes beside a jump are so far from it, as a share of the draws' range: single precision tells them apart.
BESIDE = 1e-5

# Nats by which a value counts as no likelier: of a flat density no value is likelier than another.
SLACK = 1e-4

# Events whose integrals are looked for together.
AT_ONCE = 512

Nodes = Float[np.ndarray, "events nodes"]


class Along(NamedTuple):
    """A density along one column of events, the other columns held.

    Args:
        log_total: log of its integral; NaN where that does not settle.
        log_tail: log of the integral over all values that are no likelier than the event's own.
    """

    log_total: LogDensities
    log_tail: LogDensities


def integrate_along(
    log_prob: Callable[[HostEvents], LogDensities],
    X: HostEvents,
    place: int,
    column: AnyColumn,
    drawn: Float[np.ndarray, " draws"],
    jumps: Float[np.ndarray, " _"],
) -> Along:
    """Integrate a density over all values of one column; the integral is known to about a hundredth of a nat.

    Between two nodes the density is taken as an exponential function. Nodes are added in the middle of the stretches
    that may hold most, which also finds the mass of an event that is far away from all draws. Tails are known to about
    a tenth of what they hold.

    Args:
        log_prob: log-densities of events, finite or -inf.
        X: events.
        place: of the column.
        column: whose ends the integral has.
        drawn: values of the column among draws from the density, by which the first nodes are placed.
        jumps: where the density may jump.
    """
    first = _first_nodes(column, drawn, jumps)
    blocks = [_along(log_prob, X[i : i + AT_ONCE], place, first) for i in range(0, len(X), AT_ONCE)]
    return Along(*(np.concatenate([np.empty(0), *each]) for each in zip(*blocks, strict=True)))


def _along(
    log_prob: Callable[[HostEvents], LogDensities], X: HostEvents, place: int, first: Float[np.ndarray, " nodes"]
) -> Along:
    nodes = np.sort(np.column_stack([np.repeat(first[None], len(X), axis=0), X[:, place]]), axis=1)
    heights, own, rows = _heights(log_prob, X, place, nodes), log_prob(X) + SLACK, np.arange(len(X))
    total, tail = _log_mass(nodes, heights, np.inf), np.empty(len(X))
    for done in range(1, MOST_ROUNDS + 1):
        width, ends = np.diff(nodes, axis=1), np.maximum(heights[:, :-1], heights[:, 1:])
        with np.errstate(divide="ignore"):
            most = np.log(width) + ends
        beyond = np.where(ends <= own[rows, None], most, -np.inf)
        chosen = np.argsort(most, axis=1)[:, -ADDED:], np.argsort(beyond, axis=1)[:, -IN_TAIL:]
        chosen = np.concatenate(chosen, axis=1)
        middle = np.take_along_axis(nodes[:, :-1] + 0.5 * width, chosen, axis=1)
        nodes = np.concatenate([nodes, middle], axis=1)
        heights = np.concatenate([heights, _heights(log_prob, X[rows], place, middle)], axis=1)
        order = np.argsort(nodes, axis=1, kind="stable")
        nodes, heights = np.take_along_axis(nodes, order, axis=1), np.take_along_axis(heights, order, axis=1)
        before, now = total[rows], _log_mass(nodes, heights, np.inf)
        total[rows], tail[rows] = now, _log_mass(nodes, heights, own[rows, None])
        with np.errstate(invalid="ignore"):
            settled = (now == before) | (np.abs(now - before) < CHANGE)
        going = ~settled if done >= FEWEST_ROUNDS else np.ones(len(rows), bool)
        rows, nodes, heights = rows[going], nodes[going], heights[going]
        if not len(rows):
            break
    total[rows] = tail[rows] = np.nan
    return Along(total, np.minimum(tail, total))


def _first_nodes(
    column: AnyColumn, drawn: Float[np.ndarray, " draws"], jumps: Float[np.ndarray, " _"]
) -> Float[np.ndarray, " nodes"]:
    """Places among the draws, and beyond them up to the column's ends, or very far; and on both sides of jumps."""
    near = np.quantile(drawn, np.linspace(0.0, 1.0, NEAR))
    span, steps = near[-1] - near[0], 4.0 ** np.arange(-1, FAR - 1)
    below = near[0] - span * steps if np.isneginf(column.low) else column.low + (near[0] - column.low) / (4.0 * steps)
    above = (
        near[-1] + span * steps if np.isposinf(column.high) else column.high - (column.high - near[-1]) / (4.0 * steps)
    )
    ends = [end for end in (column.low, column.high) if np.isfinite(end)]
    sides = np.concatenate([jumps - BESIDE * span, jumps + BESIDE * span])
    return np.clip(np.unique(np.concatenate([ends, below, near, above, sides])), column.low, column.high)


def _heights(
    log_prob: Callable[[HostEvents], LogDensities], X: HostEvents, place: int, nodes: Nodes
) -> Float[np.ndarray, "events nodes"]:
    """Log-densities of events that hold the nodes in a column."""
    events = np.repeat(X, nodes.shape[1], axis=0)
    events[:, place] = nodes.ravel()
    return log_prob(events).reshape(nodes.shape)


def _log_mass(
    nodes: Nodes, heights: Float[np.ndarray, "events nodes"], most: float | Float[np.ndarray, "events 1"]
) -> LogDensities:
    """Log of the integral, where it is no higher than `most`, of a function whose log is a line between two nodes."""
    low, top = np.minimum(heights[:, :-1], heights[:, 1:]), np.maximum(heights[:, :-1], heights[:, 1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        high = np.minimum(top, most)
        # The part of a stretch that is low enough, and how far the line rises along it.
        part = np.where(top <= most, 1.0, np.where(low < most, (high - low) / (top - low), 0.0))
        rise = np.where(high > low, high - low, 0.0)
        mean = np.where(rise > 1e-9, -np.expm1(-rise) / np.where(rise > 1e-9, rise, 1.0), 1.0)
        return np.asarray(logsumexp(np.log(np.diff(nodes, axis=1)) + np.log(part) + high + np.log(mean), axis=1))
