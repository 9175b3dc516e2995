"""A cloud of codes: where those of the data lie, and how far from them another one is."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Bool, Float

from landmass.errors import DataError
from landmass.train.labels import checked

# A code lies outside the data if it is farther from its middle than this share of the training codes.
INSIDE = 0.999

# How much shorter than the longest axis of the codes one may be: along a flat one, any step would be infinitely far.
FLATTEST = 1e-10


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

    def outside(self, codes: Float[np.ndarray, "events latents"], times: float = 1.0) -> Bool[np.ndarray, " events"]:
        """Whether each code is so many times as far out as 99.9% of the training codes; of fewer than 1,000, as all.

        The limit is that of the codes themselves: a chi distribution's would take them for Gaussian, and the farthest
        code's would be that of one stray event.
        """
        limit = np.quantile(self.distances, INSIDE, method="higher")
        return self.lengths(codes - self.mean) > times * limit

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
