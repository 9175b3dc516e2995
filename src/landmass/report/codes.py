"""Codes of images as figures need them: where they lie, which latents are used, and which change an image most."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Integer, Shaped, UInt8

from landmass.data.images import Images
from landmass.errors import DataError
from landmass.estimator.latent import AT_ONCE, HostCodes, LatentEstimator
from landmass.evaluate.latents import Activity, active_units, divergences, effects

# Images that are encoded to see where codes lie.
MOST_CODED = 500

Few = UInt8[np.ndarray, "_ height width channels"]
"""Some images."""

Code = Float[np.ndarray, " latents"]


@dataclass(frozen=True, eq=False)
class Coded:
    """A model, and images with their codes.

    Args:
        model: fitted to images, whose events have codes.
        images: the first of those that were given, as the model sees them.
        labels: what is known of each, by name.
        means: of the codes, as the model guesses them.
        scales: their standard deviations; 0 where codes are certain.
    """

    model: LatentEstimator
    images: Few
    labels: Mapping[str, Shaped[np.ndarray, " _"]]
    means: HostCodes
    scales: HostCodes

    @classmethod
    def of(cls, model: LatentEstimator, images: Any, most: int = MOST_CODED) -> Self:
        """Encode images.

        Args:
            model: fitted to images.
            images: in any form that the model's `fit` takes.
            most: how many of them.

        Raises:
            DataError: the model is not one of images, or its codes have no numbers.
            SettingError: there are several members, each with codes of its own.
        """
        if not model.n_latents_ or model.data_.schema.image is None:
            raise DataError(
                f"these figures are of models of images with codes, and {model!r} is none; fit it to images"
            )
        data = model._read_again(images)
        data = data.take(np.arange(min(len(data), most)))
        found = [model.posterior(few) for few in few_at_a_time(data.X)]
        labels = data.labels if isinstance(data, Images) else {}
        means, scales = (np.concatenate(part) for part in zip(*found, strict=True))
        return cls(model, data.X, labels, means, scales)

    @property
    def middle(self) -> Code:
        """The mean code."""
        return self.means.mean(axis=0)

    @cached_property
    def spread(self) -> Code:
        """The standard deviation of each latent over all images, what the model is unsure of included."""
        return np.sqrt(self.means.var(axis=0) + (self.scales**2).mean(axis=0))

    @property
    def standard(self) -> bool:
        """Whether the prior of the codes is the standard normal distribution."""
        return bool(self.scales.all()) and getattr(self.model, "prior", "normal") == "normal"

    @cached_property
    def activity(self) -> Activity:
        """Which latents are used."""
        if self.standard:
            return active_units(self.means, kl=divergences(self.means, self.scales))
        return active_units(self.means / np.where(self.spread > 0.0, self.spread, 1.0))

    def effects(self, code: Code) -> Code:
        """How much each latent changes the image of a code: root mean square over its pixels, from 0 to 255."""
        return np.sqrt(effects(self.decode, code, self.middle, self.spread))

    @cached_property
    def used(self) -> Integer[np.ndarray, " used"]:
        """The latents that are used, the one first that changes the image of the mean code most."""
        found = np.flatnonzero(self.activity.active)
        return found[np.argsort(-self.effects(self.middle)[found], kind="stable")]

    def decode(self, codes: HostCodes) -> Few:
        """The expected images of codes."""
        return np.concatenate([self.model.decode(few) for few in few_at_a_time(codes)])

    def name(self, latent: int) -> str:
        """What a latent is called."""
        return self.model.latent_names_[latent]

    def fresh(self, n: int) -> Few:
        """The expected images of codes that are drawn as the model draws them: images without noise of the pixels."""
        seed = np.random.RandomState(0)
        if self.standard:
            return self.decode(seed.standard_normal((n, self.means.shape[1])))
        return self.decode(Coded.of(self.model, self.model._draw(n, seed)).means)


def few_at_a_time(rows: Shaped[np.ndarray, "events ..."]) -> Iterator[Shaped[np.ndarray, "few ..."]]:
    """Rows in blocks that a model takes at once: more would wait for thousands."""
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]
