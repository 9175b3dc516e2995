"""Synthetic rows, judged: fidelity, coverage, usefulness and memorisation, beside what real rows reach."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from landmass.data.alike import alike, some
from landmass.evaluate.boosted import Utility, difference, train_on_synthetic, two_sample
from landmass.evaluate.fidelity import Coverage, Distances, coverage, distances
from landmass.evaluate.memorisation import Memorisation, Scored, memorisation
from landmass.evaluate.roc import Interval
from landmass.text import table


class Fidelity(NamedTuple):
    """How like held-out rows some rows are.

    Args:
        distances: how far columns are apart, and pairs of them.
        two_sample: the area under the ROC curve of boosted trees that tell them apart.
        coverage: of the held-out rows.
    """

    distances: Distances
    two_sample: Interval
    coverage: Coverage


@dataclass(frozen=True, eq=False)
class Judgement:
    """What synthetic rows are worth; printed, a table beside what training rows reach, and what was memorised.

    Args:
        rows: training rows, held-out rows and synthetic rows.
        compared: how many synthetic rows, and training rows, were held against the held-out rows.
        synthetic: fidelity of synthetic rows.
        train: fidelity of as many training rows: what is to be had, chance included.
        utility: what the rows teach of a column; None where none was named.
        memorisation: what they tell of the training rows.
    """

    rows: tuple[int, int, int]
    compared: int
    synthetic: Fidelity
    train: Fidelity
    utility: Utility | None
    memorisation: Memorisation

    def __str__(self) -> str:
        both, worst = (self.synthetic, self.train), self.synthetic.distances
        place, pair = worst.names.index(worst.worst), tuple(map(worst.names.index, worst.worst_pair))
        rows: list[tuple[str, ...]] = [
            ("held against held-out rows", f"{self.compared:,} synthetic rows", "as many training rows"),
            ("distance of a column, mean", *(f"{each.distances.columns.mean():.3f}" for each in both)),
            (f"  largest, {worst.worst}", *(f"{each.distances.columns[place]:.3f}" for each in both)),
        ]
        if len(worst.names) > 1:
            rows += [
                ("distance of a pair, mean", *(f"{each.distances.mean_of_pairs:.3f}" for each in both)),
                (f"  largest, {' × '.join(worst.worst_pair)}", *(f"{each.distances.pairs[pair]:.3f}" for each in both)),
            ]
        rows += [
            ("told apart by trees, AUC", *(str(each.two_sample) for each in both)),
            ("coverage", *(f"{each.coverage.coverage:.3f}" for each in both)),
            ("density", *(f"{each.coverage.density:.3f}" for each in both)),
        ]
        if self.utility is not None:
            for each in self.utility.scores:
                cells = f"{each.synthetic:.4f} ({difference(each)})", f"{each.real:.4f}"
                rows.append((f"{each.measure} of {self.utility.target}, learned", *cells))
        return f"{table(rows)}\n\n{self.memorisation}"


def fidelity(real: Any, synthetic: Any) -> Fidelity:
    """How like real rows others are, by all that can be told of the two tables alone.

    Args:
        real: rows that define the columns; see `landmass.read`.
        synthetic: rows to hold against them.

    Raises:
        DataError: a column of the real rows is missing, or holds something else.
    """
    return Fidelity(distances(real, synthetic), two_sample(real, synthetic), coverage(real, synthetic))


def judge(
    train: Any, test: Any, synthetic: Any, *, target: str | None = None, density: Scored | None = None
) -> Judgement:
    """Judge synthetic rows beside the rows that their model learned from, by rows that it never saw.

    Args:
        train: rows that the model learned from.
        test: other real rows from the same source; they define the columns. See `landmass.read`.
        synthetic: rows that it drew.
        target: a column to learn from the others; None leaves this out.
        density: the model, where it has `score_samples`, for the attack by density.

    Raises:
        DataError: a column of the held-out rows is missing, or holds something else; there are fewer than 20 rows.
    """
    held_out, learned, drawn = alike(test, train, synthetic)
    compared = min(len(learned), len(drawn))
    return Judgement(
        rows=(len(learned), len(held_out), len(drawn)),
        compared=compared,
        synthetic=fidelity(held_out, some(drawn, compared)),
        train=fidelity(held_out, some(learned, compared)),
        utility=None if target is None else train_on_synthetic(learned, drawn, held_out, target),
        memorisation=memorisation(train, test, drawn, density),
    )
