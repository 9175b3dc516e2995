"""Gaussian mixture: scikit-learn's density at the same parameters, and an EM that never loses."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.mixture import GaussianMixture as Peer

from landmass import GaussianMixture
from landmass.core.many import log_prob
from tests.models.cases import data


def peer_of(model):
    """Scikit-learn's mixture with the same parameters."""
    parameters = model.parameters_
    peer = Peer(len(parameters["weights"]), covariance_type="full")
    peer.weights_, peer.means_ = parameters["weights"], parameters["means"]
    peer.covariances_ = parameters["covariances"]
    peer.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(peer.covariances_))
    return peer


@pytest.mark.parametrize("name", ["line", "plane"])
def test_log_density_is_scikit_learns_at_the_same_parameters(fitted, name):
    model, X = fitted("gaussian_mixture", name), data(name, n=200, seed=1).X
    Z, log_det = model.space_.forward(X)
    found = log_prob(model.model_.parts[0], Z) + log_det
    np.testing.assert_allclose(found, peer_of(model).score_samples(X), rtol=1e-4, atol=1e-4)


def test_optimum_is_the_one_scikit_learn_reaches_from_there(fitted):
    model = fitted("gaussian_mixture", "plane")
    X, found = data("plane").X, peer_of(model)
    peer = Peer(
        3,
        means_init=found.means_,
        weights_init=found.weights_ / found.weights_.sum(),
        random_state=0,
        max_iter=500,
        tol=1e-6,
    ).fit(X)
    held_out = data("plane", n=2000, seed=1).X
    assert model.score(held_out) == pytest.approx(peer.score(held_out), abs=0.03)


def test_no_pass_loses_likelihood():
    model = GaussianMixture(n_components=3, prior_strength=0.0, tol=0.0, max_iter=40, random_state=1).fit(data("plane"))
    losses = [record.loss for record in model.history_]
    assert len(losses) > 1
    assert (np.diff(losses) < 1e-5).all()


def test_known_mixture_is_found():
    events = data("plane", n=4000)
    model = GaussianMixture(n_components=3, random_state=0).fit(events)
    gap = events.truth.log_prob(events.X) - model.score_samples(events.X)
    assert abs(gap.mean()) < 0.02
    order = cdist(events.truth.means, model.parameters_["means"]).argmin(1)
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(model.parameters_["means"][order], events.truth.means, atol=0.25)
    np.testing.assert_allclose(model.parameters_["covariances"][order], events.truth.covariances, atol=0.25)
    np.testing.assert_allclose(model.parameters_["weights"][order], events.truth.weights, atol=0.05)


def test_diagonal_covariances_are_diagonal():
    model = GaussianMixture(n_components=3, covariance_type="diag", random_state=0).fit(data("plane"))
    covariances = model.parameters_["covariances"]
    np.testing.assert_allclose(covariances * (1 - np.eye(2)), 0.0, atol=1e-7)
    assert (np.diagonal(covariances, axis1=1, axis2=2) > 0).all()
    assert model.n_parameters_ == 2 + 6 + 6


def test_full_covariances_are_counted_once(fitted):
    assert fitted("gaussian_mixture", "plane").n_parameters_ == 2 + 6 + 9


def test_component_on_copies_of_one_event_stays_finite():
    rng = np.random.default_rng(0)
    X = np.concatenate([np.zeros((200, 2)), rng.standard_normal((200, 2))])
    model = GaussianMixture(n_components=4, prior_strength=0.0, random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert all(np.isfinite(value).all() for value in model.parameters_.values())


def test_number_of_components_is_chosen_on_validation():
    model = GaussianMixture(random_state=0).fit(data("line"))
    assert model.chosen_ == len(model.parameters_["weights"])
    assert 2 <= model.chosen_ <= 8
