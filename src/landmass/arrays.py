"""Arrays go from the host to the device without a program of their own."""

import jax
import numpy as np
from jaxtyping import Array, Shaped


def on_device(
    x: Shaped[Array | np.ndarray, "..."] | float, dtype: type[np.generic] | np.dtype | None = None
) -> Shaped[Array, "..."]:
    """An array on the device; `jnp.asarray` would compile a program for each new shape, which takes 10 ms.

    Args:
        x: on the host; it must not change afterwards, as no copy may be made.
        dtype: numbers to convert to, on the host; None keeps them, but doubles become singles where JAX has none.
    """
    return jax.device_put(np.asarray(x, dtype))
