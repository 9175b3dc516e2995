"""Three ways to one maximum: the likelihood of probabilistic PCA in closed form, by EM, and by following its gradient.

Maximum likelihood says what to look for, not how. Of probabilistic PCA, x = W z + μ + σ ε with z and ε standard normal,
the best W and σ are known in closed form: eigenvectors of the covariance, and the mean of the variances that are left
over. Expectation-maximisation comes there by guessing the codes z and fitting W to the guesses, in turn; its
likelihood never falls. Gradient descent knows nothing of the model but minus its log-likelihood, which is the loss that
a network would be given: it comes to the same height, and is the only way that is left where the map from z to x is
a network.

    python examples/three_ways_to_the_maximum.py
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _figures import BLUE, FIGURES, INK, RED, drawn, name_lines, options
from sklearn.datasets import load_wine

import landmass

COMPONENTS = 3


def minus_log_likelihood(parts: tuple, x: jax.Array) -> jax.Array:
    """Minus the mean log-density of events with covariance W Wᵀ + σ² I, in nats."""
    mean, loadings, log_noise = parts
    columns = x.shape[1]
    covariance = loadings @ loadings.T + jnp.exp(2.0 * log_noise) * jnp.eye(columns)
    factor = jnp.linalg.cholesky(covariance)
    residual = jax.scipy.linalg.solve_triangular(factor, (x - mean[None]).T, lower=True)
    log_det = 2.0 * jnp.log(jnp.diagonal(factor)).sum()
    return 0.5 * ((residual**2).sum(0).mean() + log_det + columns * jnp.log(2.0 * jnp.pi))


def by_gradient(x: jax.Array, steps: int) -> np.ndarray:
    """The mean log-likelihood after each step of Adam, from a random start."""
    columns = x.shape[1]
    loadings = 0.1 * jax.random.normal(jax.random.key(0), (columns, COMPONENTS))
    optimiser, parts = optax.adam(0.02), (jnp.zeros(columns), loadings, jnp.zeros(()))

    def step(carry: tuple, _: None) -> tuple:
        parts, state = carry
        loss, slope = jax.value_and_grad(minus_log_likelihood)(parts, x)
        # Optax multiplies its whole number of steps with floats, which a strict JAX would refuse.
        with jax.numpy_dtype_promotion("standard"):
            update, state = optimiser.update(slope, state)
        return (optax.apply_updates(parts, update), state), -loss

    return np.asarray(jax.lax.scan(step, (parts, optimiser.init(parts)), None, length=steps)[1])


def main(small: bool = False, out: Path = FIGURES) -> dict[str, float]:
    """Climb to the maximum in three ways."""
    wine = np.asarray(load_wine(return_X_y=True)[0])
    # Standardised, as the estimator sees them; their Jacobian is the same for all three ways.
    x = (wine - wine.mean(0)) / wine.std(0)
    exact = landmass.ProbabilisticPCA(n_components=COMPONENTS, random_state=0).fit(x).score(x)
    passes = np.unique(np.geomspace(1, 40 if small else 200, 5 if small else 12).astype(int))
    models = [landmass.ProbabilisticPCA(n_components=COMPONENTS, method="em", max_iter=int(n), tol=0.0) for n in passes]
    by_em = np.array([model.set_params(random_state=0).fit(x).score(x) for model in models])
    steps = 400 if small else 2_000
    followed = by_gradient(jnp.asarray(x, jnp.float32), steps)
    found = {"closed form": exact, "EM": float(by_em[-1]), "gradient": float(followed[-1])}

    with drawn(out / "three_ways_to_the_maximum.png", 7.0, 4.0) as figure:
        axes = figure.subplots()
        axes.axhline(exact, color=INK, linewidth=0.8, label=f"closed form: {exact:.4f}")
        axes.plot(passes, by_em, color=BLUE, marker="o", markersize=3.0, label=f"EM: {by_em[-1]:.4f}")
        axes.plot(np.arange(1, steps + 1), followed, color=RED, label=f"gradient: {followed[-1]:.4f}")
        axes.set(
            xscale="log",
            xlabel="passes over the data, or steps of the gradient",
            ylabel="mean log-likelihood (nats an event)",
            title=f"{len(x)} wines, 13 measurements, {COMPONENTS} latents",
        )
        name_lines(axes)

    print(
        f"The closed form reaches {exact:.4f} nats an event, EM {found['EM']:.4f} after {passes[-1]} passes, and the "
        f"gradient {found['gradient']:.4f} after {steps:,} steps: one maximum, by three ways."
    )
    return found


if __name__ == "__main__":
    main(**vars(options(__doc__).parse_args()))
