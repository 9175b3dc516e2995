"""Speed and error of Gaussian kernel density: 100,000 points, 10,000 places, Scott's bandwidth.

    python benchmarks/kernel_density.py              # KDEpy is left out where it is not installed

Errors are the largest difference of a log-density from float64 sums, over 500 places.
"""

import argparse
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from _timing import machine, seconds
from scipy.special import logsumexp
from sklearn.neighbors import KernelDensity

from landmass.core.gauss_transform import gauss_transform
from landmass.core.many import log_prob
from landmass.models.kernel_density import Kernels

POINTS, PLACES, CHECKED = 100_000, 10_000, 500


def kernels(points: np.ndarray, bandwidth: float, quick: bool) -> Callable[[np.ndarray], np.ndarray]:
    """landmass: all bumps one by one, or in linear time."""
    columns = points.shape[1]
    free = jnp.full(columns, jnp.inf)
    fitted = Kernels(
        jnp.asarray(points, jnp.float32),
        jnp.zeros(len(points)),
        jnp.float32(np.log(len(points))),
        jnp.full(columns, bandwidth, jnp.float32),
        jnp.int32(len(points)),
        -free,
        free,
        jnp.zeros(columns, bool),
    )
    if quick:
        return lambda X: log_prob(fitted, X.astype(np.float32))
    exact = type("Exact", (Kernels,), {"quick_log_probs": lambda self, x: None})
    one_by_one = exact(**{name: getattr(fitted, name) for name in Kernels.__dataclass_fields__})
    return lambda X: log_prob(one_by_one, X.astype(np.float32))


def kdepy(points: np.ndarray, bandwidth: float) -> Callable[[np.ndarray], np.ndarray]:
    """KDEpy's sum by Fourier transform on a grid, read off between its nodes."""
    from KDEpy import FFTKDE
    from scipy.interpolate import RegularGridInterpolator

    side = {1: 2**14, 2: 2**10}[points.shape[1]]

    def evaluate(X: np.ndarray) -> np.ndarray:
        low, high = (np.minimum(points.min(0), X.min(0)) - 4 * bandwidth, np.maximum(points.max(0), X.max(0)))
        axes = [np.linspace(a, b + 4 * bandwidth, side) for a, b in zip(low, high, strict=True)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
        values = FFTKDE(bw=bandwidth).fit(points).evaluate(grid if len(axes) > 1 else grid[:, 0])
        table = RegularGridInterpolator(axes, values.reshape([side] * len(axes)))
        with np.errstate(divide="ignore"):
            return np.log(table(X))

    return evaluate


def main() -> None:
    """Print a table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--columns", default="1,2,3,6")
    chosen = options.parse_args()
    print(machine("scikit-learn", "KDEpy"))
    rng = np.random.default_rng(0)
    for columns in map(int, chosen.columns.split(",")):
        points, places = rng.standard_normal((POINTS, columns)), rng.standard_normal((PLACES, columns))
        bandwidth = POINTS ** (-1.0 / (columns + 4))
        truth = (
            np.array([logsumexp(-0.5 * (((place - points) / bandwidth) ** 2).sum(1)) for place in places[:CHECKED]])
            - np.log(POINTS)
            - columns * np.log(bandwidth * np.sqrt(2 * np.pi))
        )
        methods = {
            "scikit-learn exact": (KernelDensity(bandwidth=bandwidth).fit(points).score_samples, 1),
            "scikit-learn rtol=1e-4": (KernelDensity(bandwidth=bandwidth, rtol=1e-4).fit(points).score_samples, 1),
            "landmass, every bump": (kernels(points, bandwidth, quick=False), 3),
        }
        if columns <= 2:
            methods["landmass, linear time"] = (kernels(points, bandwidth, quick=True), 3)
            methods["landmass, the transform alone"] = (
                lambda X, p=points, h=bandwidth: (
                    gauss_transform(p / h, np.ones(POINTS), X / h)
                    - np.log(POINTS)
                    - p.shape[1] * np.log(h * np.sqrt(2 * np.pi))
                ),
                3,
            )
            try:
                import KDEpy  # noqa: F401

                methods["KDEpy FFT"] = (kdepy(points, bandwidth), 3)
            except ImportError:
                pass
        for name, (evaluate, repeats) in methods.items():
            if repeats > 1:
                evaluate(places)
            time = seconds(lambda e=evaluate, p=places: e(p), repeats)
            error = np.nanmax(np.abs(evaluate(places[:CHECKED] if "KDEpy" not in name else places)[:CHECKED] - truth))
            print(f"{columns} columns  {name:<30} {time:8.3f} s  error {error:.1e}", flush=True)


if __name__ == "__main__":
    main()
