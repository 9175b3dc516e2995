"""Peers that draw tables, each of which may live in a Python of its own: run as a script by `adult_samples.py`.

    python benchmarks/_table_peers.py NAME TRAIN.parquet OUT.parquet [--rows N] [--epochs N]

Prints the seconds of training and of sampling, and the peer's version, as JSON. All peers are given the same: numbers
that are measured, words, and empty cells as a word of their own; what they draw is rounded to whole numbers where those
of the training rows are whole, and cut at their ends.
"""

import argparse
import json
import random
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import pandas as pd

EMPTY = "(empty)"

Sampler = Callable[[int], pd.DataFrame]


def ctgan(train: pd.DataFrame, words: list[str], epochs: int) -> Sampler:
    """A conditional GAN (Xu et al. 2019), by its defaults: 300 epochs."""
    from ctgan import CTGAN

    model = CTGAN(epochs=epochs, enable_gpu=False)
    model.set_random_state(0)
    model.fit(train, words)
    return model.sample


def tvae(train: pd.DataFrame, words: list[str], epochs: int) -> Sampler:
    """A variational auto-encoder (Xu et al. 2019), by its defaults: 300 epochs."""
    from ctgan import TVAE

    model = TVAE(epochs=epochs, enable_gpu=False)
    model.set_random_state(0)
    model.fit(train, words)
    return model.sample


def arf(train: pd.DataFrame, words: list[str], epochs: int) -> Sampler:
    """Adversarial random forests (Watson et al. 2023), a circuit: defaults, which are 30 trees."""
    # It asks NumPy and pandas for names that they no longer have.
    np.in1d = getattr(np, "in1d", np.isin)  # pyright: ignore
    from arfpy import arf as forests

    model = forests.arf(x=train.astype(dict.fromkeys(words, "category")), verbose=False, n_jobs=2, random_state=0)
    model.forde()
    return model.forge


def argn(train: pd.DataFrame, words: list[str], epochs: int) -> Sampler:
    """An autoregressive network (TabularARGN, Tiwald et al. 2025): it stops by itself; rare values are let through."""
    from mostlyai.engine import TabularARGN

    model = TabularARGN(value_protection=False, enable_flexible_generation=False, device="cpu", random_state=0)
    model.fit(train)
    return lambda rows: model.sample(n_samples=rows)


PEERS = {"ctgan": (ctgan, "ctgan"), "tvae": (tvae, "ctgan"), "arf": (arf, "arfpy"), "argn": (argn, "mostlyai-engine")}
"""How each is fitted, and the package that it comes from."""


def as_drawn(drawn: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    """Samples as a table of the training rows' form."""
    found = {}
    for name, column in train.items():
        if column.dtype.kind in "iuf":
            values = drawn[name].astype(float).clip(column.min(), column.max())
            whole = column.dtype.kind in "iu"
            found[name] = values.round().astype("Int64") if whole else values
        else:
            found[name] = drawn[name].astype(object).where(drawn[name].astype(object) != EMPTY, None)
    return pd.DataFrame(found)


def main() -> None:
    """Fit one peer, draw, and tell the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("train")
    parser.add_argument("out")
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--epochs", type=int, default=300)
    asked = parser.parse_args()
    random.seed(0)
    np.random.seed(0)
    fit, package = PEERS[asked.peer]
    table = pd.read_parquet(asked.train)
    words = [name for name in table if table[name].dtype.kind not in "iuf"]
    train = table.assign(**{name: table[name].astype(object).fillna(EMPTY) for name in words})
    train = train.astype({name: float for name in table if name not in words})
    began = time.perf_counter()
    sample = fit(train, words, asked.epochs)
    fitted = time.perf_counter()
    drawn = sample(asked.rows or len(table))
    seconds = {"training": fitted - began, "sampling": time.perf_counter() - fitted}
    as_drawn(drawn, table).to_parquet(asked.out)
    print(json.dumps({**seconds, "version": f"{package} {version(package)}"}))


if __name__ == "__main__":
    main()
