"""What a report shows, measured once: densities on grids, integrals, shares, products, surfaces, curves."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from landmass.data.builtin import DATASETS, truth
from landmass.data.builtin.truth import Truth
from landmass.data.dataset import Dataset
from landmass.data.schema import Schema
from landmass.estimator.density import DensityEstimator
from landmass.estimator.learned import LearnedEstimator
from landmass.evaluate.ledger import Ledger
from landmass.evaluate.likelihood import Product, Surface, entries_of, product, surface
from landmass.evaluate.normalisation import Grid, Integral, importance_integral, integration_grid
from landmass.evaluate.truth import Share, emptiness, empty_share_on, leaves_empty
from landmass.ladder import Ladder
from landmass.models.gaussian import Gaussian
from landmass.models.stack import Stack
from landmass.models.uniform_box import UniformBox
from landmass.train.progress import Progress
from landmass.train.weights import mixture_log_prob
from landmass.types import HostEvents

Scores = dict[str, Float[np.ndarray, " _"]]
"""Log-densities, by rung."""

# The whole data set's likelihood is taken over no more events than this, and as many are drawn from the last rung.
MOST_EVENTS = 10_000

# Places along each column of a picture.
ACROSS = {1: (1_200,), 2: (216, 216)}

# A surface adds up the events' likelihoods thousands of times: a model with more numbers than this, times the events,
# leaves it to the Gaussian.
MOST_WORK = 4_000_000

# With more columns than two, densities are integrated by this many draws.
DRAWS = 4_096


@dataclass(frozen=True, eq=False)
class Curve:
    """How a rung learned, in nats an event and the units of the data.

    Args:
        steps: training steps.
        train: mean log-density of the training batches; NaN where their loss is none.
        held_out: mean log-density of the validation events; NaN where nobody looked.
    """

    steps: Float[np.ndarray, " looks"]
    train: Float[np.ndarray, " looks"]
    held_out: Float[np.ndarray, " looks"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Shown:
    """What every report says of a ladder.

    Args:
        ledger: the ladder's.
        last: the rung that answers for the ladder.
        curves: how rungs learned that took steps.
    """

    ledger: Ledger
    last: str
    curves: dict[str, Curve]


@dataclass(frozen=True, eq=False, kw_only=True)
class Measures(Shown):
    """All that a report says of a ladder of densities.

    Args:
        schema: the sample space.
        rungs: the fitted rungs by name, from simple to rich.
        truth: the known distribution, if there is one.
        data: the events, the first 10,000 at most; None for a run read back without them.
        draws: events drawn from the last rung, where they are shown.
        view: the grid of the pictures of densities, for one or two columns.
        pictures: log-densities on `view`, by rung, and of the truth under "".
        integrals: of each rung's density; None where it could not be had.
        empty: share of each rung's mass where the truth has none; empty unless there are such places.
        log_density: of the events in `data`, by rung.
        products: the likelihood of the events in `data`, by rung.
        surfaces: likelihood surfaces, by rung.
    """

    schema: Schema
    rungs: dict[str, DensityEstimator]
    truth: Truth | None
    data: Float[np.ndarray, "_ columns"] | None
    draws: Float[np.ndarray, "_ columns"] | None
    view: Grid | None
    pictures: Scores
    integrals: dict[str, Integral | None]
    empty: dict[str, Share]
    log_density: Scores
    products: dict[str, Product]
    surfaces: dict[str, Surface]

    @property
    def dim(self) -> int:
        """Number of columns."""
        return len(self.schema.columns)


def measure(ladder: Ladder) -> Measures:
    """Measure what a report shows.

    Args:
        ladder: fitted, or read back.
    """
    rungs, ledger, last = ladder.rungs_, ladder.ledger_, ladder.last_
    schema = last.data_.schema
    known, parts = _events(ladder)
    whole = None if parts is None else np.concatenate([part.X for part in parts])[:MOST_EVENTS]
    low_dim = len(schema.columns) <= 2
    draws = None
    if not low_dim or whole is None:
        draws = last._draw(min(MOST_EVENTS, 10_000 if whole is None else max(len(whole), 1_000)), _seed())
    seen = whole if whole is not None else draws
    if low_dim and seen is not None:
        view, pictures, integrals, empty = _on_grids(rungs, schema, seen, known)
    else:
        view, pictures, empty, integrals = None, {}, {}, _by_draws(rungs)
    scores = {} if whole is None else score_all(rungs, whole)
    return Measures(
        ledger=ledger,
        last=ladder.answering_,
        schema=schema,
        rungs=rungs,
        truth=known,
        data=whole,
        draws=draws,
        view=view,
        pictures=pictures,
        integrals=integrals,
        empty=empty,
        log_density=scores,
        products={name: product(each) for name, each in scores.items()},
        surfaces={} if parts is None else _surfaces(rungs, ledger.best, np.concatenate([part.X for part in parts[:2]])),
        curves={} if parts is None else curves_of(rungs, parts),
    )


def score_all(rungs: dict[str, DensityEstimator], X: HostEvents) -> Scores:
    """Log-densities of events under every rung; the stack's come from its parts', without asking these again.

    Args:
        rungs: by name, the stack after its parts.
        X: events.
    """
    scores: Scores = {}
    for name, rung in rungs.items():
        if isinstance(rung, Stack) and all(part in scores for part in rung.parts_):
            each = np.column_stack([scores[part] for part in rung.parts_])
            scores[name] = mixture_log_prob(each, rung.weights_)
        else:
            scores[name] = rung.score_samples(X)
    return scores


def _events(ladder: Ladder) -> tuple[Truth | None, tuple[Dataset, ...] | None]:
    """The truth, where it is known, and the training, validation and test events, where they are at hand."""
    if hasattr(ladder, "train_"):
        return ladder.train_.truth, (ladder.train_, ladder.validation_, ladder.test_)
    ledger = ladder.ledger_
    if ledger.data in DATASETS and ledger.true_entropy is not None:
        return truth(ledger.data), None
    return None, None


def _on_grids(
    rungs: dict[str, DensityEstimator], schema: Schema, X: HostEvents, known: Truth | None
) -> tuple[Grid, Scores, dict[str, Integral | None], dict[str, Share]]:
    """Pictures, integrals, and shares where the truth is empty; one grid serves all where the columns are bounded."""
    grid = integration_grid(schema, X)
    on_grid = score_all(rungs, grid.points)
    integrals: dict[str, Integral | None] = {name: grid.integrate(np.exp(each)) for name, each in on_grid.items()}
    shares: dict[str, Share] = {}
    if known is not None and leaves_empty(known):
        empty = emptiness(known, grid)
        shares = {name: empty_share_on(grid, each, empty) for name, each in on_grid.items()}
    if all(math.isfinite(column.high) for column in schema.columns):
        view, pictures = grid, on_grid
    else:
        view = view_grid(schema, X)
        pictures = score_all(rungs, view.points)
    if known is not None:
        pictures = {**pictures, "": known.log_prob(view.points)}
    return view, pictures, integrals, shares


def view_grid(schema: Schema, X: HostEvents) -> Grid:
    """A grid over the declared bounds, or over the events with a margin; far stragglers are left outside.

    Args:
        schema: the sample space, of one or two columns.
        X: events.
    """
    edges, middles = [], []
    for column, x, side in zip(schema.columns, X.T, ACROSS[X.shape[1]], strict=True):
        low, high = window(x)
        low, high = (column.low, column.high) if math.isfinite(column.high) else (max(low, column.low), high)
        fine = np.linspace(low, high, 2 * side + 1)
        edges.append(fine[::2])
        middles.append(fine[1::2])
    return Grid(tuple(edges), tuple(middles))


def window(x: Float[np.ndarray, " events"]) -> tuple[float, float]:
    """Where to look at a column: its range with a margin, or its middle 99% if a few events lie far off.

    Args:
        x: values.
    """
    least, low, high, most = np.quantile(x, [0.0, 0.005, 0.995, 1.0])
    span = max(high - low, 1e-9 * max(abs(low), abs(high)))
    least, most = (max(least, low - 0.75 * span), min(most, high + 0.75 * span)) if span > 0 else (least, most)
    margin = 0.06 * (most - least)
    return float(least - margin), float(most + margin)


def _by_draws(rungs: dict[str, DensityEstimator]) -> dict[str, Integral | None]:
    """Integrals by importance sampling from all rungs in equal parts: no weight can exceed their number."""
    parts = {name: rung for name, rung in rungs.items() if not isinstance(rung, Stack)}
    drawn = np.concatenate([rung._draw(DRAWS // len(parts), _seed()) for rung in parts.values()])
    scores = score_all(rungs, drawn)
    mixed = mixture_log_prob(np.column_stack([scores[name] for name in parts]), np.full(len(parts), 1.0 / len(parts)))
    return {name: importance_integral(each - mixed) for name, each in scores.items()}


def _surfaces(rungs: dict[str, DensityEstimator], best: str, X: HostEvents) -> dict[str, Surface]:
    """The surface of the rung that validation prefers, or of the Gaussian where that has none, and the box's."""
    order = [best, *(name for name, rung in rungs.items() if isinstance(rung, Gaussian))]
    bell = next((name for name in order if _has_surface(rungs[name], X)), None)
    box = next((name for name, rung in rungs.items() if isinstance(rung, UniformBox)), None)
    found = {}
    for name in dict.fromkeys(name for name in (bell, box) if name is not None):
        rung = rungs[name]
        if isinstance(rung, LearnedEstimator) and _has_surface(rung, X):
            found[name] = surface(rung, X)
    return found


def _has_surface(rung: DensityEstimator, X: HostEvents) -> bool:
    small = rung.n_parameters_ * len(X) <= MOST_WORK
    return small and isinstance(rung, LearnedEstimator) and entries_of(rung, X) is not None


def curves_of(rungs: dict[str, DensityEstimator], parts: tuple[Dataset, ...]) -> dict[str, Curve]:
    """How the rungs learned that took steps.

    Args:
        rungs: by name.
        parts: the training events, the validation events, and perhaps others.
    """
    curves = {}
    for name, rung in rungs.items():
        if not isinstance(rung, LearnedEstimator):
            continue
        # Losses and scores are per unit of the model's space; the map's mean log-Jacobian brings them to the data's.
        # The fit's space is made anew: the rung's own has learned from the validation events since.
        space = rung._fit_space(parts[0])
        found = curve_of(rung.history_, *(float(np.mean(space.forward(part.X)[1])) for part in parts[:2]))
        if found is not None:
            curves[name] = found
    return curves


def curve_of(history: tuple[Progress, ...], train: float, held_out: float) -> Curve | None:
    """How a rung learned; None where it took no steps.

    Args:
        history: its progress records.
        train: mean log-density of the training events in the data's units, less that in the model's space.
        held_out: the same of the validation events.
    """
    looks = [look for look in history if look.kind == "advanced" and look.loss is not None]
    if len(looks) < 2:
        return None
    steps = np.array([look.step for look in looks], float)
    learned = np.array([train - (look.loss or 0.0) for look in looks])
    scores = np.array([np.nan if look.score is None else look.score + held_out for look in looks])
    return Curve(steps, learned, scores)


def _seed() -> np.random.RandomState:
    return np.random.RandomState(0)
