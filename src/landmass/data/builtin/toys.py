"""Toys: small distributions on the plane with an exact density, the usual first test of a density model."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from landmass.data.builtin.truth import Truth
from landmass.data.schema import Bounded, Schema

_BLOCK = 4_096  # events whose density is worked out at once, which bounds the memory


class SmoothToy(Truth):
    """A distribution on the plane, smooth on a known scale and negligible outside a window."""

    @property
    def schema(self) -> Schema:
        """Two real columns, x1 and x2."""
        return Schema.real(["x1", "x2"])

    @property
    @abstractmethod
    def window(self) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
        """Lower and upper corner of a box with all but 1e-15 of the mass."""

    @property
    @abstractmethod
    def scale(self) -> float:
        """The least standard deviation of any part of the density."""

    @cached_property
    def entropy(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Minus the integral of p log p, in nats; the error is below 1e-9."""
        return self.entropy_at(self.scale / 3)

    def entropy_at(self, step: float) -> float:
        """Entropy by the trapezoidal rule, whose error falls faster than any power of `step` here.

        Args:
            step: distance between neighbouring grid points, the same on both axes.
        """
        low, high = self.window
        x1, x2 = (np.arange(a, b + step, step) for a, b in zip(low, high, strict=True))
        grid = np.stack(np.meshgrid(x1, x2), axis=-1).reshape(-1, 2)
        total = 0.0
        for start in range(0, len(grid), _BLOCK):
            log_p = self._log_prob(grid[start : start + _BLOCK])
            total -= float((np.exp(log_p) * log_p).sum())
        return total * step**2


@dataclass(frozen=True, eq=False)
class GaussianMixture(SmoothToy):
    """A mixture of Gaussians on the plane.

    Args:
        weights: shape (parts,), positive, adding to one.
        means: shape (parts, 2).
        covariances: shape (parts, 2, 2), positive definite.
    """

    weights: Float[np.ndarray, " parts"]
    means: Float[np.ndarray, "parts 2"]
    covariances: Float[np.ndarray, "parts 2 2"]

    @property
    def window(self) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
        """Nine standard deviations around every mean."""
        reach = 9.0 * np.sqrt(np.diagonal(self.covariances, axis1=1, axis2=2))
        return (self.means - reach).min(axis=0), (self.means + reach).max(axis=0)

    @property
    def scale(self) -> float:
        """The narrowest part's standard deviation across its short axis."""
        return math.sqrt(np.linalg.eigvalsh(self.covariances).min())

    def sample(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "events 2"]:
        """Draw a part for each event, then the event.

        Args:
            n: number of events.
            rng: the source of randomness; it moves on.
        """
        part = rng.choice(len(self.weights), size=n, p=self.weights)
        noise = rng.standard_normal((n, 2))
        return self.means[part] + np.einsum("nij,nj->ni", np.linalg.cholesky(self.covariances)[part], noise)

    def _log_prob(self, X: Float[np.ndarray, "events 2"]) -> Float[np.ndarray, " events"]:
        factor = np.linalg.cholesky(self.covariances)
        white = np.einsum("kij,nkj->nki", np.linalg.inv(factor), X[:, None, :] - self.means)
        log_det = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        log_parts = -0.5 * (white**2).sum(axis=2) - math.log(2 * math.pi) - log_det
        return np.asarray(logsumexp(np.log(self.weights) + log_parts, axis=1))


@dataclass(frozen=True, eq=False)
class Moons(SmoothToy):
    """Two interleaved half circles of radius 1 with Gaussian noise, as in scikit-learn's `make_moons`.

    The density is an integral over each arc. Gauss-Legendre quadrature gives its logarithm to 1e-9 within ten
    units of the moons' middle, at the default noise and nodes.

    Args:
        noise: standard deviation across and along the arcs.
        nodes: quadrature points on each arc.
    """

    noise: float = 0.1
    nodes: int = 192

    @property
    def window(self) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
        """Nine standard deviations around both arcs."""
        reach = 9.0 * self.noise
        return np.array([-1.0 - reach, -0.5 - reach]), np.array([2.0 + reach, 1.0 + reach])

    @property
    def scale(self) -> float:
        """The noise."""
        return self.noise

    def sample(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "events 2"]:
        """Draw a moon, a place on its arc and the noise for each event.

        Args:
            n: number of events.
            rng: the source of randomness; it moves on.
        """
        moon = rng.integers(2, size=n)
        angle = rng.uniform(0.0, math.pi, size=n)
        return np.stack(self._arcs(angle))[moon, np.arange(n)] + self.noise * rng.standard_normal((n, 2))

    @cached_property
    def _quadrature(self) -> tuple[Float[np.ndarray, "centres 2"], Float[np.ndarray, " centres"]]:
        """Points along both arcs, and weights that add to one."""
        node, weight = np.polynomial.legendre.leggauss(self.nodes)  # on [-1, 1]; the weights add to two
        return np.concatenate(self._arcs(0.5 * math.pi * (node + 1.0))), np.tile(weight, 2) / 4.0

    @staticmethod
    def _arcs(angle: Float[np.ndarray, " n"]) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]]:
        """The points of the upper and of the lower moon at an angle in [0, pi]."""
        upper = np.column_stack([np.cos(angle), np.sin(angle)])
        return upper, np.array([1.0, 0.5]) - upper

    def _log_prob(self, X: Float[np.ndarray, "events 2"]) -> Float[np.ndarray, " events"]:
        blocks = [self._log_prob_block(X[start : start + _BLOCK]) for start in range(0, len(X), _BLOCK)]
        return np.concatenate([np.empty(0), *blocks])

    def _log_prob_block(self, X: Float[np.ndarray, "events 2"]) -> Float[np.ndarray, " events"]:
        centres, weights = self._quadrature
        # p(x) = mean over both moons of the mean over the arc of N(x; centre, noise² I), and
        # |x - centre|² = |x|² - 2 x·centre + |centre|²: a matrix product is much faster than differences.
        variance = self.noise**2
        exponent = X @ (centres.T / variance) - 0.5 * (centres**2).sum(axis=1) / variance
        highest = exponent.max(axis=1, keepdims=True)
        total = np.exp(exponent - highest) @ weights
        log_scale = -0.5 * (X**2).sum(axis=1) / variance - math.log(2 * math.pi * variance)
        return log_scale + highest[:, 0] + np.log(total)


@dataclass(frozen=True, eq=False)
class Pinwheel(SmoothToy):
    """A mixture of Gaussians twisted about the origin, by an angle that grows with the distance from it.

    A turn by an angle that depends on the radius alone moves each circle within itself and so keeps areas:
    the density is the mixture's at the untwisted point, and the entropy is the mixture's.

    Args:
        base: the mixture before the twist.
        twist: radians per unit of radius.
    """

    base: GaussianMixture
    twist: float

    @property
    def window(self) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
        """The square around the circle that holds the base's window."""
        reach = np.full(2, np.hypot(*np.abs(self.base.window).max(axis=0)))
        return -reach, reach

    @property
    def scale(self) -> float:
        """The base's scale: the twist narrows the arms only a little."""
        return self.base.scale

    @property
    def entropy(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The base's entropy, in nats."""
        return self.base.entropy

    def sample(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "events 2"]:
        """Draw events of the base and twist them.

        Args:
            n: number of events.
            rng: the source of randomness; it moves on.
        """
        return _turn(self.base.sample(n, rng), self.twist)

    def _log_prob(self, X: Float[np.ndarray, "events 2"]) -> Float[np.ndarray, " events"]:
        return self.base._log_prob(_turn(X, -self.twist))


class Checkerboard(Truth):
    """Uniform on the eight squares of one colour on a board of sixteen, from -4 to 4 on both axes."""

    @property
    def schema(self) -> Schema:
        """Two columns bounded by the board, x1 and x2."""
        return Schema(tuple(Bounded(name=name, low=-4.0, high=4.0) for name in ("x1", "x2")))

    @property
    def entropy(self) -> float:
        """Log of the area of eight squares of side two, in nats."""
        return math.log(8 * 2.0**2)

    def sample(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "events 2"]:
        """Draw a square for each event, then a place in it.

        Args:
            n: number of events.
            rng: the source of randomness; it moves on.
        """
        column, pair = rng.integers(4, size=n), rng.integers(2, size=n)
        corner = np.column_stack([column, 2 * pair + column % 2])
        return -4.0 + 2.0 * (corner + rng.random((n, 2)))

    def _log_prob(self, X: Float[np.ndarray, "events 2"]) -> Float[np.ndarray, " events"]:
        on_board = (np.abs(X) <= 4.0).all(axis=1)
        # The board's upper edges belong to its last squares.
        square = np.clip(np.floor((X + 4.0) / 2.0), 0, 3)
        return np.where(on_board & (square.sum(axis=1) % 2 == 0), -self.entropy, -np.inf)


def eight_gaussians() -> GaussianMixture:
    """Eight equal round Gaussians on a circle of radius 2, each of standard deviation 0.2."""
    angle = np.arange(8) * math.pi / 4
    return GaussianMixture(
        weights=np.full(8, 1 / 8),
        means=2.0 * np.column_stack([np.cos(angle), np.sin(angle)]),
        covariances=np.tile(0.2**2 * np.eye(2), (8, 1, 1)),
    )


def pinwheel() -> Pinwheel:
    """Five arms at radius 2, of deviations 0.6 outward and 0.2 across, twisted by half a radian a unit."""
    turns = np.array([_rotation(angle) for angle in 2 * math.pi / 5 * np.arange(5)])
    return Pinwheel(
        base=GaussianMixture(
            weights=np.full(5, 1 / 5),
            means=turns @ np.array([2.0, 0.0]),
            covariances=turns @ np.diag([0.6**2, 0.2**2]) @ turns.transpose(0, 2, 1),
        ),
        twist=0.5,
    )


def mixture() -> GaussianMixture:
    """Three correlated Gaussians of unequal weight: one Gaussian beats a box, and three beat one."""
    return GaussianMixture(
        weights=np.array([0.5, 0.3, 0.2]),
        means=np.array([[-2.0, -1.0], [2.0, 0.0], [1.0, 3.0]]),
        covariances=np.array([[[1.0, 0.8], [0.8, 1.0]], [[0.5, -0.4], [-0.4, 0.5]], [[1.0, 0.3], [0.3, 0.2]]]),
    )


def _rotation(angle: float) -> Float[np.ndarray, "2 2"]:
    """The matrix that turns the plane by an angle in radians."""
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def _turn(X: Float[np.ndarray, "events 2"], twist: float) -> Float[np.ndarray, "events 2"]:
    """Turn each point about the origin by `twist` times its radius."""
    angle = twist * np.hypot(X[:, 0], X[:, 1])
    cos, sin = np.cos(angle), np.sin(angle)
    return np.column_stack([cos * X[:, 0] - sin * X[:, 1], sin * X[:, 0] + cos * X[:, 1]])
