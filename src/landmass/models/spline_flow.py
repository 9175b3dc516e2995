"""Spline flow: an autoregressive flow of rational-quadratic splines, averaged over an ensemble."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Bool, Float, Integer, Shaped

from landmass.arrays import on_device
from landmass.core.bijections import (
    AbstractBijection,
    Chain,
    Columns,
    ElementwiseSpline,
    MaskedAutoregressive,
    Permutation,
)
from landmass.core.capabilities import AbstractDensity, Context
from landmass.core.distributions import Columnwise, Mixture, Transformed
from landmass.core.spline import spline_from_parameters
from landmass.data.schema import Column, Positive
from landmass.data.space import Space
from landmass.estimator.base import require
from landmass.estimator.gradient import GradientEstimator
from landmass.nn.masked import MaskedNetwork
from landmass.nn.waves import cosines, multiples
from landmass.types import Event, Key, Scalar

Kind = Literal["line", "interval", "circle"]

# Splines of unbounded columns end here, in standard deviations; the tails beyond are the base's.
LINE_END = 5.0


class SplineConditioner(eqx.Module):
    """Gives each column a spline that depends on the columns before it, which it sees as waves.

    Args:
        network: from the waves of earlier columns to the numbers that make a spline.
        order: the data's column that stands at each place, shape (columns,).
        kinds: where the data's columns live.
        smoothness: the amplitude of wave k falls as k to the power of minus this.
    """

    network: MaskedNetwork
    order: Integer[Array, " columns"]
    kinds: tuple[Kind, ...] = eqx.field(static=True)
    waves: int = eqx.field(static=True)
    smoothness: float = eqx.field(static=True)

    def __call__(self, x: Columns, context: Context = None) -> AbstractBijection:
        """The columns' splines, in this conditioner's order."""
        line, circle = self._are("line"), self._are("circle")
        on_line, on_circle = (each.reshape(-1, *[1] * (x.ndim - 1)) for each in (line, circle))
        raw = self.network(self._waves(jnp.where(on_line, ndtr(x), x), on_circle))
        low, high = (jnp.where(line, *ends).astype(x.dtype) for ends in ((-LINE_END, 0.0), (LINE_END, 1.0)))
        make = jax.vmap(lambda r, a, b, u, p: spline_from_parameters(r, a, b, unit_ends=u, periodic=p))
        return ElementwiseSpline(make(raw, low, high, line, circle))

    def _are(self, kind: Kind) -> Bool[Array, " columns"]:
        return jnp.array([k == kind for k in self.kinds])[self.order]

    def _waves(self, u: Columns, circle: Bool[Array, "..."]) -> Float[Array, "columns waves *events"]:
        """Cosines of half turns of each column's place in [0, 1]; on a circle sines and cosines of whole turns."""
        amplitude = np.sqrt(2.0) * np.arange(1, self.waves + 1) ** -self.smoothness
        angle = np.pi * jnp.where(circle, 2.0 * u, u)
        waves = cosines(angle, self.waves)
        if "circle" in self.kinds:
            sines = multiples(jnp.zeros_like(u), jnp.sin(angle), jnp.cos(angle), self.waves)
            in_turn = [(sines, waves)[k % 2][k // 2] for k in range(self.waves)]
            waves = [jnp.where(circle, *pair) for pair in zip(in_turn, waves, strict=True)]
        return jnp.stack(waves, axis=1) * amplitude.astype(u.dtype).reshape(1, -1, *[1] * (u.ndim - 1))


class Flow(AbstractDensity):
    """One member: autoregressive layers over a base that is uniform on intervals and normal on lines.

    Args:
        conditioners: one a layer, the one next to the data first; their orders are each other's reverse.
    """

    conditioners: tuple[SplineConditioner, ...]

    def log_prob(self, x: Event, context: Context = None) -> Scalar:
        return self._transformed().log_prob(x, context)

    def log_probs(self, x: Float[Array, "events columns"], context: Context = None) -> Float[Array, " events"]:
        return self._transformed().log_probs(x, context)

    def sample(self, key: Key, context: Context = None) -> Event:
        return self._transformed().sample(key, context)

    def samples(self, key: Key, n: int, context: Context = None) -> Float[Array, "events columns"]:
        return self._transformed().samples(key, n, context)

    def _transformed(self) -> Transformed:
        parts: list[AbstractBijection] = []
        flip = Permutation(jnp.arange(len(self.conditioners[0].kinds))[::-1])
        for conditioner in reversed(self.conditioners):
            parts += [MaskedAutoregressive(conditioner), flip]
        # The layer next to the data hands its columns back to their places.
        parts[-1] = Permutation(jnp.argsort(self.conditioners[0].order))
        line = self.conditioners[-1]._are("line")
        return Transformed(Columnwise(line, jnp.zeros(line.shape), jnp.ones(line.shape)), Chain(tuple(parts)))


@dataclass(kw_only=True, eq=False, repr=False)
class SplineFlow(GradientEstimator):
    """Autoregressive rational-quadratic spline flow; the members' densities are averaged.

    Each column's distribution given the columns before it is a monotonic spline that a masked network chooses.
    Half of the members read the columns in the reverse order of the others, which makes the average better than
    more members of one order would.

    Args:
        n_bins: bins of each spline; None takes 1.1 times the cube root of the number of events, from 8 to 24.
        hidden: units of each hidden layer.
        depth: hidden layers of each network.
        layers: autoregressive layers in a row; one can represent any density, more share structure between columns.
        waves: cosines by which a network sees a column.
        smoothness: the amplitude of wave k falls as k to the power of minus this.
    """

    _onto_line: ClassVar[Collection[type[Column]]] = (Positive,)

    n_bins: int | None = None
    hidden: int = 64
    depth: int = 2
    layers: int = 1
    waves: int = 16
    smoothness: float = 0.5

    def _members(self, space: Space, n: int, key: Key) -> AbstractDensity:
        return self._flows(space, self.n_bins or int(np.clip(round(1.1 * np.cbrt(n)), 8, 24)), key)

    def _flows(self, space: Space, n_bins: int, key: Key) -> AbstractDensity:
        kinds: tuple[Kind, ...] = tuple(
            "line" if line else "circle" if circle else "interval"
            for line, circle in zip(space.on_line, space.periodic, strict=True)
        )

        orders = on_device(_orders(len(space), self.members))
        sizes = self.waves, n_bins, self.hidden, self.depth, self.layers
        return _fresh(kinds, *sizes, self.smoothness, jax.random.split(key, self.members), orders)

    def _empty(self, space: Space, sizes: Mapping[str, int]) -> AbstractDensity:
        return Mixture(jnp.zeros(self.members), self._flows(space, sizes["n_bins"], jax.random.key(0)))

    def _sizes(self) -> dict[str, int]:
        # A network gives a column widths and heights of its bins, and the slopes at their ends.
        return {"n_bins": (self.model_.components.conditioners[0].network.first.shape[-1] - 1) // 3}

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """The networks' weights by their place in the model, with a leading axis of members; they have no units."""
        weights, _ = jax.tree_util.tree_flatten_with_path(eqx.filter(self.model_.components, eqx.is_inexact_array))
        return {jax.tree_util.keystr(path, simple=True, separator="."): np.asarray(leaf) for path, leaf in weights}

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "n_bins", self.n_bins is None or 1 <= self.n_bins <= 500, "None or between 1 and 500")
        for name, most in (("hidden", 10_000), ("depth", 20), ("layers", 50), ("waves", 200)):
            require(self, name, 1 <= getattr(self, name) <= most, f"between 1 and {most}")
        require(self, "smoothness", self.smoothness >= 0.0, "at least 0")


# At module level: a function made for each fit would be compiled for each fit.
@eqx.filter_jit
def _fresh(
    kinds: tuple[Kind, ...],
    waves: int,
    n_bins: int,
    hidden: int,
    depth: int,
    layers: int,
    smoothness: float,
    keys: Shaped[Array, " members"],
    orders: Integer[Array, "members columns"],
) -> Flow:
    """Flows with random weights, a member each."""

    def flow(key: Key, order: Integer[Array, " columns"]) -> Flow:
        conditioners = []
        for i, layer_key in enumerate(jax.random.split(key, layers)):
            network = MaskedNetwork(len(kinds), waves, 3 * n_bins + 1, hidden, depth, layer_key)
            layer_order = order if i % 2 == 0 else order[::-1]
            conditioners.append(SplineConditioner(network, layer_order, kinds, waves, smoothness))
        return Flow(tuple(conditioners))

    return eqx.filter_vmap(flow)(keys, orders)


def _orders(columns: int, members: int) -> Integer[np.ndarray, "members columns"]:
    """An order of the columns for each member: random ones (the first is the data's), each with its reverse."""
    rng = np.random.default_rng(0)
    forward = [np.arange(columns) if i == 0 or columns == 2 else rng.permutation(columns) for i in range(members)]
    return np.stack([forward[i // 2][:: 1 if i % 2 == 0 else -1] for i in range(members)])
