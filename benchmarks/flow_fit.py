"""Seconds until a spline flow reaches a held-out likelihood that all reach: landmass, flowjax and zuko, same events.

    python benchmarks/flow_fit.py                    # moons and land
    python benchmarks/flow_fit.py --table california.parquet

All learn from the same events and are looked at twenty times, on the same 2,000 to 10,000 held-out ones. The peers
have 4 layers of two hidden layers of 64 and 8 bins, batches of 256, clipped Adam under a cosine from the better of two
rates; landmass has its defaults, with one member and with all eight. The level is the best score of the worst of them.
Seconds count compilation, not the looks.
"""

import argparse
from collections.abc import Callable

import numpy as np
from _flows import Training, of_flowjax, of_landmass, of_zuko
from _timing import machine

import landmass
from landmass.data.dataset import Dataset

STEPS, RATES = 3_000, (1e-3, 5e-3)


def curve(training: Training, held_out: np.ndarray) -> list[tuple[float, float]]:
    """Seconds, and the mean held-out log-density then."""
    return [(seconds, float(np.maximum(scored(held_out), -1e3).mean())) for seconds, scored in training]


def race(train: Dataset, held_out: np.ndarray, steps: int) -> dict[str, list[tuple[float, float]]]:
    """The curve of each method; of the peers' two rates the one that ends higher."""
    found = {
        "landmass, one member": curve(of_landmass(train, members=1), held_out),
        "landmass, eight members": curve(of_landmass(train), held_out),
    }
    peers: dict[str, Callable[..., Training]] = {"flowjax": of_flowjax, "zuko": of_zuko}
    for name, peer in peers.items():
        try:
            curves = [curve(peer(train, steps, rate), held_out) for rate in RATES]
        except ImportError as missing:
            print(f"{name} left out: {missing}")
            continue
        found[name] = max(curves, key=lambda each: max(score for _, score in each))
    return found


def main() -> None:
    """Print a table a data set."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", default="moons,land")
    options.add_argument("--table", help="a file with a table, of which a tenth is held out")
    options.add_argument("--steps", type=int, default=STEPS, help="of the peers")
    chosen = options.parse_args()
    print(machine("flowjax", "zuko", "torch"))
    sets = {name: landmass.read(name, n=10_000) for name in chosen.data.split(",") if name}
    tests = {name: landmass.read(name, n=10_000, seed=1000).X for name in sets}
    if chosen.table:
        table = landmass.read(chosen.table)
        order = np.random.default_rng(0).permutation(len(table))
        sets[table.name], tests[table.name] = table.take(order[len(table) // 10 :]), table.X[order[: len(table) // 10]]
    for name, data in sets.items():
        curves = race(data.take(np.arange(len(data) // 10, len(data))), tests[name], chosen.steps)
        level = min(max(score for _, score in each) for each in curves.values())
        print(
            f"\n### {name}: level {level:.3f} nats\n\n| method | seconds to it | first look | best | seconds in all |"
        )
        print("|---|---|---|---|---|")
        for method, each in curves.items():
            there = next(seconds for seconds, score in each if score >= level)
            best = max(score for _, score in each)
            print(f"| {method} | {there:.1f} | {each[0][0]:.1f} | {best:.3f} | {each[-1][0]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
