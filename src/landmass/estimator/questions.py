"""Questions: what a density can be asked of which any columns can be summed out or given."""

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, cast

import jax
import numpy as np
from jaxtyping import Array, Float, Shaped
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from landmass.core.capabilities import AbstractConditional
from landmass.core.many import in_blocks
from landmass.core.states import FREE, GIVEN, PRESENT, AbstractStates
from landmass.data.dataset import Dataset
from landmass.data.limits import check_size
from landmass.data.mixed import given_values
from landmass.data.schema import Boolean, Category, Schema, nullable
from landmass.errors import DataError, SettingError
from landmass.estimator.cells import Cells, cells_of_states
from landmass.estimator.states import StatesEstimator
from landmass.types import HostEvents, LogDensities

Given = Mapping[str, Any]
"""What some columns are known to hold, by name; None is an empty cell."""

BELOW_ONE = np.nextafter(np.float32(1.0), np.float32(0.0))

Codes = Shaped[np.ndarray, "events columns ..."]
Seed = int | np.random.RandomState | None


@dataclass(kw_only=True, eq=False, repr=False)
class AnsweringEstimator(StatesEstimator, ABC):
    """A density of rows of any columns that can be asked about some of them given others."""

    # In how many parts events are drawn from which the error of an expectation is told.
    _batches: ClassVar[int] = 1

    def sample(self, n_samples: int = 1, *, given: Given | None = None, random_state: Seed = None) -> Any:
        """Draw events, or events of which something is given.

        Args:
            n_samples: how many.
            given: what some columns hold, by name, such as {"age": 30}; None is an empty cell.
            random_state: seed of the draw.

        Returns:
            Events in the container that `fit` was given; an Arrow table where that was a file.

        Raises:
            DataError: a column is unknown, or cannot hold what is given.
        """
        if not given:
            return super().sample(n_samples, random_state=random_state)
        return self.conditional(given).sample(n_samples, random_state=random_state)

    def conditional(self, given: Given) -> "Part":
        """The density of the other columns, given what some of them hold.

        Args:
            given: what they hold, by name; None is an empty cell.

        Raises:
            DataError: a column is unknown, or cannot hold what is given.
        """
        check_is_fitted(self)
        return Part(self, given, [name for name in self.data_.schema.names if name not in given])

    def marginal(self, columns: Sequence[str]) -> "Part":
        """The density of some columns, whatever the others hold.

        Args:
            columns: their names.

        Raises:
            DataError: one of them is unknown.
        """
        check_is_fitted(self)
        return Part(self, {}, columns)

    @available_if(lambda estimator: estimator._tells_levels)
    def predict_proba(self, X: Any, target: str) -> Float[np.ndarray, "events levels"]:
        """The probability of each level of a column, given the other columns of each event.

        Args:
            X: events; cells that were never empty in training may be so here, and are summed out.
            target: a column of words, or of true and false; what X holds there is of no matter.

        Returns:
            Shape (events, levels): words in the order of the schema's levels, false before true.

        Raises:
            DataError: there is no such column, or it holds numbers.
        """
        check_is_fitted(self)
        place = self._place(target)
        column = self.data_.schema.columns[place]
        if not isinstance(column, Category | Boolean):
            raise DataError(f"column {target!r} holds numbers; predict_proba tells of words, or of true and false")
        codes, known = self._evidence(self._with_gaps(X, leave_out=target))
        known[:, place] = GIVEN
        each = []
        for level in np.arange(column.high + 1.0):
            codes[:, place], inside = self.space_.cell(place, np.full(len(codes), level))
            each.append(self.log_marginals(codes, known) + inside)
        scores = np.column_stack(each)
        chances = np.exp(scores - scores.max(1, keepdims=True))
        return chances / chances.sum(1, keepdims=True)

    @property
    def _tells_levels(self) -> bool:
        """Whether there is a column whose levels have probabilities: scikit-learn asks whoever can to predict."""
        columns = self.data_.schema.columns if hasattr(self, "data_") else ()
        return any(isinstance(column, Category | Boolean) for column in columns)

    def impute(self, X: Any, n_draws: int = 1, *, random_state: Seed = None) -> list[Any]:
        """Fill the empty cells of events, as often as asked, each time with a draw given what is there.

        Cells are taken to be missing at random: that they are empty is not held to say what they would hold.

        Args:
            X: events with empty cells, in any form that `fit` takes.
            n_draws: how many tables to make.
            random_state: seed of the draws.

        Returns:
            So many tables, in the container that `fit` was given.
        """
        check_is_fitted(self)
        if n_draws < 1:
            raise SettingError(f"n_draws must be at least 1, got {n_draws}")
        rng, events = check_random_state(random_state), self._with_gaps(X)
        check_size(f"filling {len(events):,} events {n_draws:,} times", 8 * n_draws * events.size)
        codes, known = self._evidence(events)
        empty = np.isnan(events)
        known[empty] = PRESENT
        drawn = self.completions(codes, known, n_draws, rng)
        return [self.data_.wrap(np.where(empty, self.space_.inverse(each, rng), events)) for each in drawn]

    def expectation(
        self,
        fn: Callable[[Any], Any],
        given: Given | None = None,
        *,
        n_draws: int = 10_000,
        random_state: Seed = None,
    ) -> tuple[float, float]:
        """The mean of a function of events, and its standard error, from draws.

        Args:
            fn: of a table of events, a number for each.
            given: what some columns hold, by name; None gives nothing.
            n_draws: how many events to draw.
            random_state: seed of the draw.
        """
        rng, batches = check_random_state(random_state), self._batches if given and n_draws >= self._batches else 1
        size = -(-n_draws // batches)
        drawn = [np.asarray(fn(self.sample(size, given=given, random_state=rng)), np.float64) for _ in range(batches)]
        if drawn[0].shape != (size,):
            raise SettingError(f"fn gave shape {drawn[0].shape} for {size} events; it must give a number for each")
        found = drawn[0] if batches == 1 else np.mean(drawn, axis=1)
        return float(found.mean()), float(found.std(ddof=int(batches > 1)) / np.sqrt(len(found)))

    def log_marginals(self, codes: Codes, known: Codes) -> LogDensities:
        """Log-probabilities of what is known of events' states, whatever else there is.

        Args:
            codes: states, in the model's space.
            known: what is known of each, as in `landmass.core.states`.
        """
        return in_blocks(_log_marginals, self.model_, codes, known).astype(np.float64)

    def evidence(self, codes: Codes, known: Codes) -> tuple[float, float | None]:
        """The log-probability of what is known of one event, and as many independent draws would tell it as well.

        Args:
            codes: states of the event, in the model's space.
            known: what is known of it, as in `landmass.core.states`.

        Returns:
            Both; None for the latter where the former is exact.
        """
        return float(self.log_marginals(codes, known)[0]), None

    def completed(self, codes: Codes, known: Codes, rng: np.random.RandomState) -> Codes:
        """States of events with those that are not given drawn given what is known.

        Args:
            codes: states, in the model's space.
            known: what is known of each, as in `landmass.core.states`.
            rng: source of all randomness.
        """
        shares = rng.random_sample((len(codes), codes.shape[1] + 1)).astype(np.float32)
        # In single precision a share may have become 1.
        return in_blocks(_completed, self.model_, codes, known, np.minimum(shares, BELOW_ONE))

    def completions(self, codes: Codes, known: Codes, n_draws: int, rng: np.random.RandomState) -> list[Codes]:
        """The same several times, each with draws of its own.

        Args:
            codes: see `completed`, and so for `known` and `rng`.
            known: see there.
            n_draws: how many times.
            rng: see there.
        """
        return [self.completed(codes, known, rng) for _ in range(n_draws)]

    def pointwise_information(self, X: Any, column: str) -> Float[np.ndarray, "events columns"] | None:
        if not isinstance(self.model_, AbstractConditional):
            return None
        place = self._place(column)
        codes = self.space_.cells(self._read_again(X).X)[0]
        single = np.where(np.eye(codes.shape[1], dtype=bool), GIVEN, FREE).astype(np.int32)
        both = single.copy()
        both[:, place] = GIVEN
        known = np.concatenate([single, both])
        found = self.log_marginals(np.repeat(codes, len(known), axis=0), np.tile(known, (len(codes), 1)))
        alone, pairs = np.split(found.reshape(len(codes), len(known)), 2, axis=1)
        told = pairs - alone - alone[:, [place]]
        told[:, place] = 0.0
        return told

    def _cells(self, X: HostEvents) -> Cells:
        return cells_of_states(self.model_, self.space_, X)

    def _with_gaps(self, X: Any, leave_out: str = "") -> HostEvents:
        """Events as numbers, of which any cell may be empty; a column that is left out is so in all of them."""
        schema = self.data_.schema
        kept = tuple(nullable(column) for column in schema.columns if column.name != leave_out)
        found = self._read_as(X, Schema(kept)).X
        if not leave_out:
            return found
        return np.insert(found, self._place(leave_out), np.nan, axis=1)

    def _evidence(self, events: HostEvents) -> tuple[Codes, Codes]:
        """States of events, and what is known of them.

        A cell that is empty where none was in training is not known, and elsewhere known to be empty.
        """
        codes, _ = self.space_.cells(events)
        free = np.isnan(events) & ~np.array(self.space_.layout.nullable)
        return codes, np.where(free, FREE, GIVEN).astype(np.int32)

    def _place(self, name: str) -> int:
        names = self.data_.schema.names
        if name not in names:
            raise DataError(f"there is no column {name!r}; there are: {', '.join(map(repr, names))}")
        return names.index(name)


class Part:
    """The density of some columns, given what others hold; the rest is summed out.

    Args:
        estimator: fitted.
        given: what columns hold, by name; None is an empty cell.
        columns: the names of those whose density it is.
    """

    def __init__(self, estimator: AnsweringEstimator, given: Given, columns: Sequence[str]) -> None:
        self.estimator, self.names = estimator, list(columns)
        if not self.names or len(set(self.names)) < len(self.names):
            raise DataError(f"a density needs columns, each of them once, got {self.names}")
        places = [estimator._place(name) for name in (*given, *self.names)]
        if len(set(places)) < len(places):
            raise DataError(f"columns are given or asked about, not both: {[*given]} and {self.names}")
        schema = estimator.data_.schema
        self._given, self._asked = places[: len(given)], places[len(given) :]
        self._values = given_values({schema.columns[p]: v for p, v in zip(self._given, given.values(), strict=True)})
        event = np.full((1, len(schema.columns)), np.nan)
        event[0, self._given] = self._values
        self._codes, self._known = estimator._evidence(event)
        self._known[:] = FREE
        self._known[0, self._given] = GIVEN
        self._inside = 0.0
        if self._given:
            inside = [estimator.space_.cell(p, event[:, p])[1][0] for p in self._given]
            self._inside = float(np.sum(inside))
            impossible = [p for p, each in zip(self._given, inside, strict=True) if each == -np.inf]
            if impossible:
                column = schema.columns[impossible[0]]
                raise DataError(
                    f"column {column.name!r} cannot hold {given[column.name]!r}: it lies outside of its sample space"
                )

    @property
    def log_given(self) -> float:
        """Log-density of what is given, in nats, in the columns' units: of counted columns its log-probability."""
        return self._evidence[0] + self._inside

    @property
    def effective_sample_size(self) -> float | None:
        """As many independent draws would tell `log_given` as well; None where it is exact, or nothing is given."""
        return self._evidence[1]

    @cached_property
    def _evidence(self) -> tuple[float, float | None]:
        """What the model says of the states of what is given."""
        return self.estimator.evidence(self._codes, self._known) if self._given else (0.0, None)

    def score_samples(self, X: Any) -> LogDensities:
        """Log-density of each event's columns, in nats, in their units; -inf where it is zero.

        Args:
            X: a table that holds the columns by name, or an array of them in their order.
        """
        estimator = self.estimator
        schema = estimator.data_.schema
        asked = estimator._read_as(X, Schema(tuple(schema.columns[place] for place in self._asked))).X
        codes, known = np.repeat(self._codes, len(asked), 0), np.repeat(self._known, len(asked), 0)
        inside = np.zeros(len(asked))
        for place, values in zip(self._asked, asked.T, strict=True):
            codes[:, place], within = estimator.space_.cell(place, values)
            known[:, place] = GIVEN
            inside += within
        return estimator.log_marginals(codes, known) - self._evidence[0] + inside

    def score(self, X: Any) -> float:
        """Mean log-density of events' columns, in nats."""
        return float(np.mean(self.score_samples(X)))

    def sample(self, n_samples: int = 1, *, random_state: Seed = None) -> Any:
        """Draw events: of a conditional density whole ones, of a marginal one the columns asked about.

        Args:
            n_samples: how many.
            random_state: seed of the draw.
        """
        if n_samples < 1:
            raise SettingError(f"n_samples must be at least 1, got {n_samples}")
        estimator, rng = self.estimator, check_random_state(random_state)
        check_size(f"drawing {n_samples:,} events", 8 * n_samples * estimator.n_features_in_)
        codes, known = np.repeat(self._codes, n_samples, 0), np.repeat(self._known, n_samples, 0)
        drawn = estimator.space_.inverse(estimator.completed(codes, known, rng), rng)
        drawn[:, self._given] = self._values
        if self._given:
            return estimator.data_.wrap(drawn)
        return cast(Dataset, estimator.data_).only(self._asked).wrap(drawn[:, self._asked])


def _log_marginals(model: AbstractStates, codes: Array, known: Array) -> Array:
    return jax.vmap(model.log_marginal)(codes, known)


def _completed(model: AbstractStates, codes: Array, known: Array, shares: Array) -> Array:
    return jax.vmap(model.complete_by)(shares, codes, known)
