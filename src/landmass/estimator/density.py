"""The scikit-learn face of a density, written once: fit, score, sample, save."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import msgspec
import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, DensityMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from landmass.core.capabilities import Likelihood
from landmass.data.batches import held_back
from landmass.data.dataset import Dataset
from landmass.data.limits import check_size
from landmass.data.pieces import Pieces
from landmass.data.read import read
from landmass.data.tables import arrow_container
from landmass.errors import DataError, SettingError, StoreError
from landmass.estimator.manifest import Golden, Manifest, environment
from landmass.store import new_folder, write_json
from landmass.train.checkpoint import NOWHERE, Checkpoint
from landmass.train.progress import Listener, silent
from landmass.types import HostEvents, LogDensities

# Events whose log-densities are saved with an estimator, and how far they may differ when it is loaded elsewhere.
GOLDEN_EVENTS, GOLDEN_ERROR = 8, 1e-3


@dataclass(kw_only=True, eq=False, repr=False)
class DensityEstimator(DensityMixin, BaseEstimator, ABC):
    """Base of every family: fits a density to events and answers in the units of the data."""

    # Whether fitting chooses something on events kept aside.
    _validates: ClassVar[bool] = False

    # Whether events may come in pieces.
    _reads_pieces: ClassVar[bool] = False

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
        return self._fit_all(X if isinstance(X, Pieces) else read(X))

    def _fit_all(self, data: Dataset | Pieces) -> Self:
        self._check_settings()
        self._check_kind(data)
        data.check_fit()
        if not self._validates:
            return self.fit_parts(data, data.nothing())
        self.fit_parts(*held_back(data, self._seed(), getattr(self, "validation_fraction", 0.1)))
        self.refit(data)
        return self

    def fit_parts(
        self, train: Dataset | Pieces, validation: Dataset, listen: Listener = silent, checkpoint: Checkpoint = NOWHERE
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
        self._check_settings()
        # Should this fit fail, nothing of an earlier one is left.
        for name in [name for name in vars(self) if name.endswith("_") and not name.startswith("_")]:
            delattr(self, name)
        self.data_ = train.nothing()
        self.n_features_in_ = len(train.schema.columns)
        self._fit(train, validation, listen, checkpoint)
        return self

    def refit(self, data: Dataset | Pieces, checkpoint: Checkpoint = NOWHERE) -> None:
        """Learn from all events, with what validation has chosen.

        Args:
            data: the training and the validation events.
            checkpoint: where it keeps what it has reached, and goes on from.
        """

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

    def score(self, X: Any, y: Any = None) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Mean log-density of the events, in nats.

        Args:
            X: events, in any form that `fit` takes.
            y: ignored.
        """
        return float(np.mean(self.score_samples(X)))

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

    def save(self, path: str | Path) -> None:
        """Save the fitted estimator to a new folder; `landmass.load` reads it.

        Raises:
            StoreError: something stands there already, or nothing can be written there.
        """
        check_is_fitted(self)
        with new_folder(Path(path)) as folder:
            self.save_into(folder)

    def save_into(self, folder: Path) -> None:
        """Save the fitted estimator into an empty folder that is there already."""
        events = self._golden_events()
        scores = [score if np.isfinite(score) else None for score in self._log_prob(events).tolist()]
        golden = [Golden(event, score) for event, score in zip(events.tolist(), scores, strict=True)]
        model = msgspec.Raw(msgspec.json.encode(self._save(folder)))
        name, settings = type(self).__name__, _settings(self)
        manifest = Manifest(name, settings, self.data_.schema, self.data_.name, model, golden, environment())
        write_json(folder / "manifest.json", manifest)

    @property
    def n_parameters_(self) -> int:
        """How many fitted numbers the density holds."""
        return sum(np.size(value) for value in self.parameters_.values())

    @property
    @abstractmethod
    def likelihood_(self) -> Likelihood:
        """How the log-densities are known."""

    @property
    @abstractmethod
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """The fitted values by name, in the units of the data where the family has such; see the family's docs."""

    @abstractmethod
    def breakpoints(self) -> list[Float[np.ndarray, " _"]]:
        """For each column, the places where the density may jump, in the units of the data."""

    @abstractmethod
    def _fit(self, train: Any, validation: Dataset, listen: Listener, checkpoint: Checkpoint) -> None:
        """Fit on checked events: a `Dataset`, or `Pieces` for a family that reads them."""

    @abstractmethod
    def _log_prob(self, X: HostEvents) -> LogDensities:
        """Log-densities of checked events."""

    @abstractmethod
    def _draw(self, n: int, random_state: np.random.RandomState) -> HostEvents:
        """Draw events as an array."""

    @abstractmethod
    def _golden_events(self) -> HostEvents:
        """A few events, none of them the data's, that a saved estimator is checked by."""

    @abstractmethod
    def _save(self, folder: Path) -> msgspec.Struct:
        """Write what `_load` needs into a folder, and give what the manifest is to say of it."""

    @abstractmethod
    def _load(self, folder: Path, model: msgspec.Raw, load: Callable[[Path], "DensityEstimator"]) -> None:
        """Read what `_save` wrote; `load` reads an estimator saved inside."""

    @classmethod
    def restore(cls, manifest: Manifest, folder: Path, load: Callable[[Path], "DensityEstimator"]) -> Self:
        """The estimator that `save_into` wrote.

        Args:
            manifest: what the folder's manifest says.
            folder: where it stands.
            load: reads an estimator saved inside the folder.

        Raises:
            StoreError: the settings are not this family's, or the folder does not hold its model.
        """
        try:
            unknown = set(manifest.settings) - {field.name for field in fields(cls)}
            if unknown:
                raise SettingError(f"there is no setting {', '.join(map(repr, sorted(unknown)))}")
            estimator = msgspec.convert(manifest.settings, cls)
            estimator._check_settings()
        except (msgspec.ValidationError, SettingError, OverflowError) as error:
            raise StoreError(f"{folder}: the manifest's settings are not those of {cls.__name__}: {error}") from error
        nothing = np.empty((0, len(manifest.columns.columns)))
        estimator.data_ = Dataset(nothing, manifest.columns, manifest.data, arrow_container)
        estimator.n_features_in_ = nothing.shape[1]
        estimator._load(folder, manifest.model, load)
        estimator._check_golden(manifest.golden, folder)
        return estimator

    def _check_golden(self, golden: list[Golden], folder: Path) -> None:
        """Refuse to answer otherwise than when the estimator was saved."""
        if not golden or any(len(each.event) != self.n_features_in_ for each in golden):
            raise StoreError(f"{folder}: the manifest's golden events do not have {self.n_features_in_} columns")
        with np.errstate(all="ignore"):
            found = self._log_prob(np.array([each.event for each in golden]))
        known = np.array([-np.inf if each.log_density is None else each.log_density for each in golden])
        off = ~np.isclose(found, known, rtol=GOLDEN_ERROR, atol=GOLDEN_ERROR)
        if off.any():
            raise StoreError(
                f"{folder}: the model does not answer as when it was saved: event {golden[int(off.argmax())].event} "
                f"had log-density {known[off][0]:g} and now has {found[off][0]:g}; fit it again"
            )

    def _read_again(self, X: Any) -> Dataset:
        """Events to score: the columns that the fit saw, found by name in a table and by place in an array."""
        schema = self.data_.schema
        data = read(X)
        if data.gaps:
            raise DataError(f"{data.gaps}: a score is owed for every row; fill these cells, or remove their rows")
        if data.schema.names == schema.names or (data.unnamed and data.X.shape[1] == len(schema.columns)):
            return Dataset(data.X, schema, data.name)
        missing = [name for name in schema.names if name not in data.schema.names]
        if missing or data.unnamed:
            raise DataError(
                f"X has {data.X.shape[1]} features, but {type(self).__name__} is expecting {len(schema.columns)} "
                f"features as input ({', '.join(map(repr, schema.names))})"
                + (f"; missing: {', '.join(map(repr, missing))}" if missing and not data.unnamed else "")
            )
        places = [data.schema.names.index(name) for name in schema.names]
        return Dataset(data.X[:, places], schema, data.name)

    def fresh(self) -> Self:
        """An unfitted copy with the same settings."""
        return cast(Self, clone(self))

    def _seed(self) -> int:
        # Where nothing is random any seed will do.
        state = getattr(self, "random_state", 0)
        if isinstance(state, int | np.integer):
            require(self, "random_state", int(state) >= 0, "0 or more, None, or a RandomState")
            return int(state)
        return int(check_random_state(state).randint(2**31 - 1))

    def _check_settings(self) -> None:
        """Refuse settings out of range; families extend it."""

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "data_") and (hasattr(self, "model_") or hasattr(self, "parts_"))

    def _check_kind(self, data: Dataset | Pieces) -> None:
        if isinstance(data, Dataset) and data.weight is not None and not isinstance(self, WeighsEvents):
            raise DataError(
                f"{type(self).__name__} cannot honour weights exactly, and its events have some; give it events "
                "without weights, or copies of them"
            )
        if isinstance(data, Pieces) and not self._reads_pieces:
            raise DataError(
                f"{type(self).__name__} needs all events at once and cannot read {data.name} in pieces; give it fewer "
                "rows with landmass.read, or fit UniformBox, Gaussian, Histogram or GaussianMixture"
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
        if not isinstance(X, Pieces):
            return self._fit_all(read(X).weighed(sample_weight))
        if sample_weight is not None:
            raise DataError("sample_weight has no place beside events in pieces; fit events in memory to weigh them")
        return self._fit_all(X)


def require(estimator: BaseEstimator, setting: str, holds: bool, needed: str) -> None:
    """Refuse a setting that is out of range.

    Raises:
        SettingError: names the family, the setting, the value, and what is needed.
    """
    if not holds:
        found = getattr(estimator, setting)
        raise SettingError(f"{type(estimator).__name__}: {setting} must be {needed}, got {found!r}")


def _settings(estimator: DensityEstimator) -> dict[str, Any]:
    """An estimator's fields as JSON can hold them: no generators, no other estimators."""
    values = estimator.get_params(deep=False)
    return {k: v for k, v in values.items() if isinstance(v, str | int | float | bool | tuple | None)}
