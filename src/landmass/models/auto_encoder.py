"""Auto-encoder: a network that brings an event to a few numbers, and one that makes the event of them again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from sklearn.utils.validation import check_is_fitted

from landmass.arrays import on_device
from landmass.core.capabilities import AbstractLatent, AbstractModel, Context
from landmass.core.distributions import Normal
from landmass.core.likelihoods import Bernoulli, Likelihood, Logistic, Parts
from landmass.core.many import in_blocks
from landmass.estimator.base import require
from landmass.estimator.coder import CoderEstimator
from landmass.nn.base import Make
from landmass.nn.network import Running
from landmass.train.checkpoint import Checkpoint
from landmass.train.coder import Coder, Codes, Posterior, black_or_white
from landmass.train.learner import Score
from landmass.train.progress import Listener
from landmass.train.rows import Batch
from landmass.types import HostEvents, Key, LogDensities, Scalar

# Share of each latent's variance that is added to it, so that one that never moves has some.
JITTER = 1e-6


class Autoencoder(AbstractModel, AbstractLatent):
    """One member: an encoder, a decoder, and the normal distribution that is nearest to the training events' codes.

    Args:
        coder: both networks.
        codes: the distribution of codes, which draws are made of.
    """

    coder: Coder
    codes: Running

    def sample(self, key: Key, context: Context = None) -> Array:
        found, levels = self.decode(self.codes.numbers.sample(key)), self.coder.likelihood.levels
        if not levels:
            return found
        # The nearest of the bytes that there are.
        step = 255 // (levels - 1)
        return (jnp.round(found / step) * step).astype(jnp.uint8)

    def encode(self, x: Array) -> Array:
        return self.coder.read(x[None])[0]

    def decode(self, z: Array) -> Array:
        return self.coder.means(z[None])[0]

    def posterior(self, x: Parts) -> Posterior:
        """The codes of events, which are certain."""
        mean = self.coder.read(x)
        return Posterior(mean, jnp.full_like(mean, -jnp.inf))

    def means(self, z: Codes) -> Float[Array, "events *shape"]:
        """The events of codes."""
        return self.coder.means(z)

    def errors(self, x: Parts) -> Float[Array, " events"]:
        """What each event loses on its way."""
        return lost(self.coder, self.coder.numbers(self.coder.read(x)), x)

    @property
    def n_latents(self) -> int:
        """How many numbers a code has."""
        return self.codes.numbers.mean.shape[-1]


def lost(coder: Coder, numbers: Array, x: Parts) -> Float[Array, " events"]:
    """The squared error of each event, in units of its columns' variance or of half a byte's range; or cross-entropy.

    Args:
        coder: whose decoder spoke.
        numbers: what it said.
        x: the events.
    """
    if isinstance(coder.likelihood, Bernoulli):
        return -coder.log_probs(numbers, x)
    units = x.astype(jnp.float32)
    # Of bytes the expectation is cut off at both ends, where no slope would be left.
    found = numbers[..., 0]
    units = units / 127.5 - 1.0 if coder.likelihood.levels else units
    return ((found - units) ** 2).sum(tuple(range(1, x.ndim)))


@dataclass(frozen=True)
class Loss:
    """The mean error of a batch.

    Args:
        drawn: whether each batch's pixels are drawn anew, white with the probability that their grey says.
        noise: standard deviation of what is added to codes.
    """

    drawn: bool
    noise: float

    def __call__(self, model: Autoencoder, batch: Batch, key: Key) -> tuple[Scalar, Autoencoder]:
        draw, read, shake, write = jax.random.split(key, 4)
        x = black_or_white(batch.x, draw) if self.drawn else batch.x
        z, coder = model.coder.train_read(x, read)
        z = z + self.noise * jax.random.normal(shake, z.shape) if self.noise else z
        numbers, coder = coder.train_numbers(z, write)
        return lost(coder, numbers, x).mean(), Autoencoder(coder, model.codes)


@dataclass(kw_only=True, eq=False, repr=False)
class AutoEncoder(CoderEstimator):
    """Auto-encoder: codes of few numbers from which a network makes the events again, as nearly as it can.

    It is no density: events have codes and errors, and no likelihood. What it draws is decoded from a normal
    distribution of the training events' codes.

    Args:
        likelihood: what an error is measured by: `gaussian` for columns, grey and colours, the squared error;
            `bernoulli` for black and white, the cross-entropy. None takes the one that suits the events; there is no
            other.
        noise: standard deviation of what is added to codes in training, so that near codes make like events.

    Source: Rumelhart, Hinton & Williams 1986.
    """

    _outputs: ClassVar[int] = 1
    _likelihoods: ClassVar[Mapping[int, Sequence[str]]] = {0: ("gaussian",), 2: ("bernoulli",), 256: ("gaussian",)}
    _is_density: ClassVar[bool] = False

    likelihood: Literal["bernoulli", "gaussian"] | None = None
    noise: float = 0.0

    def errors(self, X: Any) -> LogDensities:
        """What each event loses on its way to its code and back, shape (events,).

        The squared error, summed over an event's parts, in units of a column's variance or of half of a byte's range;
        of black and white, cross-entropy in nats.

        Args:
            X: events, in any form that `fit` takes.
        """
        check_is_fitted(self)
        return -self._log_prob(self._read_again(X).X)

    def _score_of(self, objective: Loss) -> Score:
        return mean_score

    def _fit(self, train: Any, validation: Any, listen: Listener, checkpoint: Checkpoint) -> None:
        super()._fit(train, validation, listen, checkpoint)
        codes = self.posterior(train)[0]
        covariance = np.atleast_2d(np.cov(codes.T))
        covariance += np.diag(JITTER * np.maximum(np.diag(covariance), 1.0))
        moments = (on_device(each, np.float32) for each in (codes.mean(0), np.linalg.cholesky(covariance)))
        found = jax.tree.map(lambda leaf: leaf[None], Running(Normal(*moments)))
        self.model_ = eqx.tree_at(lambda model: model.components.codes, self.model_, found)

    def _log_prob(self, X: HostEvents) -> LogDensities:
        return scores(self.model_, self.space_.forward(X)[0])

    def _member(self, coder: Coder, make: Make) -> Autoencoder:
        moments = make(0.0, (self.latents,)), make(1.0, (self.latents, self.latents))
        return Autoencoder(coder, Running(Normal(*moments)))

    def _objective(self, steps: int, drawn: bool) -> Loss:
        return Loss(drawn, self.noise)

    def _sizes(self) -> dict[str, int]:
        return {"decoded": self.model_.components.coder.likelihood.decoded}

    def _saved_likelihood(self, space: Any, sizes: Mapping[str, int]) -> Likelihood:
        found = self._likelihood(space)
        # Bytes once had a second number by default, which was never trained; manifests did not tell of it.
        twice = found.levels == 256 and sizes.get("decoded", 2 if self.likelihood is None else 1) == 2
        return Logistic(found.levels) if twice else found

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "members", self.members == 1, "1: codes of several would have nothing to do with each other")
        require(self, "noise", self.noise >= 0.0, "at least 0")


def scores(model: Any, Z: np.ndarray) -> LogDensities:
    """Minus the error of each event."""
    return -in_blocks(_errors, model, Z).astype(np.float64)


def mean_score(model: Any, Z: np.ndarray, weight: Float[np.ndarray, " events"]) -> float:
    """Minus the mean error: what validation compares."""
    return float(np.average(scores(model, Z), weights=weight))


def _errors(model: Any, x: Parts) -> Float[Array, " events"]:
    return jax.tree.map(lambda leaf: leaf[0], model.components).errors(x)
