"""A training step of a classifier beside PyTorch: the same network, batch and optimiser, on images of 28×28.

    python benchmarks/classifier_step.py             # PyTorch is left out if it is not installed

`mlp` is 784-512-512-10 with batch norm and dropout, `cnn` the default network for images: three blocks of two
convolutions with batch norm. Batch 256, Adam. landmass takes its steps inside one compiled scan; PyTorch takes them one
by one in channels-last order, with the better of one and two threads, its batches drawn from a tensor in memory. All
take turns, so that what else the machine does meets all alike. Told are the least time of a step, an epoch of 60,000
images at that pace, and the median over turns of the time beside landmass's. Compilation is told apart.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from _timing import beside_torch, machine

import landmass
from landmass.data.examples import Examples
from landmass.data.images import from_array
from landmass.train import loop

BATCH, EPOCH = 256, 60_000
NETWORKS = {
    "mlp": {"architecture": "mlp", "hidden": 512, "depth": 2, "batch_norm": True, "dropout": 0.2, "augment": ()},
    "cnn": {"architecture": "cnn", "augment": ()},
}
# Steps a turn.
STEPS = {"mlp": 40, "cnn": 6}

Steps = Callable[[], object]


def of_landmass(data: Examples, network: str) -> Steps:
    """Some steps of a classifier."""
    model = landmass.NeuralClassifier(batch_size=BATCH, max_steps=100 * STEPS[network], **NETWORKS[network])
    model._learn_answers(data, data)
    model._describe(data, data)
    z = model._coordinates(data)
    learner = model._learner(z)
    state, rows = learner.init(jax.random.key(0)), next(z.rows())

    def steps() -> object:
        arguments = (learner.step, STEPS[network], None, state, rows, jax.random.key(1), jnp.int32(0))
        return jax.block_until_ready(loop._advance(*arguments, jnp.int32(STEPS[network]))[1])

    return steps


def of_torch(data: Examples, network: str, threads: int) -> Steps:
    """The same of PyTorch; nothing is compiled."""
    import torch
    from torch import nn

    def conv(before: int, after: int, stride: int) -> list[nn.Module]:
        # Zeros beyond the edges as landmass has them: as many on both sides, or one more at the end.
        return [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.SiLU()]

    if network == "mlp":
        layers = [nn.Flatten()]
        for before in (784, 512):
            layers += [nn.Linear(before, 512), nn.BatchNorm1d(512), nn.SiLU(), nn.Dropout(0.2)]
        layers += [nn.Linear(512, 10)]
    else:
        layers = []
        for before, after in ((1, 16), (16, 32), (32, 64)):
            layers += [*conv(before, after, 1), *conv(after, after, 2)]
        layers += [nn.Flatten(), nn.Linear(4 * 4 * 64, 10)]
    model = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    x = torch.as_tensor(data.inputs.X[..., 0])[:, None]
    y = torch.as_tensor(data.answers)
    loss_of = nn.CrossEntropyLoss()

    def steps() -> None:
        torch.set_num_threads(threads)
        model.train()
        for _ in range(STEPS[network]):
            drawn = torch.randint(len(x), (BATCH,))
            images = ((x[drawn].float() - 33.0) / 79.0).contiguous(memory_format=torch.channels_last)
            optimiser.zero_grad()
            loss_of(model(images), y[drawn]).backward()
            optimiser.step()

    return steps


def main() -> None:
    """Print a table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--networks", default="mlp,cnn")
    options.add_argument("--turns", type=int, default=9)
    chosen = options.parse_args()
    print(machine("torch"))
    rng = np.random.default_rng(0)
    images = from_array(rng.integers(0, 256, (10_000, 28, 28), np.uint8))
    data = Examples(images, np.arange(10_000) % 10)
    for network in chosen.networks.split(","):
        ours = partial(of_landmass, data, network)
        beside_torch(network, ours, partial(of_torch, data, network), STEPS[network], EPOCH / BATCH, chosen.turns)


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    print(f"{time.perf_counter() - began:.0f} s in all")
