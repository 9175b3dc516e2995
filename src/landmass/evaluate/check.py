"""Does a density hold what it promises? Numerical checks of anything that has `score_samples` and `sample`."""

import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import gammaln

from landmass.arrays import on_device
from landmass.data.read import read
from landmass.errors import SettingError
from landmass.estimator.density import DensityEstimator
from landmass.evaluate.normalisation import importance_integral

# Chance that a sound density fails any of the checks of its samples.
FALSE_ALARM = 1e-6

# An integral may be this far from one.
TOLERANCE = 1e-4

# Panels along a column, of so many nodes each, more and more until the integral hardly changes any more.
PANELS, NODES = {1: (64, 96, 128, 256, 512, 1024), 2: (24, 36, 56, 84, 128)}, 6

# Directions along which samples are held against the density, besides the columns.
DIRECTIONS = 8

# Places along a direction where distribution functions are compared.
PLACES = 512

# Bumps that an importance sample is drawn from, and their degrees of freedom.
BUMPS, FREEDOM = 1_000, 5.0

# Events whose bumps are added up at a time.
BLOCK = 8_192

Rows = Float[np.ndarray, "_ columns"]


@runtime_checkable
class Density(Protocol):
    """What can be checked."""

    def score_samples(self, X: Any) -> Any:
        """Log-density of each event."""
        ...

    def sample(self, n_samples: int = 1) -> Any:
        """Events, or a tuple whose first part they are."""
        ...


@dataclass(frozen=True)
class Check:
    """One check.

    Args:
        name: what was checked.
        passed: whether it holds; None if it could not be told.
        found: the deviation that was found.
        allowed: the largest deviation that a sound density has.
        sentence: the same in words.
    """

    name: str
    passed: bool | None
    found: float
    allowed: float
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """All checks of a density; prints as a list.

    Args:
        checks: in the order they were made.
    """

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(check.passed is not False for check in self.checks)

    def __str__(self) -> str:
        marks = {True: "holds   ", False: "FAILS   ", None: "untold  "}
        return "\n".join(f"{marks[check.passed]}{check.name}: {check.sentence}" for check in self.checks)


def check_density(
    model: Density,
    *,
    breakpoints: Sequence[Float[np.ndarray, " _"]] | None = None,
    n_samples: int = 200_000,
    random_state: int = 0,
) -> Verdict:
    """Check that a density integrates to one, and that its samples follow it.

    In one and two columns integrals are by Gauss-Legendre quadrature, 1 ± 1e-4; in more by importance sampling, ± 4
    standard errors. Samples are held against the density along each column and along fixed random directions, by the
    Dvoretzky-Kiefer-Wolfowitz band (Massart 1990) with Bonferroni's correction; a sound density fails once in a
    million. All evaluation is in the units of the data.

    Args:
        model: anything fitted that has `score_samples` and `sample`, scikit-learn's estimators included; of columns of
            plain numbers.
        breakpoints: for each column, places where the density may jump; None asks an estimator of landmass.
        n_samples: events to draw.
        random_state: seed.

    Example:
        >>> from sklearn.mixture import GaussianMixture
        >>> X = np.random.default_rng(0).standard_normal((500, 1))
        >>> check_density(GaussianMixture(random_state=0).fit(X)).passed
        True
    """
    if n_samples < 1_000:
        raise SettingError(f"n_samples must be at least 1,000, got {n_samples}")
    if isinstance(model, DensityEstimator) and not model.data_.schema.plain:
        raise SettingError("check_density is for densities of plain numbers, and this one is of rows of other columns")
    X = _drawn(model, n_samples, random_state)
    score = np.asarray(model.score_samples(X[: min(n_samples, 20_000)]), float)
    bad = int((~np.isfinite(score)).sum())
    checks = [
        Check("own samples", bad == 0, bad, 0, f"{bad} of {len(score):,} samples have no finite log-density"),
        *([] if not _takes_seed(model) else [_same_seed(model, X, random_state)]),
    ]
    if bad:
        return Verdict(tuple(checks))
    columns = X.shape[1]
    breaks = breakpoints or (model.breakpoints() if isinstance(model, DensityEstimator) else [np.empty(0)] * columns)
    comparisons = columns + (DIRECTIONS if columns > 1 else 0)
    rng = np.random.default_rng(random_state)
    if columns <= 2:
        integral, marginals = _by_quadrature(model, X, breaks)
        checks += [integral, *(_against(X[:, i], *m, math.inf, comparisons, i) for i, m in enumerate(marginals))]
    if columns > 1:
        Z, log_ratio = _by_importance(model, X, rng)
        weights = np.exp(log_ratio - log_ratio.max())
        effective = float(weights.sum() ** 2 / (weights**2).sum())
        directions = rng.standard_normal((DIRECTIONS, columns)) / X.std(axis=0)
        lines = [*([] if columns == 2 else np.eye(columns)), *directions]
        if columns > 2:
            checks.append(_estimated(log_ratio))
        for k, line in enumerate(lines):
            reference, order = Z @ line, np.argsort(Z @ line)
            places = np.quantile(X @ line, np.linspace(0.0, 1.0, PLACES + 2)[1:-1])
            cumulated = np.concatenate([[0.0], np.cumsum(weights[order]) / weights.sum()])
            below = cumulated[np.searchsorted(reference[order], places, side="right")]
            column = k if columns > 2 and k < columns else None
            checks.append(_against(X @ line, places, below, effective, comparisons, column))
    return Verdict(tuple(checks))


def _drawn(model: Density, n: int, seed: int) -> Rows:
    drawn = model.sample(n, **({"random_state": seed} if _takes_seed(model) else {}))
    return read(drawn[0] if isinstance(drawn, tuple) else drawn).X


def _takes_seed(model: Density) -> bool:
    return "random_state" in inspect.signature(model.sample).parameters


def _same_seed(model: Density, X: Rows, seed: int) -> Check:
    different = int((_drawn(model, len(X), seed) != X).any(axis=1).sum())
    return Check("same seed", different == 0, different, 0, f"{different} of {len(X):,} events differ when drawn again")


def _by_quadrature(
    model: Density, X: Rows, breaks: Sequence[np.ndarray]
) -> tuple[Check, list[tuple[np.ndarray, np.ndarray]]]:
    """The integral; and for each column the panels' ends with the mass below each."""
    found, masses, ends, change = [], np.zeros(0), [], math.inf
    for panels in PANELS[X.shape[1]]:
        ends = [_panel_ends(x, b, panels) for x, b in zip(X.T, breaks, strict=True)]
        masses = _panel_masses(model, ends)
        found.append(float(masses.sum()))
        # One small change may be luck.
        change = max(abs(found[-1] - each) for each in found[-3:-1]) if len(found) > 2 else math.inf
        if change < 0.5 * TOLERANCE:
            break
    off = abs(found[-1] - 1.0)
    told = change < 10.0 * TOLERANCE or off > 20.0 * change
    allowed = max(TOLERANCE, change)
    sentence = f"{found[-1]:.6f}, and {change:.1e} more or less with wider panels"
    marginals = []
    for i, places in enumerate(ends):
        along = masses.sum(axis=tuple(j for j in range(masses.ndim) if j != i))
        # A wrong integral is one fault, wrong samples another.
        marginals.append((places, np.concatenate([[0.0], np.cumsum(along)]) / along.sum()))
    return Check("integral", off <= allowed if told else None, off, allowed, sentence), marginals


def _panel_ends(x: np.ndarray, breaks: np.ndarray, panels: int) -> np.ndarray:
    """Ends at quantiles of the samples and evenly, at jumps, and ever closer and ever farther around the outermost."""
    low, high = min([x.min(), *breaks]), max([x.max(), *breaks])
    span = high - low
    between = np.concatenate([np.quantile(x, np.linspace(0.0, 1.0, panels // 2)), np.linspace(low, high, panels // 2)])
    # A density may rise without limit towards a bound.
    towards, beyond = span * 10.0 ** np.arange(-7.0, -1.0), span * 2.0 ** np.arange(-6.0, 7.0)
    return np.unique(np.concatenate([low - beyond, low + towards, between, high - towards, high + beyond, breaks]))


def _panel_masses(model: Density, ends: list[np.ndarray]) -> np.ndarray:
    node, weight = np.polynomial.legendre.leggauss(NODES)
    halves = [np.diff(e)[:, None] / 2.0 for e in ends]
    places = [(e[:-1, None] + half * (1.0 + node)).ravel() for e, half in zip(ends, halves, strict=True)]
    weights = [(half * weight).ravel() for half in halves]
    X = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, len(ends))
    values = np.exp(np.asarray(model.score_samples(X), float)).reshape([len(p) for p in places])
    for axis, w in enumerate(weights):
        values = np.moveaxis(np.moveaxis(values, axis, -1) * w, -1, axis)
        values = np.add.reduceat(values, np.arange(0, len(w), NODES), axis=axis)
    return values


def _by_importance(model: Density, X: Rows, rng: np.random.Generator) -> tuple[Rows, Float[np.ndarray, " _"]]:
    """Events from bumps with heavy tails around some samples, and the log-ratio of the density to the bumps'."""
    n, columns = 2 * len(X), X.shape[1]
    scale = np.linalg.cholesky(np.cov(X.T) + 1e-12 * np.diag(X.var(axis=0)))
    centres = X[rng.choice(len(X), BUMPS, replace=False)]
    # Narrow bumps where the samples are, and one wide bump of a tenth of the mass for what they have missed.
    widths = np.append(np.full(BUMPS, 1.5 * BUMPS ** (-1.0 / (columns + 4))), 2.0)
    centres = np.concatenate([centres, X.mean(axis=0)[None]])
    log_weights = np.append(np.full(BUMPS, math.log(0.9 / BUMPS)), math.log(0.1))
    chosen = rng.choice(BUMPS + 1, n, p=np.exp(log_weights))
    heavy = rng.standard_normal((n, columns)) / np.sqrt(rng.chisquare(FREEDOM, n) / FREEDOM)[:, None]
    Z = centres[chosen] + widths[chosen, None] * heavy @ scale.T
    inverse = np.linalg.inv(scale)
    constant = gammaln(0.5 * (FREEDOM + columns)) - gammaln(0.5 * FREEDOM) - 0.5 * columns * math.log(FREEDOM * math.pi)
    log_bumps = log_weights + constant - columns * np.log(widths) - np.log(np.diag(scale)).sum()
    whitened, *bumps = (on_device(each, np.float32) for each in (Z @ inverse.T, centres @ inverse.T, widths, log_bumps))
    log_q = np.concatenate([_log_bumps(whitened[i : i + BLOCK], *bumps) for i in range(0, n, BLOCK)])
    return Z, np.asarray(model.score_samples(Z), float) - log_q


@jax.jit
def _log_bumps(
    x: Float[Array, "rows columns"],
    centres: Float[Array, "bumps columns"],
    widths: Float[Array, " bumps"],
    log_heights: Float[Array, " bumps"],
) -> Float[Array, " rows"]:
    """Log-density of a mixture of Student's distributions."""
    squares = sum((x[None, :, i] - centres[:, i, None]) ** 2 for i in range(x.shape[1])) / widths[:, None] ** 2
    tails = -0.5 * (FREEDOM + x.shape[1]) * jnp.log1p(squares / FREEDOM)
    return jax.nn.logsumexp(log_heights[:, None] + tails, axis=0)


def _estimated(log_ratio: Float[np.ndarray, " _"]) -> Check:
    found = importance_integral(log_ratio)
    if found is None:
        return Check("integral", None, math.nan, math.nan, "importance sampling hangs on too few events")
    off, allowed = abs(found.value - 1.0), 4.0 * found.error
    return Check(
        "integral", off <= allowed, off, allowed, f"{found.value:.5f} ± {found.error:.5f} by importance sampling"
    )


def _against(
    x: Float[np.ndarray, " samples"],
    places: Float[np.ndarray, " places"],
    below: Float[np.ndarray, " places"],
    effective: float,
    comparisons: int,
    column: int | None,
) -> Check:
    """Distribution function of samples against that of the density, at some places."""
    name = "samples along a direction" if column is None else f"samples along column {column}"
    if effective < 1_000.0:
        return Check(name, None, math.nan, math.nan, f"the density is known there from {effective:.0f} events only")
    found = float(np.abs(np.searchsorted(np.sort(x), places, side="right") / len(x) - below).max())
    band = math.log(2.0 * comparisons / FALSE_ALARM) / 2.0
    allowed = math.sqrt(band * (1.0 / len(x) + 1.0 / effective))
    sentence = f"distribution functions differ by {found:.4f} at most, {allowed:.4f} is chance"
    return Check(name, found <= allowed, found, allowed, sentence)
