"""Likelihood made visible: the product of a data set's densities, and the likelihood as a surface over parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtr

from landmass.arrays import on_device
from landmass.core.capabilities import AbstractDensity
from landmass.core.distributions import Blend, Columnwise, Mixture, Normal
from landmass.data.space import Space
from landmass.errors import SettingError
from landmass.estimator.learned import LearnedEstimator
from landmass.types import HostEvents, LogDensities

# A surface falls by about this much, in nats, from its peak to the middle of its sides.
DROP = 8.0

# Numbers that stay above zero are moved by no more than this, in logarithms.
LARGEST_FACTOR = 10.0

# A surface is made of no more events than this.
MOST_EVENTS = 20_000

# Pairs of numbers that one compiled call takes.
FEW = 64


@dataclass(frozen=True)
class Product:
    """The likelihood of a data set, as the product that it is and as a sum of logarithms.

    Args:
        value: the product of all densities in float64.
        ended: events after which the product was exactly 0.0, or infinite, for good; None if it never was.
        log_likelihood: the sum of the log-densities, in nats.
        n: events.
    """

    value: float
    ended: int | None
    log_likelihood: float
    n: int


def product(log_density: LogDensities) -> Product:
    """Multiply the densities of a data set one after the other, as the definition says.

    Args:
        log_density: of each event.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        running = np.cumprod(np.exp(log_density))
    lost = (running == 0.0) | ~np.isfinite(running)
    ended = int(np.argmax(lost)) + 1 if lost.any() else None
    return Product(float(running[-1]), ended, float(log_density.sum()), len(log_density))


@dataclass(frozen=True)
class Entry:
    """One number of a fitted model, and how to vary it.

    Args:
        label: what the number is, in words.
        leaf: picks the model's array that holds it.
        index: its place in that array.
        start: the value to vary it around, in the model's coordinates.
        to_data: from the model's coordinates to the units of the data.
        ratio: whether it is varied by factors, because it must stay above zero.
    """

    label: str
    leaf: Callable[[Any], Array]
    index: tuple[int, ...]
    start: float
    to_data: Callable[[Float[np.ndarray, " values"]], Float[np.ndarray, " values"]]
    ratio: bool = False

    def moved(self, by: Float[np.ndarray, " values"]) -> Float[np.ndarray, " values"]:
        """The value moved by steps from its start."""
        return self.start * np.exp(by) if self.ratio else self.start + by

    def put(self, model: AbstractDensity, value: Float[Array, ""]) -> AbstractDensity:
        """The model with another value there."""
        return eqx.tree_at(self.leaf, model, self.leaf(model).at[self.index].set(value))


@dataclass(frozen=True, eq=False)
class Surface:
    """The log-likelihood of events as a function of two numbers of a model, the others staying as they are.

    Args:
        labels: of both numbers.
        axes: their values, in the units of the data.
        log_likelihood: minus that of the highest point, in nats, shape (first, second); -inf where it is impossible.
        peak: both numbers where it is highest.
        fitted: both numbers as they were fitted.
        n: events it is made of.
    """

    labels: tuple[str, str]
    axes: tuple[Float[np.ndarray, " first"], Float[np.ndarray, " second"]]
    log_likelihood: Float[np.ndarray, "first second"]
    peak: tuple[float, float]
    fitted: tuple[float, float]
    n: int


def surface(
    estimator: LearnedEstimator, X: HostEvents, entries: tuple[Entry, Entry] | None = None, side: int = 41
) -> Surface:
    """Vary two numbers of a fitted model about the optimum, and add up the log-likelihood of events at each pair.

    Args:
        estimator: fitted.
        X: the events it was fitted to; of more than 20,000 the first ones are taken.
        entries: the two numbers; None takes those of `entries_of`.
        side: values of each number, an odd number so that the start is among them.

    Raises:
        SettingError: no entries are given, and the family has no default ones.
    """
    z = on_device(estimator.space_.forward(X[:MOST_EVENTS])[0])
    entries = entries_of(estimator, X[:MOST_EVENTS]) if entries is None else entries
    if entries is None:
        raise SettingError(f"{type(estimator).__name__} has no two numbers to vary by default; pass `entries`")
    first, second = entries
    model = second.put(first.put(estimator.model_, jnp.float32(first.start)), jnp.float32(second.start))
    each = jax.vmap(model.log_prob)(z)

    @jax.jit
    def some_gains(values: Float[Array, "few 2"]) -> Float[Array, " few"]:
        def one(pair: Float[Array, " 2"]) -> Float[Array, ""]:
            changed = second.put(first.put(model, pair[0]), pair[1])
            # The sum of differences, not the difference of sums: float32 would lose the peak in the total.
            return (jax.vmap(changed.log_prob)(z) - each).sum()

        return jax.lax.map(one, values)

    def gains(pairs: Float[np.ndarray, "pairs 2"]) -> Float[np.ndarray, " pairs"]:
        filled = np.pad(pairs, ((0, -len(pairs) % FEW), (0, 0)), mode="edge").astype(np.float32)
        found = [np.asarray(some_gains(filled[i : i + FEW])) for i in range(0, len(pairs), FEW)]
        return np.concatenate(found)[: len(pairs)]

    middle = np.array([first.start, second.start])
    steps = []
    for i, entry in enumerate(entries):
        width = _width(gains, entry, i, middle)
        steps.append(entry.moved(np.linspace(-width, width, side)))
    pairs = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 2)
    found = gains(pairs).astype(np.float64).reshape(side, side)
    found = np.where(np.isnan(found), -np.inf, found)
    row, column = np.unravel_index(int(np.argmax(found)), found.shape)
    peak = found.max()
    axes = tuple(entry.to_data(values) for entry, values in zip(entries, steps, strict=True))
    fitted = [
        float(entry.to_data(np.array([entry.leaf(estimator.model_)[entry.index]], float))[0]) for entry in entries
    ]
    return Surface(
        (first.label, second.label),
        (axes[0], axes[1]),
        # Where no pair of numbers makes the events possible, there is no peak to measure from.
        found - peak if np.isfinite(peak) else found,
        (float(axes[0][row]), float(axes[1][column])),
        (fitted[0], fitted[1]),
        len(z),
    )


def entries_of(estimator: LearnedEstimator, X: HostEvents) -> tuple[Entry, Entry] | None:
    """Two telling numbers of a model that is a bell, a box, or a mixture of bells over a floor; None of any other.

    A bell's means, or with one column its mean and standard deviation; a box's upper edges, or with one column
    both edges, varied about the outermost events; the means of a mixture's heaviest bell.

    Args:
        estimator: fitted.
        X: the events it was fitted to.
    """
    model, space = estimator.model_, estimator.space_
    if isinstance(model, Columnwise):
        return _edges(model, space, X)
    if isinstance(model, Normal):
        if len(space) > 1:
            return _means(space, lambda m: m.mean, (), np.asarray(model.mean), "")
        mean = _mean(space, 0, lambda m: m.mean, (0,), float(model.mean[0]), "")
        scale = space.scale[0] if space.maps[0] == "affine" else 1.0
        where = "" if space.maps[0] == "affine" else ", on its map"
        label = f"standard deviation of {space.schema.names[0]}{where}"
        spread = Entry(
            label, lambda m: m.factor, (0, 0), float(np.asarray(model.factor)[0, 0]), lambda v: scale * v, ratio=True
        )
        return mean, spread
    if isinstance(model, Blend) and isinstance(model.parts[0], Mixture) and len(space) > 1:
        bells = model.parts[0].components
        if isinstance(bells, Normal):
            heaviest = int(np.argmax(model.parts[0].log_weights))
            means = np.asarray(bells.mean)[heaviest]
            return _means(space, lambda m: m.parts[0].components.mean, (heaviest,), means, " in the heaviest bell")
    return None


def _means(space: Space, leaf: Callable, place: tuple[int, ...], values: np.ndarray, where: str) -> tuple[Entry, Entry]:
    first, second = (_mean(space, i, leaf, (*place, i), float(values[i]), where) for i in (0, 1))
    return first, second


def _mean(space: Space, i: int, leaf: Callable, index: tuple[int, ...], start: float, where: str) -> Entry:
    # A monotonic map carries a median along, and a bell's median is its mean.
    word = "mean" if space.maps[i] == "affine" else "median"
    return Entry(f"{word} of {space.schema.names[i]}{where}", leaf, index, start, lambda v: _to_data(space, i, v))


def _edges(model: Columnwise, space: Space, X: HostEvents) -> tuple[Entry, Entry] | None:
    z = space.forward(X)[0]
    uniform = np.flatnonzero(~np.asarray(model.normal))
    if not len(uniform):
        return None

    def edge(i: int, upper: bool) -> Entry:
        start = float(z[:, i].max() if upper else z[:, i].min())
        leaf = (lambda m: m.high) if upper else (lambda m: m.low)
        name = f"{'upper' if upper else 'lower'} edge of {space.schema.names[i]}"
        return Entry(name, leaf, (i,), start, lambda v: _to_data(space, i, v))

    i, j = int(uniform[0]), int(uniform[min(1, len(uniform) - 1)])
    return edge(i, i != j), edge(j, True)


def _to_data(space: Space, i: int, values: Float[np.ndarray, " values"]) -> Float[np.ndarray, " values"]:
    """Coordinates of one column in the units of the data; unlike `Space.inverse` it may leave the bounds."""
    if space.maps[i] == "probit":
        return space.loc[i] + space.scale[i] * ndtr(values)
    x = space.loc[i] + space.scale[i] * values
    return np.exp(x) if space.maps[i] == "log" else x


def _width(
    gains: Callable[[Float[np.ndarray, "pairs 2"]], Float[np.ndarray, " pairs"]],
    entry: Entry,
    place: int,
    middle: Float[np.ndarray, " 2"],
) -> float:
    """How far to move one number until the log-likelihood has fallen by `DROP`, on the side where it is finite."""
    widths = 1e-5 * 1.25 ** np.arange(90)
    widths = widths[widths < LARGEST_FACTOR] if entry.ratio else widths
    pairs = np.tile(middle, (2 * len(widths), 1))
    pairs[:, place] = entry.moved(np.concatenate([-widths, widths]))
    drops = -gains(pairs).reshape(2, -1)
    # Beyond the last float32 every move is impossible, and says nothing.
    far = np.where(np.isfinite(drops), drops, -np.inf).max(axis=0) >= DROP
    return float(widths[int(np.argmax(far))]) if far.any() else 1.0
