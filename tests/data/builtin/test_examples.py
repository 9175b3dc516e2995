"""Built-in examples: their chances are those of their answers, their faces those of their factors."""

import numpy as np
import pytest
from scipy import stats

import landmass
from landmass import DataError, SettingError
from landmass.data.builtin.examples import EXAMPLES
from landmass.data.builtin.portraits import RANGES, draw


@pytest.mark.parametrize("name", EXAMPLES)
def test_same_seed_makes_the_same_examples(name):
    first, again, other = (landmass.examples(name, n=50, seed=seed) for seed in (0, 0, 1))
    inputs = [
        made.inputs.X if hasattr(made.inputs, "X") else list(made.inputs.columns.values())
        for made in (first, again, other)
    ]
    assert all((np.asarray(a) == np.asarray(b)).all() for a, b in zip(inputs[0], inputs[1], strict=True))
    assert not all((np.asarray(a) == np.asarray(b)).all() for a, b in zip(inputs[0], inputs[2], strict=True))
    assert len(first) == 50
    assert first.name == name


@pytest.mark.parametrize("name", ["visitors", "land_and_sea", "portraits"])
def test_answers_come_as_often_as_their_chances_say(name):
    made = landmass.examples(name, n=4000)
    classes = np.unique(made.answers)
    is_second = made.answers == classes[1]
    np.testing.assert_allclose(made.chances.sum(1), 1.0)
    # The number of second classes, where they are likely and where not, against a normal of its own variance.
    for part in (made.chances[:, 1] > 0.5, made.chances[:, 1] <= 0.5):
        p = made.chances[part, 1]
        spread = max(np.sqrt((p * (1.0 - p)).sum()), 1e-9)
        assert abs(is_second[part].sum() - p.sum()) <= stats.norm.isf(5e-7) * spread


def test_neither_column_of_visitors_tells_anything_alone():
    made = landmass.examples("visitors", n=20_000)
    yes = made.answers == "yes"
    for cells in made.inputs.columns.values():
        for level in np.unique(cells):
            here = yes[cells == level]
            assert abs(here.mean() - 0.5) < 5.5 * 0.5 / np.sqrt(len(here))
    assert made.chances.max(1).mean() > 0.9


def test_labels_of_portraits_are_the_factors():
    faces = landmass.portraits(500, seed=1)
    assert faces.X.shape == (500, 32, 32, 3)
    for name, (low, high) in RANGES.items():
        assert low <= faces.labels[name].min() < faces.labels[name].max() <= high
    assert np.abs(faces.labels["smile"]).min() >= 0.25
    np.testing.assert_array_equal(faces.labels["smiling"] == "yes", faces.labels["smile"] > 0)
    assert set(faces.labels["smiling_chance"]) == {0.0, 1.0}


def alike(**changed):
    """Two faces that differ in some factors only, drawn with the same nuisance."""
    base = {name: np.full(1, (low + high) / 2) for name, (low, high) in RANGES.items()} | {
        "smile": np.full(1, 0.5),
        "glasses": np.zeros(1, bool),
    }
    faces = [
        draw(factors, np.zeros(1, int), 64, np.random.default_rng(0))[0].astype(int)
        for factors in (base, base | {name: np.full(1, value) for name, value in changed.items()})
    ]
    return np.abs(faces[0] - faces[1]).max(-1) > 3


@pytest.mark.parametrize(
    "changed, rows",
    [
        # A smile moves the mouth alone, glasses and eyes the middle, width and height the face.
        ({"smile": -0.5}, (36, 56)),
        ({"glasses": True}, (20, 40)),
        ({"eye_distance": 0.28}, (22, 36)),
        ({"hair_length": 0.9}, (20, 64)),
    ],
)
def test_a_factor_moves_its_own_part_of_the_face(changed, rows):
    moved = np.flatnonzero(alike(**changed).any(axis=1))
    assert len(moved)
    assert rows[0] <= moved.min() <= moved.max() < rows[1]


def test_wider_and_higher_faces_are_wider_and_higher():
    assert alike(face_width=0.6).any()
    assert alike(face_height=0.77).any()


def test_a_hidden_mouth_leaves_the_chance_at_a_half():
    faces = landmass.portraits(2000, occlusion=1.0, label_noise=0.1)
    found = set(np.round(faces.labels["smiling_chance"], 9))
    assert found == {0.1, 0.5, 0.9}
    # Two faces that differ in their smile alone, both hidden, are the same picture.
    both = []
    for smile in (-0.9, 0.9):
        factors = {name: np.full(1, (low + high) / 2) for name, (low, high) in RANGES.items()}
        factors |= {"smile": np.full(1, smile), "glasses": np.zeros(1, bool)}
        both.append(draw(factors, np.full(1, 2), 32, np.random.default_rng(0)))
    np.testing.assert_array_equal(*both)


@pytest.mark.parametrize("wrong", [{"n": 0}, {"size": 8}, {"label_noise": 0.6}, {"occlusion": -0.1}])
def test_faces_that_cannot_be_drawn_are_refused(wrong):
    with pytest.raises(SettingError, match="portraits need n from 1"):
        landmass.portraits(**{"n": 10, **wrong})


def test_unknown_examples_are_named():
    with pytest.raises(DataError, match=r"no file or folder cats, and no built-in examples of that name .*visitors"):
        landmass.examples("cats")
    with pytest.raises(SettingError, match="n counts built-in examples"):
        landmass.examples("cats", n=10)
