"""A training step of a variational auto-encoder beside PyTorch: same networks, batch and optimiser, on 28×28 pixels.

    python benchmarks/vae_step.py                    # PyTorch is left out if it is not installed

`mlp` is 784-512-512-40-512-512-784, `cnn` the convolutional networks that images get by that name; both draw black and
white anew from the grey of each batch, and lower minus the evidence lower bound by Adam. Batch 256. landmass takes its
steps inside one compiled scan; PyTorch takes them one by one in channels-last order, with the better of one and two
threads, its batches drawn from a tensor in memory. All take turns, so that what else the machine does meets all alike.
Told are the least time of a step, an epoch of 60,000 images at that pace, and the median over turns of the time beside
landmass's. Compilation is told apart. At last: the time to encode and to decode one event, warm.
"""

import argparse
import itertools
import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from _timing import beside_torch, machine, seconds

import landmass
from landmass.data.pixels import PixelSpace
from landmass.estimator.learned import coordinates
from landmass.train import loop

BATCH, EPOCH, LATENTS = 256, 60_000, 40
NETWORKS = {"mlp": {"architecture": "mlp", "hidden": 512, "depth": 2}, "cnn": {"architecture": "cnn"}}
# Steps a turn.
STEPS = {"mlp": 20, "cnn": 3}

Steps = Callable[[], object]


def of_landmass(images: landmass.Images, network: str) -> Steps:
    """Some steps."""
    model = landmass.VAE(latents=LATENTS, batch_size=BATCH, max_steps=100 * STEPS[network], **NETWORKS[network])
    space = PixelSpace(images.schema)
    z = coordinates(space, images)
    learner = model._learner(space, z)
    state, rows = learner.init(jax.random.key(0)), next(z.rows())

    def steps() -> object:
        arguments = (learner.step, STEPS[network], None, state, rows, jax.random.key(1), jnp.int32(0))
        return jax.block_until_ready(loop._advance(*arguments, jnp.int32(STEPS[network]))[1])

    return steps


def of_torch(images: landmass.Images, network: str, threads: int) -> Steps:
    """The same of PyTorch; nothing is compiled."""
    import torch
    from torch import nn

    def conv(before: int, after: int, stride: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.SiLU()]

    def larger(before: int, after: int) -> list[nn.Module]:
        shuffled = [nn.Conv2d(before, 4 * after, 3, 1, 1, bias=False), nn.PixelShuffle(2)]
        return [*shuffled, nn.BatchNorm2d(after), nn.SiLU()]

    class Crop(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :, :7, :7]

    if network == "mlp":
        sizes = 784, 512, 512
        down = [nn.Flatten(), *(each for pair in itertools.pairwise(sizes) for each in (nn.Linear(*pair), nn.SiLU()))]
        encoder = nn.Sequential(*down, nn.Linear(512, 2 * LATENTS))
        sizes = LATENTS, 512, 512
        up = [each for pair in itertools.pairwise(sizes) for each in (nn.Linear(*pair), nn.SiLU())]
        decoder = nn.Sequential(*up, nn.Linear(512, 784), nn.Unflatten(1, (1, 28, 28)))
    else:
        down = []
        for before, after in ((1, 16), (16, 32), (32, 64)):
            down += [*conv(before, after), *conv(after, after, 2)]
        encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(4 * 4 * 64, 2 * LATENTS))
        up = [nn.Linear(LATENTS, 4 * 4 * 64), nn.Unflatten(1, (64, 4, 4)), nn.BatchNorm2d(64), nn.SiLU()]
        up += [nn.Conv2d(64, 128, 3, 1, 1, bias=False), nn.PixelShuffle(2), Crop(), nn.BatchNorm2d(32), nn.SiLU()]
        up += [*larger(32, 16), *larger(16, 16), *conv(16, 16), nn.Conv2d(16, 1, 1)]
        decoder = nn.Sequential(*up)
    both = nn.ModuleList([encoder, decoder]).to(memory_format=torch.channels_last)
    start = torch.nn.Parameter(torch.zeros(1, 28, 28))
    optimiser = torch.optim.Adam([*both.parameters(), start], lr=1e-3)
    grey = torch.as_tensor(images.X[..., 0])[:, None]

    def steps() -> None:
        torch.set_num_threads(threads)
        both.train()
        for _ in range(STEPS[network]):
            chance = grey[torch.randint(len(grey), (BATCH,))].float() / 255.0
            x = torch.bernoulli(chance).contiguous(memory_format=torch.channels_last)
            mean, log_scale = encoder((x - 0.13) / 0.31).chunk(2, dim=1)
            log_scale = log_scale.clamp(-6.0, 2.0)
            z = mean + log_scale.exp() * torch.randn_like(mean)
            nats = (0.5 * (mean**2 + (2.0 * log_scale).exp() - 1.0) - log_scale).sum(1).mean()
            error = nn.functional.binary_cross_entropy_with_logits(start + decoder(z), x, reduction="sum") / BATCH
            optimiser.zero_grad()
            (error + nats).backward()
            optimiser.step()

    return steps


def one_event(images: landmass.Images, network: str) -> None:
    """Print how long one event takes to and from its code."""
    model = landmass.VAE(latents=LATENTS, max_steps=2, **NETWORKS[network]).fit(images)
    one = np.where(images.X[:1] > 127, 255, 0).astype(np.uint8)
    code = model.encode(one)
    for name, call in {"encode": lambda: model.encode(one), "decode": lambda: model.decode(code)}.items():
        call()
        print(f"{network}  {name} one event: {1e3 * seconds(call, 50):.2f} ms")


def main() -> None:
    """Print a table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--networks", default="mlp,cnn")
    options.add_argument("--turns", type=int, default=9)
    chosen = options.parse_args()
    print(machine("torch"))
    rng = np.random.default_rng(0)
    images = landmass.read(rng.integers(0, 256, (10_000, 28, 28), np.uint8), binary="draw")
    for network in chosen.networks.split(","):
        ours = partial(of_landmass, images, network)
        beside_torch(network, ours, partial(of_torch, images, network), STEPS[network], EPOCH / BATCH, chosen.turns)
        one_event(images, network)


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    print(f"{time.perf_counter() - began:.0f} s in all")
