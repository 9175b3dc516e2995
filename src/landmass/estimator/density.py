"""The scikit-learn face of a density, written once: fit, score, sample, save."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from jaxtyping import Float
from sklearn.base import DensityMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from landmass.data.batches import held_back
from landmass.data.binary import events_of
from landmass.data.dataset import Dataset
from landmass.data.door import read as read_any
from landmass.data.door import read_like
from landmass.data.images import Images
from landmass.data.limits import check_size
from landmass.data.pieces import Pieces
from landmass.data.read import read, read_as
from landmass.data.schema import Schema, kind_of
from landmass.errors import DataError, SettingError
from landmass.estimator.base import Estimator
from landmass.estimator.cells import Cells
from landmass.estimator.integrals import integrate_along
from landmass.train.checkpoint import NOWHERE, Checkpoint
from landmass.train.progress import Listener, silent
from landmass.types import CellScores, HostEvents, LogDensities

# Draws that tell where the mass of a column lies, before it is integrated along.
DRAWS = 1_000

EventKind = Literal["row", "table", "image"]
"""What an event may be: a row of numbers whose density is per length, a row of anything, or an image."""


@dataclass(kw_only=True, eq=False, repr=False)
class DensityEstimator(DensityMixin, Estimator, ABC):
    """Base of every family: fits a density to events and answers in the units of the data."""

    # Whether fitting chooses something on events kept aside.
    _validates: ClassVar[bool] = False

    # Whether events may come in pieces.
    _reads_pieces: ClassVar[bool] = False

    # Whether events have log-densities, or bounds on them.
    _is_density: ClassVar[bool] = True

    # Whether cells of rows may be missing, whose values are integrated out.
    _integrates_missing: ClassVar[bool] = False

    # What an event may be.
    _takes: ClassVar[frozenset[EventKind]] = frozenset({"row"})

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the density.

        Args:
            X: events: an array of shape (events, columns), a table, a path, a built-in name, a `Dataset`, or, for
                families that add up statistics of events, `Pieces`.
            y: ignored.

        Returns:
            The estimator itself.

        Raises:
            DataError: the events cannot be modelled; names column, value and remedy.
            FitError: training could not go on.
        """
        return self._fit_all(X if isinstance(X, Pieces) else self._read(X))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._integrates_missing
        return tags

    def _fit_all(self, data: Dataset | Images | Pieces) -> Self:
        self.check_settings()
        self._check_kind(data)
        data.check_fit()
        if not self._validates:
            return self.fit_parts(data, data.nothing())
        self.fit_parts(*held_back(data, self._seed(), getattr(self, "validation_fraction", 0.1)))
        self.refit(data)
        return self

    def fit_parts(
        self,
        train: Dataset | Images | Pieces,
        validation: Any,
        listen: Listener = silent,
        checkpoint: Checkpoint = NOWHERE,
    ) -> Self:
        """Fit on one part of the data and choose on another, as a ladder does for all its rungs.

        Args:
            train: events to learn from.
            validation: events to choose by; not looked at by families that choose nothing.
            listen: hears the progress records.
            checkpoint: where the fit keeps what it has reached, and goes on from.
        """
        self._check_kind(train)
        train.check_fit()
        self.check_settings()
        self._forget()
        self._remember(train.nothing(), train.schema.dimensions)
        self._fit(train, validation, listen, checkpoint)
        return self

    def refit(self, data: Dataset | Images | Pieces, checkpoint: Checkpoint = NOWHERE) -> None:
        """Learn from all events, with what validation has chosen.

        Args:
            data: the training and the validation events.
            checkpoint: where it keeps what it has reached, and goes on from.
        """

    @available_if(lambda estimator: estimator._is_density)
    def score_samples(self, X: Any) -> LogDensities:
        """Log-density of each event, in nats, in the units of the data; -inf where the density is zero.

        Args:
            X: events, in any form that `landmass.read` takes, or `Pieces`.

        Returns:
            Shape (events,), float64.
        """
        check_is_fitted(self)
        if isinstance(X, Pieces):
            return np.concatenate([np.empty(0), *(self.score_samples(piece) for piece in X)])
        return self._log_prob(self._read_again(X).X)

    def log_densities(self, part: Dataset | Images) -> LogDensities:
        return self.score_samples(part)

    @available_if(lambda estimator: estimator._is_density)
    def score(self, X: Any, y: Any = None) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Mean log-density of the events, in nats.

        Args:
            X: events, in any form that `fit` takes.
            y: ignored.
        """
        return float(np.mean(self.score_samples(X)))

    @available_if(lambda estimator: estimator._is_density)
    def score_cells(self, X: Any) -> CellScores:
        """Log-density of each cell given all others of its row, in nats, in the column's unit.

        Where columns are counted, all values of the cell are summed up; where they are measured, its density is
        integrated along the column, to about a hundredth of a nat. Mixed spline flows sum over the middles of the
        column's cells, which is coarse where other columns depend on it within less than a cell.

        Args:
            X: rows, in any form that `fit` takes.

        Returns:
            Shape (events, columns): -inf where the others leave no chance for what the cell holds, NaN where they are
            impossible themselves, or the integral does not settle.

        Raises:
            DataError: the events are images, or cells of rows of numbers are missing.
            SettingError: the likelihood is not exact.
        """
        events = self._rows_with_cells(X)
        with np.errstate(invalid="ignore"):
            return self._log_prob(events)[:, None] - self._cells(events).log_rest

    @available_if(lambda estimator: estimator._is_density)
    def cell_tails(self, X: Any) -> CellScores:
        """How likely each cell is to hold, given all others of its row, a value no likelier than the one it holds.

        Of a bell that is the chance to lie as far out, on either side. Unlike a density, it does not depend on units,
        and cells of all kinds can be compared by it.

        Args:
            X: rows, in any form that `fit` takes.

        Returns:
            Shape (events, columns), from 0 to 1; NaN where the others are impossible themselves, or the integral does
            not settle.

        Raises:
            DataError: the events are images, or cells of rows of numbers are missing.
            SettingError: the likelihood is not exact.
        """
        return self._cells(self._rows_with_cells(X)).tails

    def pointwise_information(self, X: Any, column: str) -> Float[np.ndarray, "events columns"] | None:
        """How much likelier each other cell makes that of a column, in nats: log p(a, b) - log p(a) - log p(b).

        Args:
            X: rows, in any form that `fit` takes.
            column: its name.

        Returns:
            Shape (events, columns), zero for the column itself; None of a density of which columns cannot be summed
            out exactly.

        Source: Fano 1961.
        """
        return None

    def sample(self, n_samples: int = 1, *, random_state: int | np.random.RandomState | None = None) -> Any:
        """Draw events.

        Args:
            n_samples: how many.
            random_state: seed of the draw.

        Returns:
            Events in the container that `fit` was given; an Arrow table where that was a file.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise SettingError(f"n_samples must be at least 1, got {n_samples}")
        check_size(f"drawing {n_samples:,} events", 8 * n_samples * self.n_features_in_)
        return self.data_.wrap(self._draw(n_samples, check_random_state(random_state)))

    @abstractmethod
    def breakpoints(self) -> list[Float[np.ndarray, " _"]]:
        """For each column, the places where the density may jump, in the units of the data."""

    @abstractmethod
    def _fit(self, train: Any, validation: Dataset | Images, listen: Listener, checkpoint: Checkpoint) -> None:
        """Fit on checked events: a `Dataset`, or `Pieces` for a family that reads them."""

    @abstractmethod
    def _log_prob(self, X: HostEvents) -> LogDensities:
        """Log-densities of checked events."""

    @abstractmethod
    def _draw(self, n: int, random_state: np.random.RandomState) -> HostEvents:
        """Draw events as an array."""

    def _rows_with_cells(self, X: Any) -> HostEvents:
        """Rows of which each cell can be told."""
        check_is_fitted(self)
        name, image = type(self).__name__, self.data_.schema.image
        if image is not None:
            raise DataError(f"{name} was fitted to images, whose numbers are not told apart; cells are those of rows")
        if self.likelihood_ != "exact":
            raise SettingError(f"{name} knows its likelihood as {self.likelihood_!r}; cells need an exact one")
        return self._read_again(X).X

    def _cells(self, X: HostEvents) -> Cells:
        """What the density says of the cells of checked rows: by numbers along each column, unless it knows better."""
        if np.isnan(X).any():
            raise DataError(f"{type(self).__name__} tells cells of complete rows alone; fill the empty cells")
        drawn, jumps = self._draw(DRAWS, np.random.RandomState(0)), self.breakpoints()
        totals, tails = zip(
            *(
                integrate_along(self._log_prob, X, place, column, drawn[:, place], jumps[place])
                for place, column in enumerate(self.data_.schema.columns)
            ),
            strict=True,
        )
        log_rest = np.column_stack(totals)
        with np.errstate(invalid="ignore"):
            return Cells(log_rest, np.exp(np.column_stack(tails) - log_rest))

    def _golden_scores(self, events: HostEvents) -> LogDensities:
        return self._log_prob(events)

    def _read(self, X: Any) -> Dataset | Images:
        """Events to fit: images where the family takes them and X holds some."""
        missing = self._integrates_missing
        return read_any(X, missing=missing) if "image" in self._takes else read(X, missing=missing)

    @property
    def _misses(self) -> bool:
        """Whether the fitted density knows how often cells are missing."""
        return False

    def _read_again(self, X: Any) -> Dataset | Images:
        """Events to score: the columns that the fit saw, found by name in a table and by place in an array."""
        schema = self.data_.schema
        if schema.image is not None:
            return events_of(read_like(X, schema.image.shape), schema.image.levels)
        if not schema.plain:
            return self._read_as(X, schema)
        data = read(X, missing=self._misses)
        self._check_cells(data, self._misses)
        if data.gaps:
            raise DataError(f"{data.gaps}: a score is owed for every row; fill these cells, or remove their rows")
        if data.schema.names == schema.names or (data.unnamed and data.X.shape[1] == len(schema.columns)):
            return Dataset(data.X, schema, data.name, incomplete=data.incomplete)
        missing = [name for name in schema.names if name not in data.schema.names]
        if missing or data.unnamed:
            raise DataError(
                f"X has {data.X.shape[1]} features, but {type(self).__name__} is expecting {len(schema.columns)} "
                f"features as input ({', '.join(map(repr, schema.names))})"
                + (f"; missing: {', '.join(map(repr, missing))}" if missing and not data.unnamed else "")
            )
        places = [data.schema.names.index(name) for name in schema.names]
        return Dataset(data.X[:, places], schema, data.name, incomplete=data.incomplete)

    def _read_as(self, X: Any, schema: Schema) -> Dataset:
        """Events whose columns are known."""
        data = read_as(X, schema)
        if data.X.shape[1] != len(schema.columns):
            raise DataError(
                f"X has {data.X.shape[1]} features, but {type(self).__name__} is expecting {len(schema.columns)} "
                f"features as input ({', '.join(map(repr, schema.names))})"
            )
        return data

    def _check_cells(self, data: Dataset | Images | Pieces, may_miss: bool) -> None:
        if isinstance(data, Dataset) and data.incomplete and not may_miss:
            why = "was fitted to complete rows" if self._integrates_missing else "needs complete rows"
            raise DataError(f"{type(self).__name__} {why}, and cells of {data.name} are missing; fill or remove them")

    def _check_kind(self, data: Dataset | Images | Pieces) -> None:
        kind: EventKind = "image" if isinstance(data, Images) else "row" if data.schema.plain else "table"
        if kind == "table" and kind not in self._takes:
            column = next(each for each in data.schema.columns if not each.plain)
            raise DataError(
                f"{type(self).__name__} is a density of numbers that may be anything, and column {column.name!r} of "
                f"{data.name} is {kind_of(column)}{' with empty cells' if column.nullable else ''}; fit a family of "
                "tables (independent, latent_class, autoregressive), or read the data as plain numbers, with "
                "landmass.read(…)"
            )
        if kind not in self._takes:
            others = ", ".join(f"{each}s" for each in sorted(self._takes))
            raise DataError(f"{type(self).__name__} is a density of {others}, and {data.name} holds {kind}s")
        if kind != "table":
            self._check_cells(data, self._integrates_missing)
        if isinstance(data, Dataset) and data.weight is not None and not isinstance(self, WeighsEvents):
            raise DataError(
                f"{type(self).__name__} cannot honour weights exactly, and its events have some; give it events "
                "without weights, or copies of them"
            )
        if isinstance(data, Pieces) and not self._reads_pieces:
            others = "UniformBox, Gaussian, ProbabilisticPCA, Histogram or GaussianMixture"
            of_tables = "Independent, LatentClass, Autoregressive or MixedSplineFlow"
            raise DataError(
                f"{type(self).__name__} needs all events at once and cannot read {data.name} in pieces; give it fewer "
                f"rows with landmass.read, or fit {others if data.schema.plain else of_tables}"
            )


class WeighsEvents(DensityEstimator, ABC):
    """Mixed in where an event of weight two counts as two copies of it."""

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the density.

        Args:
            X: events: an array of shape (events, columns), a table, a path, a built-in name, a `Dataset`, or, for
                families that add up statistics of events, `Pieces`.
            y: ignored.
            sample_weight: how often each event counts, shape (events,); None counts each once.

        Returns:
            The estimator itself.

        Raises:
            DataError: the events cannot be modelled, or the weights are not numbers from 0, one an event.
        """
        data = X if isinstance(X, Pieces) else self._read(X)
        if isinstance(data, Dataset):
            return self._fit_all(data.weighed(sample_weight))
        if sample_weight is not None:
            raise DataError("sample_weight has no place beside images or events in pieces; give copies instead")
        return self._fit_all(data)
