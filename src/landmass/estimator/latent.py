"""The face of estimators whose events have a code: encode, decode, reconstruct, interpolate, and edit by attribute."""

import warnings
from abc import ABC
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from landmass.core.many import in_blocks
from landmass.data.dataset import Dataset
from landmass.data.images import Images
from landmass.data.summary import check_bounds
from landmass.errors import DataError, SettingError
from landmass.estimator.learned import LearnedEstimator, Model
from landmass.train.cloud import Cloud
from landmass.train.directions import Directions, directions, shift
from landmass.train.labels import LEAST, Attributes, has_direction
from landmass.train.saved_directions import LatentNotes, load_directions, save_directions

# Events that are encoded and decoded at a time: few, so that one event does not wait for many.
AT_ONCE = 16

# An edited code is told to be far if it lies so many times as far out as nearly all of the data.
FAR = 1.25

HostCodes = Float[np.ndarray, "events latents"]

Way = Literal["straight", "spherical"]
"""How to go from one code to another."""


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
            DataError: an event lies outside the sample space; names the column, the row and the value.
            SettingError: there are several members, each with codes of its own.
        """
        check_is_fitted(self)
        Z = self._coordinates(X)
        return self._draw_codes(Z, check_random_state(random_state)) if draw else self._posterior(Z)[0]

    def posterior(self, X: Any) -> tuple[HostCodes, HostCodes]:
        """Mean and standard deviation of each latent of each event, as the model guesses them.

        Args:
            X: events, in any form that `fit` takes.

        Raises:
            DataError: an event lies outside the sample space; names the column, the row and the value.
            SettingError: there are several members, each with codes of its own.
        """
        check_is_fitted(self)
        return self._posterior(self._coordinates(X))

    def decode(self, codes: Any) -> Any:
        """The expected events of codes, in the container that `fit` was given.

        In positive, bounded and circular columns, which codes tell through a logarithm or a probit, the middle value
        stands (the median) and not the mean.

        Args:
            codes: shape (events, latents).

        Raises:
            DataError: they are no finite numbers, or not of so many latents.
        """
        check_is_fitted(self)
        codes = _numbers(codes)
        if codes.ndim != 2 or codes.shape[1] != self.n_latents_:
            raise DataError(
                f"codes have shape (events, {self.n_latents_}) here, found {codes.shape}; give a row of "
                f"{self.n_latents_} numbers for each event"
            )
        if len(wrong := np.argwhere(~np.isfinite(codes))):
            row, place = wrong[0].tolist()
            raise DataError(
                f"codes are finite numbers, and latent {place} ({self.latent_names_[place]!r}) of row {row} is "
                f"{codes[row, place]} (both counted from 0; {len(wrong)} such values); correct or leave out these rows"
            )
        means, of_images = self._means(codes), self.data_.schema.image is not None
        return self.data_.wrap(self.space_.inverse(np.round(means).astype(np.uint8) if of_images else means))

    def reconstruct(self, X: Any) -> Any:
        """What is left of events when all that is kept of them is their code, as `decode` tells it.

        Args:
            X: events, in any form that `fit` takes.
        """
        return self.decode(self.encode(X))

    def interpolate(self, first: Any, last: Any, n: int = 9, how: Way = "straight") -> Any:
        """Events on the way from one to another, through their codes.

        Args:
            first: one event, in any form that `fit` takes.
            last: one event.
            n: how many, both ends among them.
            how: along a line, or turning from the one direction to the other while the length changes evenly.

        Raises:
            DataError: there are more events than two.
            SettingError: there are fewer than two steps, or no such way.

        Source: Shoemake 1985; White 2016 (spherical).
        """
        if n < 2:
            raise SettingError(f"n must be at least 2, got {n}")
        a, b = self.encode(first), self.encode(last)
        if not len(a) == len(b) == 1:
            raise DataError(f"interpolation is between two events; there are {len(a)} and {len(b)}")
        return self.decode(between(a[0], b[0], n, how))

    def directions(self, X: Any, attributes: Attributes | None = None) -> Directions:
        """Learn from labelled events which way in latent space leads to more of each attribute.

        The estimator keeps what it finds as `directions_`, which `edit` follows and `save` saves; printed, it is a
        table with the held-out quality of each attribute's probe.

        Args:
            X: events, in any form that `fit` takes.
            attributes: by name, or as a pandas table, one label an event: numbers, or two classes; NaN, None and ""
                mean that there is none. None takes those labels that images come with of which a direction can be
                learned.

        Raises:
            DataError: there are no labels, or an attribute has fewer than 20, or one class only.
            SettingError: there are several members, each with codes of its own.
        """
        check_is_fitted(self)
        data = self._read_again(X)
        if attributes is None:
            labels = data.labels if isinstance(data, Images) else {}
            attributes = {name: values for name, values in labels.items() if has_direction(values)}
            if not attributes:
                told = (
                    f"no direction can be learned of {', '.join(labels)}" if labels else "these events have no labels"
                )
                raise DataError(
                    f"{told}; give attributes={{name: labels}}, numbers or two classes, of {LEAST} events or more"
                )
        # Draws, not means: along a latent that says nothing, codes lie as widely as the prior.
        self.directions_ = directions(self.encode(data, draw=True, random_state=0), attributes)
        return self.directions_

    def edit(
        self,
        X: Any,
        steps: Mapping[str, float] | None = None,
        *,
        hold: str | Collection[str] | None = None,
        orthogonal: bool = True,
        **more: float,
    ) -> Any:
        """Events with more of one attribute and less of another: `edit(X, smile=+2, width=-1)`.

        Args:
            X: events, in any form that `fit` takes.
            steps: by attribute how many steps to take, of which sign; see `Directions` for how long one is: one
                standard deviation of an amount, or half of the way from one class to the other.
            hold: other attributes that are to stay as they are predicted. None holds all that `directions` was given
                and that codes tell, but for doubles, which they tell as one with an attribute that changes or is held.
            orthogonal: whether any is to stay.
            more: the same as `steps`, by keyword.

        Returns:
            The events as `decode` tells them, in the container that `fit` was given. Warnings tell of codes far outside
            the data, and of those beyond the ends of a uniform prior.

        Raises:
            DataError: an attribute is not known, or cannot change while the others stay.
            SettingError: `directions` was not called yet, or an attribute is to change and to stay.
        """
        check_is_fitted(self)
        if not hasattr(self, "directions_"):
            raise SettingError("edit needs directions: call directions(X, attributes) with labelled events first")
        found = self.directions_
        codes = self.encode(X) + shift(found, {**(steps or {}), **more}, orthogonal, hold)[None]
        if (outside := found.cloud.outside(codes, FAR)).any():
            farthest = int(np.argmax(np.where(outside, found.cloud.ratios(codes), -np.inf)))
            warnings.warn(
                f"{outside.sum()} of {len(codes)} edited events lie far from what was learned from, and are not to be "
                f"trusted; the farthest is event {farthest} (counted from 0): {found.cloud.sentence(codes[farthest])}",
                stacklevel=2,
            )
        if (cut := self._beyond(codes)).any():
            warnings.warn(
                f"{cut.sum()} of {len(codes)} edited codes reach beyond the ends of the latents, ±{self._reach:.3g}, "
                f"and are cut off there; the first is that of event {int(np.argmax(cut))} (counted from 0): take fewer "
                "steps",
                stacklevel=2,
            )
        return self.decode(codes)

    def outside(self, codes: HostCodes, cloud: Cloud) -> Bool[np.ndarray, " events"]:
        """Whether edited codes lie far from those of the data, or beyond the ends of the latents.

        Args:
            codes: shape (events, latents).
            cloud: the codes of the data.
        """
        return cloud.outside(codes, FAR) | self._beyond(codes)

    def name_latents(self, names: Mapping[int, str] | Sequence[str]) -> None:
        """Give latents names, which `save` saves.

        Args:
            names: of all latents in order, or of some by their number, counted from 0.

        Raises:
            SettingError: there are no such latents, a name is no word, or two would have the same.
        """
        if isinstance(names, str):
            raise SettingError(
                f"latents need a name each, got the one word {names!r}; give a list, or {{0: {names!r}}}"
            )
        given = dict(names) if isinstance(names, Mapping) else dict(enumerate(names))
        known = range(self.n_latents_)
        if not all(isinstance(place, Integral) and place in known for place in given):
            raise SettingError(
                f"latents are counted from 0 to {len(known) - 1}, got names for {list(given)}; give their numbers"
            )
        all_names = [given.get(place, name) for place, name in enumerate(self.latent_names_)]
        if not all(isinstance(name, str) and name.strip() for name in all_names):
            raise SettingError(f"names of latents are words, got {all_names}; give words that are not empty")
        if len(set(all_names)) < len(all_names):
            raise SettingError(f"latents need names that differ, got {all_names}")
        self.latents_named_ = tuple(map(str, all_names))

    @property
    def latent_names_(self) -> tuple[str, ...]:
        """What the latents are called."""
        return getattr(self, "latents_named_", tuple(f"latent_{place}" for place in range(self.n_latents_)))

    @property
    def n_latents_(self) -> int:
        """How many numbers a code has."""
        check_is_fitted(self)
        return self._one().n_latents

    def _save(self, folder: Path) -> Model:
        saved = super()._save(folder)
        names, found = getattr(self, "latents_named_", ()), getattr(self, "directions_", None)
        if names or found is not None:
            saved.latents = LatentNotes(names, save_directions(folder, found))
        return saved

    def _load_notes(self, folder: Path, notes: LatentNotes) -> None:
        if notes.names:
            self.name_latents(notes.names)
        if notes.directions is not None:
            self.directions_ = load_directions(folder, notes.directions)

    @property
    def _reach(self) -> float:
        """Where latents end to both sides: nowhere, but for families that say so."""
        return np.inf

    def _beyond(self, codes: HostCodes) -> Bool[np.ndarray, " events"]:
        """Which codes no event can have, so that they are decoded as the ends."""
        return np.asarray((np.abs(codes) > self._reach).any(axis=1))

    def _coordinates(self, X: Any) -> np.ndarray:
        """Events in the model's space; what lies outside the sample space has no code."""
        data = self._read_again(X)
        if isinstance(data, Dataset):
            check_bounds(self.data_.schema, data.X)
        return self.space_.forward(data.X, self._precision)[0]

    def _draw_codes(self, Z: np.ndarray, random_state: np.random.RandomState) -> HostCodes:
        """A code of each event in the model's space, drawn from its posterior, which is normal, each latent on its own.

        Families whose posterior is another override it.
        """
        mean, scale = self._posterior(Z)
        return mean + scale * random_state.standard_normal(mean.shape)

    def _posterior(self, Z: np.ndarray) -> tuple[HostCodes, HostCodes]:
        """Mean and standard deviation of each latent of events in the model's space."""
        found = in_blocks(_posterior, self._one(), Z, at_once=AT_ONCE).astype(np.float64)
        return found[:, 0], found[:, 1]

    def _means(self, codes: HostCodes) -> np.ndarray:
        """The expected events of codes, in the model's space."""
        return in_blocks(_means, self._one(), codes.astype(np.float32), at_once=AT_ONCE)

    def _one(self) -> Any:
        """The only member, with an axis of one before all others: to take that off takes longer than to ask."""
        models = self.model_.components
        if len(self.model_.log_weights) > 1:
            raise SettingError(
                f"{type(self).__name__} has {len(self.model_.log_weights)} members, each with codes of its own; fit it "
                "with members=1 to encode and decode"
            )
        return models


def between(first: Float[np.ndarray, " latents"], last: Float[np.ndarray, " latents"], n: int, how: Way) -> HostCodes:
    """Codes on the way from one to another.

    Args:
        first: a code.
        last: a code.
        n: how many, both ends among them.
        how: along a line, or turning from the one direction to the other while the length changes evenly.

    Raises:
        SettingError: there is no such way.
    """
    if how not in get_args(Way):
        raise SettingError(f"how must be one of {', '.join(get_args(Way))}, got {how!r}")
    share = np.linspace(0.0, 1.0, n)[:, None]
    lengths = np.linalg.norm(first), np.linalg.norm(last)
    cosine = first @ last / max(lengths[0] * lengths[1], 1e-300)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    # A code of zeros has no direction, and opposite or equal directions leave nothing to turn by.
    if how == "straight" or not all(lengths) or not 1e-6 < angle < np.pi - 1e-6:
        return (1.0 - share) * first + share * last
    turned = np.sin((1.0 - share) * angle) * first / lengths[0] + np.sin(share * angle) * last / lengths[1]
    return turned / np.sin(angle) * ((1.0 - share) * lengths[0] + share * lengths[1])


def _numbers(codes: Any) -> Float[np.ndarray, "..."]:
    try:
        return np.asarray(codes, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"codes are numbers, as many in each row, and these are not: {error}; correct them") from error


def _posterior(model: Any, x: Array) -> Float[Array, "events 2 latents"]:
    q = jax.tree.map(lambda leaf: leaf[0], model).posterior(x)
    return jnp.stack([q.mean, jnp.exp(q.log_scale)], axis=1)


def _means(model: Any, z: Array) -> Array:
    return jax.tree.map(lambda leaf: leaf[0], model).means(z)
