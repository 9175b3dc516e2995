"""Weights of a mixture of fitted densities, from held-out log-densities."""

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp


def mixture_weights(
    log_probs: Float[np.ndarray, "events parts"], prior: float = 0.5, max_iter: int = 2000
) -> Float[np.ndarray, " parts"]:
    """Maximise the held-out likelihood of a mixture over its weights, under a weak Dirichlet prior (by EM).

    The problem is concave, so the start does not matter. The prior keeps each weight above zero: a part that
    looks useless on a thousand events may still save the next one.

    Args:
        log_probs: log-densities of held-out events under each part, in nats; -inf is allowed.
        prior: pseudo-events a part.
        max_iter: the most EM steps.
    """
    parts = log_probs.shape[1]
    weights = np.full(parts, 1.0 / parts)
    # An event that no part can explain says nothing about the weights.
    known = np.isfinite(log_probs).any(axis=1)
    for _ in range(max_iter):
        joint = log_probs[known] + np.log(weights)
        share = np.exp(joint - logsumexp(joint, axis=1, keepdims=True)).sum(axis=0) + prior
        fresh = share / share.sum()
        if np.abs(fresh - weights).max() < 1e-9:
            return fresh
        weights = fresh
    return weights
