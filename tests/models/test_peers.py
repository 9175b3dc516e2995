"""Densities beside their peers: the same parameters, the same log-density; the same events, the same optimum.

The peers count in float64. What is compared at equal parameters is given to both in float32.
"""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp
from sklearn import mixture, neighbors
from sklearn.exceptions import ConvergenceWarning

from landmass import Dataset, Gaussian, GaussianMixture, KernelDensity, Schema
from landmass.core.distributions import Columnwise, Mixture, Normal
from landmass.core.many import log_prob
from landmass.data.space import Space
from landmass.models.gaussian_mixture import Bells, _expect, _maximise, _nothing
from landmass.models.kernel_density import kernels
from landmass.train.learner import expectation_maximisation
from landmass.train.rows import padded

KINDS = ("full", "diag")

# Near and far: at the largest the log-densities are about minus a million.
SCALES = (0.3, 1.0, 10.0, 1000.0)


def singles(values):
    """The numbers that float32 can hold."""
    return np.asarray(values, np.float32).astype(np.float64)


def places(columns, n, seed=1):
    """Events from the middle of the data to far outside of it."""
    rng = np.random.default_rng(seed)
    return singles(np.concatenate([scale * rng.standard_normal((n, columns)) for scale in SCALES]))


def random_factors(k, columns, covariance_type, seed=0):
    """Cholesky factors of unlike covariances."""
    rng = np.random.default_rng(seed)
    factors = np.tril(0.4 * rng.standard_normal((k, columns, columns)), -1)
    factors[:, range(columns), range(columns)] = np.exp(0.7 * rng.standard_normal((k, columns)))
    return singles(factors * np.eye(columns) if covariance_type == "diag" else factors)


def close(found, expected):
    """To 1e-5 nats, and far out to a share of 1e-5."""
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("columns", [1, 2, 5, 20])
def test_normal_log_density_is_scipys(columns):
    mean, factor = singles(np.linspace(-1.0, 2.0, columns)), random_factors(1, columns, "full")[0]
    x = places(columns, 200)
    found = log_prob(Normal(jnp.asarray(mean, jnp.float32), jnp.asarray(factor, jnp.float32)), x.astype(np.float32))
    close(found, stats.multivariate_normal(mean, factor @ factor.T).logpdf(x))


@pytest.mark.parametrize("covariance_type", KINDS)
@pytest.mark.parametrize("columns", [1, 2, 5])
def test_mixture_log_density_is_scikit_learns(columns, covariance_type):
    rng = np.random.default_rng(2)
    factors, means = random_factors(4, columns, covariance_type), singles(3.0 * rng.standard_normal((4, columns)))
    weights = singles([0.5, 0.3, 0.2 - 1e-6, 1e-6])
    ours = Mixture(
        jnp.asarray(np.log(weights), jnp.float32),
        eqx.filter_vmap(Normal)(jnp.asarray(means, jnp.float32), jnp.asarray(factors, jnp.float32)),
    )
    peer = mixture.GaussianMixture(4, covariance_type=covariance_type)
    peer.weights_, peer.means_, peer.covariances_ = weights, means, factors @ factors.transpose(0, 2, 1)
    peer.precisions_cholesky_ = np.linalg.inv(factors).transpose(0, 2, 1)
    if covariance_type == "diag":
        peer.covariances_, peer.precisions_cholesky_ = (
            np.diagonal(each, axis1=1, axis2=2) for each in (peer.covariances_, peer.precisions_cholesky_)
        )
    x = places(columns, 200)
    close(log_prob(ours, x.astype(np.float32)), peer.score_samples(x))


@pytest.mark.parametrize(
    "columns, n, quick",
    [(1, 100, False), (2, 100, False), (3, 300, False), (6, 300, False), (1, 3_000, True), (2, 3_000, True)],
)
def test_kernel_log_density_is_scikit_learns(columns, n, quick):
    centres, x = singles(np.random.default_rng(0).standard_normal((n, columns))), places(columns, n)
    bandwidth = singles(np.linspace(0.6, 1.0, columns) * (1.0 if quick else 0.3))
    space = Space.fit(Schema.real([f"x{i}" for i in range(columns)]), centres)
    ours = kernels(centres, np.ones(n), bandwidth, space)
    # Many bumps in one or two columns are added up by another way, where it can promise its error.
    found = ours.quick_log_probs(x)
    assert (found is not None and np.isfinite(found).mean() > 0.5) == quick
    # One leaf: summing over several, scikit-learn errs by a sixth of log-densities far out (compare its issue 7492).
    peer = neighbors.KernelDensity(bandwidth=1.0, leaf_size=n).fit(centres / bandwidth)
    close(log_prob(ours, x.astype(np.float32)), peer.score_samples(x / bandwidth) - np.log(bandwidth).sum())


def three_bells(n, columns):
    rng = np.random.default_rng(3)
    centres, mixing = 2.0 * rng.standard_normal((3, columns)), 0.7 * rng.standard_normal((3, columns, columns))
    label = rng.integers(0, 3, n)
    return centres[label] + np.einsum("nij,nj->ni", mixing[label], rng.standard_normal((n, columns)))


def bells(means, covariance_type):
    """A start of the fit, in float64 and with no prior: equal weights and unit covariances."""
    k, columns = means.shape
    floor = Columnwise(jnp.zeros(columns, bool), -jnp.ones(columns), jnp.ones(columns))
    factors = jnp.tile(jnp.eye(columns), (k, 1, 1))
    state = jnp.full(k, -np.log(k)), jnp.asarray(means), factors, jnp.zeros(columns), jnp.zeros(())
    return Bells(*state, floor, covariance_type == "diag")


def em(begin, X, passes):
    """The state after some passes from a given one, and the loss before each pass."""
    learner = expectation_maximisation(
        lambda key: begin, _nothing, _expect, _maximise, lambda state: state, max_steps=passes, tolerance=-1e9
    )
    step, rows, state, losses = eqx.filter_jit(learner.step), padded(X, np.ones(len(X))), begin, []
    for _ in range(passes):
        # Padded rows are counted in 32 bits.
        with jax.numpy_dtype_promotion("standard"):
            state, loss = step(state, rows, jax.random.key(0))
        losses.append(float(loss))
    return state, losses


@pytest.mark.parametrize("covariance_type", KINDS)
def test_every_pass_of_em_is_scikit_learns(covariance_type):
    passes, columns = 25, 3
    # More than one block of events, and a block that is not full.
    X = three_bells(5_000, columns)
    means, ones = X[:4], np.ones((4, columns))
    peer = mixture.GaussianMixture(
        4, covariance_type=covariance_type, tol=0.0, max_iter=passes, reg_covar=1e-6,
        weights_init=np.full(4, 0.25), means_init=means,
        precisions_init=ones if covariance_type == "diag" else ones[:, :, None] * np.eye(columns),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer.fit(X)
    with jax.enable_x64(True):
        state, losses = em(bells(means, covariance_type), X, passes)
        covariances = np.asarray(state.factors @ state.factors.transpose(0, 2, 1))
    np.testing.assert_allclose(losses, -np.array(peer.lower_bounds_), rtol=1e-10)
    np.testing.assert_allclose(np.exp(state.log_weights), peer.weights_, rtol=1e-7)
    np.testing.assert_allclose(state.means, peer.means_, rtol=1e-7, atol=1e-7)
    if covariance_type == "diag":
        covariances = np.diagonal(covariances, axis1=1, axis2=2)
    np.testing.assert_allclose(covariances, peer.covariances_, rtol=1e-7, atol=1e-7)


def test_gaussian_is_the_maximum_of_the_likelihood():
    X = three_bells(400, 2)

    def loss(parameters):
        mean, factor = parameters[:2], np.array([[np.exp(parameters[2]), 0.0], [parameters[3], np.exp(parameters[4])]])
        residual = np.linalg.solve(factor, (X - mean).T)
        return 0.5 * (residual**2).sum(0).mean() + parameters[2] + parameters[4] + np.log(2.0 * np.pi)

    optimum = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-7})
    model = Gaussian().fit(X)
    assert model.score(X) == pytest.approx(-optimum.fun, abs=1e-6)
    np.testing.assert_allclose(model.parameters_["mean"], optimum.x[:2], atol=1e-4)


@pytest.mark.parametrize("prior_strength", [0.0, 20.0])
def test_mixture_is_the_maximum_of_the_likelihood_and_its_prior(prior_strength):
    rng = np.random.default_rng(0)
    x = np.where(rng.random(500) < 0.3, rng.normal(-1.0, 0.4, 500), rng.normal(1.5, 1.0, 500))
    # Each variance is drawn, with that many events' weight, towards that of half of the data's spread.
    drawn_to = (x.std() / 2.0) ** 2

    def loss(weight, means, variances):
        log_weights = np.array([log_expit(weight), log_expit(-weight)])
        log_likelihood = logsumexp(log_weights + stats.norm.logpdf(x[:, None], means, np.sqrt(variances)), axis=1).sum()
        prior = -0.5 * prior_strength * (np.log(variances) + drawn_to / variances).sum()
        return -(log_likelihood + prior) / len(x)

    def of(parameters):
        return parameters[0], parameters[1:3], np.exp(parameters[3:])

    optimum = minimize(lambda p: loss(*of(p)), [0.0, -1.0, 1.0, 0.0, 0.0], method="BFGS", options={"gtol": 1e-7})
    weight, means, variances = of(optimum.x)
    events = Dataset(x[:, None], Schema.real(["x"]))
    model = GaussianMixture(n_components=2, prior_strength=prior_strength, tol=0.0, max_iter=1000, random_state=0)
    found = model.fit_parts(events, events.take(np.arange(0))).parameters_
    order = np.argsort(found["means"][:, 0])
    np.testing.assert_allclose(found["weights"][order], [expit(weight), expit(-weight)], atol=2e-3)
    np.testing.assert_allclose(found["means"][order, 0], means, atol=5e-3)
    np.testing.assert_allclose(found["covariances"][order, 0, 0], variances, rtol=5e-3)
    log_odds = np.subtract(*np.log(found["weights"][order]))
    reached = loss(log_odds, found["means"][order, 0], found["covariances"][order, 0, 0])
    assert reached == pytest.approx(optimum.fun, abs=1e-6)


def rough_and_smooth(n, seed):
    """Two narrow bells side by side along one column, one wide bell along the other."""
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.choice([-1.0, 1.0], n) + 0.1 * rng.standard_normal(n), rng.standard_normal(n)])


def score_of_bandwidths(train, held_out):
    """Scikit-learn's mean log-density of held-out events by the logarithm of the bandwidths, with our floor added."""
    box = -np.log(3.0 * np.ptp(train.X, axis=0)).sum()

    def score(log_bandwidth):
        bandwidth = np.exp(log_bandwidth)
        peer = neighbors.KernelDensity(bandwidth=1.0, leaf_size=len(train)).fit(train.X / bandwidth)
        bumps = peer.score_samples(held_out.X / bandwidth) - np.sum(log_bandwidth)
        # While bandwidths are tried, a hundredth of the mass lies on the widened range.
        return np.logaddexp(np.log(0.99) + bumps, np.log(0.01) + box).mean()

    return score


@pytest.mark.parametrize("seed", [0, 10])
@pytest.mark.parametrize("columns", [[0], [1], [0, 1]], ids=["rough", "smooth", "both"])
def test_bandwidths_are_those_of_a_fine_search_on_validation(columns, seed):
    schema = Schema.real([f"x{column}" for column in columns])
    train, held_out = (Dataset(rough_and_smooth(400, seed + i)[:, columns], schema) for i in range(2))
    score = score_of_bandwidths(train, held_out)
    optimum = minimize(lambda b: -score(b), np.full(len(columns), -1.6), method="Nelder-Mead", options={"xatol": 1e-3})
    found = np.log(KernelDensity(random_state=0).fit_parts(train, held_out).parameters_["bandwidth"])
    # Bandwidths are tried in steps of a fifth; of several, each is settled once, while the later ones are still off.
    step, loss = (np.log(1.25), 0.005) if len(columns) == 1 else (np.log(2.0), 0.05)
    assert (np.abs(found - optimum.x) < step).all()
    assert score(found) > -optimum.fun - loss
