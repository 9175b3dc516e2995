"""Invertible maps of one event, each with the log-determinant of its Jacobian.

`forward` goes from the latent side to the data side (sampling), `inverse` from the data to the latent side
(density); both return the mapped event and the log |det| of the direction asked for. Each takes one event, shape
(columns,), or many that stand behind their columns, shape (columns, events): sums over columns then run over whole
rows, and nothing is vectorised by hand.
"""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from landmass.core.capabilities import Context
from landmass.core.spline import Spline
from landmass.types import Event

Columns = Float[Array, "columns *events"]
"""One event, or many that stand behind their columns."""

LogDet = Float[Array, "*events"]
"""Log |det| at each event."""


class AbstractBijection(eqx.Module):
    """An invertible, differentiable map."""

    @abstractmethod
    def forward(self, z: Columns, context: Context = None) -> tuple[Columns, LogDet]:
        """Map z to x; also log |det dx/dz|."""

    @abstractmethod
    def inverse(self, x: Columns, context: Context = None) -> tuple[Columns, LogDet]:
        """Map x to z; also log |det dz/dx|."""


class Affine(AbstractBijection):
    """x = loc + scale · z, column by column.

    Args:
        loc: shape (columns,).
        scale: shape (columns,), not zero.
    """

    loc: Event
    scale: Event

    def forward(self, z: Columns, context: Context = None) -> tuple[Columns, LogDet]:
        loc, scale = (each.reshape(-1, *[1] * (z.ndim - 1)) for each in (self.loc, self.scale))
        return loc + scale * z, self._log_det(z)

    def inverse(self, x: Columns, context: Context = None) -> tuple[Columns, LogDet]:
        loc, scale = (each.reshape(-1, *[1] * (x.ndim - 1)) for each in (self.loc, self.scale))
        return (x - loc) / scale, -self._log_det(x)

    def _log_det(self, like: Columns) -> LogDet:
        return jnp.broadcast_to(jnp.log(jnp.abs(self.scale)).sum(), like.shape[1:])


class Permutation(AbstractBijection):
    """x[i] = z[order[i]].

    Args:
        order: a permutation of 0 … columns - 1.
    """

    order: Integer[Array, " columns"]

    def forward(self, z: Columns, context: Context = None) -> tuple[Columns, LogDet]:
        return z[self.order], jnp.zeros(z.shape[1:], z.dtype)

    def inverse(self, x: Columns, context: Context = None) -> tuple[Columns, LogDet]:
        return x[jnp.argsort(self.order)], jnp.zeros(x.shape[1:], x.dtype)


class ElementwiseSpline(AbstractBijection):
    """A monotonic rational-quadratic spline on each column: the data side is the splines' argument.

    Args:
        splines: one `Spline` whose arrays carry a leading axis of length `columns`; to map many events at once, each
            with splines of its own, events stand behind its bins.
    """

    splines: Spline

    def forward(self, z: Columns, context: Context = None) -> tuple[Columns, LogDet]:
        x, log_slopes = jax.vmap(Spline.inverse)(self.splines, z)
        return x, log_slopes.sum(0)

    def inverse(self, x: Columns, context: Context = None) -> tuple[Columns, LogDet]:
        z, log_slopes = jax.vmap(Spline.__call__)(self.splines, x)
        return z, log_slopes.sum(0)


class Chain(AbstractBijection):
    """Several bijections in a row: `forward` applies the first one first.

    Args:
        parts: the bijections.
    """

    parts: tuple[AbstractBijection, ...]

    def forward(self, z: Columns, context: Context = None) -> tuple[Columns, LogDet]:
        total = jnp.zeros(z.shape[1:], z.dtype)
        for part in self.parts:
            z, log_det = part.forward(z, context)
            total += log_det
        return z, total

    def inverse(self, x: Columns, context: Context = None) -> tuple[Columns, LogDet]:
        total = jnp.zeros(x.shape[1:], x.dtype)
        for part in reversed(self.parts):
            x, log_det = part.inverse(x, context)
            total += log_det
        return x, total


@runtime_checkable
class Conditioner(Protocol):
    """Gives each column its map, which may depend on earlier columns only."""

    def __call__(self, x: Columns, context: Context = None) -> AbstractBijection:
        """The columns' elementwise bijection, given the event on the data side."""
        ...


class MaskedAutoregressive(AbstractBijection):
    """Column i passes through an elementwise bijection chosen by columns that come before it in some order.

    The density side is one pass; the sampling side is one pass for each column.

    Args:
        conditioner: reads the event, and lets column i depend on earlier columns only.

    Source: Papamakarios, Pavlakou & Murray 2017 (masked autoregressive flow).
    """

    conditioner: Conditioner

    def forward(self, z: Columns, context: Context = None) -> tuple[Columns, LogDet]:
        def settle_one_more(_: Integer[Array, ""], x: Columns) -> Columns:
            return self.conditioner(x, context).forward(z, context)[0]

        # After pass i the first i columns of the order are right, and they no longer change.
        x = jax.lax.fori_loop(0, len(z), settle_one_more, z)
        return x, -self.inverse(x, context)[1]

    def inverse(self, x: Columns, context: Context = None) -> tuple[Columns, LogDet]:
        return self.conditioner(x, context).inverse(x, context)
