"""Outliers: events less likely than held-out ones are, with tail probabilities that hold, and the cells to blame."""

from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from jaxtyping import Float, Integer
from scipy.stats import mannwhitneyu
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import Tags, check_random_state, get_tags
from sklearn.utils.validation import check_is_fitted

from landmass.data.batches import MOST_HELD, held_back
from landmass.data.dataset import Dataset
from landmass.data.pieces import Pieces
from landmass.errors import DataError, SettingError
from landmass.estimator.base import require
from landmass.estimator.density import DensityEstimator
from landmass.evaluate.cells import beside, in_words
from landmass.types import CellScores, LogDensities

# Draws from the density that what is usual in each column is the mean of.
DRAWS = 512

# A cell is told as strange up to this tail probability.
ODD = 0.05

Chances = Float[np.ndarray, " events"]
"""Probabilities, one an event."""


@dataclass(eq=False, repr=False)
class OutlierDetector(OutlierMixin, BaseEstimator):
    """Calls events outliers that a density holds less likely than events which it has not learned from.

    `fit` teaches a copy of the density on one part of the events, and ranks events among the rest, which it kept aside.
    So tail probabilities hold however well the density fits: of events like these, at most a share `a` has one of at
    most `a`. `calibrate` takes a fitted density as it is, and ranks events among some that it has not seen; that takes
    seconds, and a saved density can be calibrated again after `landmass.load`.

    A low density alone means little: it depends on how columns are measured, and the likeliest event may be one that
    never comes. `typicality` looks at both ends. In tables, probabilities of words stand beside densities of numbers,
    and piles at one value beside its neighbours: there `by="cells"` is the better measure, by which an event is as
    strange as the cell is that goes least with the rest of its row.

    Args:
        density: an estimator of a density with a likelihood; `fit` leaves it as it is.
        by: what events are ranked by: their density, or the least of their cells' tails, as `cell_tails` tells them.
        false_alarms: share of usual events that may be called outliers. With n events kept aside no tail probability is
            below 1 / (n + 1), and at a smaller share nothing is called an outlier.
        calibration_fraction: share of the events that `fit` keeps aside; copies of an event stay on one side.
        random_state: seed of the choice, and of the density if it has none of its own.

    Attributes:
        density_: the fitted density.
        calibration_: the events kept aside.
        ranked_: what `score_samples` gives of them, from low to high.
        offset_: the least score that is no outlier's; -inf where there are too few events to call any one so.

    Example:
        >>> import landmass
        >>> events = np.random.default_rng(0).normal(size=(1000, 2))
        >>> detector = OutlierDetector(landmass.Gaussian(), random_state=0).fit(events)
        >>> detector.predict([[0.1, 0.2], [4.0, -3.0]])
        array([ 1, -1])

    Source: Vovk, Gammerman & Shafer 2005; Bates, Candès, Lei, Romano & Sesia 2023 (held-out ranks of outliers).
    """

    density: Any
    _: KW_ONLY
    by: Literal["density", "cells"] = "density"
    false_alarms: float = 0.05
    calibration_fraction: float = 0.2
    random_state: int | np.random.RandomState | None = None

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit a copy of the density to a part of the events, and calibrate on the rest.

        Args:
            X: events, in any form that the density's `fit` takes.
            y: ignored.

        Returns:
            The detector itself.

        Raises:
            DataError: the events cannot be modelled, or have weights.
            SettingError: a setting is out of range, or the density has no likelihood.
            FitError: training could not go on.
        """
        self._check()
        density, seed = self.density.fresh(), int(check_random_state(self.random_state).randint(2**31 - 1))
        if density.get_params(deep=False).get("random_state", 0) is None:
            density.set_params(random_state=seed)
        data = X if isinstance(X, Pieces) else density._read(X)
        data.check_fit()
        train, rest = held_back(data, seed, self.calibration_fraction)
        if isinstance(data, Pieces) and isinstance(rest, Dataset) and not data.weighed:
            # Pieces give copies as one event of their weight.
            rest = rest.in_copies(MOST_HELD, seed)
        self._rank(density.fit(train), rest)
        return self

    def calibrate(self, X: Any) -> Self:
        """Take the density as it is fitted, and rank events against these.

        Args:
            X: events that the density has not learned from, in any form that its `fit` takes; else its outliers look
                rarer than they are.

        Returns:
            The detector itself.

        Raises:
            DataError: the events are not of the density's columns, or have weights.
            SettingError: a setting is out of range, or the density has no likelihood.
        """
        self._check()
        check_is_fitted(self.density)
        self._rank(self.density, self.density._read_again(X))
        return self

    def score_samples(self, X: Any) -> LogDensities:
        """What events are ranked by: log-densities, in nats, in the units of the data, or logs of their least tails.

        Args:
            X: events, in any form that `fit` takes.

        Raises:
            DataError: cells are asked about, and the events are images, or cells of rows of numbers are missing.
            SettingError: cells are asked about, and the likelihood is not exact.
        """
        check_is_fitted(self)
        if self.by == "density":
            return self.density_.score_samples(X)
        # A cell that is not told says nothing; where none is, the whole row is impossible.
        least = np.nan_to_num(self.density_.cell_tails(X), nan=np.inf).min(1)
        with np.errstate(divide="ignore"):
            return np.log(np.where(np.isinf(least), 0.0, least))

    def decision_function(self, X: Any) -> LogDensities:
        """How far each event's score lies above the least that is no outlier's: below zero for outliers.

        Args:
            X: events, in any form that `fit` takes.
        """
        scores = self.score_samples(X)
        with np.errstate(invalid="ignore"):
            return np.where(scores == self.offset_, 0.0, scores - self.offset_)

    def predict(self, X: Any) -> Integer[np.ndarray, " events"]:
        """-1 for each outlier, whose tail probability is at most `false_alarms`, and 1 for other events.

        Args:
            X: events, in any form that `fit` takes.
        """
        return np.where(self.decision_function(X) < 0.0, -1, 1)

    def tail_probability(self, X: Any) -> Chances:
        """How likely it is that a usual event scores so low: its rank among those kept aside.

        Of events like these, at most a share `a` has a tail probability of at most `a`.

        Args:
            X: events, in any form that `fit` takes.
        """
        return self._at_most(self.score_samples(X))

    def typicality(self, X: Any) -> Chances:
        """How likely it is that a usual event scores so low, or so high: twice the rank from the nearer end.

        An event far likelier than usual ones, such as the very middle of many columns, is no less strange than one far
        less likely.

        Args:
            X: events, in any form that `fit` takes.
        """
        scores = self.score_samples(X)
        above = 1.0 + len(self.ranked_) - np.searchsorted(self.ranked_, scores, side="left")
        return np.minimum(2.0 * np.minimum(self._at_most(scores), above / (len(self.ranked_) + 1.0)), 1.0)

    def typicality_of_all(self, X: Any) -> float:
        """How likely it is that so many usual events differ so much, taken together, from those kept aside.

        What is compared are ranks of scores: one event of density zero would make a mean infinite.

        Args:
            X: events, in any form that `fit` takes.

        Source: Nalisnick, Matsukawa, Teh & Lakshminarayanan 2019; Mann & Whitney 1947.
        """
        return float(mannwhitneyu(self.score_samples(X), self.ranked_).pvalue)

    def contributions(self, X: Any) -> CellScores:
        """How far each cell's log-density, given the others of its row, lies above what is usual in its column.

        In nats; what is usual is the mean over draws from the density. NaN where the others are impossible themselves.

        Args:
            X: rows, in any form that `fit` takes.

        Returns:
            Shape (events, columns).

        Raises:
            DataError: the events are images, or cells of rows of numbers are missing.
            SettingError: the likelihood is not exact.
        """
        check_is_fitted(self)
        return self.density_.score_cells(X) - self.usual_

    def explain(self, X: Any) -> list[str]:
        """The cell of each row that goes least with the rest, in a sentence.

        Densities of which any columns can be summed out exactly also tell the one cell that it goes with least.

        Args:
            X: rows, in any form that `fit` takes.

        Raises:
            DataError: the events are images, or cells of rows of numbers are missing.
            SettingError: the likelihood is not exact.
        """
        check_is_fitted(self)
        events: Any = self.density_._read_again(X)
        columns, found = self.density_.data_.schema.columns, []
        for row, tails in enumerate(np.nan_to_num(self.density_.cell_tails(events), nan=1.0)):
            place = int(tails.argmin())
            if tails[place] > ODD:
                found.append("no single cell stands out")
                continue
            event = events.take(np.array([row]))
            said = in_words(event.X[0], columns, place, beside(self.density_, event, place))
            found.append(f"{said}: tail probability {tails[place]:.2g} given the rest")
        return found

    @cached_property
    def usual_(self) -> Float[np.ndarray, " columns"]:
        """Each column's mean log-density given the others, over draws from the density."""
        X, nothing = self.density_._draw(DRAWS, np.random.RandomState(0)), self.density_.data_
        scores = self.density_.score_cells(replace(nothing, X=X, incomplete=bool(np.isnan(X).any())))
        return np.nanmean(np.where(np.isfinite(scores), scores, np.nan), axis=0)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.density).input_tags
        return tags

    def _check(self) -> None:
        """Refuse settings out of range, and a density without a likelihood."""
        require(self, "by", self.by in ("density", "cells"), "'density' or 'cells'")
        for name in ("false_alarms", "calibration_fraction"):
            share = getattr(self, name)
            require(
                self, name, isinstance(share, float | np.floating) and 0.0 < share < 1.0, "a number between 0 and 1"
            )
        if not (isinstance(self.density, DensityEstimator) and self.density._is_density):
            raise SettingError(
                "OutlierDetector needs a density with a likelihood, such as landmass.GaussianMixture(), "
                f"got {type(self.density).__name__}; of a fitted ladder take ladder.last_, and calibrate(ladder.test_)"
            )

    def _rank(self, density: DensityEstimator, events: Any) -> None:
        """Keep a fitted density, and the ranks of events that it has not learned from."""
        if isinstance(events, Dataset) and events.weight is not None and (events.weight != 1.0).any():
            raise DataError("events to calibrate on count once each, and these have weights; give copies instead")
        vars(self).pop("usual_", None)
        self.density_, self.calibration_, self.n_features_in_ = density, events, density.n_features_in_
        self.ranked_ = np.sort(self.score_samples(events))
        # As many ranks are small enough as tail probabilities are: those of the events below the first that is not.
        chances = np.arange(1.0, len(self.ranked_) + 2.0) / (len(self.ranked_) + 1.0)
        few = int(np.searchsorted(chances, self.false_alarms, side="right"))
        self.offset_ = float(self.ranked_[few - 1]) if few else -np.inf

    def _at_most(self, scores: LogDensities) -> Chances:
        """The share of events kept aside, and of the event itself, that are no likelier."""
        return (1.0 + np.searchsorted(self.ranked_, scores, side="right")) / (len(self.ranked_) + 1.0)
