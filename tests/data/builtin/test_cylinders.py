"""Cylinders: drawn as rays would see them, two factors and nothing else, and read off a picture to less than 1 %."""

import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import gaussian_filter

import landmass
from landmass import SettingError
from landmass.data.builtin import cylinders
from landmass.data.builtin.cylinders import BASE, DOWN, RANGES, brightness, draw, measured

# A grey between the brightest floor and the darkest side.
BETWEEN = 74


def one(radius, height, size):
    return draw(np.array([radius]), np.array([height]), size)[0, ..., 0].astype(int)


def factors(n, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(rng.uniform(low, high, n) for low, high in RANGES.values())


def ray(x, v, radius, height):
    """What one ray of the camera meets: a cylinder around the upright axis, or the floor."""
    up, ahead = np.array([0.0, np.cos(DOWN), -np.sin(DOWN)]), np.array([0.0, -np.sin(DOWN), -np.cos(DOWN)])
    start = np.array([x, 0.0, 0.0]) + (v - BASE) * up - 10.0 * ahead
    hits = []
    lid = start + ahead * (height - start[1]) / ahead[1]
    if np.hypot(lid[0], lid[2]) <= radius:
        hits.append(((height - start[1]) / ahead[1], np.array([0.0, 1.0, 0.0])))
    a, b, c = ahead[2] ** 2, start[2] * ahead[2], start[2] ** 2 + x**2 - radius**2
    if b**2 > a * c:
        t = (-b - np.sqrt(b**2 - a * c)) / a
        wall = start + t * ahead
        if 0.0 <= wall[1] <= height:
            hits.append((t, np.array([wall[0], 0.0, wall[2]]) / radius))
    if hits:
        normal = min(hits, key=lambda hit: hit[0])[1]
        return cylinders.AMBIENT + cylinders.DIFFUSE * max(normal @ cylinders.LIGHT, 0.0)
    floor = start - ahead * start[1] / ahead[1]
    away = max(np.hypot(floor[0], floor[2]) - radius, 0.0)
    ground = cylinders.FAR + (cylinders.NEAR - cylinders.FAR) * (1.0 - v) / 2.0
    return ground * (1.0 - cylinders.SHADE * np.exp(-((away / cylinders.REACH) ** 2)))


@pytest.mark.parametrize("radius, height", [(0.2, 1.3), (0.43, 0.71), (0.6, 0.3)])
def test_pixels_are_means_of_rays(radius, height):
    size, rays = 16, 12
    fine = (np.arange(size * rays) + 0.5) * 2.0 / (size * rays) - 1.0
    traced = np.array([[ray(x, -y, radius, height) for x in fine] for y in fine])
    expected = traced.reshape(size, rays, size, rays).mean((1, 3))
    found = brightness(np.array([radius]), np.array([height]), size)[0]
    assert np.abs(found - expected).max() < 6.0
    assert np.sqrt(np.mean((found - expected) ** 2)) < 1.0
    # Of a cylinder that is a quarter of a pixel wider the rays know.
    wider = brightness(np.array([radius + 0.25 * 2.0 / size]), np.array([height]), size)[0]
    assert np.abs(wider - expected).max() > 12.0


@pytest.mark.parametrize("radius, height", [(0.2, 0.3), (0.31, 1.1), (0.6, 1.3)])
def test_silhouette_has_the_area_of_a_projected_cylinder(radius, height):
    size = 256
    inside = one(radius, height, size) > BETWEEN
    # A rectangle, and an ellipse that is halved around it.
    expected = 2.0 * radius * height * np.cos(DOWN) + np.pi * radius**2 * np.sin(DOWN)
    assert inside.sum() * (2.0 / size) ** 2 == pytest.approx(expected, rel=0.015)
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    assert len(columns) * 2.0 / size == pytest.approx(2.0 * radius, abs=4.0 / size)
    assert 1.0 - rows[0] * 2.0 / size == pytest.approx(
        BASE + height * np.cos(DOWN) + radius * np.sin(DOWN), abs=4.0 / size
    )


def test_only_the_light_is_not_symmetric_about_the_axis(monkeypatch):
    X = draw(*factors(20), 33)
    assert (X[:, :, ::-1] != X).any()
    monkeypatch.setattr(cylinders, "LIGHT", np.array([0.0, 0.8, 0.6]))
    X = draw(*factors(20), 33)
    np.testing.assert_array_equal(X, X[:, :, ::-1])


def test_taller_ones_cover_more_rows_and_wider_ones_more_columns():
    radii, heights = (np.linspace(*bounds, 30) for bounds in RANGES.values())
    middle = np.full(30, 0.4)
    for X, axis in ((draw(middle, heights, 128), 1), (draw(radii, middle, 128), 2)):
        extent = (X[..., 0] > BETWEEN).any(axis=3 - axis).sum(1)
        assert (np.diff(extent) >= 0).all()
        assert extent[-1] > extent[0] + 40


def test_height_moves_nothing_but_the_top():
    low, high = one(0.4, 0.5, 64), one(0.4, 0.9, 64)
    y, x = 1.0 - (np.arange(64) + 0.5) / 32.0, (np.arange(64) + 0.5) / 32.0 - 1.0
    below = y < BASE + 0.5 * np.cos(DOWN) - 0.4 * np.sin(DOWN) - 1.0 / 32.0
    np.testing.assert_array_equal(low[below], high[below])
    np.testing.assert_array_equal(low[:, np.abs(x) > 0.44], high[:, np.abs(x) > 0.44])
    assert (low != high).any()


def test_two_numbers_tell_all_of_a_picture():
    images = landmass.cylinders(300, size=16, seed=3)
    assert images.X.shape == (300, 16, 16, 1)
    assert images.name == "cylinders"
    assert set(images.labels) == set(RANGES)
    order = np.random.default_rng(0).permutation(300)
    redrawn = draw(images.labels["radius"][order], images.labels["height"][order], 16)
    np.testing.assert_array_equal(redrawn, images.X[order])
    np.testing.assert_array_equal(landmass.cylinders(300, size=16, seed=3).X, images.X)
    assert (landmass.cylinders(300, size=16, seed=4).X != images.X).any()


def test_factors_are_uniform_and_independent():
    labels = landmass.cylinders(4000, size=16).labels
    shares = [(labels[name] - low) / (high - low) for name, (low, high) in RANGES.items()]
    # Three tests at a false-alarm rate of 1e-6 in all; squares of uniform numbers are found out.
    for share in shares:
        assert stats.kstest(share, "uniform").pvalue > 3e-7
        assert stats.kstest(share**2, "uniform").pvalue < 3e-7
    assert stats.spearmanr(*shares).pvalue > 3e-7
    assert stats.spearmanr(shares[0], shares[0] + shares[1]).pvalue < 3e-7


@pytest.mark.parametrize("size", [32, 64])
def test_edges_are_smoothed_over_a_pixel(size):
    radius, height = factors(20)
    fine = brightness(radius, height, 8 * size)
    difference = brightness(radius, height, size) - fine.reshape(20, size, 8, size, 8).mean((2, 4))
    assert np.abs(difference).max() < 6.0
    assert np.sqrt((difference**2).mean()) < 0.3
    # Points instead of means would not do.
    assert np.sqrt(((brightness(radius, height, size) - fine[:, 4::8, 4::8]) ** 2).mean()) > 3.0


def test_picture_changes_with_the_smallest_change_of_a_factor():
    radius, height = factors(50)
    base = brightness(radius, height, 32)
    for step in ((1e-5, 0.0), (0.0, 1e-5)):
        moved = np.abs(brightness(radius + step[0], height + step[1], 32) - base).reshape(50, -1)
        assert (moved.sum(1) > 1e-4).all()
        # An edge of at most 255 greys, moved by 1e-5 of the 2 units that 32 pixels have, over the pixel's width.
        assert moved.max() < 10 * 255 * 1e-5 * 16


def blurred(X):
    return gaussian_filter(X.astype(float), 1.0, axes=(1, 2))


def noisy(X):
    return X + np.random.default_rng(0).normal(0.0, 0.02 * 255, X.shape)


def paler(X):
    return 0.9 * X + 10.0


@pytest.mark.parametrize(
    "changed, percent",
    [(np.asarray, 0.1), (blurred, 0.1), (noisy, 0.5), (lambda X: noisy(blurred(X)), 0.8), (paler, 0.1)],
)
def test_factors_are_read_off_a_picture(changed, percent):
    radius, height = factors(100)
    found = measured(changed(draw(radius, height, 32)))
    for name, truth in (("radius", radius), ("height", height)):
        low, high = RANGES[name]
        error = (getattr(found, name) - truth) / (high - low)
        assert np.sqrt((error**2).mean()) < percent / 100.0
    assert found.misfit.max() < 3.0
    np.testing.assert_allclose(found.contrast, 0.9 if changed is paler else 1.0, atol=0.1)


def test_an_edit_of_a_blurred_picture_is_read_off_as_it_is():
    radius, height = factors(50)
    before, after = (measured(blurred(draw(radius, each, 32))) for each in (height, height + 0.05))
    np.testing.assert_allclose(after.height - before.height, 0.05, atol=0.005)
    np.testing.assert_allclose(after.radius - before.radius, 0.0, atol=0.004)


def test_pictures_of_no_cylinder_are_told():
    noise = measured(np.random.default_rng(0).uniform(0.0, 255.0, (20, 32, 32, 1)))
    assert noise.misfit.min() > 10.0
    flat = measured(np.full((1, 32, 32, 1), 50.0))
    assert abs(flat.contrast[0]) < 0.01


@pytest.mark.parametrize("wrong", [{"n": 0}, {"size": 8}])
def test_cylinders_that_cannot_be_drawn_are_refused(wrong):
    with pytest.raises(SettingError, match="cylinders need n from 1 and size from 16"):
        landmass.cylinders(**{"n": 10, **wrong})
