"""Probabilistic PCA: scikit-learn's PCA and SciPy's normal in double precision, EM's optimum, and a bound for bytes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA

import landmass
from landmass import DataError, Gaussian, ProbabilisticPCA, SettingError
from landmass.core.low_rank import DequantisedNormal, LowRankNormal

COMPILES = True

FALSE_ALARM = 1e-6
KEY = jax.random.key(0)


def correlated(n=400, columns=6, seed=0):
    """Events near a plane of two dimensions, in columns of unlike units."""
    rng = np.random.default_rng(seed)
    turns = np.arange(columns)
    near = rng.standard_normal((n, 2)) @ [np.cos(turns), np.sin(turns)] + 0.4 * rng.standard_normal((n, columns))
    return 100.0 + near * np.geomspace(0.01, 10.0, columns)


X, NEW = correlated(), correlated(seed=1)[:100]


@pytest.fixture(scope="module", params=[0, 1, 2, 5])
def fitted(request):
    return ProbabilisticPCA(n_components=request.param, random_state=0).fit(X)


def covariance(model):
    parameters = model.parameters_
    return parameters["components"].T @ parameters["components"] + np.diag(parameters["noise"] ** 2)


def test_log_density_is_scipys_in_double_precision(fitted):
    known = stats.multivariate_normal(fitted.parameters_["mean"], covariance(fitted)).logpdf(NEW)
    np.testing.assert_allclose(fitted.score_samples(NEW), known, rtol=1e-9, atol=1e-9)


def test_log_density_is_that_of_scikit_learns_pca_of_standardised_columns(fitted):
    k = fitted.n_components
    # Ours divides by the number of events, scikit-learn by one less; it knows no PCA without components.
    peer = PCA(max(k, 1), svd_solver="full").fit((X - X.mean(0)) / X.std(0) * np.sqrt(1.0 - 1.0 / len(X)))
    if not k:
        peer.n_components_, peer.noise_variance_ = 0, 1.0
    known = peer.score_samples((NEW - X.mean(0)) / X.std(0)) - np.log(X.std(0)).sum()
    np.testing.assert_allclose(fitted.score_samples(NEW), known, rtol=1e-9, atol=1e-9)
    directions = fitted.model_.directions.T
    np.testing.assert_allclose(directions, peer.components_[:k], atol=1e-7)


def test_device_agrees_with_the_host(fitted):
    z = fitted.space_.forward(NEW)[0]
    on_device = jax.vmap(fitted.model_.log_prob)(jnp.asarray(z))
    np.testing.assert_allclose(on_device, fitted.model_.quick_log_probs(z.astype(np.float64)), rtol=1e-4, atol=1e-4)


def test_all_components_but_one_make_the_full_covariance():
    full = ProbabilisticPCA(n_components=5).fit(X)
    np.testing.assert_allclose(covariance(full), np.cov(X.T, bias=True), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(full.score_samples(NEW), Gaussian().fit(X).score_samples(NEW), rtol=0, atol=1e-4)
    assert full.n_parameters_ == Gaussian().fit(X).n_parameters_


def test_em_reaches_the_closed_forms_likelihood():
    closed, em = (ProbabilisticPCA(n_components=2, method=method, random_state=0) for method in ("closed_form", "em"))
    assert em.fit(X).score(X) == pytest.approx(closed.fit(X).score(X), abs=1e-4)
    losses = np.array([record.loss for record in em.history_])
    assert len(losses) > 2
    assert (np.diff(losses) < 1e-5).all()
    stopped = ProbabilisticPCA(n_components=2, method="em", max_iter=2, random_state=0).fit(X)
    assert stopped.score(X) < closed.score(X) - 1e-2


def test_code_is_scikit_learns_shrunk_towards_zero_and_its_spread_is_the_posteriors():
    model = ProbabilisticPCA(n_components=2).fit(X).model_
    W, noise = model.loadings, float(model.noise)
    x = np.random.default_rng(0).standard_normal(6)
    inner = W.T @ W + noise * np.eye(2)
    code = np.linalg.solve(inner, W.T @ (x - model.mean))
    np.testing.assert_allclose(model.encode(jnp.asarray(x, jnp.float32)), code, rtol=1e-5)
    np.testing.assert_allclose(model.code_covariance, noise * np.linalg.inv(inner), atol=1e-12)
    np.testing.assert_allclose(model.decode(jnp.asarray(code, jnp.float32)), model.mean + W @ code, rtol=1e-5)


def test_any_factors_give_the_same_distribution_however_they_are_turned():
    rng = np.random.default_rng(0)
    mean, loadings = rng.standard_normal(4), rng.standard_normal((4, 3))
    turned = loadings @ stats.ortho_group(3).rvs(random_state=0)
    x = rng.standard_normal((20, 4))
    known = stats.multivariate_normal(mean, loadings @ loadings.T + 0.3 * np.eye(4))
    for W in (loadings, turned):
        np.testing.assert_allclose(LowRankNormal.of(mean, W, 0.3).quick_log_probs(x), known.logpdf(x), rtol=1e-12)
    few = np.array([True, False, True, False])
    part = stats.multivariate_normal(mean[few], known.cov_object.covariance[np.ix_(few, few)])
    marginal = LowRankNormal.of(mean, loadings, 0.3).marginal(few)
    np.testing.assert_allclose(marginal.quick_log_probs(x[:, few]), part.logpdf(x[:, few]), rtol=1e-12)


def test_number_of_components_is_chosen_on_validation():
    model = ProbabilisticPCA(random_state=0).fit(correlated(n=2000))
    assert model.chosen_ == 2
    assert model.parameters_["components"].shape == (2, 6)


def test_more_columns_than_events_can_be_fitted():
    events = np.random.default_rng(0).standard_normal((30, 1)) + 0.3 * np.random.default_rng(1).standard_normal(
        (30, 80)
    )
    model = ProbabilisticPCA(random_state=0).fit(events)
    assert model.chosen_ == 1
    known = stats.multivariate_normal(model.parameters_["mean"], covariance(model)).logpdf(events)
    np.testing.assert_allclose(model.score_samples(events), known, rtol=1e-9, atol=1e-9)


def test_events_on_a_plane_leave_no_noise():
    flat = np.column_stack([X, X[:, 0] + X[:, 5]])
    assert ProbabilisticPCA(n_components=2).fit(flat).model_.noise > 0.01
    for method in ("closed_form", "em"):
        with pytest.raises(DataError, match=r"6 components leave no noise .* fewer n_components"):
            ProbabilisticPCA(n_components=6, method=method, random_state=0, max_iter=5000).fit(flat)


def test_weights_are_copies():
    counts = np.random.default_rng(0).integers(0, 3, len(X))
    for method, close in (("closed_form", 1e-9), ("em", 1e-3)):
        weighed, copied = (ProbabilisticPCA(n_components=2, method=method, random_state=0) for _ in range(2))
        weighed.fit(X, sample_weight=counts)
        copied.fit(np.repeat(X, counts, axis=0))
        np.testing.assert_allclose(weighed.score_samples(NEW), copied.score_samples(NEW), rtol=close)


def pictures(n=300, shape=(2, 4, 3), seed=0):
    """Images that light up together, with a pixel that is always dark."""
    rng = np.random.default_rng(seed)
    light = 120.0 + 30.0 * rng.standard_normal((n, 1, 1, 1)) + 6.0 * rng.standard_normal((n, *shape))
    light[:, 0, 0] = 0.0
    return np.clip(light, 0, 255).astype(np.uint8)


def test_bound_of_images_is_the_mean_log_density_of_their_cells():
    images = pictures()
    model = ProbabilisticPCA(n_components=2, random_state=0).fit(images)
    assert model.likelihood_ == "lower_bound"
    normal = stats.multivariate_normal(model.parameters_["mean"], covariance(model))
    found, rng, n = model.score_samples(images[:5]), np.random.default_rng(0), 100_000
    for image, bound in zip(images[:5], found, strict=True):
        values = normal.logpdf(image.ravel() + rng.random((n, image.size)))
        assert abs(values.mean() - bound) < stats.norm.isf(FALSE_ALARM / 10) * values.std() / np.sqrt(n)
        # Without the cells' spread it would be another number.
        assert abs(values.mean() - normal.logpdf(image.ravel() + 0.5)) > 10 * values.std() / np.sqrt(n)
    on_device = jax.vmap(lambda x: model.model_.log_prob_bound(x, KEY))(jnp.asarray(images[:5]))
    np.testing.assert_allclose(on_device, found, rtol=1e-4)


def test_images_are_fitted_where_the_bound_is_highest():
    images = pictures()
    evenly = images.reshape(len(images), -1) + 0.5
    moments = evenly.mean(0), np.cov(evenly.T, bias=True) + np.eye(24) / 12.0
    variances = np.linalg.eigvalsh(moments[1])[::-1]
    model = ProbabilisticPCA(n_components=2).fit(images)
    np.testing.assert_allclose(model.parameters_["mean"], moments[0], rtol=1e-12)
    np.testing.assert_allclose(model.model_.normal.noise, variances[2:].mean(), rtol=1e-9, atol=1e-9)
    score = model.score(images)
    for factor in (0.98, 1.02):
        normal = model.model_.normal
        other = LowRankNormal(
            normal.mean, normal.directions, normal.variances * factor, np.array(normal.noise * factor)
        )
        assert DequantisedNormal(other, (2, 4, 3)).quick_log_probs(images).mean() < score


def test_bound_is_below_the_mass_that_draws_have():
    model = DequantisedNormal(LowRankNormal.of(np.array([100.0, 3.0]), np.array([[1.0], [2.0]]), 1.5), (1, 2, 1))
    truth = stats.multivariate_normal([100.0, 3.0], [[2.5, 2.0], [2.0, 5.5]], seed=0)
    cells = np.array(list(itertools.product(range(94, 107), range(1, 9))))
    mass = np.array([truth.cdf(cell + 1.0, lower_limit=cell) for cell in cells])
    bounds = model.quick_log_probs(cells.reshape(-1, 1, 2, 1).astype(np.uint8))
    assert (bounds < np.log(mass)).all()
    assert mass @ (np.log(mass) - bounds) < 0.1
    drawn = np.asarray(jax.vmap(model.sample)(jax.random.split(KEY, 20_000)))
    assert drawn.dtype == np.uint8
    counts = (drawn.reshape(-1, 1, 2) == cells[None]).all(2).sum(0)
    likely = mass * 20_000 > 5
    expected = mass[likely] * 20_000
    known = np.append(expected, 20_000 - expected.sum())
    seen = np.append(counts[likely], 20_000 - counts[likely].sum())
    assert stats.chisquare(seen, known).pvalue > FALSE_ALARM
    assert stats.chisquare(seen, np.roll(known, 1)).pvalue < FALSE_ALARM


def test_codes_of_images_go_there_and_back():
    images = pictures()
    model = ProbabilisticPCA(n_components=2).fit(images).model_
    back = jax.vmap(lambda x: model.decode(model.encode(x)))(jnp.asarray(images))
    assert back.shape == images.shape
    # What is left is the noise, of a standard deviation of 6.
    assert np.abs(np.asarray(back, float) - images).mean() < 6.0


def test_density_of_images_comes_back_to_the_bit(tmp_path):
    model = ProbabilisticPCA(random_state=0).fit(pictures())
    model.save(tmp_path / "model")
    read = landmass.load(tmp_path / "model")
    np.testing.assert_array_equal(read.score_samples(pictures(seed=1)), model.score_samples(pictures(seed=1)))
    np.testing.assert_array_equal(read.sample(9, random_state=0), model.sample(9, random_state=0))
    assert read.model_.normal.mean.dtype == np.float64


def test_images_are_fitted_in_closed_form():
    with pytest.raises(SettingError, match="method must be 'closed_form' for images, got 'em'"):
        ProbabilisticPCA(method="em").fit(pictures())
