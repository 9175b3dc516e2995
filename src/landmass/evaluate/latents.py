"""Latents: which of them a model uses, and how far a code lies from those of the data."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Bool, Float

from landmass.errors import DataError
from landmass.evaluate.labels import checked

# A latent whose posterior mean varies by no more than this is unused; one that differs from the prior by no more than
# this many nats, on average, has the prior for its posterior.
UNUSED, PRIOR = 0.01, 0.01

# A code lies outside the data if it is farther from its middle than this share of the training codes.
INSIDE = 0.999

# How much shorter than the longest axis of the codes one may be: along a flat one, any step would be infinitely far.
FLATTEST = 1e-10


@dataclass(frozen=True, eq=False)
class Activity:
    """Which latents are used; printed, in a sentence.

    Args:
        variance: of each latent's posterior mean, over the events.
        kl: mean divergence of each latent's posterior from the prior, in nats; None if it is not known.
        threshold: what a variance has to exceed.
    """

    variance: Float[np.ndarray, " latents"]
    kl: Float[np.ndarray, " latents"] | None = None
    threshold: float = UNUSED

    @property
    def active(self) -> Bool[np.ndarray, " latents"]:
        """Whether each latent is used."""
        return self.variance > self.threshold

    def __str__(self) -> str:
        unused, count = np.flatnonzero(~self.active), len(self.variance)
        if not len(unused):
            told = "" if self.kl is None else f"; they carry {self.kl.sum():.3g} nats an event"
            return f"All {count} latents are used{told}."
        one = len(unused) == 1
        which = f" (counted from 0: {', '.join(map(str, unused))})" if len(unused) < count else ""
        head = f"{len(unused)} of {count} latents {'is' if one else 'are'} unused{which}: "
        of = "its" if one else "their"
        still = f"the mean of {of} posterior hardly moves (variance at most {self.variance[unused].max():.2g})"
        if self.kl is None:
            return head + f"{still}."
        largest = self.kl[unused].max()
        if largest > PRIOR:
            return head + f"{still}, though {of} posterior is not the prior (up to {largest:.2g} nats from it)."
        rest = f" The others carry {self.kl[self.active].sum():.3g} nats an event." if len(unused) < count else ""
        return f"Posterior collapse: {head}{of} posterior is the prior for every event ({largest:.2g} nats).{rest}"


def active_units(
    means: Float[np.ndarray, "events latents"],
    threshold: float = UNUSED,
    kl: Float[np.ndarray, "..."] | None = None,
) -> Activity:
    """Tell which latents a model uses: those whose posterior mean varies from event to event.

    Args:
        means: the posterior mean of each event, in units of the prior's standard deviation.
        threshold: what the variance of a used latent exceeds.
        kl: divergence of each latent's posterior from the prior, in nats: of every event, shape (events, latents), or
            their mean, shape (latents,). Without it, a posterior that hardly moves is not told from the prior.

    Source: Burda, Grosse & Salakhutdinov 2016; Lucas, Tucker, Grosse & Norouzi 2019.
    """
    z = checked(means)
    if kl is not None and kl.shape not in (z.shape, z.shape[1:]):
        raise DataError(f"the divergences have shape {kl.shape}, but {z.shape} or {z.shape[1:]} is needed")
    nats = None if kl is None else np.asarray(kl, np.float64).reshape(-1, z.shape[1]).mean(axis=0)
    return Activity(z.var(axis=0), nats, threshold)


@dataclass(frozen=True, eq=False)
class Cloud:
    """Where codes lie: a measure of how far from them another one is.

    Distances are Mahalanobis distances from the mean. Along an unused latent codes hardly vary, so that any step there
    is far: take draws from the posterior as codes, or leave unused latents out.

    Args:
        mean: of the codes.
        covariance: of the codes.
        distances: of the codes themselves, from near to far.
    """

    mean: Float[np.ndarray, " latents"]
    covariance: Float[np.ndarray, "latents latents"]
    distances: Float[np.ndarray, " events"]

    @classmethod
    def of(cls, codes: Float[np.ndarray, "events latents"]) -> Self:
        """Measure codes, of the training events."""
        z = checked(codes)
        if len(z) < 2:
            raise DataError("one code has no spread; give the codes of all training events")
        mean, covariance = z.mean(axis=0), np.cov(z, rowvar=False, bias=True).reshape(z.shape[1], -1)
        if not np.ptp(z, axis=0).any():
            raise DataError(
                f"all {len(z)} codes are the same: there is no distance from them; the encoder tells nothing"
            )
        return cls(mean, covariance, np.sort(_lengths(covariance, z - mean)))

    @property
    def typical(self) -> float:
        """Mean distance of the training codes."""
        return float(self.distances.mean())

    def lengths(self, steps: Float[np.ndarray, "steps latents"]) -> Float[np.ndarray, " steps"]:
        """How long steps are, in standard deviations of the codes along them."""
        return _lengths(self.covariance, steps)

    def ratios(self, codes: Float[np.ndarray, "events latents"]) -> Float[np.ndarray, " events"]:
        """How many times as far from the middle as training codes on average each code lies."""
        return self.lengths(codes - self.mean) / self.typical

    def outside(self, codes: Float[np.ndarray, "events latents"]) -> Bool[np.ndarray, " events"]:
        """Whether each code is farther out than 99.9% of the training codes; of fewer than 1,000, than all.

        The limit is that of the codes themselves: a chi distribution's would take them for Gaussian, and the farthest
        code's would be that of one stray event.
        """
        limit = np.quantile(self.distances, INSIDE, method="higher")
        return self.lengths(codes - self.mean) > limit

    def sentence(self, code: Float[np.ndarray, " latents"]) -> str:
        """Say whether a code lies among the training codes or outside of them."""
        distance = self.lengths((code - self.mean)[None])[0]
        nearer = int(np.searchsorted(self.distances, distance))
        far = self.outside(code[None])[0]
        return (
            f"The code lies {'outside' if far else 'within'} the data: {distance / self.typical:.3g} times as far "
            f"from the middle as the training codes on average, farther than {nearer:,} of {len(self.distances):,}."
        )


def _lengths(
    covariance: Float[np.ndarray, "latents latents"], steps: Float[np.ndarray, "steps latents"]
) -> Float[np.ndarray, " steps"]:
    squares, axes = np.linalg.eigh(covariance)
    return np.linalg.norm(steps @ axes / np.sqrt(np.maximum(squares, FLATTEST * squares[-1])), axis=1)
