"""Visitors of a site: rows of columns of every kind, whose distribution is known exactly."""

import math
from collections.abc import Collection
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy import stats
from scipy.special import entr, expit, log_expit, log_softmax, logsumexp, softmax

from landmass.data.builtin.given import Counted, Given, Head, Hours, Measured, Numbers, places
from landmass.data.builtin.truth import Truth
from landmass.data.schema import Boolean, Bounded, Category, Circular, Datetime, Integer, Positive, Real, Schema
from landmass.errors import DataError

# The first five subscribe as they visit more often, the others are annoyed.
TITLES = ("analyst", "baker", "editor", "nurse", "teacher", "clerk", "driver", "judge", "pilot", "smith")
WAY = np.repeat([1.0, -1.0], 5)

# Visits are fewer than this; the number at which all titles subscribe alike; what a visit more does to the log-odds.
VISITS, MIDDLE, SLOPE = 21, 10.0, 0.9

# From here on, three numbers are those of who looks around, who reads, and who buys. Their log-odds at no visit, and
# what one more does to these.
FIRST, LATER = np.array([2.0, 0.5, -2.5]), np.array([-0.15, 0.0, 0.2])

CHANNELS = ("advert", "link", "mail", "print", "search")
CHANNEL = np.array([[0.35, 0.2, 0.05, 0.004, 0.396], [0.05, 0.4, 0.1, 0.0005, 0.4495], [0.1, 0.05, 0.6, 0.001, 0.249]])

# The first day of 2024, how many that year has, and how they are spread over it (beta-binomial).
NEW_YEAR, DAYS, SEASON = 19_723, 366, ((2.0, 5.0), (4.0, 4.0), (9.0, 3.0))

# The hour about which they come, and how closely.
HOUR, CLOSELY = np.array([14.0, 21.0, 18.0]), np.array([1.5, 4.0, 8.0])

# Log-odds to spend nothing, and what a subscription does to them.
NOTHING, LOYAL = np.array([3.5, 2.0, -1.0]), -1.0

# Logarithms of what else is spent: their mean, what a visit more does to it, and their deviation.
SPENT, MORE, SPREAD = np.array([1.0, 2.0, 3.0]), 0.06, 0.7

# The share of the page that is read (beta), and how often that is not known.
READ, BLOCKED = np.array([[1.2, 5.0, 2.0], [4.0, 1.5, 2.0]]), np.array([0.3, 0.05, 0.1])

# The mean rating, and what a subscription adds; how often none is given without a subscription, and with one.
RATING, PLEASED, SILENT = np.array([-0.5, 0.5, 1.0]), 0.6, np.array([0.8, 0.3])

COLUMNS: dict[str, Given] = {
    "channel": Counted(CHANNEL),
    "day": Counted(np.array([stats.betabinom.pmf(np.arange(DAYS), DAYS - 1, *each) for each in SEASON]), NEW_YEAR),
    "hour": Hours(HOUR, CLOSELY),
    "spent": Measured(
        special=0.0,
        chance=lambda head: expit(NOTHING[head.purpose] + LOYAL * head.subscribes),
        rest=lambda head: stats.lognorm(SPREAD, scale=np.exp(SPENT[head.purpose] + MORE * head.visits)),
    ),
    "read": Measured(
        special=math.nan,
        chance=lambda head: BLOCKED[head.purpose],
        rest=lambda head: stats.beta(*READ[:, head.purpose]),
    ),
    "rating": Measured(
        special=math.nan,
        chance=lambda head: SILENT[head.subscribes],
        rest=lambda head: stats.norm(RATING[head.purpose] + PLEASED * head.subscribes),
    ),
}
"""Of the columns behind the head none depends on another, once the head is given."""

# What is left to guess of the purpose when a whole row is seen: mean entropy in nats of 100 million draws, a million at
# a time from seed 0. Its standard error is 0.00002.
UNSEEN = 0.095588

# Events of which unknowns are summed out at once, which bounds the memory.
BLOCK = 1_024

Rows = Float[np.ndarray, "events columns"]
Nats = Float[np.ndarray, " events"]


class Visitors(Truth):
    """Who comes to a site, when, and what they do there.

    Visitors have a job title and have been here so often, all equally likely; some titles subscribe as they come more
    often, the others turn away. What they have come for, nobody sees: to look around, to read or, as do those who come
    often, to buy. That decides on the channel, the day and the hour, on how much of the page is read, on what is spent
    and on the rating. Who has come often spends more at a time; who subscribes buys and rates more often, and rates
    better; who looks around often hides what is read.
    """

    @property
    def schema(self) -> Schema:
        """Nine columns, two of which may be empty."""
        return Schema(
            (
                Category(name="job_title", levels=TITLES),
                Integer(name="site_visits", least=0, most=VISITS - 1),
                Boolean(name="subscribes"),
                Category(name="channel", levels=CHANNELS),
                Datetime(name="day"),
                Circular(name="hour", low=0.0, high=24.0, unit="hour"),
                Positive(name="spent", atoms=(0.0,), unit="euro"),
                Bounded(name="read", low=0.0, high=1.0, unit="page", nullable=True),
                Real(name="rating", unit="point", nullable=True),
            )
        )

    def sample(self, n: int, rng: np.random.Generator) -> Rows:
        """Draw who comes and what for, then all that depends on it.

        Args:
            n: number of events.
            rng: the source of randomness; it moves on.
        """
        title, visits = rng.integers(len(TITLES), size=n), rng.integers(VISITS, size=n)
        subscribes = (rng.random(n) < expit(subscribing(title, visits))).astype(int)
        ends = np.cumsum(softmax(FIRST + LATER * visits[:, None], axis=1), axis=1)[:, :-1]
        head = Head(title, visits, subscribes, (ends < rng.random((n, 1))).sum(axis=1))
        return np.column_stack([*head[:3], *(column.sample(head, rng) for column in COLUMNS.values())])

    @cached_property
    def entropy(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """In closed form, but for a constant that was measured with a standard error of 0.00002 nats."""
        head = Head(*_FREE)
        chance = np.exp(_log_head(head))
        others = sum(column.entropy(head) for column in COLUMNS.values())
        # Of rows with their purposes, less that of the purpose once its row is seen.
        return float((entr(chance) + chance * others).sum()) - UNSEEN

    def log_marginal(self, X: Rows, columns: Collection[str]) -> Nats:
        """Log-density of some columns, whatever the others hold.

        Args:
            X: whole events; what they hold in other columns is of no matter.
            columns: the names of those whose density it is.

        Raises:
            DataError: there is no such column.
        """
        if unknown := set(columns) - set(self.schema.names):
            raise DataError(f"there is no column {min(unknown)!r}; there are: {', '.join(self.schema.names)}")
        found = np.empty(len(X))
        for start in range(0, len(X), BLOCK):
            rows = slice(start, start + BLOCK)
            found[rows] = logsumexp(_log_joint(X[rows], columns), axis=(1, 2, 3, 4))
        return found

    def log_conditional(self, X: Rows, columns: Collection[str], given: Collection[str]) -> Nats:
        """Log-density of some columns given others, whatever the rest holds.

        Args:
            X: whole events; what they hold in the rest is of no matter.
            columns: the names of those whose density it is.
            given: the names of those that are given.
        """
        return self.log_marginal(X, {*columns, *given}) - self.log_marginal(X, given)

    def unseen(self, n: int, rng: np.random.Generator) -> Nats:
        """Entropy of the purpose given each of some rows that are drawn, in nats.

        Args:
            n: number of rows.
            rng: the source of randomness; it moves on.
        """
        X = self.sample(n, rng)
        return entr(softmax(_log_joint(X, self.schema.names), axis=-1)).sum(axis=(1, 2, 3, 4))

    def _log_prob(self, X: Rows) -> Nats:
        return self.log_marginal(X, self.schema.names)


# All values of the head, an axis each, behind an axis of events.
_FREE = np.ogrid[:1, : len(TITLES), :VISITS, :2, : len(FIRST)][1:]
_NAMES = ("job_title", "site_visits", "subscribes")


def subscribing(title: Int[np.ndarray, "..."], visits: Int[np.ndarray, "..."]) -> Numbers:
    """Log-odds to subscribe."""
    return SLOPE * WAY[title] * (visits - MIDDLE)


def _log_head(head: Head) -> Numbers:
    """Log-probability of heads, whose purposes are all there on the last axis."""
    told = log_expit(np.where(head.subscribes, 1.0, -1.0) * subscribing(head.title, head.visits))
    purpose = log_softmax(FIRST + LATER * head.visits, axis=-1)
    return told + purpose - math.log(len(TITLES) * VISITS)


def _log_joint(X: Rows, columns: Collection[str]) -> Numbers:
    """Log-density of some columns together with each head that they allow: an axis a part of it, behind the events'."""
    cells = dict(zip((*_NAMES, *COLUMNS), X.T[..., None, None, None, None], strict=True))
    title, visits, subscribes, purpose = _FREE
    (title, known), (visits, counted), (subscribes, told) = (
        places(cells[name] if name in columns else free, free.size)
        for name, free in zip(_NAMES, (title, visits, subscribes), strict=True)
    )
    head = Head(title, visits, subscribes, purpose)
    joint = _log_head(head) + sum(COLUMNS[name].log_prob(cells[name], head) for name in COLUMNS if name in columns)
    return np.where(known & counted & told, joint, -np.inf)
