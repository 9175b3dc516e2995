"""Uniform box: minus the log of a volume, and nothing else."""

import numpy as np
import pytest

from landmass import Bounded, Circular, Dataset, Positive, Real, Schema, UniformBox
from tests.models.cases import data


def volume(low, high):
    return np.log(high - low).sum()


def test_log_density_is_minus_log_volume_of_the_range(plane):
    model = UniformBox(margin=0.0).fit(plane)
    np.testing.assert_allclose(model.score_samples(plane), -volume(plane.min(0), plane.max(0)), atol=1e-5)


@pytest.mark.parametrize("margin", [0.0, 0.1, 2.0])
def test_margin_widens_each_side_by_its_share_of_the_range(plane, margin):
    model = UniformBox(margin=margin).fit(plane)
    width = np.ptp(plane, axis=0)
    np.testing.assert_allclose(model.parameters_["low"], plane.min(0) - margin * width, atol=1e-5)
    np.testing.assert_allclose(model.parameters_["high"], plane.max(0) + margin * width, atol=1e-5)
    assert model.n_parameters_ == 4


def test_default_margin_is_one_nth(plane):
    np.testing.assert_allclose(
        UniformBox().fit(plane).score_samples(plane), UniformBox(margin=1 / 500).fit(plane).score_samples(plane)
    )


def test_events_outside_have_density_zero(plane):
    low, high = plane.min(0), plane.max(0)
    outside = [low - [0.1, 0.0], high + np.array([0.0, 0.1]), low - 1e6]
    assert np.isneginf(UniformBox(margin=0.0).fit(plane).score_samples(np.array(outside))).all()


def test_declared_bounds_are_the_box():
    land = data("land")
    model = UniformBox(margin=0.5).fit(land)
    np.testing.assert_allclose(model.score_samples(land), -np.log(360.0 * 180.0), atol=1e-5)
    np.testing.assert_allclose(model.parameters_["low"], [-180.0, -90.0])
    np.testing.assert_allclose(model.parameters_["high"], [180.0, 90.0])
    assert (model.sample(1000, random_state=0)["latitude"].to_numpy() > 0).mean() == pytest.approx(0.5, abs=0.08)


def test_each_kind_of_column_counts_its_own_length():
    mixed = data("mixed")
    model = UniformBox(margin=0.0).fit(mixed)
    real, positive = np.ptp(mixed.X[:, :2], axis=0)
    np.testing.assert_allclose(model.score_samples(mixed), -np.log(real * positive * 10.0 * 24.0), atol=1e-5)


def test_positive_column_is_not_widened_below_zero():
    X = np.array([[1.0], [2.0], [4.0]])
    model = UniformBox(margin=5.0).fit(Dataset(X, Schema((Positive(name="a"),))))
    np.testing.assert_allclose([model.parameters_["low"], model.parameters_["high"]], [[0.0], [19.0]], atol=1e-5)


def test_full_circle_is_covered_whatever_was_seen():
    X = np.array([[1.0, 0.0], [2.0, 1.0]])
    schema = Schema((Circular(name="hour", low=0, high=24), Bounded(name="b", low=-1, high=1)))
    np.testing.assert_allclose(UniformBox().fit(Dataset(X, schema)).score_samples(X), -np.log(24.0 * 2.0), atol=1e-6)


def test_box_of_many_columns_does_not_overflow():
    X = np.random.default_rng(0).uniform(0.0, 1e6, (50, 100))
    model = UniformBox(margin=0.0).fit(X)
    assert model.score(X) == pytest.approx(-volume(X.min(0), X.max(0)), rel=1e-6)
    assert model.data_.schema.columns[0] == Real(name="x1")
