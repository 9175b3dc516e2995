"""MNIST with the default network for images, beside the same network's time in PyTorch.

    LANDMASS_SHARED_DATA=… python benchmarks/mnist.py          # a folder with mnist/mnist_70k.npz

landmass: `NeuralClassifier(max_steps=…)`, everything else by default; its fit's seconds hold compilation, validation
and the choice of a temperature. PyTorch takes as many steps of the same batch, in channels-last order, with the better
of one and two threads (told by a few steps of each); its time is that of the steps alone.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
from _timing import machine, seconds
from classifier_step import STEPS, of_torch

import landmass
from landmass.data.examples import Examples
from landmass.data.images import from_array


def main() -> None:
    """Print the share that is right, the log score, and the seconds."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--steps", type=int, default=2_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--no-torch", action="store_true")
    chosen = options.parse_args()
    if "LANDMASS_SHARED_DATA" not in os.environ:
        print("left out: LANDMASS_SHARED_DATA names no folder with mnist/")
        return
    parts = np.load(Path(os.environ["LANDMASS_SHARED_DATA"]) / "mnist" / "mnist_70k.npz")
    train = Examples(from_array(parts["train_images"]), parts["train_labels"])
    test = Examples(from_array(parts["test_images"]), parts["test_labels"])
    print(machine("torch"))
    began = time.perf_counter()
    model = landmass.NeuralClassifier(max_steps=chosen.steps, patience=20, random_state=chosen.seed).fit(train)
    took = time.perf_counter() - began
    print(
        f"landmass: {model.score(test):.4f} right, {model.log_prob(test).mean():.4f} nats, {took:.0f} s "
        f"({model.history_[-1].step} steps, {model.history_[-1].seconds:.0f} s of them in the loop)",
        flush=True,
    )
    if chosen.no_torch:
        return
    try:
        ways = {threads: of_torch(train, "cnn", threads) for threads in (1, 2)}
    except ImportError as missing:
        print(f"PyTorch left out: {missing}")
        return
    fastest = min(ways, key=lambda threads: seconds(ways[threads], 3))
    took = seconds(lambda: [ways[fastest]() for _ in range(chosen.steps // STEPS["cnn"])], 1)
    print(f"PyTorch, {fastest} threads: {chosen.steps} steps in {took:.0f} s")


if __name__ == "__main__":
    main()
