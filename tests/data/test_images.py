"""Reading images: folders, archives, arrays, MNIST's files; and every way in which they can be wrong."""

import gzip
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from landmass import DataError
from landmass.data.images import from_array, read_images
from landmass.data.pixels import PixelInputs

RNG = np.random.default_rng(0)


def picture(path, size=(8, 6), mode="RGB", **options):
    """A picture of noise, width × height; returns its pixels."""
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    pixels = RNG.integers(0, 256, (size[1], size[0], *channels), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, mode).save(path, **options)
    return pixels


def test_folders_are_classes(tmp_path):
    expected = [picture(tmp_path / name) for name in ("cat/1.png", "cat/2.png", "dog/1.png")]
    found = read_images(tmp_path)
    np.testing.assert_array_equal(found.X, expected)
    assert found.labels["class"].tolist() == ["cat", "cat", "dog"]
    assert found.X.dtype == np.uint8


def test_labels_stand_in_a_table(tmp_path):
    expected = {name: picture(tmp_path / name, mode="L") for name in ("b.png", "in/a.png", "c.bmp")}
    (tmp_path / "labels.csv").write_text("file,smiling,age\nc.bmp,yes,30\nin/a.png,no,41\nb.png,yes,7\n")
    found = read_images(tmp_path)
    assert found.labels["smiling"].tolist() == ["yes", "no", "yes"]
    assert found.labels["age"].tolist() == [30, 41, 7]
    np.testing.assert_array_equal(found.X[..., 0], [expected[name] for name in ("c.bmp", "in/a.png", "b.png")])


def test_archive_is_read_like_its_folder(tmp_path):
    for name in ("cat/1.png", "dog/1.png"):
        picture(tmp_path / "pets" / name)
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for name in ("cat/1.png", "dog/1.png"):
            archive.write(tmp_path / "pets" / name, name)
    folder, packed = read_images(tmp_path / "pets"), read_images(tmp_path / "pets.zip")
    np.testing.assert_array_equal(packed.X, folder.X)
    assert packed.labels["class"].tolist() == folder.labels["class"].tolist() == ["cat", "dog"]


def test_grey_and_coloured_pictures(tmp_path):
    grey, coloured = picture(tmp_path / "a.png", mode="L"), picture(tmp_path / "b.png")
    found = read_images(tmp_path)
    np.testing.assert_array_equal(found.X[0], np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_array_equal(found.X[1], coloured)
    assert found.notes == ("1 grey pictures were made coloured like the others",)
    assert read_images(tmp_path, grey=True).X.shape == (2, 6, 8, 1)
    (tmp_path / "b.png").unlink()
    assert read_images(tmp_path).X.shape == (1, 6, 8, 1)
    assert read_images(tmp_path, grey=False).X.shape == (1, 6, 8, 3)


def test_pictures_are_brought_to_a_size_on_request(tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png", size=(20, 30))
    found = read_images(tmp_path, size=(4, 5))
    assert found.X.shape == (2, 4, 5, 3)
    assert found.size == (4, 5)
    assert found.notes == ("2 pictures were brought to 5×4 pixels (width × height)",)
    assert read_images(tmp_path, size=7).X.shape == (2, 7, 7, 3)
    # A flat picture stays flat.
    Image.new("L", (50, 40), 77).save(tmp_path / "c.png")
    assert (read_images(tmp_path, size=7, grey=True).X[2] == 77).all()


def test_what_is_changed_is_noted(tmp_path):
    Image.fromarray(np.linspace(0, 65535, 48).reshape(6, 8).astype(np.uint16)).save(tmp_path / "deep.png")
    frames = [Image.new("L", (8, 6), shade) for shade in (10, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    Image.new("RGBA", (8, 6), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    (tmp_path / "readme.txt").write_text("hello")
    found = read_images(tmp_path, grey=True)
    assert (found.X[0] == 255).all()
    assert (found.X[1, 0, 0, 0], found.X[1, -1, -1, 0]) == (0, 255)
    assert (found.X[2] == 10).all()
    assert set(found.notes) == {
        "1 pictures had transparent places, which are white now",
        "1 pictures had 16 bits and were brought to 8",
        "1 pictures move: the first frame was taken",
        "left out 1 files that are no pictures",
    }


@pytest.mark.parametrize(
    "ending, dtype", [("png", np.uint16), ("tif", np.uint16), ("tif", np.int32), ("pgm", np.int32)]
)
def test_picture_of_16_bits_is_scaled_by_its_kind_and_not_by_what_it_holds(tmp_path, ending, dtype):
    for name, values in (("bright", [0, 257, 65535]), ("dark", [0, 100, 250])):
        Image.fromarray(np.array([values], dtype)).save(tmp_path / f"{name}.{ending}")
    found = read_images(tmp_path)
    assert found.X[:, 0, :, 0].tolist() == [[0, 1, 255], [0, 0, 1]]


@pytest.mark.parametrize(
    "values, told",
    [
        (np.array([[0, 65536]], np.int32), "holds numbers from 0 to 65536"),
        (np.array([[-1, 300]], np.int32), "holds numbers from -1 to 300"),
        (np.array([[0.0, 0.5]], np.float32), "holds fractions from 0 to 0.5"),
        (np.array([[0.0, np.nan]], np.float32), "holds fractions from nan to nan"),
    ],
)
def test_picture_of_numbers_beyond_16_bits_is_refused(tmp_path, values, told):
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=f"a.tif {told}.*; save it with 8 or 16 bits"):
        read_images(tmp_path)


def test_a_photograph_is_turned_as_its_camera_was(tmp_path):
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.png", exif=exif)
    assert read_images(tmp_path).X.shape == (1, 8, 6, 1)


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("packed", [False, True])
def test_files_of_mnists_form(tmp_path, packed):
    parts = {"train": (7, 0), "t10k": (3, 7)}
    X, y = RNG.integers(0, 256, (10, 5, 4), np.uint8), np.arange(10, dtype=np.uint8)
    for name, (n, start) in parts.items():
        for kind, array in (("images-idx3", X), ("labels-idx1", y)):
            content = idx(array[start : start + n])
            path = tmp_path / f"{name}-{kind}-ubyte{'.gz' * packed}"
            path.write_bytes(gzip.compress(content) if packed else content)
    found = read_images(tmp_path)
    np.testing.assert_array_equal(found.X[..., 0], X)
    np.testing.assert_array_equal(found.labels["label"], y)
    assert found.labels["part"].tolist() == ["train"] * 7 + ["test"] * 3


def broken(path):
    path.write_bytes(path.read_bytes()[:-100])


def bomb(path):
    """A picture whose head tells of 40,000 × 40,000 pixels."""
    Image.new("1", (1, 1)).save(path)
    head = b"IHDR" + struct.pack(">2I", 40_000, 40_000) + path.read_bytes()[24:29]
    path.write_bytes(path.read_bytes()[:12] + head + struct.pack(">I", zlib.crc32(head)) + path.read_bytes()[33:])


def climbing(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../a.png", b"")


def linked(path):
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("a.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")


def swollen(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(50_000_000))


def nothing(folder):
    folder.mkdir()


def no_picture(folder):
    folder.mkdir()
    (folder / "a.txt").write_text("a")


def truncated(folder):
    picture(folder / "a.png")
    broken(folder / "a.png")


def corrupt(folder):
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"no picture")


def of_two_sizes(folder):
    picture(folder / "a.png")
    picture(folder / "b.png", size=(9, 9))


def with_a_bomb(folder):
    folder.mkdir()
    bomb(folder / "a.png")


def in_parts(folder):
    for part in ("train", "test"):
        picture(folder / part / "cat" / "a.png")
        picture(folder / part / "dog" / "a.png")


def with_a_loose_picture(folder):
    picture(folder / "cat" / "a.png")
    picture(folder / "b.png")


@pytest.mark.parametrize(
    "make, told",
    [
        (lambda folder: None, "there is no folder"),
        (nothing, "is empty"),
        (no_picture, "holds no table, and no picture .* among its 1 files"),
        (truncated, "a.png is a broken picture"),
        (corrupt, "a.jpg is not a picture that can"),
        (of_two_sizes, r"a.png is 8×6 and b.png is 9×9 \(width × height\); give a size"),
        (with_a_bomb, "a.png has more than 100,000,000 pixels.*bomb"),
        (in_parts, r"folders 'test', 'train', which are parts .*: landmass fit .*images/train --test .*images/test"),
        (with_a_loose_picture, "b.png lies beside the folders of the classes"),
    ],
)
def test_folder_that_cannot_be_read_is_refused(tmp_path, make, told):
    make(tmp_path / "images")
    with pytest.raises(DataError, match=told):
        read_images(tmp_path / "images")


@pytest.mark.parametrize(
    "lines, told",
    [
        ("a.png,1\n", "'b.png' stands among the pictures and not in labels.csv"),
        ("a.png,1\nb.png,0\nc.png,1\n", "'c.png' stands in labels.csv and not among the pictures"),
        ("a.png,1\nb.png,0\na.png,0\n", "'a.png' stands more than once"),
    ],
)
def test_labels_that_do_not_fit_the_pictures_are_refused(tmp_path, lines, told):
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    (tmp_path / "labels.csv").write_text("file,smiling\n" + lines)
    with pytest.raises(DataError, match=told):
        read_images(tmp_path)


def test_link_out_of_the_folder_is_refused(tmp_path):
    picture(tmp_path / "elsewhere.png")
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "images" / "b.png").symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(DataError, match="is a link out of the folder"):
        read_images(tmp_path / "images")


@pytest.mark.parametrize(
    "make, told",
    [
        (climbing, "a place outside of itself"),
        (linked, "holds a link, 'a.png'"),
        (swollen, "would grow from .* it looks like a bomb"),
        (lambda path: path.write_bytes(b"PK nothing"), "is not a readable ZIP archive"),
    ],
)
def test_archive_that_plays_tricks_is_refused(tmp_path, make, told):
    make(tmp_path / "images.zip")
    with pytest.raises(DataError, match=told):
        read_images(tmp_path / "images.zip")


@pytest.mark.parametrize(
    "array, told",
    [
        (np.zeros((3, 4, 4, 2), np.uint8), r"found shape \(3, 4, 4, 2\)"),
        (np.zeros((0, 4, 4), np.uint8), r"found shape \(0, 4, 4, 1\)"),
        (np.full((3, 4, 4), 0.5), "whole numbers from 0 to 255, found float64 from 0.5 to 0.5; multiply"),
        (np.full((3, 4, 4), 300), "found int64 from 300 to 300"),
    ],
)
def test_array_that_holds_no_images_is_refused(array, told):
    with pytest.raises(DataError, match=told):
        from_array(array)


def test_copies_of_an_image_are_found():
    X = RNG.integers(0, 256, (4, 5, 5, 1), np.uint8)
    assert from_array(X[[0, 1, 0, 2, 1]]).copies().tolist() == [0, 1, 0, 2, 1]


def test_images_of_another_shape_than_the_fitted_ones_are_refused():
    images = from_array(RNG.integers(0, 256, (4, 5, 5, 3), np.uint8))
    inputs = PixelInputs.fit(images, images)
    np.testing.assert_allclose(inputs.loc, images.X.reshape(-1, 3).mean(0), rtol=1e-6)
    np.testing.assert_allclose(inputs.scale, images.X.reshape(-1, 3).std(0), rtol=1e-6)
    with pytest.raises(DataError, match="images are 5×5×1, and the model was fitted to 5×5×3"):
        inputs.encode(from_array(images.X[..., 0]))
    with pytest.raises(DataError, match="every pixel of every image is the same"):
        PixelInputs.fit(from_array(np.full((2, 3, 3), 7, np.uint8)), images)
