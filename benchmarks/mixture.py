"""Speed of expectation-maximisation: 200,000 events of 25 columns, 8 full covariances, one start, 20 steps.

python benchmarks/mixture.py
"""

import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np
from _timing import machine
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from landmass.core.distributions import Columnwise
from landmass.models.gaussian_mixture import Bells, _expect, _maximise, _mixture, _nothing
from landmass.train import loop
from landmass.train.learner import expectation_maximisation
from landmass.train.progress import silent
from landmass.train.rows import Coordinates

EVENTS, COLUMNS, COMPONENTS, STEPS = 200_000, 25, 8, 20


def main() -> None:
    """Print a table."""
    print(machine("scikit-learn"))
    rng = np.random.default_rng(0)
    centres = 2.0 * rng.standard_normal((COMPONENTS, COLUMNS))
    mixing = 0.5 * rng.standard_normal((COMPONENTS, COLUMNS, COLUMNS))
    label = rng.integers(0, COMPONENTS, EVENTS)
    X = centres[label] + np.einsum("nij,nj->ni", mixing[label], rng.standard_normal((EVENTS, COLUMNS)))
    means = X[rng.choice(EVENTS, COMPONENTS, replace=False)]
    start = {"weights_init": np.full(COMPONENTS, 1 / COMPONENTS), "means_init": means}
    precisions = np.broadcast_to(np.eye(COLUMNS) / X.var(), (COMPONENTS, COLUMNS, COLUMNS))
    found = []
    for kind in (np.float64, np.float32):
        peer = GaussianMixture(
            COMPONENTS, tol=0.0, max_iter=STEPS, reg_covar=1e-6, precisions_init=precisions.astype(kind),
            weights_init=start["weights_init"].astype(kind), means_init=means.astype(kind),
        )  # fmt: skip
        events = X.astype(kind)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            began = time.perf_counter()
            peer.fit(events)
            found.append((f"scikit-learn {kind.__name__}", time.perf_counter() - began, float(peer.score(X[:20_000]))))
    z = X.astype(np.float32)
    wide = jnp.full(COLUMNS, 1e6, jnp.float32)
    floor = Columnwise(jnp.zeros(COLUMNS, bool), -wide, wide)
    factors = jnp.broadcast_to(jnp.eye(COLUMNS) * X.std(), (COMPONENTS, COLUMNS, COLUMNS)).astype(jnp.float32)
    begin = Bells(
        jnp.full(COMPONENTS, -np.log(COMPONENTS), jnp.float32), jnp.asarray(means, jnp.float32), factors,
        jnp.zeros(COLUMNS), jnp.float32(0.0), floor, False,
    )  # fmt: skip
    learner = expectation_maximisation(
        lambda key: begin, _nothing, _expect, _maximise, lambda state: state, max_steps=STEPS, tolerance=-1e9
    )
    for name in ("landmass float32, compilation counted", "landmass float32"):
        began = time.perf_counter()
        state = jax.block_until_ready(
            loop.run(learner, Coordinates.of(z), Coordinates.of(z[:0]), jax.random.key(0), silent)
        )
        score = float(jnp.mean(jax.vmap(_mixture(state.model).parts[0].log_prob)(z[:20_000])))
        found.append((name, time.perf_counter() - began, score))
    for name, took, score in found:
        print(f"{name:<40} {took:7.2f} s   {found[0][1] / took:5.1f}x   mean log-likelihood {score:.5f}")


if __name__ == "__main__":
    main()
