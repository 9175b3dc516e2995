"""Temperature: how much less certain than its training, or more, a conditional density is to be."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.optimize import minimize_scalar

from landmass.core.distributions import Mixture
from landmass.core.heads import Head
from landmass.core.many import in_blocks
from landmass.train.conditional import outputs
from landmass.train.rows import Coordinates
from landmass.types import Scalar

# How much more or less certain a network may be made, and how many events' weight a temperature of 1 has in it.
TEMPERATURES, PRIOR_EVENTS = (0.01, 20.0), 2.0


def tempered(model: Mixture, held_out: Coordinates) -> Mixture:
    """A model at the temperature under which held-out answers are most likely.

    Args:
        model: members, whose densities are averaged.
        held_out: coded answers, with their events as context.

    Source: Guo, Pleiss, Sun & Weinberger 2017.
    """
    (answers, weight), context = held_out.whole, np.asarray(held_out.context)
    parts: object = model.components
    head: Head = parts.head  # pyright: ignore[reportAttributeAccessIssue]
    found, y = jnp.asarray(in_blocks(outputs, model, context)), jnp.asarray(answers[:, 0])
    share = jnp.asarray(weight / held_out.total, jnp.float32)

    def cost(log_t: float) -> float:
        # A prior of a few events keeps a small part from being sure of itself.
        prior = 0.0 if head.needs_temperature else PRIOR_EVENTS * log_t**2 / len(answers)
        return prior - float(_score(head, found, y, share, jnp.exp(jnp.float32(log_t))))

    best = minimize_scalar(cost, bounds=tuple(np.log(TEMPERATURES)), method="bounded", options={"xatol": 1e-3})
    temperature = jnp.full(found.shape[1], np.exp(best.x), jnp.float32)  # pyright: ignore[reportAttributeAccessIssue]
    return eqx.tree_at(lambda m: m.components.temperature.numbers, model, temperature)


@eqx.filter_jit
def _score(head: Head, outputs: Array, y: Array, share: Array, temperature: Array) -> Scalar:
    """Mean log-density of answers, each with its share, under the members' average, at a temperature."""
    each = jax.vmap(lambda one: head.log_probs(one, y, temperature), in_axes=1)(outputs)
    return share @ jax.nn.logsumexp(each, axis=0) - jnp.log(len(each))
