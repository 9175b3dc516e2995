"""Images drawn here come through the one door by name, as events or with an answer."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import landmass
from landmass import DataError, SettingError
from landmass.data.builtin.drawn import DRAWN
from landmass.data.door import read_like
from landmass.data.examples import Examples
from landmass.data.images import Images
from landmass.ladder.events import read_events


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Twenty-four images unless told otherwise."""
    for name, entry in DRAWN.items():
        monkeypatch.setitem(DRAWN, name, replace(entry, n=24))


@pytest.mark.parametrize("name, make", [("cylinders", landmass.cylinders), ("portraits", landmass.portraits)])
def test_name_is_read_as_its_images(name, make):
    found, expected = landmass.read(name, n=7, seed=2, size=20), make(7, seed=2, size=20)
    np.testing.assert_array_equal(found.X, expected.X)
    assert set(found.labels) == set(expected.labels)
    assert found.name == name
    assert landmass.read(name).X.shape[:3] == (24, 32, 32)
    assert read_like(name, found.X.shape[1:], n=3).X.shape == (3, *found.X.shape[1:])


@pytest.mark.parametrize("wrong", [{"grey": True}, {"size": (16, 20)}, {"schema": landmass.Schema.real(["a"])}])
def test_what_does_not_hold_of_drawn_images_is_refused(wrong):
    with pytest.raises(SettingError, match="cylinders are drawn as squares"):
        landmass.read("cylinders", **wrong)


def test_densities_of_rows_do_not_take_drawn_images():
    with pytest.raises(DataError, match="cylinders are images, and rows of columns are needed"):
        landmass.Gaussian().fit("cylinders")


def test_number_of_pictures_in_files_is_not_chosen(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(SettingError, match="n counts events of a built-in data set"):
        landmass.read(tmp_path, n=1)


def test_label_of_drawn_images_can_be_predicted():
    found = landmass.examples("cylinders", "height", n=9, seed=1, size=16)
    expected = landmass.cylinders(9, seed=1, size=16)
    np.testing.assert_array_equal(found.inputs.X, expected.X)
    np.testing.assert_array_equal(found.answers, expected.labels["height"])
    with pytest.raises(DataError, match="the labels 'radius', 'height'; say which"):
        landmass.examples("cylinders")


@pytest.mark.parametrize(
    "name, target, families, kind",
    [
        ("cylinders", None, None, Images),
        ("cylinders", None, ["independent"], Images),
        ("cylinders", "radius", None, Examples),
        ("portraits", None, ["independent", "uniform_box"], Images),
        ("portraits", None, ["neural_classifier"], Examples),
        ("portraits", None, None, Examples),
    ],
)
def test_ladder_takes_a_name_for_events_or_for_examples(name, target, families, kind, monkeypatch):
    monkeypatch.setattr("landmass.data.builtin.examples.BuiltInExamples.make", few_examples)
    found = read_events(name, target, families)
    assert isinstance(found, kind)
    assert kind is Images or found.target == (target or "smiling")


def few_examples(entry, n, seed):
    from landmass.data.builtin import makers

    return getattr(makers, entry.maker)(24, seed)


def test_density_of_drawn_images_is_asked_by_name():
    ladder = landmass.Ladder(["independent"]).fit("cylinders")
    assert ladder.target_ is None
    assert ladder.score_samples("cylinders").shape == (24,)
    assert np.isfinite(ladder.recall("cylinders").test_scores_["independent"]).all()


def test_faces_that_do_not_fit_into_memory_are_refused():
    with pytest.raises(landmass.DataError, match=r"drawing n = 1,000,000,000 portraits"):
        landmass.portraits(10**9)
