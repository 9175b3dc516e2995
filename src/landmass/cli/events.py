"""The events that a run is asked about: read as those that it was fitted to."""

import shlex
from pathlib import Path
from typing import Any

import msgspec

from landmass.cli.console import tell
from landmass.cli.sources import (
    FRESH_SEED,
    Source,
    Sources,
    check_there,
    read_events,
    table_or_name,
    tell_notes,
)
from landmass.data.binary import Binary, as_binary
from landmass.data.builtin import DATASETS
from landmass.data.builtin.drawn import DRAWN
from landmass.data.builtin.examples import EXAMPLES
from landmass.data.dataset import Dataset
from landmass.data.door import read_like
from landmass.data.examples import Examples, read_examples
from landmass.data.images import Images
from landmass.data.pixels import PixelInputs
from landmass.data.read import read_as
from landmass.data.schema import Image
from landmass.errors import DataError, SettingError
from landmass.estimator.density import DensityEstimator
from landmass.store import read_json


def asked(name: str, n: int | None = None, seed: int | None = None, binary: Binary | None = None) -> Source:
    """What to read for a question: of a built-in data set events that no fit learns from unless it is told to.

    Args:
        name: a path, a built-in name, or "-".
        n: how many events of a built-in data set.
        seed: seed of that draw.
        binary: how grey pictures become black and white; None as those of the run.
    """
    return Source(name, n, FRESH_SEED if seed is None else seed, binary=binary)


def events_for(run: Path, model: Any, source: Source) -> Dataset | Images | Examples:
    """Events to ask a rung about, with their answers if it is a predictor.

    Args:
        run: the run's folder, or the rung's.
        model: the rung.
        source: what to read.

    Raises:
        DataError: there is nothing of that name, or it is no such events.
    """
    image = model.data_.schema.image if isinstance(model, DensityEstimator) else None
    if source.binary is not None and (image is None or image.levels != 2):
        raise SettingError(
            "--binary is for rungs of black and white pictures, and this rung is of others; leave it out"
        )
    if image is not None:
        return _images(run, image, source)
    if isinstance(model, DensityEstimator):
        if source.has_answers:
            raise DataError(
                f"{source.source} are no rows of the columns {', '.join(map(repr, model.data_.schema.names))}"
            )
        if not model.data_.schema.plain:
            check_there(source.source)
            if source.n is not None and source.source not in DATASETS:
                raise SettingError(
                    f"--n counts events of a built-in data set ({', '.join(DATASETS)}); {source.source} is none"
                )
            events = read_events(source)[0] if source.source in DATASETS else source.source
            return read_as(events, model.data_.schema)
        return read_events(msgspec.structs.replace(source, missing=model._misses))[0]
    if source.source in EXAMPLES:
        return read_events(msgspec.structs.replace(source, target=EXAMPLES[source.source].target))[0]
    check_there(source.source)
    if source.source in DRAWN and isinstance(model.inputs_, PixelInputs):
        target, size = model.data_.schema.names[0], model.inputs_.shape[0]
        return read_events(msgspec.structs.replace(source, target=target, size=size))[0]
    data = read_examples(table_or_name(source.source), model.data_.schema.names[0], model.inputs_)
    tell_notes(data.name, data.notes)
    return data


def _images(run: Path, image: Image, source: Source) -> Images:
    """Images of a shape; grey ones become black and white where the run's events are."""
    check_there(source.source)
    if source.n is not None and source.source not in DRAWN:
        raise SettingError(f"--n counts images of a built-in data set ({', '.join(DRAWN)}); {source.source} is none")
    images = read_like(source.source, image.shape, n=source.n, seed=source.seed)
    folder = with_source(run)
    how = source.binary or (folder and read_json(folder / "source.json", Sources).binary)
    if image.levels != 2 or how is None:
        return images
    if ((images.X > 1) & (images.X < 255)).any():
        tell(f"{source.source}: grey becomes black or white (--binary {how})")
    return as_binary(images, how)


def tell_if_known(run: Path, source: str, events: Dataset | Images | Examples | None) -> None:
    """Say that a run has learned from events, if it was fitted to just these, or to a finite set that they are of.

    Args:
        run: the run's folder, or the rung's.
        source: where the events are from.
        events: themselves; None where they are too many to be at hand.
    """
    folder = with_source(run)
    if folder is None:
        return
    fitted = read_json(folder / "source.json", Sources)
    of_one_set = source == fitted.source and source in EXAMPLES and EXAMPLES[source].finite
    # Of pieces the hash is another; a file may be one of those in a folder.
    place = Path(source).resolve()
    same_file = (fitted.pieces or events is None) and Path(fitted.source) in (place, place.parent)
    if of_one_set or same_file or (events is not None and events.sha256() == fitted.sha256):
        tell(
            f"{source}: the run has learned from some of these very events, which makes their score too good; "
            f"`landmass report {shlex.quote(str(folder))}` tells the score of those that were kept back"
        )


def with_source(run: Path) -> Path | None:
    """The folder that remembers what a run, or a rung's run, was fitted to; None if it was saved from Python.

    Args:
        run: the run's folder, or the rung's.
    """
    # A rung stands two folders below its run.
    return next((each for each in (run, run.parent.parent) if (each / "source.json").exists()), None)
