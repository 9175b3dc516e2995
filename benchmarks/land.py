"""How far each method stays from the truth on land: landmass's ladder beside its peers, same events, same run.

    python benchmarks/land.py                        # 10,000 events, three seeds
    python benchmarks/land.py --sizes 2000,50000 --seeds 0

The gap is minus the mean log-density of 20,000 fresh events, less the true entropy. N counts every event a method
sees; each peer holds back a tenth of them to choose by, as landmass does, and learns from all of them afterwards, but
for the flows, which stop where validation was best. Peers that are not installed are left out.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable

import numpy as np
import sklearn
from _flows import Training, of_flowjax, of_zuko
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

import landmass

HELD_OUT, FLOW_STEPS = 20_000, 4_000


def kernel_density(train: np.ndarray, validation: np.ndarray, box: float, floor: float) -> Callable:
    """scikit-learn's exact kernel density, bandwidth chosen on validation, over a floor of the box."""

    def log_prob(fitted: KernelDensity, X: np.ndarray) -> np.ndarray:
        if not floor:
            return fitted.score_samples(X)
        return np.logaddexp(np.log1p(-floor) + fitted.score_samples(X), np.log(floor) + box)

    widths = np.geomspace(0.4, 8.0, 16)
    scores = [log_prob(KernelDensity(bandwidth=h).fit(train), validation).mean() for h in widths]
    best = KernelDensity(bandwidth=widths[int(np.argmax(scores))]).fit(np.concatenate([train, validation]))
    return lambda X: log_prob(best, X)


def mixture(train: np.ndarray, validation: np.ndarray, seed: int) -> Callable:
    """scikit-learn's Gaussian mixture, size chosen on validation."""
    sizes = [4, 8, 16, 32, 64, 128]
    fits = [GaussianMixture(k, random_state=seed, init_params="k-means++").fit(train) for k in sizes]
    best = sizes[int(np.argmax([fit.score(validation) for fit in fits]))]
    together = np.concatenate([train, validation])
    return GaussianMixture(best, random_state=seed, init_params="k-means++").fit(together).score_samples


def kdepy(train: np.ndarray, validation: np.ndarray, box: float) -> Callable:
    """KDEpy's sum by Fourier transform, one bandwidth chosen on validation, over 1% of the box."""
    from KDEpy import FFTKDE
    from scipy.interpolate import RegularGridInterpolator

    def fit(X: np.ndarray, h: float) -> Callable:
        grid, density = FFTKDE(bw=h).fit(X).evaluate((1024, 1024))
        ends = [np.unique(axis) for axis in grid.T]
        at = RegularGridInterpolator(ends, density.reshape(1024, 1024), bounds_error=False, fill_value=0.0)
        return lambda Y: np.log(0.99 * np.maximum(at(Y), 0.0) + 0.01 * np.exp(box))

    widths = np.geomspace(0.4, 8.0, 16)
    best = widths[int(np.argmax([fit(train, h)(validation).mean() for h in widths]))]
    return fit(np.concatenate([train, validation]), best)


def flow(training: Training, validation: np.ndarray) -> Callable:
    """A flow as it was when validation was best."""
    return max((scored for _, scored in training), key=lambda scored: np.maximum(scored(validation), -1e3).mean())


def run(n: int, seed: int) -> dict[str, tuple[float, float]]:
    """Gap and seconds of every method on one draw."""
    data, test = landmass.read("land", n=n, seed=seed), landmass.read("land", n=HELD_OUT, seed=seed + 1000)
    entropy, box = test.truth.entropy, -float(np.log(360.0 * 180.0))
    train, validation, events = data.X[n // 10 :], data.X[: n // 10], data.take(np.arange(n // 10, n))
    peers = {
        "scikit-learn kernel density": lambda: kernel_density(train, validation, box, 0.0),
        "scikit-learn kernel density + 1% box": lambda: kernel_density(train, validation, box, 0.01),
        "KDEpy FFT + 1% box": lambda: kdepy(train, validation, box),
        "scikit-learn Gaussian mixture": lambda: mixture(train, validation, seed),
        "flowjax spline flow": lambda: flow(of_flowjax(events, FLOW_STEPS, 5e-3), validation),
        "zuko spline flow": lambda: flow(of_zuko(events, FLOW_STEPS, 2e-3, 5, 128, 16), validation),
    }
    found = {}
    for name, fit in peers.items():
        began = time.perf_counter()
        try:
            log_prob = fit()
        except ImportError as missing:
            print(f"{name} left out: {missing}")
            continue
        seconds = time.perf_counter() - began
        found[name] = (-float(log_prob(test.X).mean()) - entropy, seconds)
    ladder = landmass.Ladder(random_state=seed).fit(data, test=test)
    for rung in ladder.ledger_.rungs:
        found[f"landmass {rung.family}"] = (ladder.ledger_.gap(rung) or float("nan"), rung.seconds)
    return found


def main() -> None:
    """Print one table a size."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--sizes", default="10000")
    options.add_argument("--seeds", default="0,1,2")
    chosen = options.parse_args()
    versions = f"Python {platform.python_version()}, scikit-learn {sklearn.__version__}"
    print(f"{platform.machine()}, {os.cpu_count()} cores, {versions}")
    for n in map(int, chosen.sizes.split(",")):
        runs = [run(n, int(seed)) for seed in chosen.seeds.split(",")]
        print(f"\n### {n:,} events, {len(runs)} seed(s)\n\n| method | gap (nats) | each seed | seconds |")
        print("|---|---|---|---|")
        for name in runs[0]:
            gaps, seconds = zip(*(found[name] for found in runs), strict=True)
            each = " ".join(f"{gap:.3f}" for gap in gaps)
            print(f"| {name} | {np.mean(gaps):.4f} | {each} | {np.mean(seconds):.1f} |", flush=True)


if __name__ == "__main__":
    main()
