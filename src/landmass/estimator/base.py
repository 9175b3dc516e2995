"""What every estimator shares: settings that are checked, a seed, and a folder to save to and be restored from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self, cast

import msgspec
import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from landmass.core.capabilities import Likelihood
from landmass.data.dataset import Dataset
from landmass.data.images import Images
from landmass.data.tables import arrow_container
from landmass.errors import SettingError, StoreError
from landmass.estimator.manifest import Golden, Manifest, environment
from landmass.estimator.settings import check_kinds, kept_settings
from landmass.store import new_folder, write_json
from landmass.types import LogDensities

# Events whose log-densities are saved with an estimator, and how far they may differ when it is loaded elsewhere.
GOLDEN_EVENTS, GOLDEN_ERROR = 8, 1e-3


@dataclass(kw_only=True, eq=False, repr=False)
class Estimator(BaseEstimator, ABC):
    """Base of every estimator, of densities and of conditional ones: all of them give log-densities."""

    def save(self, path: str | Path) -> None:
        """Save the fitted estimator to a new folder; `landmass.load` reads it.

        Raises:
            SettingError: a setting is nothing that a file can hold.
            StoreError: something stands there already, or nothing can be written there.
        """
        check_is_fitted(self)
        with new_folder(Path(path)) as folder:
            self.save_into(folder)

    def save_into(self, folder: Path) -> None:
        """Save the fitted estimator into an empty folder that is there already."""
        events = self._golden_events()
        scores = [score if np.isfinite(score) else None for score in self._golden_scores(events).tolist()]
        golden = [Golden(event, score) for event, score in zip(events.tolist(), scores, strict=True)]
        model = msgspec.Raw(msgspec.json.encode(self._save(folder)))
        told = (
            type(self).__name__,
            kept_settings(self),
            self.data_.schema,
            self.data_.name,
            model,
            golden,
            environment(),
        )
        lists = tuple(name for name, value in self.get_params(deep=False).items() if isinstance(value, list))
        manifest = Manifest(*told, lists=lists)
        write_json(folder / "manifest.json", manifest)

    def check_settings(self) -> None:
        """Refuse settings of another kind, or out of range; families extend it.

        Raises:
            SettingError: names the family, the setting, the value, and what is needed.
        """
        check_kinds(self)

    def check_for(self, part: Any) -> None:
        """Refuse settings that do not fit the events to learn from, before any time is spent.

        Args:
            part: the training part.

        Raises:
            SettingError: names the setting, the value, and what would fit.
        """

    @abstractmethod
    def log_densities(self, part: Any) -> LogDensities:
        """Log-density of each event of a part that a ladder has kept, or of its answer given the rest of it."""

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
    def _golden_events(self) -> np.ndarray:
        """A few events, none of them the data's, that a saved estimator is checked by."""

    @abstractmethod
    def _golden_scores(self, events: np.ndarray) -> LogDensities:
        """Their log-densities."""

    @abstractmethod
    def _save(self, folder: Path) -> msgspec.Struct:
        """Write what `_load` needs into a folder, and give what the manifest is to say of it."""

    @abstractmethod
    def _load(self, folder: Path, model: msgspec.Raw, load: Callable[[Path], "Estimator"]) -> None:
        """Read what `_save` wrote; `load` reads an estimator saved inside."""

    @classmethod
    def restore(cls, manifest: Manifest, folder: Path, load: Callable[[Path], "Estimator"]) -> Self:
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
            for name in (name for name, value in manifest.settings.items() if isinstance(value, list)):
                kind = list if name in manifest.lists else tuple
                setattr(estimator, name, kind(getattr(estimator, name)))
            estimator.check_settings()
        except (msgspec.ValidationError, SettingError, OverflowError) as error:
            raise StoreError(f"{folder}: the manifest's settings are not those of {cls.__name__}: {error}") from error
        estimator._remember(_nothing(manifest), manifest.columns.dimensions)
        estimator._load(folder, manifest.model, load)
        estimator._check_golden(manifest.golden, folder)
        return estimator

    def _check_golden(self, golden: list[Golden], folder: Path) -> None:
        """Refuse to answer otherwise than when the estimator was saved."""
        with np.errstate(all="ignore"):
            columns = self._golden_events().shape[1]
            if not golden or any(len(each.event) != columns for each in golden):
                raise StoreError(f"{folder}: the manifest's golden events do not have {columns} columns")
            found = self._golden_scores(np.array([each.event for each in golden]))
        known = np.array([-np.inf if each.log_density is None else each.log_density for each in golden])
        off = ~np.isclose(found, known, rtol=GOLDEN_ERROR, atol=GOLDEN_ERROR)
        if off.any():
            raise StoreError(
                f"{folder}: the model does not answer as when it was saved: event {golden[int(off.argmax())].event} "
                f"had log-density {known[off][0]:g} and now has {found[off][0]:g}; fit it again"
            )

    def fresh(self) -> Self:
        """An unfitted copy with the same settings."""
        return cast(Self, clone(self))

    def _remember(self, nothing: Dataset | Images, columns: int) -> None:
        """Keep the sample space, and how many columns an event has."""
        self.data_, self.n_features_in_ = nothing, columns

    def _forget(self) -> None:
        """Leave nothing of an earlier fit, should this one fail."""
        for name in [name for name in vars(self) if name.endswith("_") and not name.startswith("_")]:
            delattr(self, name)

    def _seed(self) -> int:
        # Where nothing is random any seed will do.
        state = getattr(self, "random_state", 0)
        if isinstance(state, int | np.integer):
            require(self, "random_state", int(state) >= 0, "0 or more, None, or a RandomState")
            return int(state)
        return int(check_random_state(state).randint(2**31 - 1))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "data_") and (hasattr(self, "model_") or hasattr(self, "parts_"))


def require(estimator: BaseEstimator, setting: str, holds: bool | np.bool_, needed: str) -> None:
    """Refuse a setting that is out of range.

    Raises:
        SettingError: names the family, the setting, the value, and what is needed.
    """
    if not holds:
        found = getattr(estimator, setting)
        raise SettingError(f"{type(estimator).__name__}: {setting} must be {needed}, got {found!r}")


def require_usual(estimator: BaseEstimator, settings: Iterable[str], why: str) -> None:
    """Refuse settings that do nothing, unless they are left at their defaults.

    Args:
        estimator: whose settings they are.
        settings: their names.
        why: they do nothing: `unless …`, `beside …`.

    Raises:
        SettingError: names the family, the setting, the value, and what is needed.
    """
    defaults = {field.name: field.default for field in fields(cast(Any, estimator))}
    for name in settings:
        usual = defaults[name]
        require(estimator, name, getattr(estimator, name) == usual, f"{usual!r}, as it does nothing {why}")


def _nothing(manifest: Manifest) -> Dataset | Images:
    """No events, of a saved estimator's sample space."""
    schema = manifest.columns
    if schema.image is not None:
        binary = "yes" if schema.image.levels == 2 else "no"
        return Images(np.empty((0, *schema.image.shape), np.uint8), name=manifest.data, binary=binary)
    return Dataset(np.empty((0, len(schema.columns))), schema, manifest.data, arrow_container)
