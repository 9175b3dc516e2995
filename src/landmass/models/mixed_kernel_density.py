"""Mixed kernel density: a bump about every training row of a table of any columns, whose shape is learned."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from landmass.arrays import on_device
from landmass.core.capabilities import AbstractDensity, Context
from landmass.core.distributions import reached
from landmass.core.states import GIVEN, PRESENT, AbstractStates, Evidence, Layout, States, without_missing
from landmass.data.cuts import Cut
from landmass.data.states import StateSpace
from landmass.estimator.base import require
from landmass.estimator.questions import AnsweringEstimator
from landmass.train.learner import Learner, fixed
from landmass.train.rows import Coordinates
from landmass.types import Key, Scalar

# Kernels of a column of numbers reach so many cells far, in mean; each column mixes them.
REACHES = (0.7, 2.0, 6.0, 18.0)

# Rows that shapes are learned from, passes over them, and the gain in nats a row that ends them.
QUERIES, PASSES, LEAST_GAIN = 400, 20, 1e-3

# Events that the frequencies of each state, and each kernel's share, are given besides those they have.
SMOOTHING = 0.5


class RowKernels(AbstractStates):
    """Mixture of bumps about rows, each a product over columns of how a state passes into others.

    Args:
        rows: the states of the training rows.
        log_kernels: of each column, log-probability of each state about each state, one square after the other.
        layout: how many states each column has.
    """

    rows: Integer[Array, "events columns"]
    log_kernels: Float[Array, " pairs"]
    layout: Layout

    def log_prob(self, x: States, context: Context = None) -> Scalar:
        return jax.nn.logsumexp(self.log_bumps(x, None)) - np.log(len(self.rows))

    def log_probs(self, x: Integer[Array, "events columns"], context: Context = None) -> Float[Array, " events"]:
        # One after the other: every event looks at every row.
        return jax.lax.map(self.log_prob, x)

    def sample(self, key: Key, context: Context = None) -> States:
        choose, draw = jax.random.split(key)
        about = self._about(jax.random.randint(choose, (), 0, len(self.rows)))
        return self.layout.draw(jax.random.uniform(draw, (len(self.layout.sizes),)), about)

    def log_marginal(self, x: States, known: Evidence) -> Scalar:
        return jax.nn.logsumexp(self.log_bumps(x, known)) - np.log(len(self.rows))

    def complete_by(self, share: Float[Array, " shares"], x: States, known: Evidence) -> States:
        about = self._about(reached(share[:1], jax.nn.log_softmax(self.log_bumps(x, known))[None])[0])
        drawn = self.layout.draw(share[1:], without_missing(self.layout, about, known))
        return jnp.where(known == GIVEN, x, drawn)

    def log_bumps(self, x: States, known: Evidence | None) -> Float[Array, " events"]:
        """Log-probability of what is known under the bump about each row."""
        sizes, first = np.array(self.layout.sizes), squares(self.layout)
        from_rows = first[None] + self.rows * sizes[None]
        logs = self.log_kernels[from_rows + x[None]]
        if known is not None:
            absent = self.log_kernels[from_rows + (sizes - 1)[None]]
            there = jnp.where(jnp.array(self.layout.nullable)[None], jnp.log1p(-jnp.exp(absent)), 0.0)
            logs = jnp.where(known[None] == GIVEN, logs, jnp.where(known[None] == PRESENT, there, 0.0))
        return logs.sum(1)

    def _about(self, row: Integer[Array, ""]) -> Float[Array, " states"]:
        """Log-probabilities of all states under the bump about one row."""
        layout, column, sizes = self.layout, self.layout.column_of, np.array(self.layout.sizes)
        return self.log_kernels[squares(layout)[column] + self.rows[row][column] * sizes[column] + layout.within]


def squares(layout: Layout) -> Integer[np.ndarray, " columns"]:
    """Where each column's square of states begins in one row of all squares."""
    return np.cumsum([0, *(size**2 for size in layout.sizes[:-1])]).astype(np.int32)


@dataclass(kw_only=True, eq=False, repr=False)
class MixedKernelDensity(AnsweringEstimator):
    """Kernel density of rows of any columns: each training row passes on a part of its mass to rows like it.

    In each column a state keeps a share of its mass, gives another to all states by their frequency, and of numbers
    some to the cells near by. The shares are learned by expectation maximisation, each row left out when it is looked
    at. Any column may be asked about given any others, exactly. The fitted density contains the training rows.

    Args:
        max_rows: of more training rows, so many random ones are kept; every question looks at each of them.

    Source: Aitchison & Aitken 1976 (words); Li & Racine 2003 (words and numbers).
    """

    max_rows: int = 30_000

    def _learner(self, space: Any, z: Coordinates) -> Learner:
        rng = np.random.default_rng(self._seed())
        rows = z.some(self.max_rows, rng)[0].astype(np.int32)
        return fixed(_learned(rows, space, rng))

    def _empty(self, space: Any, sizes: Mapping[str, int]) -> AbstractDensity:
        layout = space.layout
        pairs = sum(size**2 for size in layout.sizes)
        return RowKernels(jnp.zeros((sizes["rows"], len(layout.sizes)), jnp.int32), jnp.zeros(pairs), layout)

    def _sizes(self) -> dict[str, int]:
        return {"rows": len(self.model_.rows)}

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """`rows`: the training rows' states; `kernels`: of each column, the probability of each state about each."""
        return {
            "rows": np.asarray(self.model_.rows),
            "kernels": np.exp(np.asarray(self.model_.log_kernels, np.float64)),
        }

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "max_rows", self.max_rows >= 2, "at least 2")


def _learned(rows: Integer[np.ndarray, "events columns"], space: StateSpace, rng: np.random.Generator) -> RowKernels:
    """Kernels whose shares make each row likely given the others."""
    layout = space.layout
    parts = [_parts(cut, codes) for cut, codes in zip(space.cuts, rows.T, strict=True)]
    shares = [np.full(len(each), 1.0 / len(each)) for each in parts]
    queries = rng.choice(len(rows), min(QUERIES, len(rows)), replace=False).astype(np.int32)
    score, passes = -np.inf, 0
    while True:
        kernels = [np.tensordot(share, each, 1) for share, each in zip(shares, parts, strict=True)]
        packed = np.log(np.concatenate([each.ravel() for each in kernels]))
        model = RowKernels(on_device(rows), on_device(packed, np.float32), layout)
        pairs, found = _expected(model, on_device(queries))
        passes += 1
        gain, score = float(found) - score, float(found)
        if gain < LEAST_GAIN or passes == PASSES:
            return model
        flat = np.asarray(pairs, np.float64)
        for i, (first, size) in enumerate(zip(squares(layout), layout.sizes, strict=True)):
            often = flat[first : first + size**2].reshape(size, size) / kernels[i]
            came = shares[i] * np.tensordot(parts[i], often, 2) + SMOOTHING
            shares[i] = came / came.sum()


def _parts(cut: Cut, codes: Integer[np.ndarray, " events"]) -> Float[np.ndarray, "kernels states states"]:
    """What a column's kernel is mixed of: staying, moving to the cells near by, and all states by their frequency."""
    size, first, cells = cut.states, cut.states - cut.nullable - cut.cells, cut.cells
    often = np.bincount(codes, minlength=size) + SMOOTHING
    found = [np.eye(size)]
    steps = np.abs(np.arange(cells)[:, None] - np.arange(cells)[None])
    for reach in REACHES if cells > 1 else ():
        near = np.exp(-(np.minimum(steps, cells - steps) if cut.period else steps) / reach)
        moved = np.eye(size)
        moved[first : first + cells, first : first + cells] = near / near.sum(1, keepdims=True)
        found.append(moved)
    return np.stack([*found, np.broadcast_to(often / often.sum(), (size, size))])


@eqx.filter_jit
def _expected(model: RowKernels, queries: Integer[Array, " queries"]) -> tuple[Float[Array, " pairs"], Scalar]:
    """How often a state of a row is expected to pass into one of a query, and the queries' mean log-probability.

    Each query is a row, told by all others.
    """
    layout, column, sizes = model.layout, model.layout.column_of, np.array(model.layout.sizes)

    def add(seen: tuple[Array, Scalar], query: Array) -> tuple[tuple[Array, Scalar], None]:
        x = model.rows[query]
        logs = model.log_bumps(x, None).at[query].set(-jnp.inf)
        total = jax.nn.logsumexp(logs)
        share = jnp.exp(logs - total)
        from_state = jnp.zeros(layout.total).at[layout.starts[None] + model.rows].add(share[:, None])
        pairs = seen[0].at[squares(layout)[column] + layout.within * sizes[column] + x[column]].add(from_state)
        return (pairs, seen[1] + total), None

    (pairs, total), _ = jax.lax.scan(add, (jnp.zeros_like(model.log_kernels), jnp.zeros(())), queries)
    return pairs, total / len(queries) - np.log(len(model.rows) - 1)
