"""Land: the coast is where the atlas says, and the density, area and samples belong to it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.path import Path as Polygon
from scipy import stats

from landmass.data.builtin import truth
from landmass.data.builtin.land import MAP_AREA, Land
from landmass.errors import DataError

FALSE_ALARM = 1e-6


@pytest.fixture(scope="module")
def land():
    return Land()


@pytest.fixture(scope="module")
def sample(land):
    return land.sample(20_000, np.random.default_rng(0))


def uniform_on_map(n, seed):
    return np.random.default_rng(seed).uniform((-180, -90), (180, 90), size=(n, 2))


@pytest.mark.parametrize(
    ("place", "longitude", "latitude"),
    [
        ("Moscow", 37.62, 55.75),
        ("Paris", 2.35, 48.86),
        ("Chukotka, east of 180", -172.0, 66.5),
        ("Chukotka, west of 180", 178.0, 66.0),
        ("Wrangel Island, on 180", 180.0, 71.2),
        ("Viti Levu", 178.0, -17.8),
        ("Vanua Levu", 179.2, -16.6),
        ("Taveuni, just east of 180", -179.98, -16.85),
        ("the South Pole, nearly", 0.0, -89.9),
        ("the South Pole", 12.0, -90.0),
        ("the Ross Ice Shelf, next to 180", -179.9, -85.0),
        ("Lake Victoria, which counts as land", 33.0, -1.0),
    ],
)
def test_place_is_land(land, place, longitude, latitude):
    assert land.contains(np.array([[longitude, latitude]])).all(), place


@pytest.mark.parametrize(
    ("place", "longitude", "latitude"),
    [
        ("mid-Atlantic", -30.0, 30.0),
        ("mid-Pacific", -150.0, 10.0),
        ("Somosomo Strait", 179.75, -16.8),
        ("the Caspian", 51.0, 41.0),
        ("the North Pole", 0.0, 90.0),
        ("off the map", 400.0, 0.0),
        ("below the map", 0.0, -90.5),
    ],
)
def test_place_is_not_land(land, place, longitude, latitude):
    assert not land.contains(np.array([[longitude, latitude]])).any(), place


def test_contains_is_the_even_odd_rule_of_matplotlib(land):
    # Half of the points lie within a tenth of a degree of a coast, where a mistake would show.
    rng = np.random.default_rng(1)
    vertices = np.concatenate(land.rings)
    near = vertices[rng.integers(len(vertices), size=300)] + rng.uniform(-0.1, 0.1, size=(300, 2))
    points = np.concatenate([uniform_on_map(300, seed=2), near[(np.abs(near) < (180, 90)).all(axis=1)]])
    odd = np.zeros(len(points), dtype=bool)
    for ring in land.rings:
        odd ^= Polygon(ring).contains_points(points)
    assert 0.2 < odd.mean() < 0.8
    np.testing.assert_array_equal(land.contains(points), odd)


def test_parallels_through_vertices_cross_each_coast_once(land):
    # The oracle goes due north instead of due east, so it meets none of the vertices that we meet.
    rng = np.random.default_rng(3)
    start = np.concatenate(land.rings)
    end = np.concatenate([np.roll(ring, -1, axis=0) for ring in land.rings])
    points = np.column_stack([rng.uniform(-180, 180, 300), rng.choice(start[:, 1], 300)])
    slope = np.divide(*(end - start).T[::-1], out=np.zeros(len(start)), where=end[:, 0] != start[:, 0])
    for point, found in zip(points, land.contains(points), strict=True):
        spans = (start[:, 0] <= point[0]) != (end[:, 0] <= point[0])
        above = start[:, 1] + slope * (point[0] - start[:, 0]) > point[1]
        assert found == (np.count_nonzero(spans & above) % 2 == 1), point


def test_meridian_180_is_the_meridian_minus_180(land):
    latitudes = np.linspace(-90, 90, 2_000)
    east, west = (land.contains(np.column_stack([np.full(2_000, side), latitudes])) for side in (180.0, -180.0))
    assert 0 < east.mean() < 1
    np.testing.assert_array_equal(east, west)


def test_rings_do_not_overlap(land):
    # Along any parallel the coasts must lead into land and out of it in turn; then the shoelace formula,
    # which adds the rings, gives the area of the even-odd rule, which is what `contains` follows.
    start = np.concatenate(land.rings)
    end = np.concatenate([np.roll(ring, -1, axis=0) for ring in land.rings])
    for latitude in np.random.default_rng(4).uniform(-90, 83.6, 500):
        crossed = (start[:, 1] <= latitude) != (end[:, 1] <= latitude)
        a, b = start[crossed], end[crossed]
        longitude = a[:, 0] + (latitude - a[:, 1]) * (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1])
        southward = (b[:, 1] < a[:, 1])[np.argsort(longitude)]
        assert southward[::2].all()
        assert not southward[1::2].any()


def test_area_agrees_with_monte_carlo(land):
    n = 200_000
    hits = land.contains(uniform_on_map(n, seed=5)).mean()
    assert abs(hits - land.share) < 4 * np.sqrt(hits * (1 - hits) / n)
    assert land.area == pytest.approx(land.share * MAP_AREA)


def test_land_area_on_the_globe_is_the_published_one(land):
    # CIA World Factbook: 148.94 million of the 510.07 million km². Natural Earth counts ice shelves as land.
    places = uniform_on_map(200_000, seed=6)
    on_globe = np.cos(np.radians(places[:, 1]))
    share = on_globe[land.contains(places)].sum() / on_globe.sum()
    assert share * 510.07e6 == pytest.approx(148.94e6, rel=0.015)


def test_density_is_uniform_on_land_and_zero_at_sea(land):
    log_p = land.log_prob(np.array([[37.62, 55.75], [-30.0, 30.0], [200.0, 0.0]]))
    np.testing.assert_array_equal(log_p, [-np.log(land.area), -np.inf, -np.inf])
    assert land.entropy == -log_p[0]


def test_density_integrates_to_one(land):
    n = 200_000
    density = np.exp(land.log_prob(uniform_on_map(n, seed=7))) * MAP_AREA
    assert abs(density.mean() - 1) < 4 * density.std() / np.sqrt(n)


def test_missing_longitude_is_named(land):
    with pytest.raises(DataError, match="column 'longitude' needs finite numbers, found nan in row 1"):
        land.log_prob(np.array([[0.0, 0.0], [np.nan, 0.0]]))


def test_wrong_number_of_columns_is_named(land):
    with pytest.raises(DataError, match=re.escape("needs 2 columns (longitude, latitude), got 3")):
        land.log_prob(np.zeros((1, 3)))


def test_every_sampled_place_is_land(land, sample):
    assert sample.shape == (20_000, 2)
    assert land.contains(sample).all()


def test_same_generator_same_places(land, sample):
    np.testing.assert_array_equal(land.sample(20_000, np.random.default_rng(0)), sample)
    assert not np.array_equal(land.sample(20_000, np.random.default_rng(1)), sample)


def test_no_places_are_asked_for(land):
    assert land.sample(0, np.random.default_rng(0)).shape == (0, 2)
    assert land.log_prob(np.empty((0, 2))).shape == (0,)


LONGITUDES, LATITUDES = np.arange(-180, 181, 30), np.arange(-90, 91, 20)


@pytest.fixture(scope="module")
def areas(land):
    """Land in each cell: the shoelace area of the rings pressed into it, near exact as edges are short."""
    start = np.concatenate(land.rings)
    end = np.concatenate([np.roll(ring, -1, axis=0) for ring in land.rings])
    areas = np.empty((12, 9))
    for i, j in np.ndindex(areas.shape):
        low, high = (LONGITUDES[i], LATITUDES[j]), (LONGITUDES[i + 1], LATITUDES[j + 1])
        (x, y), (to_x, to_y) = np.clip(start, low, high).T, np.clip(end, low, high).T
        areas[i, j] = (x * to_y - to_x * y).sum() / 2
    assert areas.sum() == pytest.approx(land.area, rel=1e-9)
    return areas


def uniformity(areas, places):
    """P-value of the chi-square test that places are uniform on land, by cells of 30 by 20 degrees."""
    counts = np.histogram2d(*places.T, bins=(LONGITUDES, LATITUDES))[0]
    expected = len(places) * areas / areas.sum()
    assert counts[expected < 1e-9].sum() == 0
    large = expected >= 5
    return stats.chi2.sf(((counts - expected)[large] ** 2 / expected[large]).sum(), large.sum() - 1)


def test_sampled_places_are_uniform_on_land(areas, sample):
    assert uniformity(areas, sample) > FALSE_ALARM


def test_places_uniform_on_the_globe_are_found_out(areas, sample):
    on_globe = np.random.default_rng(8).random(len(sample)) < np.cos(np.radians(sample[:, 1]))
    assert uniformity(areas, sample[on_globe]) < FALSE_ALARM


def test_outline_is_the_coast_without_the_cuts_of_the_map(land):
    on_a_cut = 0
    for line in land.outline:
        a, b = line[:-1], line[1:]
        assert not ((a[:, 0] == b[:, 0]) & (np.abs(a[:, 0]) == 180)).any()
        assert not ((a[:, 1] == b[:, 1]) & (a[:, 1] == -90)).any()
        assert np.abs(b - a).max() < 6
        ends_on_border = (np.abs(line[[0, -1], 0]) == 180).all()
        assert ends_on_border or np.array_equal(line[0], line[-1])
        on_a_cut += ends_on_border
    assert on_a_cut > 4
    kept = sum(len(line) - 1 for line in land.outline)
    assert 0 < sum(map(len, land.rings)) - kept < 30


def test_the_package_reads_no_file_until_asked():
    code = (
        "import sys, numpy; numpy.load = None\n"
        "from landmass.data.builtin import truth; truth('land').schema; print(truth('land').schema.names)"
    )
    source = Path(sys.modules["landmass"].__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "['longitude', 'latitude']", done.stderr


def test_land_is_a_built_in_truth():
    assert isinstance(truth("land"), Land)


def test_agrees_with_an_independent_elevation_model(land):
    # NOAA's GLOBE elevation model by way of global-land-mask 1.0.0, which counts the Caspian as land.
    shared = os.environ.get("LANDMASS_SHARED_DATA")
    mask_file = Path(shared or "") / "land" / "globe_land_6arcmin.npz"
    if not shared or not mask_file.exists():
        pytest.skip("LANDMASS_SHARED_DATA names no folder with land/globe_land_6arcmin.npz")
    with np.load(mask_file) as stored:
        mask = stored["land"].astype(bool)[1::3, 1::3]
    latitude, longitude = 89.95 - 0.1 * np.arange(1, 1800, 3), -179.95 + 0.1 * np.arange(1, 3600, 3)
    centres = np.stack(np.meshgrid(longitude, latitude), axis=-1).reshape(-1, 2)
    agreement = land.contains(centres) == mask.ravel()
    assert agreement.mean() >= 0.99
