"""Temperature and floor: how much less certain than its training, or more, a conditional density is to be."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import minimize

from landmass.arrays import on_device
from landmass.core.distributions import Mixture
from landmass.core.heads import Head
from landmass.core.many import in_blocks
from landmass.train.conditional import FLOOR, mixed_log_probs, outputs
from landmass.train.rows import Coordinates
from landmass.types import Scalar

# How much more or less certain a network may be made, and how many events' weight a temperature of 1 has in it.
TEMPERATURES, PRIOR_EVENTS = (0.01, 20.0), 2.0

# The floor's share, and how many events both it and the rest have besides those that they explain.
FLOORS, FLOOR_EVENTS = (1e-6, 0.5), 0.5


def tempered(model: Mixture, held_out: Coordinates) -> Mixture:
    """A model at the temperature, and with the share of the floor, under which held-out answers are most likely.

    Args:
        model: members, whose densities are averaged.
        held_out: coded answers, with their events as context.

    Source: Guo, Pleiss, Sun & Weinberger 2017.
    """
    (answers, weight), context = held_out.whole, np.asarray(held_out.context)
    parts: object = model.components
    head: Head = parts.head  # pyright: ignore[reportAttributeAccessIssue]
    found, y = on_device(in_blocks(outputs, model, context)), on_device(answers[:, 0])
    share = on_device(weight / held_out.total, np.float32)

    def cost(logs: Float[np.ndarray, " logs"]) -> float:
        # Priors of a few events keep a small part from being sure of itself.
        temperature, floor = np.exp(logs) if head.has_floor else (np.exp(logs[0]), 0.0)
        prior = 0.0 if head.needs_temperature else PRIOR_EVENTS * logs[0] ** 2
        prior -= FLOOR_EVENTS * (logs[1] + np.log1p(-floor)) if head.has_floor else 0.0
        return prior / len(y) - float(
            _score(head, found, y, share, on_device(temperature, np.float32), on_device(floor, np.float32))
        )

    bounds = np.log([TEMPERATURES, FLOORS] if head.has_floor else [TEMPERATURES])
    # The best of a few temperatures is near enough to go down from.
    starts = np.linspace(bounds[0, 0], bounds[0, 1], 12) if head.needs_temperature else [0.0]
    rest = [np.log(FLOOR)] if head.has_floor else []
    start = min(([log_t, *rest] for log_t in starts), key=lambda each: cost(np.array(each)))
    best = minimize(cost, start, method="Nelder-Mead", bounds=bounds, options={"xatol": 1e-3, "fatol": 1e-7})
    each = [*np.exp(best.x), *([] if head.has_floor else [0.0])]
    chosen = [on_device(np.full(found.shape[1], number), np.float32) for number in each]
    return eqx.tree_at(lambda m: (m.components.temperature.numbers, m.components.floor.numbers), model, chosen)


@eqx.filter_jit
def _score(head: Head, outputs: Array, y: Array, share: Array, temperature: Array, floor: Array) -> Scalar:
    """Mean log-density of answers, each with its share, under the members' average."""
    each = jax.vmap(lambda one: mixed_log_probs(head, one, y, temperature, floor), in_axes=1)(outputs)
    return share @ jax.nn.logsumexp(each, axis=0) - jnp.log(len(each))
