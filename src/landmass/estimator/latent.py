"""The face of estimators whose events have a code: encode, decode, reconstruct, interpolate."""

from abc import ABC
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from landmass.core.many import in_blocks
from landmass.errors import DataError, SettingError
from landmass.estimator.learned import LearnedEstimator

# Events that are encoded and decoded at a time: few, so that one event does not wait for many.
AT_ONCE = 16

HostCodes = Float[np.ndarray, "events latents"]


@dataclass(kw_only=True, eq=False, repr=False)
class LatentEstimator(LearnedEstimator, ABC):
    """Base of the estimators whose events have a code."""

    def encode(
        self, X: Any, *, draw: bool = False, random_state: int | np.random.RandomState | None = None
    ) -> HostCodes:
        """The codes of events.

        Args:
            X: events, in any form that `fit` takes.
            draw: whether to draw each code from what the model guesses of it, and not to give its mean.
            random_state: seed of the draw.

        Returns:
            Shape (events, latents), in units of the latents.

        Raises:
            SettingError: there are several members, each with codes of its own.
        """
        mean, scale = self.posterior(X)
        return mean + scale * check_random_state(random_state).standard_normal(mean.shape) if draw else mean

    def posterior(self, X: Any) -> tuple[HostCodes, HostCodes]:
        """Mean and standard deviation of each latent of each event, as the model guesses them.

        Args:
            X: events, in any form that `fit` takes.
        """
        check_is_fitted(self)
        Z = self.space_.forward(self._read_again(X).X)[0]
        found = in_blocks(_posterior, self._one(), Z, at_once=AT_ONCE).astype(np.float64)
        return found[:, 0], found[:, 1]

    def decode(self, codes: Any) -> Any:
        """The expected events of codes, in the container that `fit` was given.

        Args:
            codes: shape (events, latents).

        Raises:
            DataError: they are no finite numbers, or not of so many latents.
        """
        check_is_fitted(self)
        codes = np.asarray(codes, np.float32)
        if codes.ndim != 2 or codes.shape[1] != self.n_latents_:
            raise DataError(
                f"codes have shape (events, {self.n_latents_}) here, found {codes.shape}; give a row of "
                f"{self.n_latents_} numbers for each event"
            )
        if not np.isfinite(codes).all():
            raise DataError("codes are finite numbers, and some of these are not")
        return self.data_.wrap(self.space_.inverse(self._means(codes)))

    def reconstruct(self, X: Any) -> Any:
        """What is left of events when all that is kept of them is their code.

        Args:
            X: events, in any form that `fit` takes.
        """
        return self.decode(self.encode(X))

    def interpolate(self, first: Any, last: Any, n: int = 9, how: Literal["straight", "spherical"] = "straight") -> Any:
        """Events on the way from one to another, through their codes.

        Args:
            first: one event, in any form that `fit` takes.
            last: one event.
            n: how many, both ends among them.
            how: along a line, or turning from the one direction to the other while the length changes evenly.

        Source: Shoemake 1985; White 2016 (spherical).
        """
        if n < 2:
            raise SettingError(f"n must be at least 2, got {n}")
        a, b = self.encode(first), self.encode(last)
        if not len(a) == len(b) == 1:
            raise DataError(f"interpolation is between two events; there are {len(a)} and {len(b)}")
        return self.decode(between(a[0], b[0], n, how))

    @property
    def n_latents_(self) -> int:
        """How many numbers a code has."""
        check_is_fitted(self)
        return self._one().n_latents

    def _means(self, codes: Float[np.ndarray, "events latents"]) -> np.ndarray:
        return in_blocks(_means, self._one(), codes, at_once=AT_ONCE)

    def _one(self) -> Any:
        """The only member."""
        models = self.model_.components
        if len(self.model_.log_weights) > 1:
            raise SettingError(
                f"{type(self).__name__} has {len(self.model_.log_weights)} members, each with codes of its own; fit it "
                "with members=1 to encode and decode"
            )
        return jax.tree.map(lambda leaf: leaf[0], models)


def between(
    first: Float[np.ndarray, " latents"],
    last: Float[np.ndarray, " latents"],
    n: int,
    how: Literal["straight", "spherical"],
) -> HostCodes:
    """Codes on the way from one to another.

    Args:
        first: a code.
        last: a code.
        n: how many, both ends among them.
        how: along a line, or turning from the one direction to the other while the length changes evenly.
    """
    share = np.linspace(0.0, 1.0, n)[:, None]
    lengths = np.linalg.norm(first), np.linalg.norm(last)
    cosine = first @ last / max(lengths[0] * lengths[1], 1e-300)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    # Opposite or equal directions leave nothing to turn by.
    if how == "straight" or not 1e-6 < angle < np.pi - 1e-6:
        return (1.0 - share) * first + share * last
    turned = np.sin((1.0 - share) * angle) * first / lengths[0] + np.sin(share * angle) * last / lengths[1]
    return turned / np.sin(angle) * ((1.0 - share) * lengths[0] + share * lengths[1])


def _posterior(model: Any, x: Array) -> Float[Array, "events 2 latents"]:
    q = model.posterior(x)
    return jnp.stack([q.mean, jnp.exp(q.log_scale)], axis=1)


def _means(model: Any, z: Array) -> Array:
    return model.means(z)
