"""The store: a file is there in full or not at all, and is the one that was written."""

import os

import msgspec
import numpy as np
import pytest

from landmass import StoreError
from landmass.store import (
    new_file,
    new_folder,
    read_arrays,
    read_json,
    refuse_existing,
    write_arrays,
    write_bytes,
    write_json,
)

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b.c": np.array([True, False]), "n": np.int32(7)}


class Point(msgspec.Struct, forbid_unknown_fields=True):
    x: float
    name: str = ""


def contents(folder):
    return sorted(path.name for path in folder.iterdir())


def test_file_is_written_and_nothing_beside_it(tmp_path):
    write_bytes(tmp_path / "a", b"one")
    write_bytes(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert contents(tmp_path) == ["a"]


def test_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    write_bytes(tmp_path / "a", b"old")

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StoreError, match=r"cannot write .*a: No space left on device"):
        write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert contents(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_file_that_is_not_finished_leaves_the_old_one_and_nothing_beside_it(tmp_path, error):
    write_bytes(tmp_path / "a", b"old")
    with pytest.raises(error), new_file(tmp_path / "a") as file:
        file.write(b"ne")
        raise error
    assert (tmp_path / "a").read_bytes() == b"old"
    assert contents(tmp_path) == ["a"]


def test_write_into_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(StoreError, match=r"cannot write .*No such file"):
        write_bytes(tmp_path / "gone" / "a", b"")


@pytest.mark.parametrize("x", [0.1, 1e-300, -1 / 3, 1e22])
def test_floats_survive_json(tmp_path, x):
    write_json(tmp_path / "p.json", Point(x, "é"))
    assert read_json(tmp_path / "p.json", Point) == Point(x, "é")


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"x": "one"}', '{"x": 1, "colour": "red"}', '{"name": "no x"}', "[" * 100_000, "\xff"],
    ids=["empty", "cut off", "wrong type", "unknown field", "missing field", "deep", "not UTF-8"],
)
def test_json_of_another_form_is_not_read(tmp_path, text):
    (tmp_path / "p.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(StoreError, match=r"p\.json is not what landmass writes there"):
        read_json(tmp_path / "p.json", Point)


def test_missing_json_is_an_error(tmp_path):
    with pytest.raises(StoreError, match=r"cannot read .*No such file"):
        read_json(tmp_path / "p.json", Point)


def test_arrays_come_back_with_shapes_types_and_bits(tmp_path):
    found = read_arrays(tmp_path / "w", write_arrays(tmp_path / "w", ARRAYS))
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)


def test_array_in_column_order_is_written_as_it_reads(tmp_path):
    array = np.asfortranarray(ARRAYS["a"])
    found = read_arrays(tmp_path / "w", write_arrays(tmp_path / "w", {"a": array, "t": array.T}))
    np.testing.assert_array_equal(found["a"], ARRAYS["a"])
    np.testing.assert_array_equal(found["t"], ARRAYS["a"].T)


@pytest.mark.parametrize("place", [0, 50, -1])
def test_changed_byte_is_found_out(tmp_path, place):
    sha256 = write_arrays(tmp_path / "w", ARRAYS)
    content = bytearray((tmp_path / "w").read_bytes())
    content[place] ^= 1
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(StoreError, match=r"has changed since it was saved.*restore it, or fit again"):
        read_arrays(tmp_path / "w", sha256)


def test_missing_arrays_are_an_error(tmp_path):
    with pytest.raises(StoreError, match="cannot read"):
        read_arrays(tmp_path / "w", "")


def test_file_that_holds_no_arrays_is_an_error_though_its_hash_is_right(tmp_path):
    import hashlib

    (tmp_path / "w").write_bytes(b"hello")
    with pytest.raises(StoreError, match="is not a file of arrays"):
        read_arrays(tmp_path / "w", hashlib.sha256(b"hello").hexdigest())


def test_folder_appears_when_it_is_complete(tmp_path):
    with new_folder(tmp_path / "deep" / "run") as folder:
        (folder / "a").write_text("1")
        assert not (tmp_path / "deep" / "run").exists()
    assert contents(tmp_path / "deep") == ["run"]
    assert (tmp_path / "deep" / "run" / "a").read_text() == "1"
    assert (tmp_path / "deep" / "run").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt(), StoreError("full"), OSError("full")])
def test_error_while_filling_leaves_nothing_behind(tmp_path, error):
    with (
        pytest.raises(StoreError if isinstance(error, OSError) else type(error)),
        new_folder(tmp_path / "run") as folder,
    ):
        (folder / "a").write_text("1")
        raise error
    assert contents(tmp_path) == []


def test_existing_folder_or_file_is_refused_and_kept(tmp_path):
    for make in (lambda path: path.mkdir(), lambda path: path.write_text("mine")):
        path = tmp_path / "run"
        make(path)
        with (
            pytest.raises(StoreError, match=r"run exists already; remove it or choose another name"),
            new_folder(path),
        ):
            pytest.fail("the folder was given out")
        assert contents(tmp_path) == ["run"]
        path.rmdir() if path.is_dir() else path.unlink()
    refuse_existing(tmp_path / "run")


def test_folder_inside_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"), new_folder(tmp_path / "file" / "run"):
        pytest.fail("the folder was given out")
