"""How directions are kept in a folder: their arrays in a file, the rest in the manifest."""

from pathlib import Path

import msgspec

from landmass.errors import StoreError
from landmass.store import read_arrays, write_arrays
from landmass.train.cloud import Cloud
from landmass.train.directions import Directions, Metric

FILE = "directions.safetensors"


class SavedDirections(msgspec.Struct, forbid_unknown_fields=True):
    """What the manifest says of directions; see `Directions`.

    Args:
        names: see there.
        quality: see there.
        counts: see there.
        classes: see there.
        metric: see there.
        sha256: of the file that holds their arrays.
    """

    names: tuple[str, ...]
    quality: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]
    classes: tuple[tuple[str, ...] | None, ...]
    metric: Metric
    sha256: str


class LatentNotes(msgspec.Struct, forbid_unknown_fields=True):
    """What people have found out about latents.

    Args:
        names: what all of them are called; empty if they have no names.
        directions: the latent steps of attributes.
    """

    names: tuple[str, ...] = ()
    directions: SavedDirections | None = None


def save_directions(folder: Path, found: Directions | None) -> SavedDirections | None:
    """Write the arrays of directions, if there are some.

    Args:
        folder: where to.
        found: the directions.
    """
    if found is None:
        return None
    cloud = found.cloud
    arrays = {
        "weights": found.weights,
        "units": found.units,
        "mean": cloud.mean,
        "covariance": cloud.covariance,
        "distances": cloud.distances,
    }
    sha256 = write_arrays(folder / FILE, arrays)
    return SavedDirections(found.names, found.quality, found.counts, found.classes, found.metric, sha256)


def load_directions(folder: Path, saved: SavedDirections) -> Directions:
    """Read what `save_directions` wrote.

    Args:
        folder: where it stands.
        saved: what the manifest says of it.

    Raises:
        StoreError: the file is another, or its arrays do not go with the names.
    """
    arrays = read_arrays(folder / FILE, saved.sha256)
    try:
        weights, units, mean, covariance, distances = (
            arrays[name] for name in ("weights", "units", "mean", "covariance", "distances")
        )
    except KeyError as error:
        raise StoreError(f"{folder / FILE} lacks the array {error}") from error
    attributes, latents = len(saved.names), len(mean)
    if weights.shape != (attributes, latents) or len(units) != attributes or covariance.shape != (latents, latents):
        raise StoreError(f"{folder / FILE}: the directions are not those of {attributes} attributes")
    told = saved.quality, saved.counts, saved.classes
    if not all(len(each) == attributes for each in told):
        raise StoreError(f"{folder / FILE}: the manifest does not tell of all {attributes} attributes")
    return Directions(saved.names, weights, units, *told, Cloud(mean, covariance, distances), saved.metric)
