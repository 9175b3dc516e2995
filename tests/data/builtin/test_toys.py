"""Toys: density, samples and entropy of each toy belong together, and agree with SciPy and scikit-learn."""

import math

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.datasets import make_moons

from landmass.data.builtin import DATASETS, truth
from landmass.data.builtin.toys import Moons, Pinwheel, SmoothToy, eight_gaussians, mixture
from landmass.errors import SettingError

FALSE_ALARM = 1e-6
TOYS = [name for name in DATASETS if name not in ("land", "visitors")]
SMOOTH = [name for name in TOYS if isinstance(truth(name), SmoothToy)]
N = 20_000


@pytest.fixture(scope="module", params=TOYS)
def toy(request):
    return truth(request.param)


@pytest.fixture(scope="module", params=SMOOTH)
def smooth_toy(request):
    return truth(request.param)


def grid(low, high, step):
    """Centres of square cells that tile a box."""
    x1, x2 = (np.arange(a + step / 2, b, step) for a, b in zip(low, high, strict=True))
    return np.stack(np.meshgrid(x1, x2, indexing="ij"), axis=-1)


SIDE, PARTS = 0.5, 10


@pytest.fixture(scope="module")
def masses(toy):
    """The density's integral over each cell of side 0.5 between -6 and 6."""
    centres = grid((-6.0, -6.0), (6.0, 6.0), SIDE / PARTS)
    density = np.exp(toy.log_prob(centres.reshape(-1, 2)))
    return density.reshape(24, PARTS, 24, PARTS).sum(axis=(1, 3)) * (SIDE / PARTS) ** 2


def fit_of_counts(masses, X):
    """P-value of the chi-square test of counts; rare cells and the rest of the plane count as one cell."""
    edges = np.linspace(-6, 6, 25)
    counts = np.histogram2d(*X.T, bins=(edges, edges))[0]
    common = masses * len(X) >= 5
    counts = np.append(counts[common], len(X) - counts[common].sum())
    # At least one is expected in the rest, so that a single stray event does not raise the alarm.
    expected = np.append(masses[common] * len(X), max(1.0, len(X) * (1 - masses[common].sum())))
    return stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1)


def test_density_integrates_to_one(smooth_toy):
    low, high = smooth_toy.window
    step = smooth_toy.scale / 2
    assert np.exp(smooth_toy.log_prob(grid(low, high, step).reshape(-1, 2))).sum() * step**2 == pytest.approx(
        1, abs=1e-6
    )


def test_checkerboard_covers_half_the_board_evenly():
    density = np.exp(truth("checkerboard").log_prob(grid((-4, -4), (4, 4), 0.1).reshape(-1, 2)))
    assert density.sum() * 0.1**2 == pytest.approx(1)
    assert set(np.round(density, 12)) == {0.0, 1 / 32}


def test_checkerboard_includes_its_border_and_nothing_beyond():
    log_p = truth("checkerboard").log_prob(np.array([[4.0, 4.0], [-4.0, -4.0], [-4.0, 4.0], [4.01, 4.0], [9.0, 1.0]]))
    np.testing.assert_array_equal(log_p, [-math.log(32), -math.log(32), -np.inf, -np.inf, -np.inf])


def test_samples_follow_the_density(toy, masses):
    assert fit_of_counts(masses, toy.sample(N, np.random.default_rng(0))) > FALSE_ALARM


def test_stretched_samples_are_found_out(toy, masses):
    assert fit_of_counts(masses, 1.05 * toy.sample(N, np.random.default_rng(0))) < FALSE_ALARM


def test_entropy_is_minus_the_mean_log_density_of_samples(toy):
    log_p = toy.log_prob(toy.sample(N, np.random.default_rng(1)))
    assert abs(log_p.mean() + toy.entropy) <= 4 * log_p.std() / math.sqrt(N) + 1e-12


def test_entropy_is_the_same_at_two_resolutions(smooth_toy):
    # The pinwheel's own entropy comes from its base; here it is integrated over the twisted density as well.
    assert smooth_toy.entropy_at(smooth_toy.scale / 4) == pytest.approx(smooth_toy.entropy, abs=1e-8)
    assert smooth_toy.entropy_at(smooth_toy.scale / 2) == pytest.approx(smooth_toy.entropy, abs=1e-6)
    assert smooth_toy.entropy_at(smooth_toy.scale * 3) != pytest.approx(smooth_toy.entropy, abs=1e-6)


def test_entropy_of_eight_distant_gaussians_is_nearly_log_eight_more_than_one():
    one = stats.multivariate_normal(np.zeros(2), 0.2**2 * np.eye(2)).entropy()
    assert 0 < one + math.log(8) - eight_gaussians().entropy < 0.005


def test_mixture_density_is_scipys():
    toy = mixture()
    X = toy.sample(200, np.random.default_rng(2))
    parts = [stats.multivariate_normal(m, c).pdf(X) for m, c in zip(toy.means, toy.covariances, strict=True)]
    np.testing.assert_allclose(toy.log_prob(X), np.log(toy.weights @ np.array(parts)), rtol=1e-10)


def test_mixture_ranks_box_below_gaussian_below_itself():
    toy = mixture()
    X = toy.sample(N, np.random.default_rng(3))
    box = -np.log(np.ptp(X, axis=0)).sum()
    gaussian = stats.multivariate_normal(X.mean(axis=0), np.cov(X.T)).logpdf(X).mean()
    assert box + 0.5 < gaussian < -toy.entropy - 0.5


@pytest.mark.parametrize("point", [(0.0, 1.0), (0.5, 0.25), (2.0, 0.5), (-1.3, -0.4), (3.5, -2.0), (0.0, 9.0)])
def test_moons_density_is_scipys_integral_over_the_arcs(point):
    noise = Moons().noise
    x, y = point

    def log_kernel(angle, moon):
        cx, cy = (math.cos(angle), math.sin(angle)) if moon == 0 else (1 - math.cos(angle), 0.5 - math.sin(angle))
        return -((x - cx) ** 2 + (y - cy) ** 2) / (2 * noise**2) - math.log(2 * math.pi * noise**2)

    angles = np.linspace(0, math.pi, 2_001)
    peaks = [max(angles, key=lambda angle: log_kernel(angle, moon)) for moon in (0, 1)]
    top = max(log_kernel(peak, moon) for moon, peak in enumerate(peaks))
    integral = sum(
        integrate.quad(
            lambda angle, moon=moon: math.exp(log_kernel(angle, moon) - top),
            *(0, math.pi),
            points=sorted({max(peak - 0.2, 0), peak, min(peak + 0.2, math.pi)}),
            epsabs=1e-13,
            epsrel=1e-12,
            limit=200,
        )[0]
        for moon, peak in enumerate(peaks)
    )
    expected = top + math.log(integral / (2 * math.pi))
    assert Moons().log_prob(np.array([point]))[0] == pytest.approx(expected, abs=1e-8)


def test_scikit_learns_moons_score_what_the_entropy_says():
    toy = Moons()
    log_p = toy.log_prob(make_moons(N, noise=toy.noise, random_state=0)[0])
    assert abs(log_p.mean() + toy.entropy) < 4 * log_p.std() / math.sqrt(N)
    too_noisy = toy.log_prob(make_moons(N, noise=1.1 * toy.noise, random_state=0)[0])
    assert abs(too_noisy.mean() + toy.entropy) > 4 * too_noisy.std() / math.sqrt(N)


def test_twist_moves_each_event_within_its_circle_and_keeps_its_density():
    # That it keeps areas follows from the integral of the density, tested above.
    pinwheel = truth("pinwheel")
    still = Pinwheel(base=pinwheel.base, twist=0.0)
    X = still.sample(500, np.random.default_rng(4))
    twisted = pinwheel.sample(500, np.random.default_rng(4))
    np.testing.assert_allclose(np.hypot(*X.T), np.hypot(*twisted.T))
    np.testing.assert_allclose(pinwheel.log_prob(twisted), still.log_prob(X))
    assert np.abs(X - twisted).max() > 1


def test_same_generator_same_events(toy):
    first, again, other = (toy.sample(100, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_events_are_asked_for(toy):
    assert toy.sample(0, np.random.default_rng(0)).shape == (0, 2)
    assert toy.log_prob(np.empty((0, 2))).shape == (0,)


def test_far_events_have_a_density_that_is_a_number(toy):
    far = toy.log_prob(np.array([[1e6, -1e6], [0.0, 1e3]]))
    assert not np.isnan(far).any()
    assert (far < -1e3).all()


def test_columns_are_x1_and_x2(toy):
    assert toy.schema.names == ["x1", "x2"]
    assert toy.outline == ()


def test_misspelt_name_gets_the_closest_one():
    with pytest.raises(
        SettingError, match=r"no built-in data set is called 'mons'; did you mean 'moons'\?.*land, moons"
    ):
        truth("mons")


def test_strange_name_gets_the_list():
    with pytest.raises(SettingError, match="'qqq'; choose one of land, moons"):
        truth("qqq")
