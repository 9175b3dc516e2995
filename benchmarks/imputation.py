"""Imputation beside scikit-learn's and forests: how well draws tell what removed cells held.

    LANDMASS_SHARED_DATA=… python benchmarks/imputation.py --rows 10000 --held-out 2000

Adult and California housing (`tables/adult.parquet` and `tables/california_housing.parquet` in that folder). A fifth of
the cells is removed, from the rows to learn from and from those to fill: at random, or more often where the age, or the
income, ranks higher (none of the lowest, two fifths of the highest), while these themselves stay. All methods learn of
the same cells and give twenty draws for the same removed ones.

Told are the continuous ranked probability score of numbers, in standard deviations of their column, and the Brier score
of words, each with the correction that makes it as if there were draws without end (Ferro 2014), as the mean over the
columns; lower is better. Then seconds, and of ours the log score of the removed cells given those that are there, in
nats a cell. Neighbours (5, 20 or 50) and scales (standardised, or normal scores by rank) are chosen on a tenth of the
rows to learn from, for ours they are left as they are. Forests need miceforest (with lightgbm below 4.7).
"""

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from _imputers import Draws, Imputer, Levels, Rows, chained, forests, marginal, mean_or_mode, neighbours
from _timing import machine

import landmass
from landmass.core.states import GIVEN, PRESENT
from landmass.data.schema import Category, Schema, nullable

DRAWS, REMOVED = 20, 0.2

OURS = {
    "LatentClass": landmass.LatentClass(random_state=0),
    "MixedSplineFlow": landmass.MixedSplineFlow(random_state=0),
    "Autoregressive": landmass.Autoregressive(random_state=0),
}


@dataclass(frozen=True)
class Case:
    """Cells that were removed, and what they held.

    Args:
        schema: of the columns.
        train: rows to learn from, NaN where cells are empty.
        rows: rows to fill.
        truth: the same with what was removed.
    """

    schema: Schema
    train: Rows
    rows: Rows
    truth: Rows

    @property
    def levels(self) -> Levels:
        """How many words each column has; 0 of numbers."""
        return [int(c.high) + 1 if isinstance(c, Category) else 0 for c in self.schema.columns]

    @property
    def asked(self) -> np.ndarray:
        """Which cells were removed."""
        return np.isnan(self.rows) & ~np.isnan(self.truth)


def case(name: str, by_rank: bool, n: int, held_out: int, seed: int) -> Case:
    """Rows of a table without some of their cells.

    Args:
        name: the table's.
        by_rank: whether cells are removed by the rank of another column; else at random.
        n: rows to learn from, at most.
        held_out: rows to fill, at most.
        seed: of the choice of rows and cells.
    """
    path = Path(os.environ["LANDMASS_SHARED_DATA"]) / "tables" / f"{name}.parquet"
    frame = pq.read_table(path).to_pandas().drop(columns=["split"], errors="ignore")
    data = landmass.read(frame, find=True)
    rng = np.random.default_rng(seed)
    X = data.X[rng.permutation(len(data))]
    rows = min(held_out, len(X) // 5)
    chance = np.full(len(X), REMOVED)
    kept = np.zeros(X.shape[1], bool)
    if by_rank:
        stays = data.schema.names.index({"adult": "age", "california_housing": "median_income"}[name])
        chance, kept[stays] = 2.0 * REMOVED * np.argsort(np.argsort(X[:, stays])) / len(X), True
    holes = np.where((rng.random(X.shape) < chance[:, None]) & ~kept, np.nan, X)
    schema = Schema(tuple(map(nullable, data.schema.columns)))
    return Case(schema, holes[rows : rows + n], holes[:rows], X[:rows])


def scores(case: Case, drawn: Draws) -> np.ndarray:
    """Each column's score, of numbers or of words; NaN where nothing was removed."""
    found = []
    for i, (levels, asked) in enumerate(zip(case.levels, case.asked.T, strict=True)):
        draws, y, m = drawn[:, asked, i], case.truth[asked, i], len(drawn)
        if not asked.any():
            found.append(np.nan)
        elif levels:
            share = np.stack([(draws == level).mean(0) for level in range(levels)], axis=1)
            wrong = ((share - (y[:, None] == np.arange(levels))) ** 2).sum(1)
            found.append((wrong - (share * (1.0 - share)).sum(1) / (m - 1)).mean())
        else:
            # The mean distance of two draws, from sorted ones.
            weight = 2.0 * np.arange(1, m + 1) - m - 1.0
            apart = 2.0 * (weight[:, None] * np.sort(draws, axis=0)).sum(0) / (m * (m - 1))
            each = np.abs(draws - y).mean(0) - 0.5 * apart
            found.append(each.mean() / np.nanstd(case.truth[:, i]))
    return np.array(found)


PEERS: dict[str, dict[str, Imputer]] = {
    "mean or mode": {"": mean_or_mode},
    "marginal": {"": marginal},
    "neighbours": {f"{k}, {s}": neighbours(k, s == "ranks") for k in (5, 20, 50) for s in ("standard", "ranks")},
    "linear chain": {s: chained(s == "ranks") for s in ("standard", "ranks")},
    "forest chain": {"": forests()},
}


def best_of(candidates: dict[str, Imputer], case: Case) -> tuple[str, Imputer]:
    """The one that tells a tenth of the rows to learn from best, by the mean of all columns' scores."""
    if len(candidates) == 1:
        return next(iter(candidates.items()))
    few = len(case.train) // 10
    rng = np.random.default_rng(1)
    # Of cells that are empty nobody knows what they held, so others are removed.
    truth = case.train[:few]
    holes = np.where(rng.random(truth.shape) < REMOVED, np.nan, truth)
    inner = Case(case.schema, case.train[few:], holes, truth)
    told = {
        name: np.nanmean(scores(inner, each(inner.train, holes, case.levels, DRAWS, rng)))
        for name, each in candidates.items()
    }
    best = min(told, key=lambda name: told[name])
    return best, candidates[best]


def ours(model: Any, case: Case) -> tuple[Draws, Any]:
    """Draws of one of our families, and the fitted model."""
    train = landmass.Dataset(case.train, case.schema, incomplete=True)
    fitted = model.fresh().fit(train)
    filled = fitted.impute(landmass.Dataset(case.rows, case.schema, incomplete=True), DRAWS, random_state=0)
    return np.stack([getattr(each, "X", each) for each in filled]), fitted


def log_score(model: Any, case: Case) -> float:
    """Mean log-score of a removed cell given the cells that are there, in nats."""
    codes, known = model._evidence(case.rows)
    known[np.isnan(case.rows)] = PRESENT
    before, found = model.log_marginals(codes, known), []
    for i, asked in enumerate(case.asked.T):
        x, what = codes[asked].copy(), known[asked].copy()
        x[:, i], inside = model.space_.cell(i, case.truth[asked, i])
        what[:, i] = GIVEN
        # A cell that is known to be there has the chance to be there taken out.
        found.append(model.log_marginals(x, what) - before[asked] + inside)
    return float(np.concatenate(found).mean())


def compare(case: Case, chosen: list[str]) -> dict[str, np.ndarray]:
    """Print a line a method.

    Returns:
        Each method's scores by column.
    """
    words, found = np.array(case.levels) > 0, {}
    for name, candidates in PEERS.items():
        if name not in chosen:
            continue
        began = time.perf_counter()
        try:
            told, impute = best_of(candidates, case)
            drawn = impute(case.train, case.rows, case.levels, DRAWS, np.random.default_rng(0))
        except ImportError as missing:
            print(f"{name:<18} not installed: {missing}")
            continue
        found[name] = _report(name, case, drawn, time.perf_counter() - began, words, told)
    for name, model in OURS.items():
        if name in chosen:
            began = time.perf_counter()
            drawn, fitted = ours(model, case)
            took = time.perf_counter() - began
            told = f"{log_score(fitted, case):.3f} nats a cell" if name == "LatentClass" else ""
            found[name] = _report(name, case, drawn, took, words, told)
    return found


def _report(name: str, case: Case, drawn: Draws, took: float, words: np.ndarray, told: str) -> np.ndarray:
    each = scores(case, drawn)
    numbers, brier = np.nanmean(each[~words]), np.nanmean(each[words])
    print(f"{name:<18}{numbers:10.4f}{brier:10.4f}{took:10.1f}  {told}", flush=True)
    return each


def verdict(case: Case, found: dict[str, np.ndarray]) -> None:
    """Print ratios to the best peer, and the columns in which ours lose to it."""
    peers = {name: each for name, each in found.items() if name not in OURS}
    if not peers:
        return
    words = np.array(case.levels) > 0
    for name in OURS.keys() & found.keys():
        for kind, some in (("numbers", ~words), ("words", words)):
            best = min(peers, key=lambda peer, some=some: np.nanmean(peers[peer][some]))
            print(f"{name}, {kind}: {np.nanmean(found[name][some]) / np.nanmean(peers[best][some]):.3f} times {best}")
        least = np.min(list(peers.values()), axis=0)
        by = np.array(list(peers))[np.argmin(np.nan_to_num(list(peers.values())), axis=0)]
        lost = [
            f"{case.schema.names[i]} ({found[name][i]:.3f}, {by[i]} {least[i]:.3f})"
            for i in np.flatnonzero(found[name] > least)
        ]
        of = f"{len(lost)} of {np.isfinite(least).sum()} columns"
        print(f"{name} loses {of} to the best of all peers: {', '.join(lost) or 'none'}")


def main() -> None:
    """Print a table for each set and way of removing cells."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=10_000)
    options.add_argument("--held-out", type=int, default=2_000)
    options.add_argument("--sets", default="adult,california_housing")
    options.add_argument("--ways", default="random,rank")
    options.add_argument("--methods", default=",".join((*PEERS, *OURS)))
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    print(machine("scikit-learn", "miceforest", "lightgbm"))
    for name in chosen.sets.split(","):
        for way in chosen.ways.split(","):
            made = case(name, way == "rank", chosen.rows, chosen.held_out, chosen.seed)
            size = f"{len(made.train):,} rows to learn from, {made.asked.sum():,} cells to fill"
            print(f"\n{name}, removed by {way}: {size}")
            print(f"{'':<18}{'CRPS':>10}{'Brier':>10}{'seconds':>10}")
            verdict(made, compare(made, chosen.methods.split(",")))


if __name__ == "__main__":
    main()
