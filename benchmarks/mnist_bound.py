"""MNIST, stochastically binarised: the importance-weighted bound of a variational auto-encoder.

    LANDMASS_SHARED_DATA=… python benchmarks/mnist_bound.py          # a folder with mnist/mnist_70k.npz

Training images are drawn anew at each step, white with the probability that a pixel's grey says; test images are drawn
once. The seconds hold compilation, validation and all. `--grey` prints the ladder of 256 levels in bits a dimension.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
from _timing import machine

import landmass

SETTINGS = {"latents": 40, "prior": "mixture", "bells": 200, "batch_size": 128, "patience": 20}


def main() -> None:
    """Print the bound, its standard error, and the seconds."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--steps", type=int, default=18_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--draws", type=int, default=1_000)
    options.add_argument("--test", type=int, default=10_000, help="how many test images are scored")
    options.add_argument("--grey", action="store_true", help="the ladder of 256 levels instead")
    chosen = options.parse_args()
    if "LANDMASS_SHARED_DATA" not in os.environ:
        print("left out: LANDMASS_SHARED_DATA names no folder with mnist/")
        return
    parts = np.load(Path(os.environ["LANDMASS_SHARED_DATA"]) / "mnist" / "mnist_70k.npz")
    print(machine())
    if chosen.grey:
        images = {part: landmass.Images(parts[f"{part}_images"][..., None]) for part in ("train", "test")}
        vae = landmass.VAE(latents=40, max_steps=chosen.steps, batch_size=128, patience=20)
        families = ["uniform_box", "independent", landmass.ProbabilisticPCA(n_components=100), vae]
        print(landmass.Ladder(families, random_state=chosen.seed).fit(images["train"], test=images["test"]))
        return
    train, test = (landmass.read(parts[f"{part}_images"], binary="draw") for part in ("train", "test"))
    began = time.perf_counter()
    model = landmass.VAE(**SETTINGS, max_steps=chosen.steps, random_state=chosen.seed).fit(train)
    took = time.perf_counter() - began
    few = test.take(np.arange(min(chosen.test, len(test))))
    print(f"trained in {took:.0f} s ({model.history_[-1].step} steps)", flush=True)
    for draws in dict.fromkeys((1, chosen.draws)):
        values, _ = model.bound(few, draws)
        error = values.std() / np.sqrt(len(few))
        print(f"{draws:5} draws: ≥ {values.mean():.2f} ± {error:.2f} nats over {len(few):,} test images", flush=True)


if __name__ == "__main__":
    main()
