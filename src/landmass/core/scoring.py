"""Log-densities of many events, wherever they are worked out fastest."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import logsumexp

from landmass.core.capabilities import AbstractDensity
from landmass.core.distributions import Blend
from landmass.types import LogDensities

# Rows evaluated by one call: one compiled shape for every data set, and results that do not depend on the batch.
ROWS = 2048

# Rows evaluated at a time within a call: what they need besides stays in a core's cache.
ROWS_AT_ONCE = 128


def log_prob(model: AbstractDensity, Z: Float[np.ndarray, "events columns"]) -> LogDensities:
    """Log-densities of coordinates, in float64.

    Args:
        model: the density.
        Z: coordinates of events, in its space.
    """
    if isinstance(model, Blend):
        log_weights = np.asarray(jax.nn.log_softmax(model.log_weights), np.float64)
        each = np.column_stack([log_prob(part, Z) for part in model.parts])
        return np.asarray(logsumexp(each + log_weights, axis=1))
    found = model.quick_log_probs(Z)
    left = np.arange(len(Z)) if found is None else np.flatnonzero(np.isnan(found))
    found = np.empty(len(Z)) if found is None else found
    for start in range(0, len(left), ROWS):
        rows = left[start : start + ROWS]
        filled = Z[np.concatenate([rows, np.repeat(rows[:1], ROWS - len(rows))])]
        found[rows] = np.asarray(_log_prob_block(model, jnp.asarray(filled)))[: len(rows)]
    return found


@eqx.filter_jit
def _log_prob_block(model: AbstractDensity, z: Float[Array, "rows columns"]) -> Float[Array, " rows"]:
    few = z.reshape(-1, ROWS_AT_ONCE, z.shape[1])
    return jax.lax.map(model.log_probs, few).reshape(-1)
