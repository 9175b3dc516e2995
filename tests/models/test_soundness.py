"""Every family's density integrates to one, and its samples follow it: 200,000, one false alarm in a million."""

import pytest

from landmass.evaluate import check_density
from tests.evaluate.test_check import FIVE, Faulty, failed
from tests.models.cases import estimator, fits


@pytest.mark.parametrize(
    ("family", "name"), [("histogram", "land"), ("gaussian_mixture", "line"), ("latent_class", "plane")]
)
def test_some_families_are_sound(fitted, family, name):
    """The contract integrates every family in another way."""
    is_sound(check_density(fitted(family, name), n_samples=20_000))


@pytest.mark.slow
@pytest.mark.parametrize(("family", "name"), fits("line", "plane", "land"))
def test_every_family_is_sound_by_many_samples(fitted, family, name):
    is_sound(check_density(fitted(family, name)))
    assert failed(Faulty(fitted(family, name), stretched=1.05)) & {"samples", "own samples"}


def is_sound(verdict):
    assert all(check.passed for check in verdict.checks), str(verdict)
    assert next(check for check in verdict.checks if check.name == "integral").found < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "family", ["gaussian", "probabilistic_pca", "gaussian_mixture", "kernel_density", "spline_flow"]
)
def test_every_smooth_family_is_sound_in_five_columns(family):
    model = estimator(family).fit(FIVE)
    verdict = check_density(model)
    assert all(check.passed for check in verdict.checks), str(verdict)
    assert failed(Faulty(model, stretched=1.05)) == {"samples"}
    assert "integral" in failed(Faulty(model, raised=0.05))
