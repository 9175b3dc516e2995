"""Truth: a known distribution that built-in data is drawn from, so that a model can be held against it."""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float

from landmass.data.schema import Schema
from landmass.errors import DataError


class Truth(ABC):
    """A distribution whose density and entropy are known; NumPy float64 throughout.

    The entropy is what no model can beat: the held-out log-likelihood of any density is at most `-entropy` in
    expectation, and the truth itself reaches it.
    """

    @property
    @abstractmethod
    def schema(self) -> Schema:
        """The sample space, which also says what the density is per."""

    @abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "events columns"]:
        """Draw independent events; generators in the same state give the same events.

        Args:
            n: number of events, zero or more.
            rng: the source of randomness; it moves on.
        """

    @property
    @abstractmethod
    def entropy(self) -> float:
        """Minus the expected log-density, in nats."""

    @property
    def outline(self) -> tuple[Float[np.ndarray, "_ 2"], ...]:
        """Polylines worth drawing behind a map of the events; none unless a truth has some."""
        return ()

    def log_prob(self, X: Float[np.ndarray, "events columns"]) -> Float[np.ndarray, " events"]:
        """Log-density of each event, in nats; -inf outside the support.

        Args:
            X: events, one a row, in the schema's columns and units.

        Raises:
            DataError: the number of columns is not the schema's, or a value is neither a finite number nor an empty
                cell (NaN) where such may be.
        """
        X = np.asarray(X, dtype=np.float64)
        names = self.schema.names
        if X.shape[1] != len(names):
            raise DataError(f"needs {len(names)} columns ({', '.join(names)}), got {X.shape[1]}")
        may_be_empty = np.array([column.nullable for column in self.schema.columns])
        bad = np.argwhere(~np.isfinite(X) & ~(np.isnan(X) & may_be_empty))
        if len(bad):
            row, column = bad[0]
            raise DataError(
                f"column {names[column]!r} needs finite numbers, found {X[row, column]} in row {row} "
                f"({len(bad)} such cells in all); drop those rows or impute them first"
            )
        return self._log_prob(X)

    @abstractmethod
    def _log_prob(self, X: Float[np.ndarray, "events columns"]) -> Float[np.ndarray, " events"]:
        """Log-density of checked events."""
