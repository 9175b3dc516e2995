"""Tables of true and false on their standard splits: our families beside a masked auto-encoder in PyTorch.

    LANDMASS_SHARED_DATA=… python benchmarks/binary_sets.py --sets nltcs,plants,jester,mushrooms

The data are NPZ files `debd_binary/NAME.npz` in that folder: `train`, `valid` and `test` as packed bits, and `n_vars`.
All learn from `train`, choose on `valid`, and are told by their mean log-likelihood of `test`, in nats a row; seconds
count compilation. The peer is a masked auto-encoder of 500 hidden units with dropout 0.3, one order, Adam, stopped
where validation was best; with one thread and with two. Ours are as they come; "8·128" has eight members of 128 units
instead of four of 256. Of 16 columns, our probabilities of all 65,536 rows are added up, too.
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _timing import machine

import landmass
from landmass import Boolean, Schema

FAMILIES = {
    "Independent": landmass.Independent(random_state=0),
    "LatentClass": landmass.LatentClass(random_state=0),
    "Autoregressive": landmass.Autoregressive(random_state=0),
    "Autoregressive, 8·128": landmass.Autoregressive(members=8, hidden=128, random_state=0),
}

# Of so many columns, chances of all rows are added up, too.
FEW = 16


def read(name: str) -> dict[str, np.ndarray]:
    """The three parts of a set, one row an event."""
    with np.load(Path(os.environ["LANDMASS_SHARED_DATA"]) / "debd_binary" / f"{name}.npz") as file:
        return {
            part: np.unpackbits(file[part], axis=1)[:, : int(file["n_vars"])] for part in ("train", "valid", "test")
        }


def of_torch(parts: dict[str, np.ndarray], threads: int, epochs: int = 100, patience: int = 8) -> tuple[float, None]:
    """Mean log-likelihood of the test part under a masked auto-encoder."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    train, valid, test = (torch.as_tensor(parts[part], dtype=torch.float32) for part in ("train", "valid", "test"))
    columns, units = train.shape[1], 500
    degree, place = torch.arange(units) % (columns - 1), torch.arange(columns)

    class Masked(nn.Linear):
        def __init__(self, mask: torch.Tensor) -> None:
            super().__init__(mask.shape[1], mask.shape[0])
            self.mask = mask.float()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.linear(x, self.weight * self.mask, self.bias)

    model = nn.Sequential(
        Masked(place[None] <= degree[:, None]),
        nn.ReLU(),
        nn.Dropout(0.3),
        Masked(degree[None] <= degree[:, None]),
        nn.ReLU(),
        nn.Dropout(0.3),
        Masked(degree[None] < place[:, None]),
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)

    def nats(x: torch.Tensor) -> torch.Tensor:
        return -nn.functional.binary_cross_entropy_with_logits(model(x), x, reduction="none").sum(1).mean()

    best, waited, told = -np.inf, 0, -np.inf
    for _ in range(epochs):
        model.train()
        for rows in torch.randperm(len(train)).split(100):
            optimiser.zero_grad()
            (-nats(train[rows])).backward()
            optimiser.step()
        model.eval()
        with torch.no_grad():
            score = float(nats(valid))
            if score > best:
                best, waited, told = score, 0, float(nats(test))
            else:
                waited += 1
        if waited == patience:
            break
    return told, None


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and how long it takes."""
    began = time.perf_counter()
    found = call()
    return found, time.perf_counter() - began


def of_landmass(model: Any, parts: dict[str, np.ndarray]) -> tuple[float, Any]:
    """Mean log-likelihood of the test part under one of our families, and the fitted one."""
    train, valid, test = (landmass.read(parts[part], schema=schema(parts)) for part in ("train", "valid", "test"))
    fitted = model.fresh().fit_parts(train, valid)
    return float(fitted.score(test)), fitted


def schema(parts: dict[str, np.ndarray]) -> Schema:
    """Columns of true and false."""
    return Schema(tuple(Boolean(name=f"x{i + 1}") for i in range(parts["train"].shape[1])))


def total(fitted: Any, columns: Schema) -> str:
    """What the probabilities of all rows add up to, in words, of so few columns that all are looked at."""
    many = len(columns.columns)
    if fitted is None or many > FEW:
        return ""
    every = np.indices((2,) * many).reshape(many, -1).T
    return f"  all {len(every):,} rows: {np.exp(fitted.score_samples(landmass.read(every, schema=columns))).sum():.7f}"


def main() -> None:
    """Print a table for each set."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--sets", default="nltcs,plants,jester,mushrooms")
    chosen = options.parse_args()
    print(machine("torch"))
    for name in chosen.sets.split(","):
        parts = read(name)
        calls = {family: partial(of_landmass, model, parts) for family, model in FAMILIES.items()}
        calls |= {f"PyTorch, {n} thread{'s' * (n > 1)}": partial(of_torch, parts, n) for n in (1, 2)}
        for method, call in calls.items():
            try:
                (nats, fitted), seconds = timed(call)
            except ImportError as missing:
                print(f"{name}  {method:<22} left out: {missing}")
                continue
            print(
                f"{name}  {method:<22} {nats:10.4f} nats a row  {seconds:6.1f} s{total(fitted, schema(parts))}",
                flush=True,
            )


if __name__ == "__main__":
    main()
