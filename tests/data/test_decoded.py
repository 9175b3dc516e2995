"""The cache of decoded pictures: used when nothing changed, and never trusted when something did."""

import os

import numpy as np
import PIL
import pytest
from PIL import Image

import landmass
from landmass.data import decoded, images


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of pictures, a cache beside it, and how often pictures were decoded."""
    monkeypatch.setenv("LANDMASS_IMAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(decoded, "LEAST", 1)
    rng = np.random.default_rng(0)
    for name in ("cat/1.png", "dog/1.png"):
        (tmp_path / "pets" / name).parent.mkdir(parents=True)
        Image.fromarray(rng.integers(0, 256, (5, 4, 3), np.uint8)).save(tmp_path / "pets" / name)
    return tmp_path / "pets"


@pytest.fixture
def times(monkeypatch):
    count = []
    decode = images._decode
    monkeypatch.setattr(images, "_decode", lambda *args: count.append(1) or decode(*args))
    return count


def test_second_reading_decodes_nothing_and_gives_the_same(folder, times):
    first, second = landmass.read(folder), landmass.read(folder)
    np.testing.assert_array_equal(first.X, second.X)
    assert first.labels["class"].tolist() == second.labels["class"].tolist()
    assert first.notes == second.notes
    assert len(times) == 1


def test_changed_picture_or_setting_is_decoded_anew(folder, times):
    landmass.read(folder)
    Image.new("RGB", (4, 5), "red").save(folder / "cat/1.png")
    assert (landmass.read(folder).X[0] == (255, 0, 0)).all()
    assert landmass.read(folder, grey=True).X.shape == (2, 5, 4, 1)
    assert landmass.read(folder, size=3).X.shape == (2, 3, 3, 3)
    assert len(times) == 4


@pytest.mark.parametrize("of, what", [(decoded, "FORM"), (PIL, "__version__")])
def test_another_way_to_decode_decodes_anew(folder, times, monkeypatch, of, what):
    landmass.read(folder)
    monkeypatch.setattr(of, what, "another")
    landmass.read(folder)
    assert len(times) == 2


def test_broken_cache_is_no_harm(folder, times, tmp_path):
    right = landmass.read(folder).X
    for kept in (tmp_path / "cache").iterdir():
        kept.write_bytes(kept.read_bytes()[:-20])
    np.testing.assert_array_equal(landmass.read(folder).X, right)
    assert len(times) == 2


def test_oldest_pictures_make_room(folder, monkeypatch, tmp_path):
    landmass.read(folder)
    (first,) = (tmp_path / "cache").iterdir()
    os.utime(first, (1, 1))
    monkeypatch.setattr(decoded, "MOST", first.stat().st_size + 10)
    landmass.read(folder, grey=True)
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert not first.exists()


def test_cache_that_cannot_be_written_or_is_not_wanted_is_left_out(folder, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    for place in (str(tmp_path / "file"), ""):
        monkeypatch.setenv("LANDMASS_IMAGE_CACHE", place)
        assert len(landmass.read(folder)) == 2
    assert not (tmp_path / "cache").exists()
