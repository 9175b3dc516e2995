"""Factors: how well codes tell what events were made of, and whether each latent tells one thing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Integer
from scipy.stats import entropy
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import balanced_accuracy_score, mutual_info_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_sample_weight

from landmass.errors import DataError
from landmass.text import table
from landmass.train.labels import LEAST, Attributes, Labelled, checked, labelled

# Bins of equal mass that amounts are put into for mutual information, as Chen et al. 2018.
BINS = 20

# The most events that trees grow from: their time rises with it, importances and scores hardly change beyond.
MOST_GROWN = 5000


@dataclass(frozen=True, eq=False)
class Recovery:
    """How well codes tell the factors that events were made of; printed, a table.

    All scores are 0 at chance and 1 at best, and were taken on events that nothing was fitted to; a fit worse than a
    blind guess scores below 0. NaN stands for what there is not: a gap, or completeness, of a single latent, and
    disentanglement of a single factor.

    Args:
        names: of the factors.
        scores: what `linear` and `nonlinear` are: R² of amounts; of classes balanced accuracy, adjusted so that
            chance is 0.
        linear: of a linear map, or of logistic regression.
        nonlinear: of gradient boosted trees.
        information: what each latent tells of each factor, in nats.
        entropy: of each factor, in its bins or classes, in nats.
        importance: of each latent to the trees; each factor's sum to 1, or to 0 if the trees found nothing.
    """

    names: tuple[str, ...]
    scores: tuple[Literal["R²", "accuracy"], ...]
    linear: Float[np.ndarray, " factors"]
    nonlinear: Float[np.ndarray, " factors"]
    information: Float[np.ndarray, "latents factors"]
    entropy: Float[np.ndarray, " factors"]
    importance: Float[np.ndarray, "latents factors"]

    @property
    def gaps(self) -> Float[np.ndarray, " factors"]:
        """How much more the most informative latent tells of a factor than the second, over the factor's entropy."""
        if len(self.information) < 2:
            return np.full(len(self.names), np.nan)
        second, first = np.sort(self.information, axis=0)[-2:]
        return (first - second) / self.entropy

    @property
    def mutual_information_gap(self) -> float:
        """Mean gap. Source: Chen, Li, Grosse & Duvenaud 2018."""
        return float(self.gaps.mean())

    @property
    def disentanglement(self) -> float:
        """Whether each latent matters to one factor only; latents count by their importance.

        Source: Eastwood & Williams 2018.
        """
        weights = self.importance.sum(axis=1)
        # Nothing matters to any factor where trees found nothing.
        return float(weights @ _concentration(self.importance)) / max(float(weights.sum()), np.finfo(float).tiny)

    @property
    def completeness(self) -> float:
        """Whether each factor is told by one latent only. Source: Eastwood & Williams 2018."""
        return float(_concentration(self.importance.T).mean())

    @property
    def informativeness(self) -> float:
        """Mean of the non-linear scores; Eastwood & Williams 2018 give an error here."""
        return float(self.nonlinear.mean())

    def measures(self) -> dict[str, float]:
        """Everything that is told, by name."""
        found = {}
        for name, score, linear, nonlinear in zip(self.names, self.scores, self.linear, self.nonlinear, strict=True):
            found[f"{name}: {score}, linear"] = float(linear)
            found[f"{name}: {score}, trees"] = float(nonlinear)
        return {
            **found,
            "mutual information gap": self.mutual_information_gap,
            "disentanglement": self.disentanglement,
            "completeness": self.completeness,
            "informativeness": self.informativeness,
        }

    def __str__(self) -> str:
        return compare([("codes", self)])


def recovery(codes: Float[np.ndarray, "events latents"], factors: Attributes, seed: int = 0) -> Recovery:
    """Tell how well codes recover the factors that events were made of.

    Scores are of one half of the events, after a fit to the other half: of the trees, to its first 5,000 events. The
    importances are those of the gradient boosted trees, as Locatello et al. 2019 have them; Eastwood & Williams 2018
    took a lasso or a random forest.

    Args:
        codes: of the events: posterior means, or what an encoder gives.
        factors: by name, or as a pandas table, one value an event: numbers, or words for classes; events without
            a value (NaN, None, "") are left out of that factor.
        seed: of the halves and the trees.

    Raises:
        DataError: a factor is constant, or has too few values.

    Source: Eastwood & Williams 2018; Chen, Li, Grosse & Duvenaud 2018; Locatello et al. 2019.
    """
    z = checked(codes)
    if len(factors) == 0:
        raise DataError("there are no factors to recover; give at least one, by its name")
    found = [labelled(str(name), values, len(z), 2 * LEAST) for name, values in factors.items()]
    fits = [_fits(z[factor.known], factor, seed) for factor in found]
    # Classes are what they are, however many.
    binned = [equal_mass(each.values) if each.classes is None else each.values.astype(int) for each in found]
    return Recovery(
        names=tuple(each.name for each in found),
        scores=tuple("accuracy" if factor.classes else "R²" for factor in found),
        linear=np.array([linear for linear, _, _ in fits]),
        nonlinear=np.array([nonlinear for _, nonlinear, _ in fits]),
        information=np.stack([_told(z[factor.known], y) for factor, y in zip(found, binned, strict=True)], axis=1),
        entropy=np.array([entropy(np.bincount(y)) for y in binned]),
        importance=np.stack([importance for _, _, importance in fits], axis=1),
    )


def equal_mass(values: Float[np.ndarray, " events"], bins: int = BINS) -> Integer[np.ndarray, " events"]:
    """The bin of each value, in bins of equally many; equal values share one, and few distinct values have one each.

    Args:
        values: numbers.
        bins: how many at most.
    """
    distinct, place = np.unique(values, return_inverse=True)
    if len(distinct) <= bins:
        return place
    return np.searchsorted(np.quantile(values, np.arange(1, bins) / bins), values, side="right")


def compare(rows: Sequence[tuple[str, Recovery]]) -> str:
    """A table of several models side by side; of a name that comes several times, mean ± standard deviation.

    Args:
        rows: names of models with what they recover; the same name for several seeds of one.

    Raises:
        DataError: the models were asked for different factors.
    """
    models: dict[str, list[dict[str, float]]] = {}
    for name, found in rows:
        models.setdefault(name, []).append(found.measures())
    kinds = {tuple(each) for seeds in models.values() for each in seeds}
    if len(kinds) != 1:
        raise DataError("models are compared on the same factors, at least one model; these differ, or there are none")
    lines = [
        (measure, *(_mean([each[measure] for each in seeds]) for seeds in models.values())) for measure in kinds.pop()
    ]
    return table([("", *models), *lines])


def _mean(values: list[float]) -> str:
    if np.isnan(values).any():
        return ""
    spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


def _fits(
    z: Float[np.ndarray, "events latents"], factor: Labelled, seed: int
) -> tuple[float, float, Float[np.ndarray, " latents"]]:
    """Held-out scores of a linear map and of trees, and how important each latent is to the trees."""
    y, classes = factor.values, factor.classes
    half, other = train_test_split(
        np.arange(len(y)), test_size=0.5, random_state=seed, stratify=None if classes is None else y
    )
    spread = z[half].std(axis=0)
    z = (z - z[half].mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    # Halves of the events for each tree: quicker, and less of a fit to chance.
    grown, settings = half[:MOST_GROWN], {"subsample": 0.5, "random_state": seed}
    if classes is None:
        linear = LinearRegression().fit(z[half], y[half])
        trees = GradientBoostingRegressor(**settings).fit(z[grown], y[grown])
    else:
        # Every class counts alike, as in the score.
        alike = compute_sample_weight("balanced", y[grown])
        linear = LogisticRegression(class_weight="balanced", max_iter=1000).fit(z[half], y[half])
        trees = GradientBoostingClassifier(**settings).fit(z[grown], y[grown], alike)

    def score(model: Any) -> float:
        answers = model.predict(z[other])
        if classes is None:
            return float(r2_score(y[other], answers))
        return float(balanced_accuracy_score(y[other], answers, adjusted=True))

    return score(linear), score(trees), np.asarray(trees.feature_importances_)


def _told(z: Float[np.ndarray, "events latents"], y: Integer[np.ndarray, " events"]) -> Float[np.ndarray, " latents"]:
    """Mutual information of each latent, in bins, with a binned factor, in nats.

    It is too high by about (bins of one - 1)(bins of the other - 1) / (2 events), of every latent alike, so that gaps
    are hardly touched.
    """
    return np.array([mutual_info_score(y, equal_mass(latent)) for latent in z.T])


def _concentration(importance: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, " rows"]:
    """1 where a row has all its importance in one column, 0 where it is spread evenly."""
    if importance.shape[1] < 2:
        return np.full(len(importance), np.nan)
    # A row without importance is of no weight: evenly spread, as good as any.
    even = np.where(importance.sum(axis=1, keepdims=True) > 0.0, importance, 1.0)
    return 1.0 - np.asarray(entropy(even, axis=1)) / np.log(importance.shape[1])
