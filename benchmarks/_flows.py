"""Spline flows of landmass, flowjax and zuko under training: what a density is after so many seconds.

Each gives, again and again, the seconds spent on steps so far, compilation among them, and the density at that moment
as a function from events to log-densities in the data's units. Looking at it costs nothing.
"""

import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from landmass import SplineFlow
from landmass.core.many import log_prob
from landmass.data.dataset import Dataset
from landmass.data.space import Space
from landmass.train import loop
from landmass.train.rows import Coordinates

LogProb = Callable[[np.ndarray], np.ndarray]
Training = Iterator[tuple[float, LogProb]]

LOOKS, BATCH = 20, 256


def of_landmass(train: Dataset, steps: int | None = None, **settings: object) -> Training:
    """A flow of landmass at its defaults, with the columns' bounds that the data declares."""
    flow = SplineFlow(max_steps=steps, **settings)  # pyright: ignore[reportArgumentType]
    began = time.perf_counter()
    space = Space.fit(train.schema, train.X, flow._onto_line)
    z = Coordinates.of(space.forward(train.X)[0])
    learner = flow._learner(space, z)
    state, rows = learner.init(jax.random.key(0)), next(z.rows())  # pyright: ignore[reportAttributeAccessIssue]
    spent = time.perf_counter() - began
    for start in range(0, learner.max_steps, learner.chunk_steps):
        began, stop = time.perf_counter(), min(start + learner.chunk_steps, learner.max_steps)
        places = jax.random.key(1), jnp.int32(start), jnp.int32(stop)
        state, losses, _ = loop._advance(learner.step, learner.chunk_steps, None, state, rows, *places)
        jax.block_until_ready(losses)
        spent += time.perf_counter() - began

        def scored(X: np.ndarray, model: object = learner.model(state)) -> np.ndarray:
            coordinates, log_det = space.forward(X)
            return log_prob(model, coordinates) + log_det  # pyright: ignore[reportArgumentType]

        yield spent, scored


def of_flowjax(train: Dataset, steps: int, rate: float, layers: int = 4, width: int = 64, knots: int = 8) -> Training:
    """A flow of flowjax on standardised columns: Adam under a cosine, its steps inside a scan."""
    import equinox as eqx
    import optax
    import paramax
    from flowjax.bijections import RationalQuadraticSpline
    from flowjax.distributions import Normal
    from flowjax.flows import masked_autoregressive_flow

    began = time.perf_counter()
    mean, scale = train.X.mean(axis=0), train.X.std(axis=0)
    x = jnp.asarray((train.X - mean) / scale, jnp.float32)
    flow = masked_autoregressive_flow(
        jax.random.key(0), base_dist=Normal(jnp.zeros(x.shape[1])), flow_layers=layers, nn_width=width, nn_depth=2,
        transformer=RationalQuadraticSpline(knots=knots, interval=4),
    )  # fmt: skip
    frozen = lambda leaf: isinstance(leaf, paramax.NonTrainable)  # noqa: E731
    weights, rest = eqx.partition(flow, eqx.is_inexact_array, is_leaf=frozen)
    optimiser = optax.chain(
        optax.clip_by_global_norm(5.0), optax.adam(optax.cosine_decay_schedule(rate, steps, alpha=0.01))
    )
    together = -(-steps // LOOKS)

    @jax.jit
    def advance(weights: object, moments: object, key: jax.Array) -> object:
        def one(carry: tuple, key: jax.Array) -> tuple:
            weights, moments = carry
            batch = x[jax.random.randint(key, (BATCH,), 0, len(x))]
            slopes = jax.grad(lambda w: -paramax.unwrap(eqx.combine(w, rest)).log_prob(batch).mean())(weights)
            updates, moments = optimiser.update(slopes, moments, weights)
            return (optax.apply_updates(weights, updates), moments), None

        return jax.lax.scan(one, (weights, moments), jax.random.split(key, together))[0]

    ask = jax.jit(lambda weights, z: paramax.unwrap(eqx.combine(weights, rest)).log_prob(z))
    moments = optimiser.init(weights)
    spent = time.perf_counter() - began
    for look in range(LOOKS):
        began = time.perf_counter()
        weights, moments = jax.block_until_ready(advance(weights, moments, jax.random.key(look)))  # pyright: ignore
        spent += time.perf_counter() - began

        def scored(X: np.ndarray, weights: object = weights) -> np.ndarray:
            z = jnp.asarray((X - mean) / scale, jnp.float32)
            return np.asarray(ask(weights, z), np.float64) - np.log(scale).sum()

        yield spent, scored


def of_zuko(train: Dataset, steps: int, rate: float, layers: int = 4, width: int = 64, bins: int = 8) -> Training:
    """A flow of zuko on standardised columns: Adam under a cosine, on one thread, here faster than two."""
    import torch
    import zuko

    torch.set_num_threads(1)
    torch.manual_seed(0)
    began = time.perf_counter()
    mean, scale = train.X.mean(axis=0), train.X.std(axis=0)
    x = torch.as_tensor((train.X - mean) / scale, dtype=torch.float32)
    flow = zuko.flows.NSF(x.shape[1], transforms=layers, hidden_features=(width, width), bins=bins)
    optimiser = torch.optim.Adam(flow.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, eta_min=0.01 * rate)
    spent = time.perf_counter() - began
    for _ in range(LOOKS):
        began = time.perf_counter()
        for _ in range(-(-steps // LOOKS)):
            optimiser.zero_grad()
            loss = -flow().log_prob(x[torch.randint(len(x), (BATCH,))]).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
            optimiser.step()
            schedule.step()
        spent += time.perf_counter() - began
        weights = {name: value.clone() for name, value in flow.state_dict().items()}

        def scored(X: np.ndarray, weights: dict = weights) -> np.ndarray:
            now = {name: value.clone() for name, value in flow.state_dict().items()}
            flow.load_state_dict(weights)
            with torch.no_grad():
                found = flow().log_prob(torch.as_tensor((X - mean) / scale, dtype=torch.float32)).numpy()
            flow.load_state_dict(now)
            return found.astype(np.float64) - np.log(scale).sum()

        yield spent, scored
