"""Stack: a mixture of fitted densities, weighted by what they said of held-out events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import msgspec
import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from landmass.core.capabilities import Likelihood
from landmass.data.dataset import Dataset
from landmass.data.images import Images
from landmass.errors import SettingError, StoreError
from landmass.estimator.base import Estimator, require
from landmass.estimator.cells import Cells
from landmass.estimator.density import DensityEstimator, EventKind
from landmass.models.gaussian_mixture import GaussianMixture
from landmass.models.independent import Independent
from landmass.models.kernel_density import KernelDensity
from landmass.models.latent_class import LatentClass
from landmass.models.uniform_box import UniformBox
from landmass.store import below, parse_json
from landmass.train.checkpoint import NOWHERE, Checkpoint
from landmass.train.progress import Listener
from landmass.train.weights import mixture_log_prob, stack_weights
from landmass.types import Copies, HostEvents, LogDensities


@dataclass(kw_only=True, eq=False, repr=False)
class Stack(DensityEstimator):
    """Mixture of densities of several families, weighted by their score on validation under a weak prior.

    Parts enter where validation shows beyond its noise that they help; the others have weight zero.

    Args:
        estimators: the densities to fit, by name; None takes a box, a Gaussian mixture and a kernel density, of tables
            with columns of other kinds independent ones and latent classes, and of images a box and independent bytes.
        validation_fraction: share of the events that `fit` keeps aside to choose the weights by.
        random_state: seed of the split, and of the parts that have none of their own.
    """

    _validates: ClassVar[bool] = True
    _takes: ClassVar[frozenset[EventKind]] = frozenset({"row", "table", "image"})

    estimators: dict[str, DensityEstimator] | None = None
    validation_fraction: float = 0.1
    random_state: int | None = None

    @classmethod
    def of(
        cls,
        fitted: Mapping[str, DensityEstimator],
        scores: Mapping[str, LogDensities],
        copies: Copies | None = None,
    ) -> Self:
        """Stack densities that are fitted already.

        Args:
            fitted: densities by name, all exact and all of the same columns.
            scores: each density's log-densities of the same held-out events, given before it learned from them.
            copies: see `landmass.train.weights.standard_error`.
        """
        stack, first = cls(), next(iter(fitted.values()))
        stack.data_, stack.n_features_in_ = first.data_, first.n_features_in_
        stack._weigh(fitted, scores, copies)
        return stack

    def refit(self, data: Any, checkpoint: Checkpoint = NOWHERE) -> None:
        for name, part in self.parts_.items():
            part.refit(data, checkpoint.inside(name))

    @property
    def parameters_(self) -> Mapping[str, np.ndarray]:
        """`weights`: one a part; the parts' own values are in `parts_`."""
        return {"weights": self.weights_}

    @property
    def n_parameters_(self) -> int:
        """Free weights, and the parts' parameters."""
        return len(self.parts_) - 1 + sum(part.n_parameters_ for part in self.parts_.values())

    @property
    def likelihood_(self) -> Likelihood:
        """Always "exact": only exact densities are stacked."""
        return "exact"

    def breakpoints(self) -> list[Float[np.ndarray, " _"]]:
        """Those of all parts."""
        return [np.concatenate(each) for each in zip(*(p.breakpoints() for p in self.parts_.values()), strict=True)]

    def _fit(
        self, train: Dataset | Images, validation: Dataset | Images, listen: Listener, checkpoint: Checkpoint
    ) -> None:
        parts = self.estimators
        if parts is None and isinstance(train, Images):
            parts = {"uniform_box": UniformBox(), "independent": Independent()}
        elif parts is None and not train.schema.plain:
            parts = {"independent": Independent(), "latent_class": LatentClass()}
        elif parts is None:
            parts = {
                "uniform_box": UniformBox(),
                "gaussian_mixture": GaussianMixture(),
                "kernel_density": KernelDensity(),
            }
        fitted = {name: part.fresh() for name, part in parts.items()}
        for name, part in fitted.items():
            if part.get_params(deep=False).get("random_state", 0) is None:
                part.set_params(random_state=self.random_state)
            part.fit_parts(train, validation, listen, checkpoint.inside(name))
        scores = {name: part.score_samples(validation) for name, part in fitted.items()}
        self._weigh(fitted, scores, validation.copies())

    def _weigh(
        self,
        fitted: Mapping[str, DensityEstimator],
        scores: Mapping[str, LogDensities],
        copies: Copies | None,
    ) -> None:
        unlike = [name for name, part in fitted.items() if part.likelihood_ != "exact"]
        if unlike or not fitted:
            raise SettingError(f"a stack needs parts whose likelihood is exact; {unlike or 'there are none'}")
        self.parts_ = dict(fitted)
        self.weights_ = stack_weights(np.column_stack([scores[name] for name in fitted]), copies)

    def _log_prob(self, X: HostEvents) -> LogDensities:
        return self._mixed([part._log_prob(X) for part in self._used()])

    def pointwise_information(self, X: Any, column: str) -> Float[np.ndarray, "events columns"] | None:
        """That of the richest part that knows, whatever its weight."""
        told = (part.pointwise_information(X, column) for part in reversed(self.parts_.values()))
        return next((each for each in told if each is not None), None)

    def _cells(self, X: HostEvents) -> Cells:
        if self.data_.schema.plain:
            return super()._cells(X)
        # Parts may see numbers in other states: each tells its own tails, by how likely it holds the rest of the row.
        each = [part._cells(X) for part in self._used()]
        weights = np.log(self.weights_[self.weights_ > 0.0])[:, None, None]
        rest = np.stack([part.log_rest for part in each]) + weights
        log_rest = np.asarray(logsumexp(rest, axis=0))
        with np.errstate(invalid="ignore"):
            return Cells(log_rest, (np.exp(rest - log_rest) * np.stack([part.tails for part in each])).sum(0))

    def _used(self) -> list[DensityEstimator]:
        """The parts with weight."""
        return [part for part, weight in zip(self.parts_.values(), self.weights_, strict=True) if weight > 0.0]

    def _mixed(self, each: list[LogDensities]) -> LogDensities:
        """The mixture's log-densities from those of the parts with weight."""
        return mixture_log_prob(np.column_stack(each), self.weights_[self.weights_ > 0.0])

    def _draw(self, n: int, random_state: np.random.RandomState) -> HostEvents:
        counts = random_state.multinomial(n, self.weights_)
        drawn = [p._draw(c, random_state) for p, c in zip(self.parts_.values(), counts.tolist(), strict=True) if c]
        return random_state.permutation(np.concatenate(drawn))

    def _golden_events(self) -> HostEvents:
        return next(iter(self.parts_.values()))._golden_events()

    def _golden_scores(self, events: HostEvents) -> LogDensities:
        return self._mixed([part._golden_scores(events) for part in self._used()])

    def _save(self, folder: Path) -> "Parts":
        (folder / "parts").mkdir()
        for name, part in self.parts_.items():
            (folder / "parts" / name).mkdir()
            part.save_into(folder / "parts" / name)
        return Parts(dict(zip(self.parts_, self.weights_.tolist(), strict=True)))

    def _load(self, folder: Path, model: msgspec.Raw, load: Callable[[Path], Estimator]) -> None:
        saved = parse_json(model, Parts, folder / "manifest.json").weights
        sane = all(name.isidentifier() and 0.0 <= weight <= 1.0 for name, weight in saved.items())
        if not sane or abs(sum(saved.values()) - 1.0) > 1e-6:
            raise StoreError(f"{folder}: the parts' weights {saved} are not those of a stack")
        parts = {name: load(below(folder, "parts", name)) for name in saved}
        if not all(isinstance(part, DensityEstimator) for part in parts.values()):
            raise StoreError(f"{folder}: a stack's parts are densities, and one of these is not")
        self.parts_ = cast(dict[str, DensityEstimator], parts)
        self.weights_ = np.array(list(saved.values()))
        if self.estimators is not None:
            self.estimators = {name: part.fresh() for name, part in self.parts_.items()}
        if any(part.data_.schema != self.data_.schema for part in self.parts_.values()):
            raise StoreError(f"{folder}: the parts' columns are not the manifest's")

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "validation_fraction", 0.0 < self.validation_fraction < 1.0, "between 0 and 1")


class Parts(msgspec.Struct, forbid_unknown_fields=True):
    """What the manifest says of a saved stack's parts: their weights, by name."""

    weights: dict[str, float]
