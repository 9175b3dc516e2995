import numpy as np
import pytest

import landmass
from landmass.data.builtin import truth
from landmass.evaluate.normalisation import integration_grid
from landmass.evaluate.truth import emptiness, empty_share, empty_share_on, leaves_empty

LAND = truth("land")


@pytest.fixture(scope="module")
def box():
    return landmass.UniformBox().fit(landmass.read("land", n=200))


@pytest.mark.parametrize(("name", "expected"), [("land", True), ("checkerboard", True), ("moons", False)])
def test_only_truths_with_holes_leave_something_empty(name, expected):
    assert leaves_empty(truth(name)) is expected


def test_a_box_has_the_share_of_the_sea_in_the_sea(box):
    found = empty_share(box, LAND)
    assert found is not None
    # Five standard errors: a false alarm in 1.7 million.
    assert abs(found.value - (1.0 - LAND.share)) < 5.0 * found.error
    assert found.error == pytest.approx(np.sqrt(LAND.share * (1 - LAND.share) / 20_000), rel=0.05)


def test_the_grid_knows_the_sea_to_a_tenth_of_a_percent(box):
    grid = integration_grid(LAND.schema, np.zeros((1, 2)))
    found = empty_share_on(grid, box.score_samples(grid.points), emptiness(LAND, grid))
    assert found.value == pytest.approx(1.0 - LAND.share, abs=5e-4)
    assert abs(found.value - (1.0 - LAND.share)) < found.error + 5e-4


def test_half_of_a_box_lies_off_the_checkerboard():
    board = truth("checkerboard")
    box = landmass.UniformBox().fit(landmass.read("checkerboard", n=200))
    grid = integration_grid(board.schema, np.zeros((1, 2)))
    assert empty_share_on(grid, box.score_samples(grid.points), emptiness(board, grid)).value == pytest.approx(0.5)


def test_a_truth_of_full_support_has_no_such_share():
    assert empty_share(landmass.UniformBox().fit(landmass.read("moons", n=200)), truth("moons")) is None
