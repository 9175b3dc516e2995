"""Log-densities and draws of many events, by whichever way is fastest."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, Shaped
from scipy.special import logsumexp

from landmass.arrays import on_device
from landmass.core.bounds import FEW_EVENTS, BoundMixture, SampledMixture, bound
from landmass.core.capabilities import AbstractBound, AbstractDensity, AbstractModel, Scored
from landmass.core.distributions import Blend, Mixture
from landmass.types import Key, LogDensities

# Rows evaluated or drawn by one call: one compiled shape for every data set, and results that do not depend on the
# batch (but for sums of bumps, whose quick way is taken where there are many events, and agrees to 1e-5).
ROWS = 2048

# Rows evaluated at a time within a call: what they need besides stays in a core's cache.
ROWS_AT_ONCE = 128

# A call evaluates no more than so many times the rows that it evaluates at a time.
MOST_AT_ONCE = 16

# A component of a mixture with more numbers than this is large.
LARGE = 1_000


def log_prob(
    model: Scored,
    Z: Shaped[np.ndarray, "events ..."],
    context: Shaped[np.ndarray, "events ..."] | None = None,
) -> LogDensities:
    """Log-densities of coordinates, or bounds on them, in float64.

    Args:
        model: the density, or a bound on one.
        Z: coordinates of events, in its space.
        context: what each event is given; None for a density that needs nothing.
    """
    if context is not None:
        return in_blocks(_given, model, Z, context).astype(np.float64)
    if isinstance(model, Blend):
        log_weights = np.asarray(jax.nn.log_softmax(model.log_weights), np.float64)
        each = np.column_stack([log_prob(part, Z) for part in model.parts])
        return np.asarray(logsumexp(each + log_weights, axis=1))
    found = model.quick_log_probs(Z)
    if isinstance(model, AbstractBound):
        draws = model.draws if isinstance(model, BoundMixture) else 1
        return bound(model, Z, draws)[0] if found is None else found
    left = np.arange(len(Z)) if found is None else np.flatnonzero(np.isnan(found))
    found = np.empty(len(Z)) if found is None else found
    # What a quick way has left over is often a handful.
    size = ROWS if len(left) == len(Z) or len(left) > ROWS_AT_ONCE else ROWS_AT_ONCE
    for start in range(0, len(left), size):
        rows = left[start : start + size]
        filled = Z[np.concatenate([rows, np.repeat(rows[:1], size - len(rows))])]
        found[rows] = np.asarray(_log_prob_block(model, on_device(filled)))[: len(rows)]
    return found


def draw(model: AbstractModel, n: int, random_state: np.random.RandomState) -> Shaped[np.ndarray, "events ..."]:
    """Draw events.

    Args:
        model: the distribution.
        n: how many.
        random_state: source of all randomness.
    """
    if isinstance(model, Blend):
        parts, log_weights = model.parts, model.log_weights
    elif isinstance(model, Mixture) and _is_large(model):
        # One by one, each event would fetch all numbers of its component.
        arrays, rest = eqx.partition(model.components, eqx.is_array)
        parts = [
            eqx.combine(jax.tree.map(lambda leaf, i=i: leaf[i], arrays), rest) for i in range(len(model.log_weights))
        ]
        log_weights = model.log_weights
    else:
        key = jax.random.key(random_state.randint(2**31 - 1))
        # Networks take their time for each event.
        rows = FEW_EVENTS if isinstance(model, SampledMixture) else ROWS
        blocks = [np.asarray(_draw_block(model, jax.random.fold_in(key, i), rows)) for i in range(-(-n // rows))]
        return np.concatenate(blocks)[:n]
    weights = np.exp(np.asarray(jax.nn.log_softmax(log_weights), np.float64))
    counts = random_state.multinomial(n, weights / weights.sum())
    drawn = [draw(part, count, random_state) for part, count in zip(parts, counts.tolist(), strict=True) if count]
    return random_state.permutation(np.concatenate(drawn))


def _is_large(model: Mixture) -> bool:
    sizes = [leaf.size for leaf in jax.tree.leaves(eqx.filter(model.components, eqx.is_array))]
    return sum(sizes) > LARGE * len(model.log_weights)


def in_blocks(
    ask: Callable[..., Any], model: Any, *rows: Shaped[np.ndarray, "events ..."], at_once: int = ROWS_AT_ONCE
) -> Any:
    """Ask a model about many events, in blocks of few shapes, so that little is compiled.

    Args:
        ask: of the model and of some events, an array or several with a row each; defined at module level.
        model: the model.
        rows: what the events are, one or more arrays.
        at_once: rows that are asked about at a time.
    """
    n = len(rows[0])
    size = min(ROWS, MOST_AT_ONCE * at_once) if n > at_once else at_once
    found = []
    for start in range(0, max(n, 1), size):
        block = [each[start : start + size] for each in rows]
        short = size - len(block[0])
        filled = [np.pad(each, ((0, short), *[(0, 0)] * (each.ndim - 1))) for each in block]
        told = _ask_block(ask, at_once, model, *map(on_device, filled))
        found.append(jax.tree.map(lambda each, count=size - short: np.asarray(each)[:count], told))
    return jax.tree.map(lambda *each: np.concatenate(each), *found)


@eqx.filter_jit
def _ask_block(ask: Callable[..., Any], at_once: int, model: Any, *rows: Array) -> Any:
    few = [each.reshape(-1, at_once, *each.shape[1:]) for each in rows]
    found = jax.lax.map(lambda each: ask(model, *each), few)
    return jax.tree.map(lambda each: each.reshape(-1, *each.shape[2:]), found)


def _given(model: AbstractDensity, z: Array, context: Array) -> Array:
    return model.log_probs(z, context)


@eqx.filter_jit
def _draw_block(model: AbstractModel, key: Key, rows: int) -> Shaped[Array, "rows ..."]:
    return model.samples(key, rows)


@eqx.filter_jit
def _log_prob_block(model: AbstractDensity, z: Shaped[Array, "rows ..."]) -> Float[Array, " rows"]:
    few = z.reshape(-1, ROWS_AT_ONCE, *z.shape[1:])
    return jax.lax.map(model.log_probs, few).reshape(-1)
