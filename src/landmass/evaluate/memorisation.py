"""Memorisation: whether samples tell more of the rows that a model learned from than of others like them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import betainc, ndtr
from scipy.stats import hypergeom

from landmass.data.alike import alike, chosen, copies, some
from landmass.data.dataset import Dataset
from landmass.errors import DataError
from landmass.evaluate.gower import MOST_ROWS, Gower, row_distances
from landmass.evaluate.nearest import CHANCE
from landmass.evaluate.roc import Interval, Placements, Scores, blind_variance, true_positives

# The share of rows not learned from that an attack may take for such that were.
FALSE_POSITIVES = 0.01

# Standard errors at which near-copies are seen nearly always: those of the chance above, and 1.6 more.
SEEN = 5.0


@runtime_checkable
class Scored(Protocol):
    """A density that an attack can use."""

    def score_samples(self, X: Any) -> Any:
        """Log-density of each event."""
        ...


class Attack(NamedTuple):
    """How well a score tells rows that were learned from, the members, from others.

    Args:
        area: under the ROC curve; 0.5 if it tells nothing.
        found: share of the members that a threshold finds which 1% of the others exceed; 1% if it tells nothing. Its
            interval takes the threshold as known.
        chance: how likely so many members are among the rows of the highest scores, or so large an area, if nothing was
            memorised.
    """

    area: Interval
    found: Interval
    chance: float

    def __str__(self) -> str:
        return f"{self.found.percent}, with an AUC of {self.area.value:.3f},"

    @classmethod
    def by(cls, members: Scores, others: Scores) -> Self:
        """The attack of a score.

        Args:
            members: scores of rows that were learned from.
            others: those of as many that were not.
        """
        scores, positive = np.concatenate([members, others]), np.arange(len(members) + len(others)) < len(members)
        placed = Placements.of(scores, positive)
        found = Interval.of_share(true_positives(scores, positive, FALSE_POSITIVES), len(members))
        high = scores >= np.quantile(scores, 1.0 - FALSE_POSITIVES, method="higher")
        errors = (placed.area - 0.5) / math.sqrt(blind_variance(len(members), len(others)))
        chances = _more(high[positive], high[~positive]), float(ndtr(-errors))
        return cls(Interval.of_mean(placed.area, math.sqrt(placed.variance)), found, min(1.0, 2.0 * min(chances)))


@dataclass(frozen=True)
class Memorisation:
    """What samples tell of the rows that were learned from, and not of others like them; printed, in sentences.

    Members are training rows, and others as many held-out rows. If nothing was memorised they cannot be told apart.

    Args:
        rows: members, and others.
        samples: synthetic rows.
        nearer: share of the synthetic rows that lie nearer to a member than to any other; 0.5 if nothing is memorised.
            Its interval counts synthetic rows whose nearest real row is the same as parts of one.
        independent: how many synthetic rows these are worth.
        copied: share of the members that a synthetic row is a copy of, and of the others.
        by_distance: the attack by a row's distance to the nearest synthetic row.
        by_density: the attack by a row's log-density under the model; None where no model was given.
        chances: how likely each of these is, by what it is called, if nothing was memorised.
    """

    rows: int
    samples: int
    nearer: Interval
    independent: float
    copied: tuple[float, float]
    by_distance: Attack
    by_density: Attack | None
    chances: Mapping[str, float]

    @property
    def chance(self) -> float:
        """How likely the strongest sign among all of these is, if nothing was memorised."""
        return min(1.0, len(self.chances) * min(self.chances.values()))

    @property
    def found(self) -> bool:
        """Whether there is a sign of memorisation."""
        return self.chance < CHANCE

    @property
    def unseen(self) -> float:
        """The share of synthetic rows that may be near-copies of members without a sign of it."""
        return min(SEEN / np.sqrt(self.independent), 1.0)

    def __str__(self) -> str:
        by = f"{self.by_distance} by their distance to the nearest synthetic row"
        if self.by_density is not None:
            by += f", and {self.by_density} by the model's density"
        signs = [name for name, chance in self.chances.items() if len(self.chances) * chance < CHANCE]
        verdict = (
            f"Beyond chance: {', '.join(signs)}. So training rows are memorised, to the degree that these figures tell."
            if self.found
            else "That is no sign of memorisation; yet near-copies of training rows may go unseen among so many where "
            f"fewer than {self.unseen:.0%} are such, and distances cannot prove that samples tell nothing of a row."
        )
        return (
            f"{self.nearer.percent} of {self.samples:,} synthetic rows lie nearer to {self.rows:,} training rows than "
            f"to as many held-out rows, where 50% means that nothing is memorised; {self.copied[0]:.1%} of the "
            f"training rows are found again as they are, and {self.copied[1]:.1%} of the held-out rows; an attack "
            f"that takes 1% of the held-out rows for training rows finds {by}. {verdict}"
        )


def memorisation(train: Any, test: Any, synthetic: Any, density: Scored | None = None) -> Memorisation:
    """Tell whether samples are copies of the rows that a model learned from, or tell which rows these were.

    Held-out rows say how near rows lie that were never seen. So they must come from where the training rows came from:
    a later year, or another town, would look like memorisation.

    Args:
        train: rows that the model learned from; all of them, or some.
        test: rows that it did not learn from; they define the columns. See `landmass.read`.
        synthetic: rows that it drew. Of more than 20,000 rows of a table so many are drawn, the same each time.
        density: the model, where it has `score_samples`: rows that it learned from are likelier than others, by heart
            or a little only, which many rows show.

    Raises:
        DataError: a column of the held-out rows is missing, or holds something else.

    Source: Platzer & Reutterer 2021 (nearer rows); Carlini, Chien, Nasr, Song, Terzis & Tramèr 2022 (an attack is told
    by its true positives at few false ones).
    """
    held_out, members, drawn = alike(test, train, synthetic)
    scores = None if density is None else [_scores(density, *each) for each in ((train, members), (test, held_out))]
    rows = min(len(members), len(held_out), MOST_ROWS)
    if scores is not None:
        scores = [each[chosen(len(each), rows)] for each in scores]
    held_out, members = some(held_out, rows), some(members, rows)
    nearest, nearer, candidates = _near(members, held_out, some(drawn, MOST_ROWS))
    weights = np.bincount(nearest)
    independent = float(weights.sum() ** 2 / (weights**2).sum())
    numbers = copies(members, held_out, drawn)
    copied = [np.isin(each, numbers[2]) for each in numbers[:2]]
    by_distance = Attack.by(*-candidates)
    by_density = None if scores is None else Attack.by(*scores)
    share = float(nearer.mean())
    hits = share * independent
    # The binomial tail, of numbers that need not be whole.
    chances = {
        "nearer rows": float(betainc(hits, independent - hits + 1.0, 0.5)) if hits else 1.0,
        "rows found again": _more(*copied),
        "the attack by distance": by_distance.chance,
    }
    if by_density is not None:
        chances["the attack by density"] = by_density.chance
    return Memorisation(
        rows=rows,
        samples=len(nearer),
        nearer=Interval.of_share(share, independent),
        independent=independent,
        copied=(float(copied[0].mean()), float(copied[1].mean())),
        by_distance=by_distance,
        by_density=by_density,
        chances=chances,
    )


def _scores(density: Scored, source: Any, data: Dataset) -> Float[np.ndarray, " rows"]:
    found = np.asarray(density.score_samples(source), np.float64)
    if found.shape != (len(data),) or np.isnan(found).any():
        raise DataError(
            f"the density gave shape {found.shape} for {len(data)} rows, {np.isnan(found).sum()} of them NaN; it must "
            "give a number for each"
        )
    return found


def _near(members: Dataset, held_out: Dataset, drawn: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each synthetic row the nearest real one, and whether it is a member; of each real row how near a sample lies.

    Members come first; where one and another are as near, the row counts as half a member.
    """
    rows = len(members)
    real = np.concatenate([members.X, held_out.X])
    scale = Gower.fit(members.schema, real)
    places = scale.places(real)
    nearest, nearer, candidates = [], [], np.full(2 * rows, np.inf, np.float32)
    for block in row_distances(scale.places(drawn.X), places):
        first, second = block[:, :rows].min(axis=1), block[:, rows:].min(axis=1)
        nearest.append(block.argmin(axis=1))
        nearer.append((first < second) + 0.5 * (first == second))
        candidates = np.minimum(candidates, block.min(axis=0))
    return np.concatenate(nearest), np.concatenate(nearer), candidates.reshape(2, rows)


def _more(members: Bool[np.ndarray, " rows"], others: Bool[np.ndarray, " rows"]) -> float:
    """How likely so many of the members are marked, if they are marked as blindly as as many others (Fisher's test)."""
    marked = int(members.sum() + others.sum())
    return float(hypergeom.sf(members.sum() - 1, len(members) + len(others), marked, len(members)))
