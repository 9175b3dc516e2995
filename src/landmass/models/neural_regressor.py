"""Neural regressor: the density of a number, given an event, by a network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from jaxtyping import Array, Float
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from landmass.core.distributions import Mixture
from landmass.core.heads import Gaussian, GaussianMixture, Laplace, NumberHead
from landmass.core.many import in_blocks
from landmass.data.examples import Answers, Examples, read_examples, read_inputs
from landmass.data.numbers import as_float64
from landmass.data.schema import Schema
from landmass.data.space import Space
from landmass.errors import DataError, SettingError, StoreError
from landmass.estimator.conditional import ConditionalEstimator
from landmass.store import parse_json

HEADS: dict[str, NumberHead] = {
    "gaussian": Gaussian(),
    "laplace": Laplace(),
    "mixture": GaussianMixture(),
    "squared_error": Gaussian(varying=False),
    "absolute_error": Laplace(varying=False),
}

# Halvings of an interval in search of a quantile: float32 tells no more apart.
HALVINGS = 40


@dataclass(kw_only=True, eq=False, repr=False)
class NeuralRegressor(RegressorMixin, ConditionalEstimator):
    """A network that gives the density of a number.

    Args:
        head: `gaussian`, `laplace` and `mixture` (of five Gaussians) give each event its own scale. `squared_error` is
            a Gaussian with one scale for all events, and `absolute_error` a Laplace distribution with one: minus their
            log-densities, which training lowers, are these errors, but for a factor and a constant.
    """

    head: Literal["gaussian", "laplace", "mixture", "squared_error", "absolute_error"] = "gaussian"

    def predict(self, X: Any) -> Float[np.ndarray, " events"]:
        """The expected answer of each event, in the answers' unit.

        Args:
            X: events, in any form that `fit` takes.
        """
        return self._in_units(self._ask(_mean, X))

    def predict_quantiles(self, X: Any, quantiles: Any = (0.05, 0.5, 0.95)) -> Float[np.ndarray, "events quantiles"]:
        """The values below which the answer lies with given chances, in the answers' unit.

        Args:
            X: events, in any form that `fit` takes.
            quantiles: the chances, between 0 and 1.
        """
        check_is_fitted(self)
        asked = np.atleast_1d(np.asarray(quantiles, np.float64))
        if not ((asked > 0.0) & (asked < 1.0)).all():
            raise SettingError(f"quantiles must lie between 0 and 1, got {quantiles}")
        context = self._encoded(read_inputs(X, self.inputs_)[0])
        shares = np.tile(asked.astype(np.float32), (len(context), 1))
        found = in_blocks(_quantiles, self.model_, context, shares)
        return np.column_stack([self._in_units(column) for column in found.T])

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The share of the answers' variance that the expected answers explain (R²).

        Args:
            X: events, in any form that `fit` takes.
            y: the answers, as in `fit`.
            sample_weight: how much each event counts.
        """
        check_is_fitted(self)
        examples = read_examples(X, y, self.inputs_)
        return float(super().score(examples, examples.answers, sample_weight))

    @property
    def _head(self) -> NumberHead:
        return HEADS[self.head]

    @property
    def log_det(self) -> float:
        return -float(np.log(self.space_.scale[0]))

    def _in_units(self, z: Float[np.ndarray, " events"]) -> Float[np.ndarray, " events"]:
        return self.space_.inverse(z[:, None])[:, 0]

    def _learn_answers(self, train: Examples, validation: Examples) -> None:
        self.space_ = Space.fit(Schema.real([train.target]), _numbers(train.answers, train.target))

    def _coded(self, answers: Answers) -> Float[np.ndarray, "events 1"]:
        return self.space_.forward(_numbers(answers, self.space_.schema.names[0]))[0]

    def _golden_answers(self, rng: np.random.Generator) -> Float[np.ndarray, " events"]:
        return rng.standard_normal(8)

    def _save_answers(self) -> Space:
        return self.space_

    def _load_answers(self, saved: msgspec.Raw, path: Path) -> None:
        self.space_ = parse_json(saved, Space, path)
        if len(self.space_.schema.columns) != 1 or not self.space_.complete:
            raise StoreError(f"{path}: the answers' space is not that of one column")


def _numbers(answers: Answers, target: str) -> Float[np.ndarray, "events 1"]:
    plain = np.array(answers.tolist()) if answers.dtype == object else answers
    if plain.dtype.kind not in "fiub":
        raise DataError(f"the target {target!r} holds {answers[0]!r}, which is no number; use NeuralClassifier")
    return as_float64(plain, target)[:, None]


def _mean(model: Mixture, context: Array) -> Float[Array, " events"]:
    return jnp.mean(eqx.filter_vmap(lambda part: part.head.mean(part.outputs(context)))(model.components), axis=0)


def _quantiles(model: Mixture, context: Array, shares: Array) -> Float[Array, "events quantiles"]:
    """Where the members' average distribution reaches given chances, by halving."""
    outputs = eqx.filter_vmap(lambda part: part.outputs(context))(model.components)

    def below(y: Array) -> Array:
        each = eqx.filter_vmap(lambda part, one: part.below(one, y))(model.components, outputs)
        return jnp.mean(each, axis=0)

    def of_one(share: Array) -> Array:
        def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = ends
            middle = 0.5 * (low + high)
            more = below(middle) < share
            return jnp.where(more, middle, low), jnp.where(more, high, middle)

        # In standard deviations of the answers.
        ends = jnp.full_like(share, -1e3), jnp.full_like(share, 1e3)
        return sum(jax.lax.fori_loop(0, HALVINGS, halve, ends)) / 2.0  # pyright: ignore[reportReturnType]

    return jax.vmap(of_one, in_axes=1, out_axes=1)(shares)
