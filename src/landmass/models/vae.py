"""Variational auto-encoder: a network draws events from a few latent numbers; fitted by a bound on the likelihood."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from msgspec.structs import replace
from sklearn.utils.validation import check_is_fitted

from landmass.arrays import on_device
from landmass.core.bounds import BoundMixture, bound
from landmass.core.capabilities import AbstractBound, AbstractLatent, Context
from landmass.core.distributions import LOG_2PI
from landmass.core.likelihoods import Likelihood, Normal, Parts
from landmass.core.many import in_blocks
from landmass.errors import SettingError
from landmass.estimator.base import require, require_usual
from landmass.estimator.coder import CoderEstimator
from landmass.estimator.latent import AT_ONCE, HostCodes
from landmass.nn.base import Make
from landmass.nn.network import Running
from landmass.train.coder import Coder, Codes, Posterior, black_or_white
from landmass.train.learner import Score
from landmass.train.rows import Batch
from landmass.types import Key, Keys, LogDensities, Scalar

# Codes of a uniform prior reach so far to both sides: their variance is 1. The outer thousandth is decoded as its inner
# end: hardly any event has shown the decoder what lies there.
REACH, LAST = math.sqrt(3.0), 0.999

# Places and weights by which a function of a standard normal number is averaged (Gauss and Hermite).
PLACES, WEIGHTS = (each.astype(np.float32) for each in np.polynomial.hermite_e.hermegauss(24))
WEIGHTS = WEIGHTS / WEIGHTS.sum()

# The most held-out events by which validation tells what the latents tell of each other: each is compared with each.
FEW = 512


class Bells(eqx.Module):
    """A mixture of normal distributions of codes with independent numbers; of one, the standard normal distribution.

    Args:
        log_weights: unnormalised, shape (components,).
        mean: shape (components, latents).
        log_scale: logarithms of the standard deviations, shape (components, latents).
    """

    log_weights: Float[Array, " components"]
    mean: Float[Array, "components latents"]
    log_scale: Float[Array, "components latents"]

    def log_probs(self, z: Codes) -> Float[Array, " events"]:
        """Log-densities of codes."""
        narrow = jnp.exp(-2.0 * self.log_scale)
        # The squared distance to every bell in three products.
        square = z**2 @ narrow.T - 2.0 * z @ (self.mean * narrow).T + (self.mean**2 * narrow).sum(1)[None]
        scale = self.log_scale.sum(1) + 0.5 * LOG_2PI * z.shape[1]
        return jax.nn.logsumexp((jax.nn.log_softmax(self.log_weights) - scale)[None] - 0.5 * square, axis=1)

    def samples(self, key: Key, n: int) -> Codes:
        """Draw codes."""
        choose, noise = jax.random.split(key)
        chosen = jax.random.categorical(choose, self.log_weights, shape=(n,))
        return self.mean[chosen] + jnp.exp(self.log_scale[chosen]) * jax.random.normal(noise, (n, self.mean.shape[1]))


class LatentVariable(AbstractBound, AbstractLatent):
    """One member: a prior of codes, a decoder to events, and an encoder that guesses the code of an event.

    Args:
        coder: both networks, and the likelihood of an event given its code.
        prior: the distribution of codes, or of the normal numbers that become codes.
        steps: of training so far.
        uniform: whether codes are uniform: what normal numbers become by their distribution function.
    """

    coder: Coder
    prior: Any
    steps: Running
    uniform: bool = eqx.field(static=True, default=False)

    @property
    def numbers(self) -> int:
        return self.coder.start.size

    def log_prob_bound(self, x: Array, key: Key, context: Context = None) -> Scalar:
        return self.log_weights_of(x[None], key[None], 1)[0, 0]

    def log_weights_of(self, x: Parts, keys: Keys, n: int) -> Float[Array, "events n"]:
        q = self.guess(x)
        noise = jax.vmap(lambda key: jax.random.normal(key, (n, q.mean.shape[1])))(keys)
        z = (q.mean[:, None] + jnp.exp(q.log_scale)[:, None] * noise).reshape(-1, q.mean.shape[1])
        log_q = -0.5 * (noise**2 + LOG_2PI).sum(-1) - q.log_scale.sum(-1, keepdims=True)
        log_p = self.coder.log_probs(self.coder.numbers(z), jnp.repeat(x, n, axis=0)) + self.prior_of.log_probs(z)
        return log_p.reshape(-1, n) - log_q

    def sample(self, key: Key, context: Context = None) -> Array:
        return self.samples(key, 1)[0]

    def samples(self, key: Key, n: int, context: Context = None) -> Array:
        code, draw = jax.random.split(key)
        return self.coder.likelihood.draw(self.coder.numbers(self.prior_of.samples(code, n)), draw)

    def encode(self, x: Array) -> Array:
        return self.posterior(x[None]).mean[0]

    def decode(self, z: Array) -> Array:
        return self.means(z[None])[0]

    def posterior(self, x: Parts) -> Posterior:
        """What the encoder guesses of the codes of events: mean and logarithm of the standard deviation."""
        q = self.guess(x)
        if not self.uniform:
            return q
        each = jnp.stack([self.codes(q.at(jnp.full_like(q.mean, place))) for place in PLACES], axis=-1)
        mean = each @ WEIGHTS
        return Posterior(mean, 0.5 * jnp.log((each - mean[..., None]) ** 2 @ WEIGHTS + 1e-12))

    def guess(self, x: Parts) -> Posterior:
        """The same of the normal numbers that become codes."""
        return Posterior.of(self.coder.read(x))

    def codes(self, z: Codes) -> Codes:
        """What normal numbers become."""
        return REACH * jax.lax.erf(z / math.sqrt(2.0)) if self.uniform else z

    def behind(self, z: Codes) -> Codes:
        """The normal numbers behind codes; the outermost codes count as the last of them."""
        return math.sqrt(2.0) * jax.lax.erf_inv(jnp.clip(z / REACH, -LAST, LAST)) if self.uniform else z

    def distances(self, q: Posterior, e: Float[Array, "events latents"], z: Codes) -> Float[Array, " events"]:
        """How far the posteriors of events are from the prior, in nats; as draws tell where no formula does.

        Args:
            q: the posteriors.
            e: standard normal noise.
            z: the codes that it makes.
        """
        if isinstance(self.prior, Running):
            return q.nats().sum(1)
        return (-0.5 * (e**2 + LOG_2PI) - q.log_scale).sum(1) - self.prior.log_probs(z)

    def means(self, z: Codes) -> Float[Array, "events *shape"]:
        """The expected events of codes."""
        return self.coder.means(self.behind(z))

    @property
    def n_latents(self) -> int:
        """How many numbers a code has."""
        return self.prior_of.mean.shape[-1]

    @property
    def prior_of(self) -> Bells:
        """The prior; a standard normal one is kept from training."""
        return self.prior.numbers if isinstance(self.prior, Running) else self.prior


@dataclass(frozen=True)
class Objective:
    """What training lowers: reconstruction, and the distance of the posteriors from the prior, in nats an event.

    Args:
        beta: weight of the distance; 1 makes the sum minus a bound on the log-likelihood.
        warm_up: steps over which the weight rises from 0.
        capacity: nats that the distance is drawn to, from 0 on over half of the steps; None draws it to 0.
        total_correlation: further weight of what the latents tell of each other.
        max_steps: of the training.
        drawn: whether each batch's pixels are drawn anew, white with the probability that their grey says.
    """

    beta: float
    warm_up: float
    capacity: float | None
    total_correlation: float
    max_steps: int
    drawn: bool

    def __call__(self, model: LatentVariable, batch: Batch, key: Key) -> tuple[Scalar, LatentVariable]:
        draw, read, noise, write = jax.random.split(key, 4)
        x = black_or_white(batch.x, draw) if self.drawn else batch.x
        outputs, coder = model.coder.train_read(x, read)
        q = Posterior.of(outputs)
        e = jax.random.normal(noise, q.mean.shape)
        z = q.at(e)
        numbers, coder = coder.train_numbers(z, write)
        penalty = self.penalty(model.distances(q, e, z).mean(), q, z, model.steps.numbers)
        loss = penalty - coder.log_probs(numbers, x).mean()
        return loss, LatentVariable(coder, model.prior, Running(model.steps.numbers + 1.0), model.uniform)

    def penalty(self, distance: Scalar | float, q: Posterior, z: Codes, passed: Scalar | float) -> Scalar:
        """What is added to the error of a batch after so many steps.

        Args:
            distance: mean distance of the posteriors from the prior.
            q: the posteriors.
            z: a code drawn from each.
            passed: how many steps.
        """
        if self.capacity is None:
            weighed = self.beta * jnp.minimum((passed + 1.0) / max(self.warm_up, 1.0), 1.0) * distance
        else:
            target = self.capacity * jnp.minimum(2.0 * passed / self.max_steps, 1.0)
            weighed = self.beta * jnp.abs(distance - target)
        return weighed + (self.total_correlation * total_correlation(q, z) if self.total_correlation else 0.0)

    def score(self, model: BoundMixture, Z: np.ndarray, weight: Float[np.ndarray, " events"]) -> float:
        """What validation compares where that is no bound: minus what training lowers in its last step."""
        noise = np.random.default_rng(0).standard_normal((len(Z), model.components.n_latents), np.float32)
        found = in_blocks(_told, model, Z, noise)
        few = np.linspace(0, len(Z) - 1, min(len(Z), FEW)).astype(int)
        scores = []
        # The penalty is of all events together: on the host, where there is no padding among them.
        for log_prob, distance, *q in found.transpose(1, 2, 0):
            guess = Posterior(*(on_device(each[:, few].T) for each in np.split(np.array(q), 2)))
            mean = float(np.average(distance.astype(np.float64), weights=weight))
            penalty = self.penalty(mean, guess, guess.at(on_device(noise[few])), float(self.max_steps))
            scores.append(np.average(log_prob.astype(np.float64), weights=weight) - float(penalty))
        return float(np.mean(scores))


def _told(model: BoundMixture, x: Parts, e: Float[Array, "events latents"]) -> Float[Array, "events members numbers"]:
    """Each event's log-probability under each member, its posterior's distance from the prior, and that posterior."""

    def of(part: LatentVariable) -> Float[Array, "events numbers"]:
        q = part.guess(x)
        z = q.at(e)
        return jnp.column_stack([part.coder.log_probs(part.coder.numbers(z), x), part.distances(q, e, z), *q])

    return eqx.filter_vmap(of, out_axes=1)(model.components)


@eqx.filter_jit
def total_correlation(q: Posterior, z: Codes) -> Scalar:
    """How far codes are from a product of their numbers' distributions, as a batch tells, up to a constant, in nats.

    Source: Chen, Li, Grosse & Duvenaud 2018.
    """
    residual = (z[:, None] - q.mean[None]) * jnp.exp(-q.log_scale)[None]
    each = -0.5 * (residual**2 + LOG_2PI) - q.log_scale[None]
    joint = jax.nn.logsumexp(each.sum(-1), axis=1)
    return (joint - jax.nn.logsumexp(each, axis=1).sum(-1)).mean()


@dataclass(kw_only=True, eq=False, repr=False)
class VAE(CoderEstimator):
    """Variational auto-encoder: a few latent numbers, and a network that makes an event of them.

    Its log-likelihoods are bounds: `score_samples` gives the importance-weighted bound of `draws` draws.

    Args:
        likelihood: of an event given its code: `gaussian`, with a learned scale for each column or pixel, or
            `logistic`, whose scales depend on the code, for columns and, integrated over the cells of bytes, for
            images; `categorical`, any distribution of a byte; or `bernoulli` for black and white. None takes gaussian
            for columns, logistic for grey and colours, bernoulli for black and white.
        scales: of the gaussian likelihood: one of its own for `each` column or pixel, or `one` for all. With one, what
            shows in a few pixels alone, as a smile does, is learned sooner: scales of their own grow to excuse it.
        prior: of the codes: the standard normal distribution; the uniform one of the same variance, from -√3 to √3,
            for factors that end somewhere; or a mixture of `bells` normal ones that are learned with the rest, which
            brings the bound closer and leaves the codes less round.
        bells: components of a mixture prior.
        beta: weight of the posteriors' distance from the prior in training; 1 maximises a bound on the likelihood.
        warm_up: share of the steps over which that weight rises from 0; a capacity rises by itself, and needs none.
        capacity: nats that the distance is drawn to in training, from 0 on over half of the steps; None draws it to 0.
        total_correlation: further weight of what the latents tell of each other, so that each stands for itself.
        draws: importance draws by which a log-likelihood is bounded.

    Source: Kingma & Welling 2014; one scale, Rybkin, Daniilidis & Levine 2021; beta, Higgins et al. 2017; capacity,
    Burgess et al. 2018; total correlation, Chen et al. 2018; importance-weighted bound, Burda et al. 2016.
    """

    likelihood: Literal["bernoulli", "gaussian", "logistic", "categorical"] | None = None
    scales: Literal["each", "one"] = "each"
    prior: Literal["normal", "uniform", "mixture"] = "normal"
    bells: int = 100
    beta: float = 1.0
    warm_up: float = 0.1
    capacity: float | None = None
    total_correlation: float = 0.0
    draws: int = 100

    _outputs: ClassVar[int] = 2
    _likelihoods: ClassVar[Mapping[int, Sequence[str]]] = {
        0: ("gaussian", "logistic"),
        2: ("bernoulli", "categorical"),
        256: ("logistic", "gaussian", "categorical"),
    }

    def bound(self, X: Any, draws: int) -> tuple[LogDensities, LogDensities]:
        """Lower bounds on the log-densities of events, closer with more draws, in bounded memory.

        Args:
            X: events, in any form that `fit` takes.
            draws: how many, from 1.

        Returns:
            The bound of each event, in nats, in the units of the data, and its standard error (NaN of a single draw).

        Raises:
            SettingError: so many cannot be drawn.
        """
        check_is_fitted(self)
        if not isinstance(draws, int | np.integer) or draws < 1:
            raise SettingError(f"draws must be a whole number from 1, got {draws!r}")
        Z, log_det = self.space_.forward(self._read_again(X).X)
        values, errors = bound(self.model_, Z, int(draws))
        return values + log_det, errors

    @property
    def loss_is_bound(self) -> bool:
        """Whether the loss of training is minus a bound on the log-likelihood, and nothing is weighed otherwise."""
        return self.beta == 1.0 and self.capacity is None and not self.total_correlation

    def _member(self, coder: Coder, make: Make) -> LatentVariable:
        bells = self.bells if self.prior == "mixture" else 1
        shape = bells, self.latents
        # Bells begin apart from each other, and together about as wide as one.
        spread = 0.0 if bells == 1 else 0.8
        prior = Bells(make(0.0, (bells,)), make(spread, shape, random=True), make(-0.5 if spread else 0.0, shape))
        chosen = prior if spread else Running(prior)
        return LatentVariable(coder, chosen, Running(make(0.0, ())), self.prior == "uniform")

    def _likelihood(self, space: Any) -> Likelihood:
        found = super()._likelihood(space)
        return replace(found, one_scale=True) if self.scales == "one" and isinstance(found, Normal) else found

    def _check_space(self, space: Any) -> None:
        super()._check_space(space)
        if self.scales == "one" and not isinstance(self._likelihood(space), Normal):
            raise SettingError("VAE's scales='one' is for the gaussian likelihood; take likelihood='gaussian' as well")

    def _score_of(self, objective: Objective) -> Score | None:
        return None if self.loss_is_bound else objective.score

    def _objective(self, steps: int, drawn: bool) -> Objective:
        warm_up = self.warm_up * steps
        return Objective(self.beta, warm_up, self.capacity, self.total_correlation, steps, drawn)

    @property
    def _reach(self) -> float:
        return REACH if self._one().uniform else math.inf

    def _draw_codes(self, Z: np.ndarray, random_state: np.random.RandomState) -> HostCodes:
        if not self._one().uniform:
            return super()._draw_codes(Z, random_state)
        noise = random_state.standard_normal((len(Z), self.n_latents_)).astype(np.float32)
        return in_blocks(_drawn, self._one(), Z, noise, at_once=AT_ONCE).astype(np.float64)

    def _settle(self, model: BoundMixture) -> BoundMixture:
        return BoundMixture(model.log_weights, model.components, self.draws)

    def _empty(self, space: Any, sizes: Mapping[str, int]) -> BoundMixture:
        return self._settle(super()._empty(space, sizes))

    def check_settings(self) -> None:
        super().check_settings()
        require(self, "bells", 2 <= self.bells <= 10_000, "between 2 and 10000")
        for name in ("beta", "total_correlation"):
            require(self, name, getattr(self, name) >= 0.0, "at least 0")
        require(self, "warm_up", 0.0 <= self.warm_up <= 1.0, "between 0 and 1")
        require(self, "capacity", self.capacity is None or self.capacity >= 0.0, "None or at least 0")
        if self.capacity is not None:
            require_usual(self, ["warm_up"], "beside a capacity")
        if self.prior != "mixture":
            require_usual(self, ["bells"], "unless prior='mixture'")
        require(self, "draws", 1 <= self.draws <= 1_000_000, "between 1 and 1000000")


def _drawn(model: Any, x: Parts, noise: Float[Array, "events latents"]) -> Codes:
    """Codes that are drawn in the normal numbers that become codes: there the posterior is normal."""
    part = jax.tree.map(lambda leaf: leaf[0], model)
    return part.codes(part.guess(x).at(noise))
