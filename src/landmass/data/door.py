"""The one door: whatever a person calls data comes in here."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from landmass.data import read as rows
from landmass.data.binary import Binary, as_binary
from landmass.data.builtin import DATASETS
from landmass.data.builtin.drawn import DRAWN
from landmass.data.dataset import Dataset
from landmass.data.images import Images, from_array, holds_images, read_images
from landmass.data.mixed import Columns
from landmass.data.schema import Schema
from landmass.data.stream import holds_tables
from landmass.errors import DataError, SettingError


def read(
    source: Any,
    *,
    n: int | None = None,
    seed: int = 0,
    schema: Schema | None = None,
    size: int | tuple[int, int] | None = None,
    grey: bool | None = None,
    binary: Binary | None = None,
    missing: bool = False,
    find: bool = False,
    columns: Columns | None = None,
    drop: Collection[str] = (),
) -> Dataset | Images:
    """Read events from whatever holds them.

    Args:
        source: a NumPy array (events × columns); a pandas, polars or Arrow table; the path of a CSV, TSV, Parquet, NPY
            or NPZ file, or of a folder or ZIP archive of pictures; `"-"` for CSV on standard input; or the name of a
            built-in data set (`landmass datasets` lists them; write `./land` for a file of that name). A `Dataset` and
            `Images` are returned as they are.
        n: how many events to draw from a built-in data set.
        seed: seed of that draw.
        schema: the sample space, where the default (real columns) is not meant.
        size: height and width to bring all pictures to; one number makes squares. Built-in images are drawn at it.
        grey: whether to make all pictures grey; None does so if all are.
        binary: how images become black and white: `threshold` cuts at half, `draw` draws each pixel with the
            probability that its grey says, anew for each step of a training and once for a score; None leaves them.
        missing: whether rows with empty cells are kept, with NaN in these, for families that take them.
        find: whether to look at each column of a table for what it holds: words, dates, whole numbers, rounded ones,
            empty cells; else columns of numbers are taken as real, and others are left out.
        columns: what some columns are declared to hold, by name: columns of a schema, or names of kinds ("integer",
            "category", …); the others are looked at.
        drop: columns to leave out; the others are looked at.

    Returns:
        A `Dataset`, or `Images`.

    Raises:
        DataError: there is nothing to read, or it cannot be modelled; names column, value and remedy.
    """
    if isinstance(source, str) and source in DRAWN and schema is not None:
        raise SettingError(f"{source} are drawn as squares of bytes: give n, seed and size=32, and no schema")
    if (images := _images(source, n, seed, size, grey)) is not None:
        return images if binary is None else as_binary(images, binary)
    if size is not None or grey is not None or binary is not None:
        raise SettingError("size, grey and binary are for pictures; leave them out")
    given = {"find": find, "columns": columns, "drop": drop}
    return rows.read(source, n=n, seed=seed, schema=schema, missing=missing, **given)


def _images(
    source: Any, n: int | None, seed: int, size: int | tuple[int, int] | None, grey: bool | None
) -> Images | None:
    """The images that a source holds; None if it holds none."""
    if isinstance(source, Images):
        return source
    if len(getattr(source, "shape", ())) in (3, 4) and getattr(source.dtype, "kind", "") in "iu":
        return from_array(source)
    if isinstance(source, str) and source in DRAWN:
        if grey is not None or isinstance(size, tuple):
            raise SettingError(
                f"{source} are drawn as squares, in their own greys or colours: give n, seed and size=32"
            )
        return DRAWN[source].make(n, size=size, seed=seed)
    is_path = isinstance(source, Path) or (isinstance(source, str) and source != "-" and source not in DATASETS)
    if is_path and holds_tables(Path(source)):
        raise DataError(
            f"{source} is a folder of tables, and one file is needed here; what reads them one after the other is "
            "landmass.pieces, and on the shell `landmass fit FOLDER` and `landmass score RUN FOLDER --out FOLDER`"
        )
    if is_path and holds_images(Path(source)):
        if n is not None:
            raise SettingError(f"n counts events of a built-in data set; {str(source)[:80]!r} is not one")
        return read_images(Path(source), size=size, grey=grey)
    return None


def read_like(source: Any, shape: tuple[int, int, int], *, n: int | None = None, seed: int = 0) -> Images:
    """Read images of a known shape, to which pictures are brought.

    Args:
        source: an array (events × height × width, or with channels behind), `Images`, or the path of such or of
            pictures; or the name of built-in images, which are drawn at the height.
        shape: height, width, channels.
        n: how many built-in images to draw.
        seed: seed of that draw.

    Raises:
        DataError: there are no images, or an array's have another shape.
    """
    if isinstance(source, str) and source in DRAWN:
        images = DRAWN[source].make(n, size=shape[0], seed=seed)
    elif isinstance(source, str | Path):
        path = Path(source)
        as_it_is = path.suffix.lower() in (".npy", ".npz")
        images = read_images(path) if as_it_is else read_images(path, size=shape[:2], grey=shape[2] == 1)
    else:
        images = source if isinstance(source, Images) else from_array(source)
    if images.X.shape[1:] != shape:
        found, fitted = ("×".join(map(str, each)) for each in (images.X.shape[1:], shape))
        raise DataError(f"images are {found}, and the model was fitted to {fitted} (height × width × channels)")
    return images
