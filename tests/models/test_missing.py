"""Missing cells: integrated out by the families that say so, with the pattern counted; refused by all others."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import integrate, optimize, stats

import landmass
from landmass import Bounded, DataError, Dataset, Gaussian, Positive, ProbabilisticPCA, Schema
from landmass.catalog import FAMILIES, OF_TABLES
from landmass.data.batches import split
from tests.models.cases import estimator

FALSE_ALARM = 1e-6


def rows(n=600, seed=0):
    """Rows of three columns that go together, of which the second is often missing and the third sometimes."""
    rng = np.random.default_rng(seed)
    X = [1.0, 20.0, -3.0] + (rng.standard_normal((n, 1)) + 0.5 * rng.standard_normal((n, 3))) * [1.0, 10.0, 0.1]
    return np.where(rng.random((n, 3)) < [0.0, 0.3, 0.1], np.nan, X)


X, NEW = rows(), rows(60, seed=1)


@pytest.fixture(scope="module")
def fitted():
    return ProbabilisticPCA(n_components=1, random_state=0).fit(X)


def known_log_density(model, events):
    """SciPy's density of the cells that are there, and the chances that these are."""
    said = model.parameters_
    mean, covariance = said["mean"], said["components"].T @ said["components"] + np.diag(said["noise"] ** 2)
    found = []
    for x in events:
        seen = ~np.isnan(x)
        pattern = np.log(1.0 - said["missing"][seen]).sum() + np.log(said["missing"][~seen]).sum()
        values = (
            stats.multivariate_normal(mean[seen], covariance[np.ix_(seen, seen)]).logpdf(x[seen]) if any(seen) else 0
        )
        found.append(pattern + values)
    return np.array(found)


def test_log_density_is_scipys_marginal_times_the_chance_of_the_pattern(fitted):
    events = np.concatenate([NEW, [[np.nan] * 3, [1.0, np.nan, np.nan]]])
    assert len(np.unique(np.isnan(events), axis=0)) == 5
    np.testing.assert_allclose(fitted.score_samples(events), known_log_density(fitted, events), rtol=1e-9, atol=1e-9)


def test_missing_cells_are_as_frequent_as_in_training(fitted):
    # Half a cell more of one more: that no cell was missing does not make it impossible.
    np.testing.assert_allclose(fitted.parameters_["missing"], (np.isnan(X).sum(0) + 0.5) / 601.0, rtol=1e-6)


def test_density_integrates_to_the_chance_of_the_pattern(fitted):
    x = np.linspace(-8.0, 10.0, 2001)
    events = np.column_stack([x, np.full((2001, 2), np.nan)])
    mass = integrate.simpson(np.exp(fitted.score_samples(events)), x=x)
    missing = fitted.parameters_["missing"]
    assert mass == pytest.approx((1.0 - missing[0]) * missing[1] * missing[2], rel=1e-6)


def test_fit_is_the_maximum_of_the_likelihood_of_the_cells_that_are_there(fitted):
    z = fitted.space_.forward(X, np.float64)[0]
    patterns = [(seen, z[(~np.isnan(z) == seen).all(1)][:, seen]) for seen in np.unique(~np.isnan(z), axis=0)]

    def loss(p):
        covariance = np.outer(p[3:6], p[3:6]) + np.exp(p[6]) * np.eye(3)
        return -sum(
            stats.multivariate_normal(p[:3][seen], covariance[np.ix_(seen, seen)]).logpdf(part).sum()
            for seen, part in patterns
        ) / len(z)

    best = optimize.minimize(loss, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, -1.0], method="BFGS", options={"gtol": 1e-5})
    normal = fitted.model_.normal
    found = np.concatenate([normal.mean, normal.loadings[:, 0], [np.log(normal.noise)]])
    assert loss(found) == pytest.approx(best.fun, abs=1e-5)
    np.testing.assert_allclose(found, best.x, atol=0.02)


def test_one_missing_cell_hardly_changes_the_closed_form():
    complete = np.nan_to_num(X)
    one = complete.copy()
    one[0, 1] = np.nan
    closed, em = (ProbabilisticPCA(n_components=1, random_state=0).fit(events) for events in (complete, one))
    log_chance = np.log1p(-em.parameters_["missing"]).sum()
    assert em.score(complete) - log_chance == pytest.approx(closed.score(complete), abs=1e-3)


def test_rows_that_miss_cells_are_not_lost():
    """Where large values of a column hide those of another, the mean of the rows without a gap is far off."""
    rng = np.random.default_rng(0)
    events = rng.standard_normal((2000, 1)) + 0.3 * rng.standard_normal((2000, 3))
    hidden = events.copy()
    hidden[events[:, 0] > 0.5, 1] = np.nan
    mean = ProbabilisticPCA(n_components=1, random_state=0).fit(hidden).parameters_["mean"][1]
    assert abs(mean - events[:, 1].mean()) < 0.05
    assert abs(np.nanmean(hidden[:, 1]) - events[:, 1].mean()) > 0.3


def test_device_agrees_with_the_host(fitted):
    z = fitted.space_.forward(NEW, np.float64)[0]
    on_device = jax.vmap(fitted.model_.log_prob)(jnp.asarray(z, jnp.float32))
    np.testing.assert_allclose(on_device, fitted.model_.quick_log_probs(z), rtol=1e-4, atol=1e-4)


def test_code_of_a_row_is_told_by_the_cells_that_are_there(fitted):
    model = fitted.model_
    z = fitted.space_.forward(NEW[~np.isnan(NEW[:, 1:]).all(1)], np.float64)[0]
    for x in z[:20]:
        seen = ~np.isnan(x)
        W = model.normal.loadings[seen]
        inner = W.T @ W + float(model.normal.noise) * np.eye(1)
        known = np.linalg.solve(inner, W.T @ (x - model.normal.mean)[seen])
        np.testing.assert_allclose(model.encode(jnp.asarray(x, jnp.float32)), known, rtol=1e-4, atol=1e-5)


def test_draws_of_codes_hang_together_where_few_cells_tell_of_them():
    rng = np.random.default_rng(2)
    events = rng.normal(size=(600, 2)) @ np.array([[1.0, 0.9, 0.2, 0.1], [-0.3, 0.4, 1.0, 1.2]])
    events += 0.2 * rng.normal(size=(600, 4))
    events[rng.random((600, 4)) < 0.2] = np.nan
    events = events[~np.isnan(events).all(1)]
    model = ProbabilisticPCA(n_components=2, random_state=0).fit(landmass.read(events, missing=True))
    x, n = np.array([0.7, np.nan, np.nan, np.nan]), 40_000
    drawn = model.encode(np.tile(x, (n, 1)), draw=True, random_state=0)
    # Codes and the one cell are normal together: codes given the cell by Schur's complement.
    W, noise = model.model_.normal.loadings[:1], float(model.model_.normal.noise)
    expected = np.eye(2) - W.T @ np.linalg.inv(W @ W.T + noise * np.eye(1)) @ W
    found = np.cov(drawn.T)
    # Five standard errors of a covariance.
    error = np.sqrt((expected**2 + np.outer(np.diag(expected), np.diag(expected))) / n)
    assert (np.abs(found - expected) < 5.0 * error).all()
    # The control: draws of each latent on its own do not hang together.
    mean, scale = model.posterior(np.tile(x, (n, 1)))
    alone = mean + scale * rng.standard_normal((n, 2))
    assert np.abs(np.cov(alone.T) - expected)[0, 1] > 20.0 * error[0, 1]


def test_samples_miss_cells_as_often_as_the_density_says(fitted):
    drawn = fitted.sample(20_000, random_state=0)
    counts, chances = np.isnan(drawn).sum(0), fitted.parameters_["missing"]
    assert min(stats.binomtest(int(k), 20_000, p).pvalue for k, p in zip(counts, chances, strict=True)) > FALSE_ALARM
    assert stats.binomtest(int(counts[1]), 20_000, chances[2]).pvalue < FALSE_ALARM
    assert np.isfinite(fitted.score_samples(drawn)).all()


def test_saved_density_comes_back_to_the_bit(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    read = landmass.load(tmp_path / "model")
    np.testing.assert_array_equal(read.score_samples(NEW), fitted.score_samples(NEW))
    np.testing.assert_array_equal(read.parameters_["missing"], fitted.parameters_["missing"])
    assert read.n_parameters_ == fitted.n_parameters_ == 3 + 3 + 1 + 3


def test_bounds_and_scales_count_for_the_cells_that_are_there():
    rng = np.random.default_rng(0)
    events = np.column_stack([rng.lognormal(size=400), rng.uniform(2.0, 5.0, 400)])
    events[:100, 0], events[50:150, 1] = np.nan, np.nan
    schema = Schema((Positive(name="a"), Bounded(name="b", low=2.0, high=5.0)))
    model = ProbabilisticPCA(n_components=0, random_state=0).fit(Dataset(events, schema, incomplete=True))
    missing = model.parameters_["missing"]
    x = np.linspace(2.0, 5.0, 4001)
    of_b = np.exp(model.score_samples(np.column_stack([np.full(4001, np.nan), x])))
    assert integrate.simpson(of_b, x=x) == pytest.approx(missing[0] * (1.0 - missing[1]), rel=1e-3)
    assert np.isneginf(model.score_samples(np.array([[np.nan, 1.0], [-1.0, np.nan]]))).all()


@pytest.mark.parametrize(
    "table",
    [
        lambda values: values,
        lambda values: pd.DataFrame(values, columns=["a", "b", "c"]),
        lambda values: pd.DataFrame(values, columns=["a", "b", "c"]).convert_dtypes(),
        lambda values: pa.table({n: pa.array(x, from_pandas=True) for n, x in zip("abc", values.T, strict=True)}),
    ],
    ids=["array", "pandas", "nullable pandas", "arrow"],
)
def test_empty_cells_of_every_container_are_missing_ones(fitted, table):
    model = ProbabilisticPCA(n_components=1, random_state=0).fit(table(X))
    np.testing.assert_array_equal(model.score_samples(table(NEW)), fitted.score_samples(NEW))


def test_empty_cells_of_a_file_are_missing_ones(fitted, tmp_path):
    pd.DataFrame(X, columns=["a", "b", "c"]).to_csv(tmp_path / "gaps.csv", index=False)
    whole, kept = landmass.read(tmp_path / "gaps.csv"), landmass.read(tmp_path / "gaps.csv", missing=True)
    assert (whole.incomplete, kept.incomplete, len(kept)) == (False, True, 600)
    np.testing.assert_allclose(kept.X, X)
    assert len(whole) == (~np.isnan(X).any(1)).sum()
    model = ProbabilisticPCA(n_components=1, random_state=0).fit(tmp_path / "gaps.csv")
    assert model.score(NEW) == pytest.approx(fitted.score(NEW), abs=1e-4)


def test_copies_of_a_row_with_gaps_stay_on_one_side():
    events = Dataset(np.repeat(X[:100], 3, axis=0), Schema.real(["a", "b", "c"]), incomplete=True)
    assert len(np.unique(events.copies())) == 100
    parts = split(events, 0)
    assert not set(parts.train // 3) & set(parts.test // 3)


@pytest.mark.parametrize(
    "family", [name for name in FAMILIES if name not in ("probabilistic_pca", *OF_TABLES) or name == "stack"]
)
def test_other_families_refuse_missing_cells(family):
    with pytest.raises(DataError, match="holds nan"):
        estimator(family).fit(X)
    with pytest.raises(DataError, match="needs complete rows, and cells of data are missing"):
        estimator(family).fit(landmass.read(X, missing=True))


def test_ladder_ranks_the_families_that_can():
    ladder = landmass.Ladder(["gaussian", ProbabilisticPCA(n_components=1), ProbabilisticPCA(n_components=0)])
    ladder.fit(landmass.read(X, missing=True))
    assert "needs complete rows" in ladder.failed_["gaussian"]
    assert ladder.best_ == "probabilistic_pca"


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        (lambda: ProbabilisticPCA(n_components=1).fit(rows()[:, [0]] + 0.0 * X[:, [1]] * np.nan), "is empty"),
        (lambda: ProbabilisticPCA().fit(np.where(np.isnan(X), np.inf, X)), "holds inf"),
        (lambda: ProbabilisticPCA().fit(np.nan_to_num(X)).score(X), "holds nan"),
        (lambda: ProbabilisticPCA().fit(np.nan_to_num(X)).score(landmass.read(X, missing=True)), "complete rows"),
        (lambda: Gaussian().fit(np.nan_to_num(X)).score(X), "holds nan"),
    ],
)
def test_what_cannot_be_missing_is_refused(fit, words):
    with pytest.raises(DataError, match=words):
        fit()
