"""How far each method stays from the truth on land: landmass's ladder beside scikit-learn, same events, same run.

    python benchmarks/land.py                        # 10,000 events, three seeds
    python benchmarks/land.py --sizes 2000,50000 --seeds 0

The gap is minus the mean log-density of 20,000 fresh events, less the true entropy. N counts every event a method
sees; each peer holds back a tenth of them to choose by, as landmass does, and learns from all of them afterwards.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable

import numpy as np
import sklearn
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

import landmass

HELD_OUT = 20_000


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


def run(n: int, seed: int) -> dict[str, tuple[float, float]]:
    """Gap and seconds of every method on one draw."""
    data, test = landmass.read("land", n=n, seed=seed), landmass.read("land", n=HELD_OUT, seed=seed + 1000)
    entropy, box = test.truth.entropy, -float(np.log(360.0 * 180.0))
    train, validation = data.X[n // 10 :], data.X[: n // 10]
    peers = {
        "scikit-learn kernel density": lambda: kernel_density(train, validation, box, 0.0),
        "scikit-learn kernel density + 1% box": lambda: kernel_density(train, validation, box, 0.01),
        "scikit-learn Gaussian mixture": lambda: mixture(train, validation, seed),
    }
    found = {}
    for name, fit in peers.items():
        began = time.perf_counter()
        log_prob = fit()
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
