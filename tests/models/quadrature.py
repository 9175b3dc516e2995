"""Masses of a fitted density: by quadrature that respects its breakpoints, and by importance sampling."""

import itertools

import numpy as np
from scipy import stats

FALSE_ALARM = 1e-6


def nodes(column, values, breaks, cells, order):
    """Gauss-Legendre nodes and weights between all breaks on one column, and the edges of equal cells on the data."""
    edges = np.linspace(values.min(), values.max(), cells + 1)
    reach = 9.0 * values.std()
    low, high = max(values.min() - reach, column.low), min(values.max() + reach, column.high)
    # A density may rise without limit towards a bound.
    near = [10.0**-k * (high - low) for k in range(2, 8)] if np.isfinite(column.high) else []
    fine = [low, high, *(low + step for step in near), *(high - step for step in near)]
    outside = [*np.linspace(low, edges[0], 16), *np.linspace(edges[-1], high, 16)]
    ends = np.unique(np.clip([*edges, *breaks, *fine, *outside], min(low, *breaks, *edges), max(high, *breaks, *edges)))
    node, weight = np.polynomial.legendre.leggauss(order)
    half = np.diff(ends)[:, None] / 2
    return (ends[:-1, None] + half * (1 + node)).ravel(), (half * weight).ravel(), edges


def cell_masses(estimator, data, cells, order):
    """The density's integral, its mass in each of the equal cells that tile the data's range, and their edges."""
    axes = [
        nodes(*parts, cells, order)
        for parts in zip(data.schema.columns, data.X.T, estimator.breakpoints(), strict=True)
    ]
    X = np.stack(np.meshgrid(*(axis[0] for axis in axes), indexing="ij"), -1).reshape(-1, len(axes))
    weights = np.prod(np.meshgrid(*(axis[1] for axis in axes), indexing="ij"), axis=0).ravel()
    masses = weights * np.exp(estimator.score_samples(X))
    edges = [axis[2] for axis in axes]
    return masses.sum(), np.histogramdd(X, bins=edges, weights=masses)[0], edges


def fit_of_counts(masses, edges, X):
    """P-value of the chi-square test of counts; rare cells and all that lies outside count as one cell."""
    counts = np.histogramdd(X, bins=edges)[0]
    common = masses * len(X) >= 5
    counts = np.append(counts[common], len(X) - counts[common].sum())
    expected = np.append(masses[common] * len(X), max(1.0, len(X) * (1 - masses[common].sum())))
    return stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1)


class Proposal:
    """Independent columns: uniform on bounds; elsewhere half normal, half uniform on all that the density covers."""

    def __init__(self, estimator, data, n=100_000, seed=0):
        rng = np.random.default_rng(seed)
        columns, log_q = [], np.zeros(n)
        for column, values, breaks in zip(data.schema.columns, data.X.T, estimator.breakpoints(), strict=True):
            low, high = min([*values, *breaks]), max([*values, *breaks])
            if np.isfinite(column.high):
                low, high = column.low, column.high
            x = rng.uniform(low, high, n)
            if not np.isfinite(column.high):
                x = np.where(rng.random(n) < 0.5, rng.normal(values.mean(), values.std(), n), x)
                normal = stats.norm.pdf(x, values.mean(), values.std())
                log_q += np.log(0.5 * stats.uniform.pdf(x, low, high - low) + 0.5 * normal)
            else:
                log_q -= np.log(high - low)
            columns.append(x)
        self.X = np.column_stack(columns)
        self.weights = np.exp(estimator.score_samples(self.X) - log_q)

    def mass(self, inside=None):
        """The density's mass where `inside` is true, and its standard error."""
        weights = self.weights if inside is None else self.weights * inside
        return weights.mean(), weights.std() / np.sqrt(len(weights))


def worst_marginal(proposal, X, data, bins=12):
    """The largest z-score among all bins of all columns, samples against importance sampling; and how many bins."""
    worst, count = 0.0, 0
    for i, values in enumerate(data.X.T):
        edges = np.quantile(values, np.linspace(0, 1, bins + 1))
        for low, high in itertools.pairwise([-np.inf, *edges[1:-1], np.inf]):
            mass, error = proposal.mass((proposal.X[:, i] > low) & (proposal.X[:, i] <= high))
            share = ((X[:, i] > low) & (X[:, i] <= high)).mean()
            worst = max(worst, abs(share - mass) / np.hypot(error, np.sqrt(max(share, 1e-4) / len(X))))
            count += 1
    return worst, count
