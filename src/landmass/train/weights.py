"""Weights of a mixture of fitted densities, from held-out log-densities."""

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from landmass.types import Copies, LogDensities

# Pseudo-events of the prior that a part of a stack gets, as a share of the held-out events.
PRIOR_SHARE = 0.02


def mixture_weights(
    log_probs: Float[np.ndarray, "events parts"],
    counts: Float[np.ndarray, " events"] | None = None,
    prior: float = 0.5,
    max_iter: int = 2000,
) -> Float[np.ndarray, " parts"]:
    """Maximise the held-out likelihood of a mixture over its weights, under a weak Dirichlet prior (by EM).

    The problem is concave, so the start does not matter. The prior keeps each weight above zero: a part that
    looks useless on a thousand events may still save the next one.

    Args:
        log_probs: log-densities of held-out events under each part, in nats; -inf is allowed.
        counts: how often each event counts; None counts each once.
        prior: pseudo-events a part.
        max_iter: the most EM steps.
    """
    parts = log_probs.shape[1]
    weights = np.full(parts, 1.0 / parts)
    # An event that no part can explain says nothing about the weights.
    told = np.isfinite(log_probs).any(axis=1)
    known, counts = log_probs[told], np.ones(told.sum()) if counts is None else counts[told]
    ratios = np.exp(known - known.max(axis=1, keepdims=True))
    for _ in range(max_iter):
        share = weights * ((counts / (ratios @ weights)) @ ratios) + prior
        fresh = share / share.sum()
        if np.abs(fresh - weights).max() < 1e-9:
            return fresh
        weights = fresh
    return weights


def standard_error(values: Float[np.ndarray, " events"], copies: Copies | None = None) -> float:
    """Standard error of a mean; copies of an event count as one observation (a cluster-robust estimate).

    Args:
        values: one an event.
        copies: for each event the number of the distinct one it is a copy of; None if there are no copies.

    Returns:
        NaN of fewer than two distinct events.
    """
    steps = values - values.mean()
    sums = steps if copies is None else np.bincount(copies, steps)
    if len(sums) < 2:
        return float("nan")
    return float(np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1)) / len(values))


def stack_weights(
    log_probs: Float[np.ndarray, "events parts"], copies: Copies | None = None
) -> Float[np.ndarray, " parts"]:
    """Weights of a stack: parts enter only where held-out events say so beyond their noise.

    The best part and those that three standard errors of the paired difference cannot tell from it come in together:
    three, because each part's own settings were chosen on the same events. Then come, one by one, parts that raise
    the mixture's score by more than two standard errors. The rest get nothing: a thousand events hand a useless part a
    tenth of the mass by luck.

    Args:
        log_probs: log-densities of held-out events under each part, in nats; -inf is allowed.
        copies: see `standard_error`.
    """
    parts, prior = log_probs.shape[1], PRIOR_SHARE * len(log_probs)

    def scores(chosen: list[int]) -> LogDensities:
        # Two hundred steps are near enough to compare by.
        return mixture_log_prob(log_probs[:, chosen], mixture_weights(log_probs[:, chosen], prior=prior, max_iter=200))

    means = log_probs.mean(axis=0)
    if np.isneginf(means).all():
        # No part can explain every event: none can be compared with another, and all are needed.
        return mixture_weights(log_probs)
    best = int(np.argmax(means))
    chosen = [part for part in range(parts) if not _clearly_above(log_probs[:, best], log_probs[:, part], 3.0, copies)]
    while len(chosen) < parts:
        now, rest = scores(chosen), [part for part in range(parts) if part not in chosen]
        tried = [scores([*chosen, part]) for part in rest]
        richest = int(np.argmax([score.mean() for score in tried]))
        if not _clearly_above(tried[richest], now, 2.0, copies):
            break
        chosen.append(rest[richest])
    weights = np.zeros(parts)
    weights[chosen] = mixture_weights(log_probs[:, chosen], prior=prior)
    return weights


def mixture_log_prob(
    log_probs: Float[np.ndarray, "events parts"], weights: Float[np.ndarray, " parts"]
) -> LogDensities:
    """Log-densities of a mixture from those of its parts; parts of weight zero are left out."""
    used = weights > 0.0
    return np.asarray(logsumexp(log_probs[:, used] + np.log(weights[used]), axis=1))


def _clearly_above(higher: LogDensities, lower: LogDensities, errors: float, copies: Copies | None) -> bool:
    """Whether a paired difference of mean scores exceeds so many of its standard errors."""
    gain = higher - lower
    if not np.isfinite(gain).all():
        return bool(np.isneginf(lower).any())
    return bool(gain.mean() > errors * standard_error(gain, copies))
