"""Cylinders from pixels: how many latents are used, what they tell of radius and height, and a taller cylinder.

    python benchmarks/cylinders.py

5,000 drawn images of 32×32 teach a variational auto-encoder with six latents. Held out are 1,000 others: a linear map
from the posterior means of the first 5,000 gives radius and height, and boosted trees give what a non-linear map does.
For 200 held-out images the codes are moved "taller" by a quarter of the range of heights, and radius and height are
read off the decoded images by fitting the true drawing to them, before and after.
"""

import argparse
import time

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

import landmass
from landmass.data.builtin.cylinders import RANGES, measured
from landmass.evaluate.latents import active_units

SETTINGS = {
    "latents": 6,
    "prior": "uniform",
    "likelihood": "gaussian",
    "beta": 40.0,
    "warm_up": 0.0,
    "hidden": 256,
    "batch_size": 128,
    "max_steps": 2500,
    "learning_rate": 0.01,
    "patience": 20,
}

# Images whose edit is measured, and how much taller they are asked to be: a quarter of the range of heights.
EDITED, TALLER = 200, 0.25


def main() -> None:
    """Print a line a seed."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=5)
    train, test = landmass.cylinders(5_000), landmass.cylinders(1_000, seed=1)
    factors, held_out = (np.column_stack([part.labels[name] for name in RANGES]) for part in (train, test))
    low, high = RANGES["height"]
    # Those that can grow without leaving what was learned from.
    short = np.flatnonzero(test.labels["height"] < high - TALLER * (high - low))[:EDITED]
    for seed in range(options.parse_args().seeds):
        began = time.perf_counter()
        model = landmass.VAE(**SETTINGS, random_state=seed).fit(train)
        took = time.perf_counter() - began
        codes, new = model.encode(train), model.encode(test)
        used = active_units(new).active
        linear = LinearRegression().fit(codes, factors)
        trees = [HistGradientBoostingRegressor(random_state=0).fit(codes, each) for each in factors.T]
        told = {"linear": linear.predict(new), "trees": np.column_stack([each.predict(new) for each in trees])}
        print(f"seed {seed}: {took:.0f} s, {used.sum()} active units")
        for name, found in told.items():
            share = 1.0 - ((held_out - found) ** 2).mean(0) / held_out.var(0)
            print(f"  R² by {name}: radius {share[0]:.4f}, height {share[1]:.4f}")
        edits(model, train, test, short)


def edits(model: landmass.VAE, train: landmass.Images, test: landmass.Images, short: np.ndarray) -> None:
    """Ask for taller cylinders, and measure what came."""
    found = model.directions(train, {name: train.labels[name] for name in RANGES})
    low, high = RANGES["height"]
    asked = TALLER * (high - low)
    few = test.take(short)
    steps = asked / found.units[found.place("height")]
    before, after = measured(model.reconstruct(few)), measured(model.edit(few, height=steps))
    taller = after.height - before.height
    wider = (after.radius - before.radius) / (RANGES["radius"][1] - RANGES["radius"][0])
    print(
        f"  asked {asked:.3f} taller: {taller.mean():.4f} ± {taller.std():.4f} came "
        f"({taller.mean() / asked - 1.0:+.1%} of it), radius changed by {wider.mean():+.2%} of its range (mean size "
        f"{np.abs(wider).mean():.2%})",
        flush=True,
    )


if __name__ == "__main__":
    main()
