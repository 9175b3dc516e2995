"""What boosted trees tell of samples: whether they are told from real rows, and what they teach of a column."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from landmass.data.alike import alike, copies, has_levels, some
from landmass.data.dataset import Dataset
from landmass.data.schema import Grid
from landmass.data.schema import Integer as WholeNumber
from landmass.errors import DataError
from landmass.evaluate.ledger import mean_and_error
from landmass.evaluate.roc import Interval, Placements
from landmass.text import table
from landmass.types import Copies

# Parts of a cross-validation.
FOLDS = 5

# Rows that a tree's leaf holds at least; a row that has as many copies can be learned by itself.
LEAF = 20

# A row with so large a share of all is common, however few copies these are.
COMMON = 0.05

# Levels that trees tell apart: the rarest count as one.
MOST_LEVELS = 255

# Many small trees, to rank rows by. They are not stopped early: probabilities get worse long before ranks do.
RANKING: Mapping[str, Any] = {
    "max_iter": 400,
    "max_leaf_nodes": 15,
    "min_samples_leaf": LEAF,
    "early_stopping": False,
}

Features = Float[np.ndarray, "_ features"]
Labels = Bool[np.ndarray, " rows"]


def two_sample(real: Any, synthetic: Any) -> Interval:
    """The area under the ROC curve of boosted trees that tell synthetic rows from real ones, with its 95% interval.

    0.5 means that they cannot be told apart, 1 that they always can. As many rows of both are used, five folds, and
    the mean of their areas. Rows that are copies of each other stand in one fold: else trees that have learned that a
    row is real would tell its copy wrongly, and the area would fall below 0.5. That samples are copies is for
    `memorisation` to tell.

    Args:
        real: rows that define the columns; see `landmass.read`.
        synthetic: rows to hold against them.

    Returns:
        The area. Its interval is that of DeLong in each fold, with twice the variance for what folds have in common.

    Raises:
        DataError: a column of the real rows is missing, or holds something else.

    Source: Lopez-Paz & Oquab 2017; LeDell, Petersen & van der Laan 2015.
    """
    both = alike(real, synthetic)
    first, second = (some(each, min(map(len, both))) for each in both)
    (X, Z), settings = _features([first, second])
    X, drawn = np.concatenate([X, Z]), np.arange(2 * len(first)) >= len(first)
    fold = _folds(np.concatenate(copies(first, second)), drawn)
    found = []
    for held_out in (fold == each for each in range(FOLDS)):
        trees = HistGradientBoostingClassifier(**settings, **RANKING)
        trees.fit(X[~held_out], drawn[~held_out])
        found.append(Placements.of(trees.decision_function(X[held_out]), drawn[held_out]))
    # Any two rows of different folds are compared twice: one is learned from when the other is held out, and the other
    # way round. So the folds' areas vary together, and the variance of their mean is twice that of areas on their own.
    error = math.sqrt(2.0 * sum(each.variance for each in found)) / FOLDS
    return Interval.of_mean(sum(each.area for each in found) / FOLDS, error)


def _folds(numbers: Copies, drawn: Labels) -> Integer[np.ndarray, " rows"]:
    """The fold of each row: copies share one, common rows excepted; each fold has as many of both kinds."""
    count = np.bincount(numbers)[numbers]
    common = count > min(LEAF, COMMON * len(numbers))
    group = np.unique(np.where(common, len(numbers) + np.arange(len(numbers)), numbers), return_inverse=True)[1]
    share = np.bincount(group, drawn) / np.bincount(group)
    order = np.lexsort((np.random.RandomState(0).random(len(share)), share))
    dealt = np.empty(len(share), int)
    dealt[order] = np.arange(len(share)) % FOLDS
    return dealt[group]


class Taught(NamedTuple):
    """How well trees do on real rows that learned from synthetic ones, beside trees that learned from real ones.

    Args:
        measure: `accuracy`, `AUC` or `R²`.
        synthetic: of the trees that learned from synthetic rows.
        real: of those that learned from real rows.
        error: standard error of their difference, over the rows that both were tested on.
    """

    measure: str
    synthetic: float
    real: float
    error: float


@dataclass(frozen=True)
class Utility:
    """What synthetic rows teach of one column; printed, a table.

    Args:
        target: the column's name.
        scores: accuracy of levels, and the area under the ROC curve where there are two; R² of numbers.
    """

    target: str
    scores: tuple[Taught, ...]

    def __str__(self) -> str:
        rows = [
            (each.measure, f"{each.synthetic:.4f}", f"{each.real:.4f}", f"{difference(each)}") for each in self.scores
        ]
        return table([(f"{self.target}, learned from", "synthetic", "real", "difference"), *rows])


def difference(scores: Taught) -> str:
    """What is lost by learning from synthetic rows, or won, with its standard error.

    Args:
        scores: of both.
    """
    return f"{scores.synthetic - scores.real:+.4f} ± {scores.error:.4f}"


def train_on_synthetic(train: Any, synthetic: Any, test: Any, target: str) -> Utility:
    """Boosted trees that learn a column from synthetic rows, beside trees that learn it from real ones, tested on real.

    Rows whose cell in that column is empty are left out. The trees are scikit-learn's, by their defaults.

    Args:
        train: real rows to learn from.
        synthetic: rows to learn from in their place.
        test: other real rows; they define the columns. See `landmass.read`.
        target: the column's name.

    Raises:
        DataError: there is no such column, or it is the same in all rows of the test.

    Source: Esteban, Hyland & Rätsch 2017.
    """
    tables = list(alike(test, train, synthetic))
    schema = tables[0].schema
    if target not in schema.names:
        raise DataError(f"there is no column {target!r}; there are: {', '.join(map(repr, schema.names))}")
    place = schema.names.index(target)
    tables = [each.take(np.flatnonzero(~np.isnan(each.X[:, place]))) for each in tables]
    answers = [each.X[:, place] for each in tables]
    if any(not len(each) for each in answers) or len(np.unique(answers[0])) == 1:
        raise DataError(f"column {target!r} is empty in one of the tables, or the same in all test rows; take another")
    others = [i for i in range(len(schema.columns)) if i != place]
    inputs, settings = _features([each.only(others) for each in tables])
    of = _classified if has_levels(schema.columns[place]) else _regressed
    return Utility(target, of(inputs, answers, settings))


def _classified(
    inputs: Sequence[Features], answers: Sequence[np.ndarray], settings: Mapping[str, Any]
) -> tuple[Taught, ...]:
    test, levels = answers[0], np.unique(answers[0])
    right, placed = [], []
    for X, y in zip(inputs[1:], answers[1:], strict=True):
        # A level that one row holds cannot be held out, as trees do to know when to stop.
        known = np.isin(y, [level for level, count in Counter(y.tolist()).items() if count > 1])
        trees = HistGradientBoostingClassifier(**settings).fit(X[known], y[known])
        right.append((trees.predict(inputs[0]) == test).astype(float))
        # Trees that saw one level only give all rows the same chance of it.
        chances = trees.predict_proba(inputs[0])[:, : len(trees.classes_)] @ (trees.classes_ == levels[-1])
        placed.append(Placements.of(chances, test == levels[-1]))
    (real, synthetic), error = right, mean_and_error(right[0] - right[1])[1]
    found = [Taught("accuracy", float(synthetic.mean()), float(real.mean()), error)]
    if len(levels) == 2:
        error = math.sqrt((placed[1] - placed[0]).variance)
        found.append(Taught("AUC", placed[1].area, placed[0].area, error))
    return tuple(found)


def _regressed(
    inputs: Sequence[Features], answers: Sequence[np.ndarray], settings: Mapping[str, Any]
) -> tuple[Taught, ...]:
    test = answers[0]
    trees = [HistGradientBoostingRegressor(**settings).fit(X, y) for X, y in zip(inputs[1:], answers[1:], strict=True)]
    # Each row's part of what is not explained; the variance is taken as known.
    real, synthetic = ((each.predict(inputs[0]) - test) ** 2 / test.var() for each in trees)
    error = mean_and_error(real - synthetic)[1]
    return (Taught("R²", 1.0 - float(synthetic.mean()), 1.0 - float(real.mean()), error),)


def _features(tables: Sequence[Dataset]) -> tuple[list[Features], dict[str, Any]]:
    """Rows as trees take them, in one code for all tables, and the settings of trees that take them."""
    found, levels = [], []
    for column, x in zip(tables[0].schema.columns, np.concatenate([each.X for each in tables]).T, strict=True):
        if has_levels(column):
            levels.append(len(found))
        found.append(_ranks(x) if has_levels(column) else x)
        step = column.step if isinstance(column, Grid) else 1.0 if isinstance(column, WholeNumber) else None
        if step is not None:
            # Trees see bins of values, and would not see that a whole number is none. Single precision is near enough.
            off = np.abs(x / step - np.rint(x / step)) > 1e-6 + 2.0**-22 * np.abs(x / step)
            found += [off.astype(float)] * bool(off.any())
    parts = np.split(np.column_stack(found), np.cumsum([len(each) for each in tables[:-1]]))
    return parts, {"categorical_features": levels, "random_state": 0}


def _ranks(levels: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Levels numbered by how many rows hold them, from the most on; the rarest of many share a number."""
    known = ~np.isnan(levels)
    values, place, counts = np.unique(levels[known], return_inverse=True, return_counts=True)
    rank = np.empty(len(values))
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(values))
    found = np.full(len(levels), np.nan)
    found[known] = np.minimum(rank, MOST_LEVELS - 1)[place]
    return found
