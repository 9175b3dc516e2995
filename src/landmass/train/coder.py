"""A coder: two networks, one from events to numbers about their codes, one from codes to a likelihood's numbers."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from landmass.arrays import on_device
from landmass.core.likelihoods import Likelihood, Numbers, Parts
from landmass.nn.base import Layer, Make
from landmass.nn.network import Network, Running
from landmass.types import Key

Codes = Float[Array, "events latents"]

Start = Float[Array, "*shape numbers"] | Float[np.ndarray, "*shape numbers"]
"""A likelihood's numbers for each part of an event."""


# A posterior is no narrower than this, and no wider: its logarithms.
NARROWEST, WIDEST = -6.0, 2.0


class Posterior(NamedTuple):
    """Normal distributions of the codes of events, each number on its own.

    Args:
        mean: shape (events, latents).
        log_scale: logarithm of the standard deviation.
    """

    mean: Codes
    log_scale: Codes

    @classmethod
    def of(cls, outputs: Float[Array, "events outputs"]) -> "Posterior":
        """Of what an encoder says."""
        mean, log_scale = jnp.split(outputs, 2, axis=1)
        return cls(mean, jnp.clip(log_scale, NARROWEST, WIDEST))

    def at(self, noise: Float[Array, "events latents"]) -> Codes:
        """Codes that come of standard normal noise."""
        return self.mean + jnp.exp(self.log_scale) * noise

    def nats(self) -> Float[Array, "events latents"]:
        """How far each number's distribution is from the standard normal one (Kullback–Leibler)."""
        return 0.5 * (self.mean**2 + jnp.exp(2.0 * self.log_scale) - 1.0) - self.log_scale


class Coder(eqx.Module):
    """Networks to and from codes.

    Args:
        encoder: from an event to numbers about its code.
        decoder: from a code to what is added to `start`.
        start: a likelihood's numbers for each part of an event whose code says nothing, shape (*shape, numbers).
        spread: mean and standard deviation of each column or channel, by which the encoder sees it.
        likelihood: of an event given its code.
    """

    encoder: Network
    decoder: Network
    start: Float[Array, "*shape numbers"]
    spread: Running
    likelihood: Likelihood = eqx.field(static=True)

    @classmethod
    def fresh(
        cls,
        encoder: Sequence[Layer],
        decoder: Sequence[Layer],
        likelihood: Likelihood,
        start: Start,
        spread: Float[Array, "2 channels"] | Float[np.ndarray, "2 channels"],
        latents: int,
        make: Make,
    ) -> Self:
        """Fresh networks.

        Args:
            encoder: its layers.
            decoder: its layers.
            likelihood: of an event given its code.
            start: its numbers where a code says nothing.
            spread: mean and standard deviation of each column or channel.
            latents: numbers of a code.
            make: makes the networks' numbers.
        """
        networks = Network.fresh(encoder, start.shape[:-1], make), Network.fresh(decoder, (latents,), make)
        return cls(*networks, on_device(start, np.float32), Running(on_device(spread, np.float32)), likelihood)

    def read(self, x: Parts) -> Float[Array, "events outputs"]:
        """What the encoder says of events, in test mode."""
        return self.encoder(self._seen(x))

    def numbers(self, z: Codes) -> Numbers:
        """The likelihood's numbers for codes, in test mode."""
        return self._added(self.decoder(z))

    def means(self, z: Codes) -> Float[Array, "events *shape"]:
        """The expected events of codes."""
        return self.likelihood.mean(self.numbers(z))

    def train_read(self, x: Parts, key: Key) -> tuple[Float[Array, "events outputs"], Self]:
        """What the encoder says of events in train mode, and the coder after it."""
        outputs, encoder = self.encoder.train(self._seen(x), key)
        return outputs, eqx.tree_at(lambda coder: coder.encoder.running, self, encoder.running)

    def train_numbers(self, z: Codes, key: Key) -> tuple[Numbers, Self]:
        """The likelihood's numbers for codes in train mode, and the coder after it."""
        found, decoder = self.decoder.train(z, key)
        return self._added(found), eqx.tree_at(lambda coder: coder.decoder.running, self, decoder.running)

    def log_probs(self, numbers: Numbers, x: Shaped[Array, "events *shape"]) -> Float[Array, " events"]:
        """Log-densities of events, given the likelihood's numbers of each, in nats."""
        each = self.likelihood.log_probs(numbers, x)
        return each.sum(tuple(range(1, each.ndim)))

    def _seen(self, x: Parts) -> Float[Array, "events *shape"]:
        loc, scale = (each.reshape(*[1] * (x.ndim - 1), -1) for each in self.spread.numbers)
        return (x.astype(jnp.float32) - loc) / scale

    def _added(self, found: Float[Array, "events *outputs"]) -> Numbers:
        *shape, numbers = self.start.shape
        decoded = found.reshape(-1, *shape, self.likelihood.decoded)
        start = self.likelihood.tied(self.start)[None]
        if not (alike := numbers - self.likelihood.decoded):
            return start + decoded
        return start + jnp.pad(decoded, [(0, 0)] * (decoded.ndim - 1) + [(0, alike)])


def stacked(models: Sequence[Any]) -> Any:
    """Models side by side, as one whose arrays carry a leading axis."""
    return jax.tree.map(lambda *leaves: on_device(np.stack(leaves)), *models)


def black_or_white(grey: Parts, key: Key) -> Parts:
    """Pixels drawn white with a probability of their grey over 255, to the nearest 1/65,536, and black otherwise."""
    words = jax.random.bits(key, ((grey.size + 1) // 2,), jnp.uint32)
    coins = jnp.concatenate([words & 0xFFFF, words >> 16])[: grey.size].reshape(grey.shape)
    return jnp.where(coins * 255 < grey.astype(jnp.uint32) * 65536, jnp.uint8(255), jnp.uint8(0))
