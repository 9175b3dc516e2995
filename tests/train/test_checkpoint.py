"""Checkpoints: replaced in one piece, damaged ones found out, and a disk that is full leaves the last one."""

import os
import resource
import signal

import msgspec
import numpy as np
import pytest

from landmass import StoreError
from landmass.train.checkpoint import HEAD, NOWHERE, Checkpoint


class Note(msgspec.Struct):
    text: str


def arrays(number, size=3):
    return {"a": np.full(size, number, np.float32), "b": np.arange(2)}


@pytest.fixture
def place(tmp_path):
    return Checkpoint(tmp_path / "here", every=0.0)


def test_what_was_saved_last_comes_back(place):
    for number in range(5):
        place.save(Note(f"é {number}"), arrays(number))
        note, found = place.load(Note)
        assert note == Note(f"é {number}")
        np.testing.assert_array_equal(found["a"], arrays(number)["a"])
        assert found["b"].dtype == np.int64


def test_two_files_of_arrays_take_turns(place):
    place.save(Note(""), arrays(0))
    first = (place.folder / "even.safetensors").read_bytes()
    place.save(Note(""), arrays(1))
    assert (place.folder / "even.safetensors").read_bytes() == first
    place.save(Note(""), arrays(2))
    assert sorted(path.name for path in place.folder.iterdir()) == [HEAD, "even.safetensors", "odd.safetensors"]


def test_nothing_was_saved_at_first_and_after_removal(place):
    assert place.load(Note) is None
    place.inside("part").save(Note("x"), arrays(0))
    assert place.load(Note) is None
    assert place.inside("part").load(Note) is not None
    place.remove()
    assert place.inside("part").load(Note) is None


def test_nowhere_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    NOWHERE.inside("part").save(Note("x"), arrays(0))
    assert (NOWHERE.load(Note), NOWHERE.due, NOWHERE.exists, NOWHERE.seconds) == (None, False, False, 0.0)
    assert not list(tmp_path.iterdir())


def test_is_due_after_some_seconds_and_not_at_once(tmp_path):
    assert not Checkpoint(tmp_path).due
    assert Checkpoint(tmp_path, every=0.0).due


@pytest.mark.parametrize("name", [HEAD, "even.safetensors"])
@pytest.mark.parametrize("change", [lambda b: b[:-9], lambda b: b[:20] + b"\0" + b[21:]], ids=["cut off", "changed"])
def test_damage_is_told_with_a_remedy(place, name, change):
    place.save(Note("x"), arrays(0))
    (place.folder / name).write_bytes(change((place.folder / name).read_bytes()))
    with pytest.raises(StoreError, match=rf"{name}.*remove .*here to do this part of the work again"):
        place.load(Note)


def test_writing_that_fails_half_way_leaves_the_last_checkpoint(place):
    place.save(Note("good"), arrays(0))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # No file may grow beyond 64 kB: the write of a larger one stops in its middle, as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, limits[1]))
        with pytest.raises(StoreError, match=r"cannot write .*odd\.safetensors: File too large"):
            place.save(Note("too large"), arrays(1, size=100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    note, found = place.load(Note)
    assert note == Note("good")
    np.testing.assert_array_equal(found["a"], arrays(0)["a"])
    assert not [name for name in os.listdir(place.folder) if name.startswith(".")]
    place.save(Note("again"), arrays(2))
    assert place.load(Note)[0] == Note("again")


def test_seconds_go_on_from_one_process_to_the_next(place, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    first = Checkpoint(place.folder)
    now[0] = 107.0
    first.inside("a").save(Note(""), {})
    first.save(Note(""), {})
    again = Checkpoint(place.folder)
    assert again.seconds == 7.0
    again.load(Note)
    now[0] = 110.0
    again.save(Note(""), {})
    assert Checkpoint(place.folder).seconds == 10.0
