"""Synthetic rows of Adult, judged: our families beside CTGAN, TVAE, adversarial random forests and TabularARGN.

    LANDMASS_SHARED_DATA=… python benchmarks/adult_samples.py --peers-python /path/to/python

All learn from the training rows of the standard split (`tables/adult.parquet` in that folder, whose column `split` says
train or test) and draw as many rows; all are held against the 16,281 test rows. The first line are the training rows
themselves. Peers live in a Python of their own, as they need other versions than we do: `pip install ctgan arfpy
mostlyai-engine` makes one. Those that are not installed are left out, and said to be.

Columns: seconds of training, compilation and the choice of settings counted, and of sampling; held-out nats a row;
AUC of boosted trees that tell samples from test rows (0.5: they cannot); mean distance of a column and of a pair;
coverage and density; accuracy of income on test rows, learned from the samples, and how far it is from what training
rows teach; the share of samples nearer to training rows than to test rows (50%: nothing is memorised), and the share of
training rows that an attack finds which takes 1% of the test rows for such.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow.parquet as pq
from _table_peers import PEERS
from _timing import machine

import landmass
from landmass.catalog import OF_TABLES
from landmass.data.alike import alike
from landmass.evaluate import coverage, distances, memorisation, train_on_synthetic, two_sample
from landmass.text import title

HEADS = (
    "rows",
    "training, s",
    "sampling, s",
    "nats a row",
    "AUC",
    "columns",
    "pairs",
    "coverage",
    "density",
    "accuracy",
    "nearer",
    "found at 1%",
)

# Peers' seconds are told beside those of this family.
REFERENCE = "autoregressive"


class Split(NamedTuple):
    """Training rows and held-out rows."""

    train: pd.DataFrame
    test: pd.DataFrame


def adult(rows: int | None) -> Split:
    """The standard split, or the first rows of both parts."""
    frame = pq.read_table(Path(os.environ["LANDMASS_SHARED_DATA"]) / "tables" / "adult.parquet").to_pandas()
    parts = (frame[frame["split"] == part].drop(columns="split")[:rows] for part in ("train", "test"))
    return Split(*(part.reset_index(drop=True) for part in parts))


def line(*cells: str) -> None:
    """Print a row of a table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def judged(split: Split, samples: Any) -> tuple[str, ...]:
    """What is told of samples, from the AUC on."""
    held_out, train, drawn = alike(split.test, split.train, samples)
    apart, cover = distances(held_out, drawn), coverage(held_out, drawn)
    taught = train_on_synthetic(train, drawn, held_out, "income").scores[0]
    memory = memorisation(train, held_out, drawn)
    return (
        str(two_sample(held_out, drawn)),
        f"{apart.columns.mean():.3f}",
        f"{apart.mean_of_pairs:.3f}",
        f"{cover.coverage:.3f}",
        f"{cover.density:.3f}",
        f"{taught.synthetic:.4f} ({taught.synthetic - taught.real:+.4f} ± {taught.error:.4f})",
        f"{memory.nearer.value:.1%}, {'memorised' if memory.found else 'no sign'}",
        memory.by_distance.found.percent,
    )


def ours(split: Split) -> float:
    """Print a line for each of our families and their stack; the seconds that `REFERENCE` took."""
    # Of few rows the test part may hold words that the training part does not.
    schema = landmass.read(pd.concat(split), find=True).schema
    people, held_out = (landmass.read(part, schema=schema) for part in split)
    began = time.perf_counter()
    ladder = landmass.Ladder([name for name in OF_TABLES if name != "stack"], random_state=0).fit(people, held_out)
    took = time.perf_counter() - began
    for rung in ladder.ledger_.rungs:
        began = time.perf_counter()
        samples = ladder.rungs_[rung.family].sample(len(people), random_state=0)
        sampling = time.perf_counter() - began
        # The stack is made of all others.
        training = took if rung.family == "stack" else rung.seconds
        nats = f"{rung.nats:.3f} ± {rung.se:.3f}" if rung.nats is not None else f"-inf ({rung.zero_density} rows)"
        line(f"landmass {title(rung.family)}", f"{training:.0f}", f"{sampling:.1f}", nats, *judged(split, samples))
    return ladder.ledger_.rung(REFERENCE).seconds


def theirs(split: Split, peer: str, python: str, epochs: int, threads: int, took: float) -> None:
    """Print a line for a peer, or why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        train, out = Path(folder) / "train.parquet", Path(folder) / "out.parquet"
        split.train.to_parquet(train)
        command = [python, str(Path(__file__).with_name("_table_peers.py")), peer, str(train), str(out)]
        done = subprocess.run(
            [*command, "--epochs", str(epochs)],
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            line(f"{peer} left out: {(done.stderr.strip().splitlines() or ['it failed'])[-1]}")
            return
        told = json.loads(done.stdout.splitlines()[-1])
        training = f"{told['training']:.0f} ({told['training'] / took:.1f} times those of {title(REFERENCE)})"
        cells = training, f"{told['sampling']:.1f}", "none told", *judged(split, pd.read_parquet(out))
        line(f"{peer}, {told['version']}", *cells)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=",".join(PEERS), help="which, by commas; nothing for none")
    parser.add_argument("--peers-python", default=sys.executable, help="the Python that they are installed in")
    parser.add_argument("--peers-threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=300, help="of CTGAN and TVAE")
    parser.add_argument("--rows", type=int, default=None, help="of each part; all by default")
    asked = parser.parse_args()
    if "LANDMASS_SHARED_DATA" not in os.environ:
        print("left out: LANDMASS_SHARED_DATA names no folder with tables/adult.parquet")
        return
    split = adult(asked.rows)
    print(f"{machine('scikit-learn')}; {len(split.train):,} training rows, {len(split.test):,} test rows")
    line(*HEADS)
    line(*["---"] * len(HEADS))
    line("training rows", "", "", "", *judged(split, split.train))
    took = ours(split)
    for peer in filter(None, asked.peers.split(",")):
        theirs(split, peer, asked.peers_python, asked.epochs, asked.peers_threads, took)


if __name__ == "__main__":
    main()
