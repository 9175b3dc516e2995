"""What fills empty cells in other ways than ours: each is made to give draws in its own best way.

All take training rows and rows to fill, as numbers with words as places in their lists, NaN where cells are empty, and
give draws of the second, shape (draws, rows, columns); what they give where cells are not empty is of no matter.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import nan_euclidean_distances
from sklearn.preprocessing import QuantileTransformer, StandardScaler

Rows = Float[np.ndarray, "rows columns"]
Draws = Float[np.ndarray, "draws rows columns"]
Levels = list[int]
"""How many words a column has; 0 of a column of numbers."""

Imputer = Callable[[Rows, Rows, Levels, int, np.random.Generator], Draws]

# Rows whose neighbours are looked for at a time.
BLOCK = 500


def mean_or_mode(train: Rows, rows: Rows, levels: Levels, n: int, rng: np.random.Generator) -> Draws:
    """One value for all: the mean of numbers, the most frequent of words."""
    known = [column[~np.isnan(column)] for column in train.T]
    filled = [
        np.bincount(x.astype(int)).argmax() if words else x.mean() for x, words in zip(known, levels, strict=True)
    ]
    return np.broadcast_to(np.array(filled), (n, *rows.shape))


def marginal(train: Rows, rows: Rows, levels: Levels, n: int, rng: np.random.Generator) -> Draws:
    """Values of the column, as often as they come."""
    return np.stack([rng.choice(x[~np.isnan(x)], (n, len(rows))) for x in train.T], axis=2)


class Coding:
    """Numbers for a method that measures distances or is linear: a column for each word but the first, numbers scaled.

    A column for the first, too, would let chained equations tell each word from the others, and never move.

    Args:
        train: rows to learn the scales from.
        levels: words of each column.
        normal: whether numbers become normal scores, by their ranks, rather than standardised ones.
    """

    def __init__(self, train: Rows, levels: Levels, normal: bool) -> None:
        self.levels = levels
        scales = [
            QuantileTransformer(output_distribution="normal", n_quantiles=min(1000, len(train)))
            if normal
            else StandardScaler()
            for _ in levels
        ]
        self.scales = [None if k else s.fit(x[:, None]) for s, x, k in zip(scales, train.T, levels, strict=True)]

    def coded(self, X: Rows) -> Rows:
        """Events as such numbers."""
        return np.column_stack(list(self._columns(X)))

    def _columns(self, X: Rows) -> Iterator[Rows]:
        for scale, k, x in zip(self.scales, self.levels, X.T, strict=True):
            ones = (x[:, None] == np.arange(1, k)).astype(float)
            ones[np.isnan(x)] = np.nan
            yield ones if scale is None else scale.transform(x[:, None])

    def values(self, Z: Rows) -> Rows:
        """Events of such numbers: of words the one whose number is largest, the first one's being what is left of 1."""
        places = np.cumsum([0, *(k - 1 if k else 1 for k in self.levels)])
        parts = [Z[:, a:b] for a, b in itertools.pairwise(places)]
        return np.column_stack(
            [
                np.column_stack([1.0 - part.sum(1), part]).argmax(1)
                if scale is None
                else scale.inverse_transform(part)[:, 0]
                for part, scale in zip(parts, self.scales, strict=True)
            ]
        )


def neighbours(k: int, normal: bool) -> Imputer:
    """Values of the nearest rows that hold one, among as many as asked.

    Args:
        k: how many.
        normal: see `Coding`.
    """

    def impute(train: Rows, rows: Rows, levels: Levels, n: int, rng: np.random.Generator) -> Draws:
        coding = Coding(train, levels, normal)
        near, drawn = coding.coded(train), np.empty((n, *rows.shape))
        for start in range(0, len(rows), BLOCK):
            some = slice(start, start + BLOCK)
            distance = nan_euclidean_distances(coding.coded(rows[some]), near)
            # Rows that share no known column with it are as far as can be.
            distance = np.where(np.isnan(distance), np.inf, distance)
            for i, x in enumerate(train.T):
                holders = np.flatnonzero(~np.isnan(x))
                nearest = np.argpartition(distance[:, holders], k, axis=1)[:, :k]
                chosen = rng.integers(k, size=(n, len(distance)))
                drawn[:, some, i] = x[holders[nearest]][np.arange(len(distance))[None], chosen]
        return drawn

    return impute


def chained(normal: bool, rounds: int = 10) -> Imputer:
    """Chained equations: every column by a Bayesian linear regression on all others, drawn from its posterior.

    Args:
        normal: see `Coding`.
        rounds: through all columns.
    """

    def impute(train: Rows, rows: Rows, levels: Levels, n: int, rng: np.random.Generator) -> Draws:
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401
        from sklearn.impute import IterativeImputer

        coding = Coding(train, levels, normal)
        Z = coding.coded(train)
        number = np.concatenate([[not k] * (k - 1 if k else 1) for k in levels])
        low, high = np.where(number, np.nanmin(Z, 0), -np.inf), np.where(number, np.nanmax(Z, 0), np.inf)
        # Each reading goes on from the state of its random numbers, so that every one is another draw.
        imputer = IterativeImputer(
            sample_posterior=True,
            max_iter=rounds,
            min_value=low,
            max_value=high,
            keep_empty_features=True,
            random_state=int(rng.integers(2**31)),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            imputer.fit(Z)
            new = coding.coded(rows)
            return np.stack([coding.values(imputer.transform(new)) for _ in range(n)])

    return impute


def forests(chains: int = 2, burn_in: int = 3) -> Imputer:
    """Chained equations of boosted trees: numbers of the rows that they predict most alike, words by their chances.

    They learn of the rows to fill, too, as what is said of new ones by miceforest 6.0.5 hardly depends on their cells.

    Args:
        chains: that are followed; each gives as many draws as the others, one a round.
        burn_in: rounds before those that give draws.
    """

    def impute(train: Rows, rows: Rows, levels: Levels, n: int, rng: np.random.Generator) -> Draws:
        import miceforest
        import pandas as pd

        frame = pd.DataFrame(np.concatenate([rows, train]), columns=[f"x{i}" for i in range(len(levels))])
        frame = frame.astype({f"x{i}": pd.CategoricalDtype(np.arange(float(k))) for i, k in enumerate(levels) if k})
        # Matched rows need a chance of every word, and trees leave rare ones none.
        strategy = {f"x{i}": "fast" if k else "normal" for i, k in enumerate(levels)}
        kernel = miceforest.ImputationKernel(
            frame,
            num_datasets=chains,
            mean_match_candidates=5,
            mean_match_strategy=strategy,
            random_state=int(rng.integers(2**31)),
        )
        last = burn_in + -(-n // chains)
        # With two threads on two cores that others use as well it takes many times as long.
        kernel.mice(last, verbose=False, num_threads=1)
        kept = itertools.product(range(burn_in + 1, last + 1), range(chains))
        drawn = [kernel.complete_data(chain, iteration=i).iloc[: len(rows)].astype(float) for i, chain in kept]
        return np.stack([each.to_numpy() for each in drawn[:n]])

    return impute
