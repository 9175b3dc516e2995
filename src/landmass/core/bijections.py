"""Invertible maps of one event, each with the log-determinant of its Jacobian.

`forward` goes from the latent side to the data side (sampling), `inverse` from the data to the latent side
(density); both return the mapped event and the log |det| of the direction asked for.
"""

from abc import abstractmethod
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from landmass.core.capabilities import Context
from landmass.core.spline import Spline
from landmass.types import Event, Scalar


class AbstractBijection(eqx.Module):
    """An invertible, differentiable map."""

    @abstractmethod
    def forward(self, z: Array, context: Context = None) -> tuple[Array, Scalar]:
        """Map z to x; also log |det dx/dz|."""

    @abstractmethod
    def inverse(self, x: Array, context: Context = None) -> tuple[Array, Scalar]:
        """Map x to z; also log |det dz/dx|."""


class Affine(AbstractBijection):
    """x = loc + scale · z, column by column.

    Args:
        loc: shape (columns,).
        scale: shape (columns,), not zero.
    """

    loc: Event
    scale: Event

    def forward(self, z: Event, context: Context = None) -> tuple[Event, Scalar]:
        return self.loc + self.scale * z, jnp.log(jnp.abs(self.scale)).sum()

    def inverse(self, x: Event, context: Context = None) -> tuple[Event, Scalar]:
        return (x - self.loc) / self.scale, -jnp.log(jnp.abs(self.scale)).sum()


class Permutation(AbstractBijection):
    """x[i] = z[order[i]].

    Args:
        order: a permutation of 0 … columns - 1.
    """

    order: Integer[Array, " columns"]

    def forward(self, z: Event, context: Context = None) -> tuple[Event, Scalar]:
        return z[self.order], jnp.zeros((), z.dtype)

    def inverse(self, x: Event, context: Context = None) -> tuple[Event, Scalar]:
        return x[jnp.argsort(self.order)], jnp.zeros((), x.dtype)


class ElementwiseSpline(AbstractBijection):
    """A monotonic rational-quadratic spline on each column: the data side is the splines' argument.

    Args:
        splines: one `Spline` whose arrays carry a leading axis of length `columns`.
    """

    splines: Spline

    def forward(self, z: Event, context: Context = None) -> tuple[Event, Scalar]:
        x, log_slopes = jax.vmap(Spline.inverse)(self.splines, z)
        return x, log_slopes.sum()

    def inverse(self, x: Event, context: Context = None) -> tuple[Event, Scalar]:
        z, log_slopes = jax.vmap(Spline.__call__)(self.splines, x)
        return z, log_slopes.sum()


class Chain(AbstractBijection):
    """Several bijections in a row: `forward` applies the first one first.

    Args:
        parts: the bijections.
    """

    parts: tuple[AbstractBijection, ...]

    def forward(self, z: Array, context: Context = None) -> tuple[Array, Scalar]:
        total = jnp.zeros((), z.dtype)
        for part in self.parts:
            z, log_det = part.forward(z, context)
            total += log_det
        return z, total

    def inverse(self, x: Array, context: Context = None) -> tuple[Array, Scalar]:
        total = jnp.zeros((), x.dtype)
        for part in reversed(self.parts):
            x, log_det = part.inverse(x, context)
            total += log_det
        return x, total


@runtime_checkable
class Conditioner(Protocol):
    """Gives each column its map, which may depend on earlier columns only."""

    def __call__(self, x: Event, context: Context = None) -> AbstractBijection:
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

    def forward(self, z: Event, context: Context = None) -> tuple[Event, Scalar]:
        def settle_one_more(_: Integer[Array, ""], x: Float[Array, " columns"]) -> Float[Array, " columns"]:
            return self.conditioner(x, context).forward(z, context)[0]

        # After pass i the first i columns of the order are right, and they no longer change.
        x = jax.lax.fori_loop(0, z.size, settle_one_more, z)
        return x, -self.inverse(x, context)[1]

    def inverse(self, x: Event, context: Context = None) -> tuple[Event, Scalar]:
        return self.conditioner(x, context).inverse(x, context)
