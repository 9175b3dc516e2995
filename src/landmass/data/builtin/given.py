"""How the cells of one column are distributed, once a few whole numbers are given on which all columns depend."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from scipy import stats
from scipy.special import entr

# Of an hour on a clock of 24.
RADIANS = math.tau / 24.0

Numbers = Shaped[np.ndarray, "..."]
"""Of shapes that fit each other."""


class Head(NamedTuple):
    """What the other columns depend on, in whole numbers.

    Args:
        title: the place of the job title.
        visits: how many there were.
        subscribes: 1 of those who do, else 0.
        purpose: what they have come for, which nobody sees: 0, 1 or 2.
    """

    title: Numbers
    visits: Numbers
    subscribes: Numbers
    purpose: Numbers


class Given(ABC):
    """The distribution of one column's cells, given the head of their rows."""

    @abstractmethod
    def log_prob(self, x: Numbers, head: Head) -> Numbers:
        """Log-probability, or log-density, of cells."""

    @abstractmethod
    def sample(self, head: Head, rng: np.random.Generator) -> Float[np.ndarray, " events"]:
        """A cell for each row."""

    @abstractmethod
    def entropy(self, head: Head) -> Numbers:
        """Of a cell, in nats."""


@dataclass(frozen=True)
class Counted(Given):
    """Whole numbers from a first one, with a table of chances for each purpose."""

    chances: Float[np.ndarray, "purposes values"]
    first: int = 0

    def log_prob(self, x: Numbers, head: Head) -> Numbers:
        place, inside = places(x - self.first, self.chances.shape[1])
        return np.where(inside, np.log(self.chances)[head.purpose, place], -np.inf)

    def sample(self, head: Head, rng: np.random.Generator) -> Float[np.ndarray, " events"]:
        # The tables stand one after the other, the first from 0 to 1.
        ends = (np.cumsum(self.chances, axis=1)[:, :-1] + np.arange(len(self.chances))[:, None]).ravel()
        passed = np.searchsorted(ends, head.purpose + rng.random(len(head.purpose)), side="right")
        return (passed - head.purpose * (self.chances.shape[1] - 1) + self.first).astype(float)

    def entropy(self, head: Head) -> Numbers:
        return entr(self.chances).sum(axis=1)[head.purpose]


@dataclass(frozen=True)
class Hours(Given):
    """Hours of the day, each purpose's about one of its own (von Mises)."""

    about: Float[np.ndarray, " purposes"]
    closely: Float[np.ndarray, " purposes"]

    def log_prob(self, x: Numbers, head: Head) -> Numbers:
        angle = (x - self.about[head.purpose]) * RADIANS
        return stats.vonmises.logpdf(angle, self.closely[head.purpose]) + math.log(RADIANS)

    def sample(self, head: Head, rng: np.random.Generator) -> Float[np.ndarray, " events"]:
        return (self.about[head.purpose] + rng.vonmises(0.0, self.closely[head.purpose]) / RADIANS) % 24.0

    def entropy(self, head: Head) -> Numbers:
        return stats.vonmises.entropy(self.closely[head.purpose]) - math.log(RADIANS)


@dataclass(frozen=True)
class Measured(Given):
    """Numbers with a density, but for one value, or the empty cell, which has a chance of its own.

    Args:
        special: the value; NaN is the empty cell.
        chance: of it, from 0 to 1 and neither.
        rest: SciPy's distribution of all other values.
    """

    special: float
    chance: Callable[[Head], Numbers]
    rest: Callable[[Head], Any]

    def log_prob(self, x: Numbers, head: Head) -> Numbers:
        is_special = np.isnan(x) if math.isnan(self.special) else x == self.special
        chance, density = self.chance(head), self.rest(head).logpdf(np.where(is_special, 0.5, x))
        return np.where(is_special, np.log(chance), np.log1p(-chance) + density)

    def sample(self, head: Head, rng: np.random.Generator) -> Float[np.ndarray, " events"]:
        n = len(head.purpose)
        is_special = rng.random(n) < self.chance(head)
        return np.where(is_special, self.special, self.rest(head).rvs(n, random_state=rng))

    def entropy(self, head: Head) -> Numbers:
        chance = self.chance(head)
        return entr(chance) + entr(1.0 - chance) + (1.0 - chance) * self.rest(head).entropy()


def places(x: Numbers, size: int) -> tuple[Int[np.ndarray, "..."], Bool[np.ndarray, "..."]]:
    """Numbers as places of a table of some size, and whether they are such; 0 where they are not."""
    inside = (x == np.rint(x)) & (x >= 0) & (x < size)
    return np.where(inside, x, 0).astype(int), inside
