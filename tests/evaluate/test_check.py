"""Checks of a density: sound ones of two libraries hold, and each fault is found out by the check that is for it."""

import numpy as np
import pytest
from scipy import stats
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from landmass import Independent, SettingError
from landmass.data.read import read
from landmass.evaluate import check_density

RNG = np.random.default_rng(0)
FIVE = RNG.standard_normal((1_000, 5)) @ RNG.standard_normal((5, 5))


class Faulty:
    """A sound density with a fault: samples stretched or moved, log-densities raised."""

    def __init__(self, sound, stretched=1.0, moved=0.0, raised=0.0):
        self.sound, self.stretched, self.moved, self.raised = sound, stretched, moved, raised

    def score_samples(self, X):
        return self.sound.score_samples(X) + self.raised

    def sample(self, n_samples=1, *, random_state=None):
        X = read(self.sound.sample(n_samples, random_state=random_state)).X
        return X.mean(0) + self.stretched * (X - X.mean(0)) + self.moved * X.std(0)


class Bell:
    """A normal density in some columns, from SciPy."""

    def __init__(self, columns):
        self.columns = columns

    def score_samples(self, X):
        return stats.norm.logpdf(X).sum(axis=1)

    def sample(self, n_samples=1, *, random_state=None):
        return np.random.default_rng(random_state).standard_normal((n_samples, self.columns))


def failed(model, **options):
    return {check.name.split(" along")[0] for check in check_density(model, **options).checks if check.passed is False}


@pytest.mark.parametrize(
    "model", [GaussianMixture(3, random_state=0).fit(FIVE), KernelDensity(bandwidth=0.3).fit(FIVE[:400, :1])], ids=repr
)
def test_scikit_learns_densities_are_sound(model):
    verdict = check_density(model)
    assert all(check.passed for check in verdict.checks), str(verdict)


@pytest.mark.parametrize("columns", [1, 2, 5])
def test_no_fault_is_found_where_there_is_none(columns):
    assert failed(Bell(columns)) == set()


@pytest.mark.parametrize("columns", [1, pytest.param(2, marks=pytest.mark.slow), 5])
@pytest.mark.parametrize(
    "fault, found",
    [
        ({"stretched": 1.05}, {"samples"}),
        pytest.param({"stretched": 0.95}, {"samples"}, marks=pytest.mark.slow),
        ({"moved": 0.05}, {"samples"}),
        ({"raised": 0.02}, {"integral"}),
        pytest.param({"raised": -0.02}, {"integral"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_each_fault_is_found_out(columns, fault, found):
    assert failed(Faulty(Bell(columns), **fault)) == found


def test_samples_without_density_are_found_out():
    class Holes(Bell):
        def score_samples(self, X):
            return np.where(X[:, 0] > 2.0, -np.inf, super().score_samples(X))

    assert failed(Holes(1)) == {"own samples"}


def test_a_seed_that_is_not_kept_is_found_out():
    class Restless(Bell):
        def sample(self, n_samples=1, *, random_state=None):
            return super().sample(n_samples)

    assert failed(Restless(1)) == {"same seed"}


def test_what_cannot_be_told_is_not_called_sound():
    class Spikes(Bell):
        """A thousand spikes, narrower than any panel."""

        def score_samples(self, X):
            gap = np.abs(X[:, 0] * 1e5 % 1.0 - 0.5)
            return np.log(1e4 * (gap < 0.5e-4) + 1e-300) + super().score_samples(X)

        def sample(self, n_samples=1, *, random_state=None):
            X = super().sample(n_samples, random_state=random_state)
            return (np.floor(X * 1e5) + 0.5) / 1e5

    checks = {check.name: check.passed for check in check_density(Spikes(1)).checks}
    assert not checks["integral"]


def test_tables_are_refused():
    model = Independent().fit(read("visitors", n=100))
    with pytest.raises(SettingError, match="for densities of plain numbers"):
        check_density(model)


def test_too_few_samples_are_refused():
    with pytest.raises(SettingError, match="n_samples must be at least 1,000, got 10"):
        check_density(Bell(1), n_samples=10)


def test_verdict_reads_as_a_list():
    lines = str(check_density(Faulty(Bell(1), raised=0.02))).splitlines()
    assert [line.split()[0] for line in lines] == ["holds", "holds", "FAILS", "holds"]
    assert "1.0202" in lines[2]
