"""Latents: which of them a model uses, and which of them change an event most."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

from landmass.errors import DataError
from landmass.train.labels import checked

# A latent whose posterior mean varies by no more than this is unused; one that differs from the prior by no more than
# this many nats, on average, has the prior for its posterior.
UNUSED, PRIOR = 0.01, 0.01

STRIP = np.linspace(-2.0, 2.0, 9)
"""Where a latent is put while the others stay: in standard deviations from the middle."""


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


def divergences(
    mean: Float[np.ndarray, "events latents"], scale: Float[np.ndarray, "events latents"]
) -> Float[np.ndarray, "events latents"]:
    """How far each latent's normal posterior is from a standard normal prior (Kullback–Leibler), in nats.

    Args:
        mean: of each posterior.
        scale: its standard deviation, above zero.
    """
    return 0.5 * (mean**2 + scale**2 - 1.0) - np.log(scale)


def effects(
    decode: Callable[[Float[np.ndarray, "codes latents"]], Shaped[np.ndarray, "codes ..."]],
    code: Float[np.ndarray, " latents"],
    middle: Float[np.ndarray, " latents"],
    spread: Float[np.ndarray, " latents"],
) -> Float[np.ndarray, " latents"]:
    """How much each latent changes an event: the mean squared change of the event's numbers, along its strip.

    Args:
        decode: the events of codes.
        code: of the event.
        middle: of each latent's strip, which goes two standard deviations to both sides.
        spread: the standard deviations.
    """
    still = decode(code[None]).astype(np.float64)
    strips = (strip(code, latent, middle, spread) for latent in range(len(code)))
    return np.array([np.mean((decode(codes) - still) ** 2) for codes in strips])


def strip(
    code: Float[np.ndarray, " latents"],
    latent: int,
    middle: Float[np.ndarray, " latents"],
    spread: Float[np.ndarray, " latents"],
) -> Float[np.ndarray, "steps latents"]:
    """Codes that differ from one in a single latent, which goes from two standard deviations below to two above.

    Args:
        code: whose other latents stay.
        latent: which one goes, counted from 0.
        middle: where each latent's standard deviations are counted from.
        spread: the standard deviations.
    """
    found = np.tile(code, (len(STRIP), 1))
    found[:, latent] = middle[latent] + STRIP * spread[latent]
    return found
