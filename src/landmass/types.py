"""Names for the arrays that pass between floors."""

from typing import Any

import numpy as np
from jaxtyping import Array, Bool, Float, Integer, PRNGKeyArray, UInt8
from jaxtyping import Key as KeyArray

__all__ = [
    "Array",
    "Bool",
    "CellScores",
    "Copies",
    "Event",
    "Float",
    "HostEvents",
    "Integer",
    "Key",
    "Keys",
    "LogDensities",
    "Precision",
    "Scalar",
    "Tree",
]

Scalar = Float[Array, ""]
"""One number on the device."""

Key = PRNGKeyArray
"""A JAX random key."""

Keys = KeyArray[Array, " events"]
"""A JAX random key for each event."""

Event = Float[Array, " columns"]
"""One event in the units of a model's space."""

HostEvents = Float[np.ndarray, "events columns"] | UInt8[np.ndarray, "events height width channels"]
"""Events in the units of the data, float64, on the host; or images."""

LogDensities = Float[np.ndarray, " events"]
"""Log-densities in nats, float64, on the host."""

CellScores = Float[np.ndarray, "events columns"]
"""Log-probabilities, or log-densities, of events' cells, in nats, float64, on the host."""

Precision = type[np.float32] | type[np.float64]
"""Of numbers: single on the device; on the host double is to be had."""

Copies = Integer[np.ndarray, " events"]
"""For each event, the number of the distinct one that it is a copy of."""

Tree = Any
"""A nest of arrays: parameters, optimiser state, sufficient statistics."""
