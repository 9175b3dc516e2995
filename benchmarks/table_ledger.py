"""One ledger of real tables: what each family gives held-out rows of Adult, California and Diamonds, and no spikes.

    LANDMASS_SHARED_DATA=… python benchmarks/table_ledger.py              # half an hour or so on two cores
    LANDMASS_SHARED_DATA=… python benchmarks/table_ledger.py --tables diamonds --rows 3000

Of the tables in that folder (`tables/*.parquet`) Adult has its standard split; of the others a tenth of the rows is
held out. Kinds of columns are found and not told: prices and carats of Diamonds and the capped values of California
are rounded or repeat, so they are counted, and no row is likelier than certain.

First each family as it comes, then models that grow: a likelihood that spikes on repeated values would go on rising.
All numbers are mean log-probabilities of held-out rows in nats, with standard errors.
"""

import argparse
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from _timing import machine

import landmass
from landmass.data.schema import kind_of

FAMILIES = {
    "independent": landmass.Independent(random_state=0),
    "latent_class": landmass.LatentClass(random_state=0),
    "mixed_kernel_density": landmass.MixedKernelDensity(random_state=0),
    "mixed_spline_flow": landmass.MixedSplineFlow(random_state=0),
    "autoregressive": landmass.Autoregressive(random_state=0),
}
GROWING = {
    "latent_class": [
        landmass.LatentClass(n_components=64, cells=cells, random_state=0) for cells in (16, 64, 256, 1_000)
    ],
    "mixed_spline_flow": [landmass.MixedSplineFlow(n_bins=bins, members=1, random_state=0) for bins in (4, 16, 64)],
    "autoregressive": [landmass.Autoregressive(cells=cells, members=1, random_state=0) for cells in (16, 64, 256)],
}


def split(name: str, rows: int | None) -> tuple[landmass.Dataset, landmass.Dataset]:
    """Training and held-out rows of a table."""
    path = Path(os.environ["LANDMASS_SHARED_DATA"]) / "tables" / f"{name}.parquet"
    table = pq.read_table(path)
    # Drawn by chance, or as the table says.
    held_out = np.random.default_rng(0).random(len(table)) < 0.1
    if "split" in table.column_names:
        held_out = np.array(table["split"].to_pylist()) == "test"
        table = table.drop_columns("split")
    data = landmass.read(table, find=True)
    # By chance: tables are often sorted.
    kept = np.random.default_rng(1).permutation(np.flatnonzero(~held_out))[:rows]
    parts = (landmass.Dataset(data.X[some], data.schema, name, incomplete=True) for some in (kept, held_out))
    return next(parts), next(parts)


def main() -> None:
    """Print the ledger of each table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tables", nargs="+", default=["adult", "california_housing", "diamonds"])
    options.add_argument("--rows", type=int, help="training rows to keep")
    options.add_argument("--families", nargs="+", default=list(FAMILIES), choices=FAMILIES)
    options.add_argument("--growing", nargs="*", default=list(GROWING), choices=GROWING)
    chosen = options.parse_args()
    print(machine())
    for name in chosen.tables:
        train, test = split(name, chosen.rows)
        kinds = Counter(map(kind_of, train.schema.columns))
        print(f"\n{name}: {len(train):,} rows to learn from, {len(test):,} held out; ", end="")
        print(", ".join(f"{count} {kind}" for kind, count in kinds.items()), flush=True)
        scores = {}
        for family in chosen.families:
            scores[family] = told(family, FAMILIES[family], train, test)
        best = max(scores, key=lambda each: scores[each].mean())
        for family in scores:
            gain = scores[family] - scores[best]
            error = gain.std() / len(gain) ** 0.5
            print(f"  {family:<22}{gain.mean():+9.3f} ± {error:.3f} beside {best}", flush=True)
        for family in chosen.growing:
            for model in GROWING[family]:
                size = "cells" if model.cells else "n_bins"
                told(f"{family}, {size} {getattr(model, size)}", model, train, test)


def told(name: str, model: landmass.LatentClass, train: landmass.Dataset, test: landmass.Dataset) -> np.ndarray:
    """Fit a model, print what it gives, and give the log-probability of each held-out row."""
    began = time.perf_counter()
    fitted = model.fresh().fit(train)
    seconds = time.perf_counter() - began
    scores, learned = fitted.score_samples(test), fitted.score_samples(train)
    print(
        f"{name:<28}{scores.mean():9.3f} ± {scores.std() / len(scores) ** 0.5:.3f} in {seconds:4.0f} s; likeliest row "
        f"{scores.max():8.3f}, of those learned {learned.max():8.3f}",
        flush=True,
    )
    return scores


if __name__ == "__main__":
    main()
