"""Rows of a rare combination: seconds for a thousand draws, and how well these agree with true rows.

    python benchmarks/rare_conditional.py --rows 20000

Models learn from so many visitors, whose distribution is known, and are asked for a thousand rows of which four columns
are given, as about one row in a thousand has them. Seconds are those of the first answer, compilation counted in, and
the median of five later ones about other combinations. Beside it stands what else can be done: to draw from the same
model until a thousand rows agree (by the time that 100,000 draws take), or to look for such rows among those learned
from.

A million true rows are filtered for the combination. For each other column, empty cells included, the distance between
the distribution functions of draws and filtered rows is measured (Kolmogorov and Smirnov): told are the largest and the
mean over the columns, beside those of as many true rows, and the log-probability of what is given. Of families that
answer by particles the effective sample size is told; the others are exact.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from _timing import machine
from scipy.stats import ks_2samp

import landmass
from landmass.data.builtin.visitors import TITLES, Visitors

TRUTH = Visitors()
NAMES = TRUTH.schema.names
DRAWS, FILTERED = 1_000, 1_000_000

FAMILIES = {
    "Independent": landmass.Independent(random_state=0),
    "LatentClass": landmass.LatentClass(random_state=0),
    "MixedSplineFlow": landmass.MixedSplineFlow(random_state=0),
    "Autoregressive": landmass.Autoregressive(random_state=0),
}

GIVEN = {"job_title": "judge", "site_visits": 3, "channel": "link", "spent": 0.0}


def numbers(given: dict[str, Any]) -> np.ndarray:
    """One row that holds what is given, and anything else."""
    row = np.zeros((1, len(NAMES)))
    for name, value in given.items():
        levels = getattr(TRUTH.schema.columns[NAMES.index(name)], "levels", ())
        row[0, NAMES.index(name)] = levels.index(value) if isinstance(value, str) else value
    return row


def those(X: np.ndarray, given: dict[str, Any]) -> np.ndarray:
    """The rows that hold what is given."""
    places = [NAMES.index(name) for name in given]
    return X[(X[:, places] == numbers(given)[0, places]).all(axis=1)]


def distances(X: np.ndarray, true: np.ndarray, given: dict[str, Any]) -> str:
    """Kolmogorov's and Smirnov's distance over the columns that are not given: the largest, and the mean."""
    if not len(X):
        return "no rows"
    pairs = ((np.nan_to_num(each[:, i], nan=-99.0) for each in (X, true)) for i in range(len(NAMES)))
    far = [ks_2samp(*pair).statistic for name, pair in zip(NAMES, pairs, strict=True) if name not in given]
    return f"{max(far):.3f}, {statistics.mean(far):.3f}"


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """How long a call takes, and what it gives."""
    began = time.perf_counter()
    found = call()
    return time.perf_counter() - began, found


def main() -> None:
    """Print a line a family."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--families", default=",".join(FAMILIES))
    chosen = options.parse_args()
    print(machine())
    data = landmass.read("visitors", n=chosen.rows)
    true = those(TRUTH.sample(FILTERED, np.random.default_rng(1)), GIVEN)
    learned, again = those(data.X, GIVEN), those(TRUTH.sample(FILTERED, np.random.default_rng(2)), GIVEN)
    expected = TRUTH.log_marginal(numbers(GIVEN), GIVEN)[0]
    print(f"given {GIVEN}: {len(true):,} of {FILTERED:,} true rows, {len(learned):,} of {len(data):,} learned from")
    heads = "largest, mean distance   log-probability of it   effective sample size"
    print(f"{'':<16}{'first':>8}{'again':>8}{'rejection':>11}  {heads}")
    print(f"{'true rows':<43}  {distances(again[:DRAWS], true, GIVEN):<23}{expected:8.3f}")
    print(f"{'rows learned from':<43}  {distances(learned, true, GIVEN)}")
    for family in chosen.families.split(","):
        model: Any = FAMILIES[family].fresh().fit(data)
        first, drawn = seconds(lambda model=model: model.conditional(GIVEN).sample(DRAWS, random_state=0))
        others = [
            seconds(lambda each={**GIVEN, "job_title": title}, model=model: model.conditional(each).sample(DRAWS))[0]
            for title in TITLES[:5]
        ]
        model.sample(100_000, random_state=0)
        whole, _ = seconds(lambda model=model: model.sample(100_000, random_state=1))
        part = model.conditional(GIVEN)
        rejection = whole / 100_000 * DRAWS / np.exp(part.log_given)
        X = landmass.read(drawn, schema=TRUTH.schema).X
        effective = "exact" if part.effective_sample_size is None else f"{part.effective_sample_size:,.0f}"
        print(
            f"{family:<16}{first:8.2f}{statistics.median(others):8.3f}{rejection:11.1f}  "
            f"{distances(X, true, GIVEN):<23}{part.log_given:8.3f}{effective:>24}",
            flush=True,
        )


if __name__ == "__main__":
    main()
