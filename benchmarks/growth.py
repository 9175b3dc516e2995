"""How seconds and memory of a fit grow with rows and with columns, a family at a time, each fit in its own process.

    python benchmarks/growth.py --out benchmarks/growth.png
    python benchmarks/growth.py --tables --out benchmarks/table_growth.png

Rows: 10³ … 10⁷ of two columns, of the known mixture. Columns: 1 … 100 of 10,000 correlated normal rows. Settings are
the defaults, but where every point would take minutes: 8 mixture components and 20 passes, and a flow of one member and
500 steps. A fit that would need more than the budget, by the point before it, is left out and told.

Families of tables have 10³ … 3·10⁶ rows of 30 columns, and 3 … 1,000 columns of 10,000 rows: words, whole numbers and
real ones that depend on a hidden class; 16 classes and 50 passes, and a network of one member.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from _timing import machine

FAMILIES = {
    "uniform_box": {},
    "gaussian": {},
    "histogram": {},
    "gaussian_mixture": {"n_components": 8, "max_iter": 20, "tol": 0.0},
    "kernel_density": {},
    "spline_flow": {"members": 1, "max_steps": 500},
}
ROWS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
COLUMNS = (1, 2, 5, 10, 20, 50, 100)
EVENTS = 10_000

TABLES = {
    "independent": {},
    "latent_class": {"n_components": 16, "max_iter": 50, "tol": 0.0},
    "autoregressive": {"members": 1},
    "mixed_spline_flow": {"members": 1},
}
TABLE_ROWS = (1_000, 10_000, 100_000, 1_000_000, 3_000_000)
TABLE_COLUMNS = (3, 10, 30, 100, 300, 1_000)

# What each is said to take for n rows of d columns, in docs/design.md.
ORDER = {
    "uniform_box": "n·d",
    "gaussian": "n·d²",
    "histogram": "n·d",
    "gaussian_mixture": "n·k·d² a pass",
    "kernel_density": "n in 1 and 2 columns, else n²·d, a bandwidth",
    "spline_flow": "a step does not know n; d² a step",
    "independent": "n·d",
    "latent_class": "n·d·k a pass, of 100,000 rows at most, and one over all",
    "autoregressive": "d a step, and n·d beyond 100,000 rows",
    "mixed_spline_flow": "the same",
}


def mixed(rows: int, columns: int) -> Any:
    """A table of words, whole numbers and real ones, one kind after the other."""
    import landmass
    from landmass import Category, Integer, Real

    rng = np.random.default_rng(0)
    group, means, shares = rng.integers(0, 8, rows), rng.normal(0.0, 2.0, (8, columns)), rng.random((8, columns))
    X, kinds = np.empty((rows, columns)), []
    for i in range(columns):
        if i % 3 == 0:
            X[:, i] = rng.binomial(4, shares[group, i])
            kinds.append(Category(name=f"word{i}", levels=("a", "b", "c", "d", "e")))
        elif i % 3 == 1:
            X[:, i] = rng.poisson(np.exp(means[group, i] / 2.0))
            kinds.append(Integer(name=f"count{i}", least=0))
        else:
            X[:, i] = rng.normal(means[group, i])
            kinds.append(Real(name=f"x{i}"))
    return landmass.Dataset(X, landmass.Schema(tuple(kinds)))


def measure(family: str, rows: int, columns: int) -> None:
    """Fit once, print seconds and bytes above those of the imports and the data."""
    import landmass

    settings = (FAMILIES | TABLES)[family]
    model = getattr(landmass, "".join(word.title() for word in family.split("_")))(**settings)
    X: Any
    if family in TABLES:
        X = mixed(rows, columns)
    elif columns == 2 and rows != EVENTS:
        X = landmass.read("mixture", n=rows).X
    else:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((rows, columns)) @ (np.eye(columns) + 0.3 * rng.standard_normal((columns, columns)))
    held = 8 * rows * columns
    landmass.UniformBox().fit(np.eye(100)).score_samples(np.eye(100))
    few = X.take(np.arange(min(EVENTS, rows))) if family in TABLES else X[:EVENTS]
    # Linux forgets the peak so far.
    Path("/proc/self/clear_refs").write_text("5")
    before = kilobytes("VmRSS")
    began = time.perf_counter()
    model.fit(X)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    model.score_samples(few)
    scoring = time.perf_counter() - began
    grown = (kilobytes("VmHWM") - before) / 1024
    print(json.dumps({"seconds": seconds, "scoring": scoring, "mb": grown, "data_mb": held / 2**20}))


def kilobytes(what: str) -> int:
    """This process's memory: resident now, or at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1])


def points(family: str, sizes: list[tuple[int, int]], budget: float) -> list[tuple[int, int, dict]]:
    """Measurements one after the other, until the next would take longer than the budget."""
    found = []
    for rows, columns in sizes:
        if found:
            rows_before, columns_before, last = found[-1]
            worst = last["seconds"] * max(rows / rows_before, columns / columns_before)
            if worst > budget and last["seconds"] > 0.3 * budget:
                print(f"{family:<18} {rows:>10,} x {columns:<4} left out: it would take more than {budget:.0f} s")
                break
        command = [sys.executable, __file__, "--measure", family, str(rows), str(columns)]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5 * budget)
        except subprocess.SubprocessError as error:
            told = getattr(error, "stderr", "") or ""
            print(f"{family:<18} {rows:>10,} x {columns:<4} failed: {str(told).strip().splitlines()[-1:] or error}")
            break
        found.append((rows, columns, json.loads(answer.stdout)))
        last = found[-1][2]
        told = f"{last['seconds']:8.2f} s  {last['mb']:8.0f} MB  (data {last['data_mb']:.0f} MB)"
        print(f"{family:<18} {rows:>10,} x {columns:<4} {told}  scoring {last['scoring']:.2f} s", flush=True)
    return found


def draw(grown: dict[str, tuple[list, list]], out: str, of: int) -> None:
    """Seconds and memory against rows and against columns."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(10, 7), sharex="col", sharey="row", layout="constrained")
    colours = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
    for (family, sides), colour in zip(grown.items(), colours, strict=False):
        for column, (side, which) in enumerate(zip(sides, (0, 1), strict=True)):
            x = [point[which] for point in side]
            for row, key in enumerate(("seconds", "mb")):
                values = [max(point[2][key], 1e-2 if key == "seconds" else 1.0) for point in side]
                axes[row, column].loglog(x, values, "o-", color=colour, lw=1.5, ms=4, label=family.replace("_", " "))
    for axis, title in zip(axes[0], (f"{of} columns", f"{EVENTS:,} rows"), strict=True):
        axis.set_title(title, loc="left")
    beside = {"textcoords": "offset points", "ha": "right", "color": "grey"}
    rows = np.array([1e5, 1e7 if of == 2 else 3e6])
    axes[0, 0].loglog(rows, 1e-6 * of * rows, ":", color="grey", lw=1)
    axes[0, 0].annotate("∝ rows", (rows[0], 1e-6 * of * rows[0]), xytext=(-4, -4), **beside)
    columns, power = (np.array([10.0, 100.0]), 2) if of == 2 else (np.array([30.0, 1_000.0]), 1)
    axes[0, 1].loglog(columns, (0.01 if power == 2 else 0.03) * columns**power, ":", color="grey", lw=1)
    told = "∝ columns²" if power == 2 else "∝ columns"
    axes[0, 1].annotate(
        told, (columns[1], (0.01 if power == 2 else 0.03) * columns[1] ** power), xytext=(-4, 4), **beside
    )
    axes[0, 0].set_ylabel("seconds to fit, compilation counted")
    axes[1, 0].set_ylabel("memory of the fit (MB)")
    axes[1, 0].set_xlabel("rows")
    axes[1, 1].set_xlabel("columns")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=6, frameon=False)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.2)
    figure.savefig(out, dpi=110)


def main() -> None:
    """Measure all, print, draw."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--families")
    options.add_argument("--tables", action="store_true", help="families of tables, wide and long")
    options.add_argument("--budget", type=float, default=120.0, help="seconds a fit")
    options.add_argument("--out", help="a PNG to draw")
    options.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.measure:
        measure(chosen.measure[0], int(chosen.measure[1]), int(chosen.measure[2]))
        return
    print(f"{machine()}, {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB")
    grown, families, of = {}, (TABLES if chosen.tables else FAMILIES), (30 if chosen.tables else 2)
    long, wide = (TABLE_ROWS, TABLE_COLUMNS) if chosen.tables else (ROWS, COLUMNS)
    for family in chosen.families.split(",") if chosen.families else families:
        print(f"\n{family.replace('_', ' ')}: {ORDER[family]}")
        sides = [(rows, of) for rows in long], [(EVENTS, columns) for columns in wide]
        grown[family] = tuple(points(family, side, chosen.budget) for side in sides)
        # Anew after each: the whole takes long.
        if chosen.out:
            draw(grown, chosen.out, of)


if __name__ == "__main__":
    main()
