"""Variational auto-encoders: bounds below the truth, densities that integrate to one, codes, and what is refused."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from scipy import special, stats

import landmass
from landmass import VAE, DataError, Ladder, SettingError
from landmass.models.vae import Bells, Posterior, total_correlation
from landmass.train.cloud import Cloud
from landmass.train.coder import black_or_white
from landmass.train.directions import shift
from tests.models.cases import data

COMPILES = True

RNG = np.random.default_rng(0)
MIX = np.array([[1.0, 0.5, -1.0], [0.0, 1.0, 0.5]])


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) @ MIX + 0.4 * rng.normal(size=(n, 3))


@pytest.fixture(scope="module")
def linear():
    """A linear VAE, whose density is a normal one (that of factor analysis), with an encoder that is off; and that."""
    model = VAE(latents=2, architecture="linear", max_steps=1000, learning_rate=0.01, random_state=0).fit(rows(2000))

    def place(m):
        return m.components.coder.encoder.weights[-1]["bias"]

    # Means, then the logarithms of scales: a linear encoder's guess is exact, and its bound would leave no gap.
    model.model_ = eqx.tree_at(place, model.model_, place(model.model_) + jnp.array([0.3, 0.3, 0.8, 0.8])[None])
    coder = model.model_.components.coder
    start, last = np.asarray(coder.start[0], float), coder.decoder.weights[-1]
    loadings = np.asarray(last["weight"][0], float).T
    covariance = loadings @ loadings.T + np.diag(np.exp(2.0 * start[:, 1]))
    return model, stats.multivariate_normal(start[:, 0] + np.asarray(last["bias"][0], float), covariance)


def test_bound_of_a_linear_model_rises_to_its_density_from_below(linear):
    model, truth = linear
    new = rows(400, seed=1)
    z, log_det = model.space_.forward(new)
    exact, gaps = truth.logpdf(z) + log_det, []
    for draws in (1, 10, 100, 1000):
        gap = exact - model.bound(new, draws)[0]
        # False alarm: 1e-6.
        assert gap.mean() > -5.0 * gap.std() / 20.0
        gaps.append(gap.mean())
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.1 * gaps[0]


@pytest.mark.parametrize("size", [1e20, 1e38, 1e300, -1e300])
def test_density_of_a_far_event_is_zero(linear, size):
    deep = VAE(latents=2, hidden=8, depth=3, max_steps=4, batch_norm=True, random_state=0).fit(rows(100))
    for model in (linear[0], deep):
        assert np.isneginf(model.score_samples(rows(3) * size)).all()


@pytest.mark.parametrize("draws", [0, 2.5, "9"])
def test_bound_needs_a_whole_number_of_draws(linear, draws, monkeypatch):
    # The tests' type checker would speak first.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(SettingError, match=f"draws must be a whole number from 1, got {draws!r}"):
        linear[0].bound(rows(3), draws)


def test_training_reaches_the_density_of_the_data():
    truth = stats.multivariate_normal(np.zeros(3), MIX.T @ MIX + 0.16 * np.eye(3))
    new = rows(2000, seed=2)
    fitted = VAE(latents=2, hidden=32, max_steps=1500, learning_rate=0.01, random_state=0, draws=30).fit(rows(2000))
    assert (truth.logpdf(new) - fitted.score_samples(new)).mean() < 0.1
    assert fitted.likelihood_ == "lower_bound"


@pytest.mark.parametrize("prior", ["normal", "mixture"])
def test_density_integrates_to_one_and_draws_follow_it(prior):
    events = data("mixed", n=1000)
    column = landmass.Dataset(events.X[:, :1], landmass.Schema(events.schema.columns[:1]))
    of_mixture = {"bells": 5} if prior == "mixture" else {}
    settings = {"latents": 1, "hidden": 16, "max_steps": 600, "learning_rate": 0.01, "random_state": 0}
    model = VAE(**settings, prior=prior, **of_mixture).fit(column)
    grid = np.linspace(-15.0, 15.0, 3001)
    density = np.exp(model.bound(grid[:, None], 400)[0])
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=0.01)
    drawn = model.sample(5000, random_state=0)[:, 0]
    below = np.cumsum(density) * (grid[1] - grid[0])
    # False alarm: 1e-6, and the grid's own error.
    distance = np.abs(np.interp(np.sort(drawn), grid, below) - (np.arange(5000) + 0.5) / 5000).max()
    assert distance < 2.7 / np.sqrt(5000) + 0.01
    shifted = np.abs(np.interp(np.sort(drawn + 0.5), grid, below) - (np.arange(5000) + 0.5) / 5000).max()
    assert shifted > 2.7 / np.sqrt(5000) + 0.01


def test_bounded_columns_have_no_mass_outside_and_units_are_counted():
    events = data("mixed", n=600)
    settings = {"latents": 2, "hidden": 16, "max_steps": 200, "random_state": 0, "draws": 20}
    model = VAE(**settings).fit(events)
    drawn = model.sample(500, random_state=0)
    assert (drawn[:, 1] > 0).all()
    assert ((drawn[:, 2] >= -3) & (drawn[:, 2] <= 7)).all()
    outside = events.X[:1].copy()
    outside[0, 1] = -1.0
    assert model.score_samples(outside)[0] == -np.inf
    real = rows(600)
    metres, centimetres = VAE(**settings).fit(real), VAE(**settings).fit(100.0 * real)
    shift = metres.score(real) - centimetres.score(100.0 * real)
    assert shift == pytest.approx(3 * np.log(100.0), abs=0.05)


def test_same_seed_gives_the_same_bits_and_saving_keeps_them(tmp_path):
    settings = {"latents": 2, "hidden": 8, "max_steps": 60, "prior": "mixture", "bells": 3, "batch_norm": True}
    one, two = (VAE(**settings, members=2, random_state=3).fit(rows(300)) for _ in range(2))
    new = rows(70, seed=5)
    np.testing.assert_array_equal(one.score_samples(new), two.score_samples(new))
    one.save(tmp_path / "model")
    read = landmass.load(tmp_path / "model")
    np.testing.assert_array_equal(read.score_samples(new), one.score_samples(new))
    np.testing.assert_array_equal(read.sample(9, random_state=1), one.sample(9, random_state=1))


def test_mixture_prior_has_scipys_density_and_draws():
    bells = Bells(
        *(jnp.asarray(a, jnp.float32) for a in (RNG.normal(size=3), RNG.normal(size=(3, 2)), RNG.normal(size=(3, 2))))
    )
    z = RNG.normal(size=(50, 2))
    weights = np.exp(np.asarray(bells.log_weights, float))
    each = [
        w / weights.sum() * stats.multivariate_normal(m, np.diag(np.exp(2 * s))).pdf(z)
        for w, m, s in zip(weights, np.asarray(bells.mean, float), np.asarray(bells.log_scale, float), strict=True)
    ]
    np.testing.assert_allclose(bells.log_probs(jnp.asarray(z, jnp.float32)), np.log(sum(each)), rtol=1e-3, atol=1e-3)
    drawn = np.asarray(bells.samples(jax.random.key(0), 20_000), float)
    np.testing.assert_allclose(drawn.mean(0), weights @ np.asarray(bells.mean, float) / weights.sum(), atol=0.1)


def test_distance_from_the_prior_is_the_formula():
    q = Posterior(jnp.array([[0.5, -2.0]]), jnp.log(jnp.array([[0.3, 1.5]])))
    z = RNG.normal(size=(200_000, 2)) * [0.3, 1.5] + [0.5, -2.0]
    each = stats.norm([0.5, -2.0], [0.3, 1.5]).logpdf(z) - stats.norm.logpdf(z)
    np.testing.assert_allclose(q.nats()[0], each.mean(0), atol=0.02)


def test_uniform_codes_are_normal_ones_by_their_distribution_function():
    settings = {"latents": 2, "hidden": 8, "max_steps": 100, "random_state": 0, "draws": 5}
    normal, uniform = (VAE(**settings, prior=prior).fit(rows(500)) for prior in ("normal", "uniform"))
    new = rows(40, seed=7)
    np.testing.assert_array_equal(uniform.score_samples(new), normal.score_samples(new))
    (mean, scale), (at, width) = normal.posterior(new), uniform.posterior(new)

    def by_distribution(codes):
        return np.sqrt(3.0) * (2.0 * stats.norm.cdf(codes) - 1.0)

    drawn = by_distribution(mean + scale * RNG.standard_normal((100_000, 1, 1)))
    # False alarm: 1e-5 of the 160 means; the widths' own error is 1%.
    np.testing.assert_allclose(at, drawn.mean(0), atol=5.5 / np.sqrt(100_000))
    np.testing.assert_allclose(width, drawn.std(0), rtol=0.02)
    # Draws are of the same normal numbers, and none lies beyond the ends.
    codes = uniform.encode(new, draw=True, random_state=3)
    np.testing.assert_allclose(codes, by_distribution(normal.encode(new, draw=True, random_state=3)), atol=1e-4)
    assert np.abs(uniform.encode(np.repeat(new, 50, axis=0), draw=True, random_state=0)).max() <= np.sqrt(3.0)
    codes = np.array([[-1.0, 0.0], [0.3, 2.0]])
    np.testing.assert_allclose(uniform.decode(by_distribution(codes)), normal.decode(codes), rtol=1e-4, atol=1e-4)
    # Beyond the prior there is nothing more to come.
    np.testing.assert_array_equal(uniform.decode([[9.0, -9.0]]), uniform.decode([[99.0, -99.0]]))


def test_edits_beyond_the_ends_of_a_uniform_prior_are_counted():
    rng = np.random.default_rng(3)
    events = rng.uniform(-1.0, 1.0, (500, 1)) + 0.05 * rng.normal(size=(500, 3))
    model = VAE(prior="uniform", latents=1, hidden=16, max_steps=400, learning_rate=0.01, random_state=0).fit(events)
    model.directions(events, {"size": events[:, 0]})
    ends = np.sqrt(3.0)
    for steps in (1.0, 2.0, 3.0):
        codes = model.encode(events[:100]) + shift(model.directions_, {"size": steps})[None]
        cut = int((np.abs(codes) > ends).any(1).sum())
        assert cut > 0
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.edit(events[:100], size=steps)
        told = [str(each.message) for each in caught if "far from" not in str(each.message)]
        assert len(told) == 1
        assert told[0].startswith(
            f"{cut} of 100 edited codes reach beyond the ends of the latents, ±1.73, and are cut off"
        )
    beyond = np.array([[ends + 0.01], [ends - 0.01], [-ends - 0.01], [0.0]])
    assert model.outside(beyond, model.directions_.cloud).tolist() == [True, False, True, False]
    # Other priors have no ends.
    free = VAE(latents=1, hidden=4, max_steps=2, random_state=0).fit(events)
    assert not free.outside(beyond / 100, Cloud.of(np.linspace(-2.0, 2.0, 500)[:, None])).any()


def test_total_correlation_tells_dependent_codes_from_independent_ones():
    width = jnp.full((256, 2), jnp.log(0.1))
    free = RNG.normal(size=(256, 2)).astype(np.float32)
    bound = np.column_stack([free[:, 0], free[:, 0]])
    told = [float(total_correlation(Posterior(jnp.asarray(m), width), jnp.asarray(m))) for m in (free, bound)]
    assert told[1] > told[0] + 1.0


def drawn_total_correlation(mean, scale, rng):
    """What `total_correlation` says of a draw of codes, by SciPy."""
    z = mean + scale * rng.standard_normal(mean.shape)
    each = stats.norm(mean[None], scale[None]).logpdf(z[:, None])
    return (special.logsumexp(each.sum(-1), axis=1) - special.logsumexp(each, axis=1).sum(-1)).mean()


@pytest.mark.parametrize("n", [20, 150])
@pytest.mark.parametrize("settings", [{"beta": 4.0}, {"capacity": 2.0, "beta": 3.0}, {"total_correlation": 5.0}])
def test_validation_score_is_that_of_the_held_out_events_alone(linear, settings, n):
    model, _ = linear
    # Events of which a row of zeros tells nothing.
    z = (model.space_.forward(rows(n, seed=4))[0] + [3.0, 0.0, -2.0]).astype(np.float32)
    objective, plain = (VAE(**each)._objective(100, False) for each in (settings, {"beta": 0.0}))

    def penalty_of(z, weight):
        """What is taken off the log-probabilities, whose noise is the same."""
        return plain.score(model.model_, z, weight) - objective.score(model.model_, z, weight)

    def told_of(z):
        """The same by closed form, and how far off it may be; the estimate of a total correlation by other draws."""
        mean, scale = (np.asarray(each, float) for each in model._posterior(z))
        distance = (0.5 * (mean**2 + scale**2 - 1.0) - np.log(scale)).sum(1).mean()
        weighed = objective.beta * abs(distance - (objective.capacity or 0.0))
        if not objective.total_correlation:
            return weighed, 1e-4 * weighed
        draws = [objective.total_correlation * drawn_total_correlation(mean, scale, rng) for _ in range(100)]
        return weighed + np.mean(draws), 5.0 * np.std(draws)

    rng, once = np.random.default_rng(1), np.ones(n)
    expected, error = told_of(z)
    assert penalty_of(z, once) == pytest.approx(expected, abs=error)
    # Rows of zeros beside them would be noticed.
    padded = np.concatenate([z, np.zeros((128 - n % 128, 3), np.float32)])
    assert abs(told_of(padded)[0] - expected) > 2.0 * error
    if not objective.total_correlation:
        counted = (np.arange(len(padded)) < n).astype(float)
        assert penalty_of(padded, counted) == pytest.approx(expected, abs=error)


def test_pixels_are_white_as_often_as_grey_says():
    grey = np.broadcast_to(np.array([0, 1, 100, 254, 255], np.uint8), (20_000, 5))
    drawn = np.asarray(black_or_white(jnp.asarray(grey), jax.random.key(0)))
    assert set(np.unique(drawn)) == {0, 255}
    share = (drawn == 255).mean(0)
    np.testing.assert_allclose(share, np.array([0, 1, 100, 254, 255]) / 255, atol=5 * 0.5 / np.sqrt(20_000))
    assert share[0] == 0.0
    assert share[4] == 1.0


SMALL = {"latents": 2, "hidden": 8, "max_steps": 40, "random_state": 0, "draws": 5}
GREY = RNG.integers(0, 256, (120, 3, 4, 1), np.uint8)


def test_grey_images_are_drawn_once_for_scores_and_are_another_sample_space():
    images = landmass.read(GREY, binary="draw")
    model = VAE(**SMALL).fit(images)
    scores = model.score_samples(landmass.read(GREY[:20], binary="draw"))
    np.testing.assert_array_equal(scores, model.score_samples(landmass.read(GREY[:20], binary="draw")))
    # The draw of an image is its own.
    np.testing.assert_array_equal(scores[5:9], model.score_samples(landmass.read(GREY[5:9], binary="draw")))
    white = np.where(GREY >= 128, 255, 0).astype(np.uint8)
    np.testing.assert_array_equal(
        model.score_samples(white), model.score_samples(landmass.read(GREY, binary="threshold"))
    )
    np.testing.assert_array_equal(model.score_samples(white // 255), model.score_samples(white))
    assert set(np.unique(model.sample(20, random_state=0))) <= {0, 255}
    with pytest.raises(DataError, match="black and white: bytes of 0 and 255; declare how"):
        model.score_samples(GREY)


def test_drawn_images_count_to_one_over_black_and_white():
    tiny = np.random.default_rng(1).integers(0, 256, (400, 2, 3, 1), np.uint8)
    images = landmass.read(tiny, binary="draw")
    every = np.array(np.meshgrid(*[[0, 255]] * 6)).reshape(6, -1).T.reshape(-1, 2, 3, 1).astype(np.uint8)
    ladder = Ladder(["uniform_box", "independent", VAE(**{**SMALL, "draws": 400})]).fit(images)
    for name in ("uniform_box", "independent", "vae"):
        assert np.exp(ladder.rungs_[name].score_samples(every)).sum() == pytest.approx(1.0, abs=0.02)
    box = ladder.ledger_.rung("uniform_box")
    assert ladder.ledger_.bits(box) == pytest.approx(1.0, abs=1e-6)
    # Pixels that are yet to be drawn teach frequencies without noise.
    chance = landmass.Independent(smoothing=1e-3).fit(images).parameters_["probabilities"][..., 1]
    np.testing.assert_allclose(chance, tiny.mean(0) / 255.0, atol=1e-3)


LINEAR = {"architecture": "linear", "hidden": None}


@pytest.mark.parametrize(
    ("settings", "events", "error", "told"),
    [
        ({"likelihood": "bernoulli"}, GREY, DataError, "declare how grey becomes black or white"),
        ({"likelihood": "bernoulli"}, rows(50), SettingError, "one of gaussian, logistic for columns of numbers"),
        ({"likelihood": "logistic"}, landmass.read(GREY, binary="threshold"), SettingError, "bernoulli, categorical"),
        ({"likelihood": "logistic", "scales": "one"}, rows(50), SettingError, "take likelihood='gaussian'"),
        ({"latents": 0}, rows(50), SettingError, "latents must be between 1 and 10000"),
        ({"beta": -1.0}, rows(50), SettingError, "beta must be at least 0"),
        ({"capacity": -1.0}, rows(50), SettingError, "capacity must be None or at least 0"),
        ({"warm_up": 2.0}, rows(50), SettingError, "warm_up must be between 0 and 1"),
        ({"bells": 5}, rows(50), SettingError, "bells must be 100, as it does nothing unless prior='mixture', got 5"),
        ({"capacity": 1.0, "warm_up": 0.5}, rows(50), SettingError, "warm_up must be 0.1, as .* beside a capacity"),
        ({"architecture": "linear"}, rows(50), SettingError, "hidden must be None, as .* in a linear architecture"),
        (LINEAR | {"depth": 1}, rows(50), SettingError, "depth must be None, as it does nothing in a linear"),
        (LINEAR | {"dropout": 0.5}, rows(50), SettingError, "dropout must be 0.0, as it does nothing in a linear"),
        (LINEAR | {"batch_norm": True}, rows(50), SettingError, "batch_norm must be False, as it does nothing"),
        (LINEAR | {"activation": "tanh"}, rows(50), SettingError, "activation must be 'silu', as it does nothing"),
        ({"architecture": "cnn"}, rows(50), SettingError, "a cnn needs images"),
        ({"architecture": "cnn", "depth": 5}, GREY, SettingError, "can be halved 1 times"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, events, error, told):
    with pytest.raises(error, match=told):
        VAE(**{"max_steps": 2, "hidden": 4, **settings}).fit(events)


@pytest.mark.slow
def test_every_likelihood_and_network_learns_images():
    images = RNG.integers(0, 2, (300, 1, 1, 1)) * RNG.integers(100, 256, (300, 9, 10, 3))
    scores = {}
    for architecture, likelihood, numbers in (("mlp", "categorical", 256), ("cnn", "gaussian", 2)):
        settings = {**SMALL, "architecture": architecture, "likelihood": likelihood, "hidden": 4}
        model = VAE(**settings, depth=1, batch_size=32).fit(images.astype(np.uint8))
        scores[likelihood] = model.score(images[:50].astype(np.uint8))
        assert model.reconstruct(images[:2].astype(np.uint8)).shape == (2, 9, 10, 3)
        # What scoring must find room for.
        assert model.model_.numbers == 9 * 10 * 3 * numbers
    # 270 bytes: independent ones would cost 8 bits each.
    assert min(scores.values()) > -270 * np.log(256.0)


def test_one_scale_is_that_of_all_pixels_together():
    noise = RNG.normal(0.0, [[2.0], [30.0]], (400, 6, 2, 1))
    images = np.clip(128.0 + noise, 0.0, 255.0).round().astype(np.uint8)
    found = {}
    for scales in ("each", "one"):
        settings = SMALL | {"likelihood": "gaussian", "scales": scales, "latents": 1, "max_steps": 400}
        model = VAE(**settings).fit(images)
        coder = jax.tree.map(lambda leaf: leaf[0], model.model_.components).coder
        found[scales] = 127.5 * np.exp(coder.numbers(jnp.zeros((1, 1)))[0, ..., 1])
    assert found["each"].min() < 5.0 < 25.0 < found["each"].max()
    # The most likely one, beside a latent: the root of the mean variance left (Tipping & Bishop 1999).
    left = np.linalg.eigvalsh(np.cov(images.reshape(400, 12).T))[:-1]
    np.testing.assert_allclose(found["one"], np.sqrt(left.mean()), rtol=0.05)


def test_capacity_and_total_correlation_train():
    for settings in ({"capacity": 1.0, "beta": 20.0}, {"total_correlation": 5.0}):
        model = VAE(latents=3, hidden=16, max_steps=400, random_state=0, **settings).fit(rows(500))
        mean, scale = model.posterior(rows(200, seed=3))
        nats = (0.5 * (mean**2 + scale**2 - 1.0) - np.log(scale)).sum(1).mean()
        assert np.isfinite(nats)
        if "capacity" in settings:
            assert nats == pytest.approx(1.0, abs=0.5)
