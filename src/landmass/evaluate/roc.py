"""Shares and areas under ROC curves, with their intervals: what is found of a sample, and what may be chance."""

import math
from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.stats import beta, rankdata

# Standard errors of a two-sided interval of 95%, and the chance that it leaves on each side.
ERRORS, TAIL = 1.959964, 0.025

Scores = Shaped[np.ndarray, " events"]


class Interval(NamedTuple):
    """A value from 0 to 1 with its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"

    @property
    def percent(self) -> str:
        """The same in percent."""
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%})"

    @classmethod
    def of_share(cls, share: float, trials: float) -> Self:
        """The interval of Clopper & Pearson 1934.

        Args:
            share: of the trials that succeeded.
            trials: how many were independent, which need not be a whole number.
        """
        hits = share * trials
        low = beta.ppf(TAIL, hits, trials - hits + 1.0) if hits > 0.0 else 0.0
        high = beta.ppf(1.0 - TAIL, hits + 1.0, trials - hits) if hits < trials else 1.0
        return cls(share, float(low), float(high))

    @classmethod
    def of_mean(cls, value: float, error: float) -> Self:
        """A mean with a standard error; the interval is cut at 0 and 1."""
        return cls(value, max(value - ERRORS * error, 0.0), min(value + ERRORS * error, 1.0))


class Placements(NamedTuple):
    """For each event, the share of events of the other class that its score puts on the right side; a tie is a half.

    Args:
        positive: of the events that should score high.
        negative: of those that should score low.

    Source: DeLong, DeLong & Clarke-Pearson 1988; by ranks, as Sun & Xu 2014.
    """

    positive: Float[np.ndarray, " positive"]
    negative: Float[np.ndarray, " negative"]

    @classmethod
    def of(cls, scores: Scores, positive: Bool[np.ndarray, " events"]) -> Self:
        """Of scores, and which events should score high."""
        ranks, high = rankdata(scores), positive.sum()
        low = len(scores) - high
        return cls(
            (ranks[positive] - rankdata(scores[positive])) / low,
            1.0 - (ranks[~positive] - rankdata(scores[~positive])) / high,
        )

    def __sub__(self, other: "Placements") -> "Placements":
        return Placements(self.positive - other.positive, self.negative - other.negative)

    @property
    def area(self) -> float:
        """Under the ROC curve."""
        return float(self.positive.mean())

    @property
    def variance(self) -> float:
        """Of the area."""
        if all((each == 0.5).all() for each in self):
            # One score for all events tells as little as scores drawn blindly, and no more surely.
            return blind_variance(*map(len, self))
        return sum(float(each.var(ddof=1)) / len(each) for each in self)


def blind_variance(high: int, low: int) -> float:
    """The variance of the area under the ROC curve of scores that are drawn blindly.

    Args:
        high: how many events should score high.
        low: how many should score low.

    Source: Mann & Whitney 1947.
    """
    return (high + low + 1.0) / (12.0 * high * low)


def true_positives(scores: Scores, positive: Bool[np.ndarray, " events"], false: float) -> float:
    """The share of positive events that a threshold finds which some share of the negative ones exceeds.

    Of events that score the threshold itself as many count as bring the negative ones to that share.

    Args:
        scores: of events.
        positive: which of them should score high.
        false: share of the negative events that may exceed the threshold, above 0 and below 1.
    """
    high, low = scores[positive], np.sort(scores[~positive])[::-1]
    at = low[math.floor(false * len(low))]
    part = (false - (low > at).mean()) / (low == at).mean()
    return float((high > at).mean() + part * (high == at).mean())
