"""Images: folders and archives of pictures, arrays of them, and the files that MNIST came in; with their labels."""

import hashlib
import io
import math
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal, Self

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from landmass.data import delimited, idx, points
from landmass.data.decoded import remembered
from landmass.data.limits import check_size
from landmass.data.picture_files import files_of
from landmass.data.schema import Schema
from landmass.errors import DataError
from landmass.types import Copies

Pixels = UInt8[np.ndarray, "events height width channels"]

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
"""Endings of files that are pictures."""

PARTS = {"train", "training", "val", "valid", "validation", "test"}
"""Names of folders that are parts of a data set, not classes."""

LABELS = "labels.csv"
"""The file beside pictures that says what is on them."""

# A picture of more pixels is a bomb, or was not meant to be learned from.
MOST_PIXELS = 100_000_000

# What Pillow raises for a file that is not the picture that it seems to be.
BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    struct.error,
    zlib.error,
    EOFError,
    IndexError,
    TypeError,
    ArithmeticError,
    RuntimeError,
)


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one size, with what is known of each.

    Args:
        X: bytes, shape (events, height, width, channels); one channel is grey, three are red, green and blue.
        labels: what is known, by name: one word or number an image.
        name: what the data is called.
        notes: what the reader left out or changed, in sentences.
        size: height and width that the images were resized to; None if they came so. New images are treated alike.
        files: the pictures' places in their folder; empty where they came otherwise.
        binary: whether events are black and white: bytes of 0 and 255, or `draw`n with the probability that grey says.
    """

    entropy: ClassVar[None] = None
    truth: ClassVar[None] = None
    weight: ClassVar[None] = None
    gaps: ClassVar[str] = ""

    X: Pixels
    labels: Mapping[str, Shaped[np.ndarray, " events"]] = field(default_factory=dict)
    name: str = "images"
    notes: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    files: tuple[str, ...] = ()
    binary: Literal["no", "yes", "draw"] = "no"

    def __post_init__(self) -> None:
        for name, values in self.labels.items():
            if len(values) != len(self.X):
                raise DataError(f"there are {len(self.X)} images and {len(values)} labels {name!r}; give one for each")

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: Shaped[np.ndarray, " chosen"]) -> Self:
        """The images of some rows."""
        labels = {name: values[rows] for name, values in self.labels.items()}
        files = tuple(np.array(self.files)[rows].tolist()) if self.files else ()
        return replace(self, X=self.X[rows], labels=labels, files=files)

    @property
    def schema(self) -> Schema:
        """The sample space."""
        return Schema.of_images(*self.X.shape[1:], levels=256 if self.binary == "no" else 2)

    @property
    def unit(self) -> str:
        """What a density is per: nothing, as images are counted."""
        return "image"

    @property
    def total(self) -> float:
        """How many there are."""
        return float(len(self))

    def nothing(self) -> Self:
        """The same kind of images, and none of them."""
        return self.take(np.arange(0))

    def joined(self, others: Self) -> Self:
        """These images, and others like them, without what is known of each."""
        return replace(self, X=np.concatenate([self.X, others.X]), labels={}, files=())

    def wrap(self, X: Pixels) -> Pixels:
        """Images as they are handed out."""
        return X

    def repeats(self) -> tuple[str, ...]:
        """Nothing: of counted events copies do no harm."""
        return ()

    def check_fit(self) -> None:
        """Refuse images that no density can be fitted to.

        Raises:
            DataError: there are fewer than two.
        """
        if len(self) < 2:
            raise DataError(f"{self.name} has {len(self)} images; a density needs two or more")

    def sha256(self) -> str:
        """Of the pixels."""
        return hashlib.sha256(np.ascontiguousarray(self.X).tobytes()).hexdigest()

    def copies(self) -> Copies:
        """For each image the number of the distinct one that it is a copy of."""
        known: dict[bytes, int] = {}
        return np.array([known.setdefault(image.tobytes(), len(known)) for image in self.X], int)


def from_array(array: Any, labels: Mapping[str, Any] | None = None, name: str = "images") -> Images:
    """Make a data set of an array of images.

    Args:
        array: whole numbers from 0 to 255, shape (events, height, width) or (events, height, width, channels).
        labels: what is known of each image, by name.
        name: what the data is called.
    """
    X = np.asarray(array)
    if X.ndim == 3:
        X = X[..., None]
    if X.ndim != 4 or X.shape[-1] not in (1, 3) or not X.size:
        raise DataError(
            f"images come as (events, height, width) or (events, height, width, 1 or 3), found shape {X.shape}; reshape"
        )
    if X.dtype != np.uint8:
        whole = X.dtype.kind in "iu" and X.min() >= 0 and X.max() <= 255
        if not whole:
            raise DataError(
                f"images hold whole numbers from 0 to 255, found {X.dtype} from {X.min():g} to {X.max():g}; multiply "
                "shares by 255 and round, and convert to uint8"
            )
        X = X.astype(np.uint8)
    known = {} if labels is None else {key: np.asarray(values) for key, values in labels.items()}
    return Images(X, known, name)


def holds_images(path: Path) -> bool:
    """Whether a path leads to pictures: a folder that is no run, an archive, a picture, or an array of them.

    Args:
        path: whatever a person calls data.
    """
    ending = path.suffix.lower()
    if ending in (".npy", ".npz") and path.is_file():
        return any(len(shape) > 2 and dtype.kind in "iu" for shape, dtype in points.headers_of(path).values())
    return ending in (".zip", *PICTURES) or (path.is_dir() and not (path / "manifest.json").exists())


def _from_arrays(path: Path) -> Images:
    """The one array of images of a file, with all arrays of one entry an image as labels."""
    arrays = points.arrays_of(path)
    found = [name for name, array in arrays.items() if array.ndim in (3, 4)]
    if len(found) != 1:
        names = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise DataError(f"{path} holds {len(found)} arrays of images ({names}); save one, beside its labels")
    images = arrays.pop(found[0])
    return from_array(
        images, {name: each for name, each in arrays.items() if each.shape == images.shape[:1]}, path.stem
    )


def read_images(path: Path, *, size: int | tuple[int, int] | None = None, grey: bool | None = None) -> Images:
    """Read the pictures of a folder or a ZIP archive.

    Folders inside are classes: their names become the label `class`. A file `labels.csv` gives any number of labels:
    its first column names the pictures. Pictures of 16 bits are brought to 8, of moving ones the first is taken, and
    transparent places become white; notes say so. Many pictures are kept, as they were decoded, in the user's cache
    folder (the environment variable LANDMASS_IMAGE_CACHE names another, or none if it is empty), and decoded anew when
    a file has changed.

    Args:
        path: the folder or archive; a folder with the files that MNIST came in; or an NPY or NPZ file with an array of
            images, in an NPZ file beside arrays of labels.
        size: height and width to bring all pictures to; one number makes squares. None: they must have one size.
        grey: whether to make all grey; None does so if all are.

    Raises:
        DataError: there is no picture, one cannot be read, their sizes differ, or labels are missing; names the file.
    """
    if path.suffix.lower() in (".npy", ".npz"):
        if size is not None or grey is not None:
            raise DataError(f"{path} holds an array, which is taken as it is; leave out size and grey")
        return _from_arrays(path)
    files, close = files_of(path)
    try:
        if any(name.endswith(("-ubyte", "-ubyte.gz")) for name in files):
            pixels, labels = idx.read_parts(files, path.stem)
            return from_array(pixels, labels, path.stem)
        pictures = [name for name in files if PurePosixPath(name).suffix.lower() in PICTURES]
        if not pictures:
            some = ", ".join(sorted(PICTURES))
            found = f"holds no table, and no picture ({some}) among its {len(files)} files" if files else "is empty"
            raise DataError(f"{path} {found}; give a folder of pictures or of tables, or a file with the events")
        labels, pictures = _labels(files, pictures, path)
        target = (size, size) if isinstance(size, int) else size
        sources = [path.resolve()] if path.is_file() else [path.resolve() / name for name in pictures]
        X, notes = remembered(sources, (target, grey, pictures), lambda: _decode(files, pictures, target, grey))
    finally:
        close()
    left_out = len(files) - len(pictures) - (LABELS in files)
    if left_out:
        notes.append(f"left out {left_out} files that are no pictures")
    return Images(X, labels, path.stem, tuple(notes), target, tuple(pictures))


def _labels(
    files: Mapping[str, idx.Read], pictures: list[str], path: Path
) -> tuple[dict[str, Shaped[np.ndarray, " events"]], list[str]]:
    """What is known of the pictures, and their names in the order of the labels."""
    if LABELS not in files:
        folders = [PurePosixPath(name).parent.as_posix() for name in pictures]
        if len(set(folders)) < 2:
            return {}, pictures
        tops = sorted({PurePosixPath(folder).parts[0] for folder in folders if folder != "."})
        if {top.lower() for top in tops} <= PARTS:
            unpack, folder = ("", path) if path.is_dir() else ("unpack it, and ", path.with_suffix(""))
            raise DataError(
                f"{path} holds the folders {', '.join(map(repr, tops))}, which are parts of the data and not classes; "
                f"{unpack}give each by itself: landmass fit {folder / 'train'} --test {folder / 'test'}"
            )
        if "." in folders:
            loose = pictures[folders.index(".")]
            raise DataError(f"{path / loose} lies beside the folders of the classes; put it into one, or remove it")
        return {"class": np.array(folders)}, pictures
    table = delimited.csv_table(files[LABELS](), LABELS)[0]
    first, *others = table.column_names
    listed = [str(cell) for cell in table[first].to_pylist()]
    twice = [name for name, times in Counter(listed).items() if times > 1]
    missing = sorted(set(listed) - set(pictures))
    unlisted = sorted(set(pictures) - set(listed))
    for wrong, told in (
        (twice, "more than once in labels.csv; leave one line"),
        (missing, "in labels.csv and not among the pictures; add the picture, or remove the line"),
        (unlisted, "among the pictures and not in labels.csv; add a line, or remove the picture"),
    ):
        if wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            raise DataError(f"{path}: {wrong[0]!r}{more} stands {told}")
    if not others:
        raise DataError(f"{path / LABELS} has no column besides the pictures' names; add one with labels")
    return {name: np.asarray(table[name].to_pandas()) for name in others}, listed


def _decode(
    files: Mapping[str, idx.Read], pictures: Sequence[str], size: tuple[int, int] | None, grey: bool | None
) -> tuple[Pixels, list[str]]:
    """All pictures as bytes of one shape, and notes on what was changed."""
    with ThreadPoolExecutor() as pool:
        opened = list(pool.map(lambda name: _picture(files[name], name, size), pictures))
    images, changes = zip(*opened, strict=True)
    shapes = [image.size for image in images]
    if len(set(shapes)) > 1:
        other = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
        raise DataError(
            f"pictures differ in size: {pictures[0]} is {_wide(shapes[0])} and {pictures[other]} is "
            f"{_wide(shapes[other])} (width × height); give a size to bring all to (size=…, --size)"
        )
    coloured = [image.mode == "RGB" for image in images]
    grey = not any(coloured) if grey is None else grey
    if not grey and any(coloured) and not all(coloured):
        changes = (*changes, {f"{coloured.count(False)} grey pictures were made coloured like the others"})
    check_size("the pictures", len(images) * math.prod(shapes[0]) * (1 if grey else 3))
    X = np.stack([np.asarray(image.convert("L" if grey else "RGB")) for image in images])
    counted = Counter(change for each in changes for change in each)
    notes = [change if change[0].isdigit() else f"{times} pictures {change}" for change, times in counted.items()]
    return X[..., None] if grey else X, notes


def _picture(read: idx.Read, name: str, size: tuple[int, int] | None) -> tuple[Image.Image, set[str]]:
    """One picture, in grey or colours, and what was changed of it."""
    changed = set()
    try:
        with warnings.catch_warnings():
            # Pillow only warns of bombs, and the bound below is ours.
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(read()))
            if math.prod(image.size) > MOST_PIXELS:
                raise Image.DecompressionBombError
            if getattr(image, "n_frames", 1) > 1:
                changed.add("move: the first frame was taken")
            image.load()
            image = ImageOps.exif_transpose(image)
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{name} has more than {MOST_PIXELS:,} pixels: it looks like a bomb; make it smaller"
        ) from error
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is not a picture that can be read; remove it, or save it anew") from error
    except BROKEN as error:
        raise DataError(f"{name} is a broken picture: {error}; remove it, or save it anew") from error
    if image.mode.startswith("I") or image.mode == "F":
        changed.add("had 16 bits and were brought to 8")
        image = Image.fromarray(_eight_bits(np.asarray(image, np.float64), image.mode, name))
    if image.has_transparency_data:
        changed.add("had transparent places, which are white now")
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("RGB")
    image = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
    if size is not None and image.size != (size[1], size[0]):
        changed.add(f"were brought to {_wide((size[1], size[0]))} pixels (width × height)")
        image = image.resize((size[1], size[0]), Image.Resampling.LANCZOS)
    return image, changed


def _eight_bits(values: Float[np.ndarray, "height width"], mode: str, name: str) -> UInt8[np.ndarray, "height width"]:
    """Grey values from 0 to 65,535 as bytes: each by the same factor, so that a dark picture stays dark."""
    low, high = values.min(), values.max()
    fractions = mode == "F" and bool((values != values.round()).any())
    if fractions or not 0.0 <= low <= high <= 65535.0:
        raise DataError(
            f"{name} holds {'fractions' if fractions else 'numbers'} from {low:g} to {high:g}, and pictures of more "
            "than 8 bits are whole numbers from 0 (black) to 65535 (white); save it with 8 or 16 bits"
        )
    return (values / 257.0).round().astype(np.uint8)


def _wide(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
