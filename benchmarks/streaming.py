"""Rows beyond memory: a Parquet file is fitted and scored piece by piece, and no more than so much memory is used.

    python benchmarks/streaming.py                  # a file of 4 GB: an hour or so on two cores
    python benchmarks/streaming.py --gigabytes 0.2

Each stage runs in a process of its own, whose largest resident memory is printed: looking for what the columns hold,
fitting latent classes, fitting a masked network, and scoring all rows into a folder of shards. The rows come of a
mixture of 20 groups over 24 columns of numbers, three of words, two of counts and one of dates, with empty cells.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from _timing import machine
from pyarrow import parquet

import landmass

GROUPS, NUMBERS, ROWS = 20, 24, 131_072
COLOURS = np.array(["red", "green", "blue", "white", "black", "yellow"], object)
MODELS = {
    "latent_class": landmass.LatentClass(n_components=64, random_state=0),
    "autoregressive": landmass.Autoregressive(members=1, hidden=64, random_state=0),
}


def rows(seed: int, n: int = ROWS, late: int = 0) -> pa.Table:
    """Some of the rows; every seed gives others of the same distribution, except that dates are later."""
    shape, rng = np.random.default_rng(0), np.random.default_rng(1_000 + seed)
    means, scales = shape.normal(0.0, 3.0, (GROUPS, NUMBERS)), np.exp(shape.normal(0.0, 0.5, (GROUPS, NUMBERS)))
    rates, favourites = shape.gamma(2.0, 2.0, (GROUPS, 2)), shape.integers(0, len(COLOURS), (GROUPS, 3))
    group = rng.integers(0, GROUPS, n)
    numbers = means[group] + scales[group] * rng.normal(size=(n, NUMBERS))
    table: dict[str, pa.Array] = {f"x{i}": pa.array(values) for i, values in enumerate(numbers.T)}
    for i in range(3):
        chosen = np.where(rng.random(n) < 0.7, favourites[group, i], rng.integers(0, len(COLOURS), n))
        table[f"colour{i}"] = pa.DictionaryArray.from_arrays(pa.array(chosen), pa.array(COLOURS.tolist()))
    for i in range(2):
        table[f"count{i}"] = pa.array(rng.poisson(rates[group, i]), mask=rng.random(n) < 0.05 * (i + 1))
    days = np.datetime64("2020-01-01") + (late + rng.integers(0, 30, n)).astype("timedelta64[D]")
    return pa.table({**table, "day": pa.array(days)})


def make(path: Path, gigabytes: float) -> int:
    """Write a file of so many bytes; gives the number of its rows."""
    count = 0
    with parquet.ParquetWriter(path, rows(0).schema) as writer:
        while path.stat().st_size < gigabytes * 1e9:
            writer.write_table(rows(count, late=count))
            count += 1
    return count * ROWS


def stage(name: str, path: Path, folder: Path) -> None:
    """Do one stage, and print what came of it as JSON."""
    began, said, seconds, peak = time.perf_counter(), "", 0.0, 0.0
    if name == "look":
        read = landmass.pieces(path, find=True)
        said = ", ".join(sorted({type(column).__name__ for column in read.schema.columns}))
    elif name in MODELS:
        model = MODELS[name].fit(landmass.pieces(path, find=True))
        model.save(folder / name)
        seconds, peak = time.perf_counter() - began, resident()
        # Of all days that the file has.
        days = parquet.read_metadata(path).num_rows // ROWS
        held_out = pa.concat_tables([rows(10_000_000 + i, 200_000 // days, late=i) for i in range(days)])
        scores = model.score_samples(held_out)
        few = MODELS[name].fresh().fit(landmass.pieces(path, find=True).some(20_000, 0)).score_samples(held_out)
        gain = scores - few
        said = (
            f"held out {scores.mean():.4f} ± {scores.std() / len(scores) ** 0.5:.4f} nats a row, "
            f"{gain.mean():+.4f} ± {gain.std() / len(gain) ** 0.5:.4f} beside 20,000 rows in memory"
        )
    else:
        from landmass.cli import main as command

        sys.stdout = sys.stderr
        assert command(["score", str(folder / "latent_class"), str(path), "--out", str(folder / "scores")]) == 0
        sys.stdout = sys.__stdout__
    # What the rows beside which a fit is compared take is not the fit's.
    found = {"seconds": seconds or time.perf_counter() - began, "gigabytes": peak or resident(), "said": said}
    print(json.dumps(found))


def resident() -> float:
    """The largest memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Make the file, and print each stage's seconds and memory."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--gigabytes", type=float, default=4.0)
    options.add_argument("--stage", nargs=3, metavar=("NAME", "FILE", "FOLDER"))
    chosen = options.parse_args()
    if chosen.stage:
        return stage(chosen.stage[0], *map(Path, chosen.stage[1:]))
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        path, began = Path(folder) / "rows.parquet", time.perf_counter()
        n = make(path, chosen.gigabytes)
        size = path.stat().st_size / 1e9
        print(f"{n:,} rows of 30 columns, {size:.2f} GB, written in {time.perf_counter() - began:.0f} s", flush=True)
        for name in ("look", *MODELS, "score"):
            words = [sys.executable, __file__, "--stage", name, str(path), folder]
            found = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])
            print(
                f"{name:<16}{found['seconds']:8.0f} s, {n / found['seconds']:10,.0f} rows/s, at most "
                f"{found['gigabytes']:.2f} GB of memory  {found['said']}",
                flush=True,
            )


if __name__ == "__main__":
    main()
