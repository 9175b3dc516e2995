"""One training step of a spline flow, beside zuko and flowjax: 4 layers, two hidden layers of 64, 8 bins.

    python benchmarks/flow_step.py                   # peers that are not installed are left out

Batch 256 at 2 columns, 512 at 8 and 43. landmass and flowjax take their steps inside one compiled scan, zuko takes them
one by one, with the better of one and two threads. All take turns, so that what else the machine does meets all alike:
told are the least time of a step, and the median over turns of the time beside landmass's with the peers' input, one
number a column. Compilation is told apart.
"""

import argparse
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from _timing import in_turns, machine, seconds

import landmass
from landmass.data.schema import Schema
from landmass.data.space import Space
from landmass.train import loop
from landmass.train.rows import Coordinates

LAYERS, WIDTH, BINS, STEPS = 4, 64, 8, 30
OURS = "landmass"

Steps = Callable[[], object]


def of_landmass(X: np.ndarray, batch: int, waves: int) -> Steps:
    """Some steps of a spline flow."""
    flow = landmass.SplineFlow(
        layers=LAYERS, hidden=WIDTH, n_bins=BINS, members=1, batch_size=batch, waves=waves, max_steps=20 * STEPS
    )
    space = Space.fit(Schema.real([f"x{i}" for i in range(X.shape[1])]), X)
    z = Coordinates.of(space.forward(X)[0])
    learner = flow._learner(space, z)
    state, rows = learner.init(jax.random.key(0)), next(z.rows())

    def steps() -> object:
        arguments = (learner.step, STEPS, None, state, rows, jax.random.key(1), jnp.int32(0), jnp.int32(STEPS))
        return jax.block_until_ready(loop._advance(*arguments)[1])

    return steps


def of_flowjax(X: np.ndarray, batch: int) -> Steps:
    """The same of flowjax, its steps in one scan."""
    import equinox as eqx
    import optax
    from flowjax.bijections import RationalQuadraticSpline
    from flowjax.distributions import Normal
    from flowjax.flows import masked_autoregressive_flow

    flow = masked_autoregressive_flow(
        jax.random.key(0), base_dist=Normal(jnp.zeros(X.shape[1])), flow_layers=LAYERS, nn_width=WIDTH, nn_depth=2,
        transformer=RationalQuadraticSpline(knots=BINS, interval=4),
    )  # fmt: skip
    import paramax

    x, optimiser = jnp.asarray(X, jnp.float32), optax.adam(1e-3)
    weights, rest = eqx.partition(
        flow, eqx.is_inexact_array, is_leaf=lambda leaf: isinstance(leaf, paramax.NonTrainable)
    )

    @jax.jit
    def steps(weights: object, moments: object) -> object:
        def one(carry: tuple, key: jax.Array) -> tuple:
            weights, moments = carry
            rows = x[jax.random.randint(key, (batch,), 0, len(x))]
            loss, slopes = jax.value_and_grad(lambda w: -paramax.unwrap(eqx.combine(w, rest)).log_prob(rows).mean())(
                weights
            )
            updates, moments = optimiser.update(slopes, moments, weights)
            return (optax.apply_updates(weights, updates), moments), loss

        return jax.lax.scan(one, (weights, moments), jax.random.split(jax.random.key(2), STEPS))[1]

    moments = optimiser.init(weights)
    return lambda: jax.block_until_ready(steps(weights, moments))


def of_zuko(X: np.ndarray, batch: int, threads: int) -> Steps:
    """The same of zuko; nothing is compiled."""
    import torch
    import zuko

    flow = zuko.flows.NSF(X.shape[1], transforms=LAYERS, hidden_features=(WIDTH, WIDTH), bins=BINS)
    optimiser = torch.optim.Adam(flow.parameters(), lr=1e-3)
    x = torch.as_tensor(X, dtype=torch.float32)

    def steps() -> None:
        torch.set_num_threads(threads)
        for _ in range(STEPS):
            optimiser.zero_grad()
            loss = -flow().log_prob(x[torch.randint(len(x), (batch,))]).mean()
            loss.backward()
            optimiser.step()

    return steps


def main() -> None:
    """Print a table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--columns", default="2,8,43")
    options.add_argument("--turns", type=int, default=9)
    chosen = options.parse_args()
    print(machine("flowjax", "zuko", "torch"))
    for columns in map(int, chosen.columns.split(",")):
        X = np.random.default_rng(0).standard_normal((20_000, columns))
        batch = 256 if columns == 2 else 512
        makers: dict[str, Callable[[], Steps]] = {
            OURS: lambda X=X, b=batch: of_landmass(X, b, 1),
            "landmass, 16 waves a column": lambda X=X, b=batch: of_landmass(X, b, 16),
            "flowjax, in one scan": lambda X=X, b=batch: of_flowjax(X, b),
            "zuko, one thread": lambda X=X, b=batch: of_zuko(X, b, 1),
            "zuko, two threads": lambda X=X, b=batch: of_zuko(X, b, 2),
        }
        methods, compiling = {}, {}
        for name, make in makers.items():
            try:
                methods[name] = make()
            except ImportError as missing:
                print(f"{columns:>2} columns  {name:<30} left out: {missing}")
                continue
            compiling[name] = seconds(methods[name], 1)
        for name, (turn, ratio) in in_turns(methods, OURS, chosen.turns).items():
            least = turn / STEPS
            compiled = max(compiling[name] - least * STEPS, 0.0) if "zuko" not in name else 0.0
            print(
                f"{columns:>2} columns  {name:<30} {1e3 * least:8.2f} ms a step   {ratio:5.2f} times   "
                f"{compiled:6.1f} s to compile",
                flush=True,
            )


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    print(f"{time.perf_counter() - began:.0f} s in all")
