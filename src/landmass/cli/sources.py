"""Where a run's events came from: read with suggestions for typos, and remembered in `source.json`."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pyarrow as pa

from landmass.catalog import OF_IMAGES
from landmass.cli.columns import declared_columns, dropped_columns
from landmass.cli.console import suggest, tell
from landmass.data.binary import Binary
from landmass.data.builtin import DATASETS, truth
from landmass.data.builtin.drawn import DRAWN
from landmass.data.builtin.examples import EXAMPLES, means_examples
from landmass.data.dataset import Dataset
from landmass.data.delimited import csv_table
from landmass.data.door import read as read_any
from landmass.data.examples import Examples, examples, read_inputs
from landmass.data.features import Table
from landmass.data.images import Images, holds_images
from landmass.data.pieces import Pieces
from landmass.data.read import read, read_as
from landmass.data.stream import holds_tables, pieces
from landmass.data.tables import check_names
from landmass.errors import DataError, SettingError, StoreError
from landmass.estimator.conditional import ConditionalEstimator
from landmass.ladder.events import is_table
from landmass.ladder.parts import Events

# Names that need no file; one of both images and examples stands once.
BUILT_IN = tuple(dict.fromkeys((*DATASETS, *EXAMPLES, *DRAWN)))

# Held-out events of a built-in data set: enough for a standard error of a few thousandths of a nat.
FRESH_EVENTS = 20_000

# Added to a run's seed for held-out events of a built-in data set: the same seed would draw the training events.
FRESH_SEED = 1_000_000


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What has to be read to have the same events again.

    Args:
        source: an absolute path, a built-in name, or "-" for standard input, which cannot be read again.
        n: how many events of a built-in data set; None takes its default.
        seed: seed of that draw.
        sha256: of the events.
        target: the column or label to predict; None for events alone, or if there is only one label.
        size: side that pictures are brought to, in pixels; None leaves them as they are.
        grey: whether pictures are made grey; None does so if all are.
        as_events: whether pictures are events of densities, whatever their labels.
        binary: how pictures become black and white; None leaves them.
        missing: whether rows with empty cells are kept.
        pieces: whether the events are read piece by piece, as often as a fit needs them.
        find: whether to look at each column for what it holds.
        columns: what columns are declared to hold, as `name:kind`.
        drop: columns to leave out.
        schema: the path of a TOML file that declares columns.
    """

    source: str
    n: int | None = None
    seed: int = 0
    sha256: str = ""
    target: str | None = None
    size: int | None = None
    grey: bool | None = None
    as_events: bool = False
    binary: Binary | None = None
    missing: bool = False
    pieces: bool = False
    find: bool = False
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    schema: str | None = None

    @property
    def may_be_found(self) -> bool:
        """Whether there are columns to be looked at: of a file of a table, unless rows with gaps are to be kept."""
        found = is_table(self.source) or (self.pieces and Path(self.source).suffix.lower() != ".npy")
        return not (self.has_answers or self.holds_images or self.missing) and found

    @property
    def is_table_of_ours(self) -> bool:
        """Whether it is a built-in table of columns of any kind."""
        return self.source in DATASETS and not (self.has_answers or truth(self.source).schema.plain)

    @property
    def has_answers(self) -> bool:
        """Whether there is something to predict: a target, built-in examples, or pictures with labels."""
        if self.target is not None:
            return True
        return (means_examples(self.source) or self.holds_images) and not self.as_events

    @property
    def holds_images(self) -> bool:
        """Whether the events are pictures."""
        if self.source in DRAWN:
            return True
        return not (self.pieces or self.holds_tables or _known(self.source)) and holds_images(Path(self.source))

    @property
    def holds_tables(self) -> bool:
        """Whether it is a folder of tables."""
        return not _known(self.source) and holds_tables(Path(self.source))


class Sources(Source, frozen=True, forbid_unknown_fields=True):
    """What `source.json` holds: the events of a run and its held-out events, and what was to be fitted to them.

    The seed is also that of every fit.

    Args:
        test: the held-out events where they came on their own.
        families: the families to fit, with commas between them; None is all.
        settings: of the families, as `family.setting=value`.
    """

    test: Source | None = None
    families: str | None = None
    settings: tuple[str, ...] = ()

    @property
    def from_stdin(self) -> bool:
        """Whether some of the events cannot be read again."""
        return "-" in (self.source, self.test and self.test.source)

    def read(self) -> tuple[Events | Pieces, Events | None]:
        """Read the events again, and the held-out events where they came on their own."""
        data, _ = read_to_fit(self)
        return data, None if self.test is None else read_held_out(self.test, data)[0]


def fresh(name: str, like: Source, n: int | None = None) -> Source:
    """Held-out events: of a built-in data set other ones than a run of that seed learns from.

    Args:
        name: what to read.
        like: what the run learns from.
        n: how many events of a built-in data set.

    Raises:
        SettingError: there are no other events of that name.
    """
    if name in EXAMPLES and EXAMPLES[name].finite:
        raise SettingError(
            f"{name} is one set of {EXAMPLES[name].n:,} events, and there are no others to hold against what was "
            "learned from it; a run keeps some of them back"
        )
    if name not in BUILT_IN:
        return msgspec.structs.replace(like, source=name, n=n, sha256="", pieces=False)
    most = FRESH_EVENTS if name in DATASETS else {**DRAWN, **EXAMPLES}[name].n
    return msgspec.structs.replace(
        like, source=name, n=most if n is None else n, seed=like.seed + FRESH_SEED, sha256=""
    )


def read_to_fit(source: Source) -> tuple[Events | Pieces, Source]:
    """Read events to fit something to, in pieces where the source says so, and else as `read_events` does.

    Args:
        source: see there, and so for what comes back.

    Raises:
        SettingError: an option has no meaning for events in pieces.
    """
    if not source.pieces:
        return read_events(source)
    name = source.source
    check_there(name)
    others = source.target, source.n, source.size, source.grey, source.binary, source.missing or None
    if _known(name) or any(each is not None for each in others):
        raise SettingError(
            "a folder of tables, or a file with --pieces, is read piece by piece, for densities of its rows; leave out "
            "--target, --n, --missing and what is for pictures, or give one file without --pieces"
        )
    if source.find or source.columns or source.drop or source.schema:
        declared = declared_columns(source.columns, source.schema)
        data = pieces(name, find=True, columns=declared, drop=dropped_columns(source.drop, source.schema))
    else:
        data = pieces(name)
    tell_notes(data.name, data.notes)
    return data, _found(source, str(Path(name).resolve()), data.sha256())


def read_events(source: Source) -> tuple[Events, Source]:
    """Read events, with their answers where there is something to predict; the reader's notes go to stderr.

    Args:
        source: what to read.

    Returns:
        The events, and the source with their hash and an absolute path.

    Raises:
        DataError: there is nothing of that name, or it cannot be modelled.
        SettingError: `n` was given for a file.
        StoreError: the events are not those of the hash any more.
    """
    name = source.source
    check_there(name)
    if source.missing and (source.has_answers or source.holds_images):
        raise SettingError(
            f"--missing is for densities of rows; leave it out for {name}: pictures have no empty cells, and "
            "predictors take them as they are"
        )
    if source.has_answers:
        if source.binary is not None:
            raise SettingError(
                "--binary is for densities of pictures, and predictors are asked for; leave it out, or name densities "
                f"with --families ({', '.join(OF_IMAGES)})"
            )
        if name == "-":
            raise SettingError("what is to be predicted cannot come from standard input; give a file")
        data: Events = _with_answers(source)
    elif source.holds_images:
        data = read_any(name, n=source.n, seed=source.seed, size=source.size, grey=source.grey, binary=source.binary)
    elif (source.size, source.grey, source.binary) != (None, None, None):
        raise SettingError(f"--size, --grey and --binary are for pictures, and {name} holds none")
    elif source.find or source.columns or source.drop or source.schema:
        declared = declared_columns(source.columns, source.schema)
        data = read(name, n=source.n, find=True, columns=declared, drop=dropped_columns(source.drop, source.schema))
    else:
        data = read(name, n=source.n, seed=source.seed, missing=source.missing)
    tell_notes(data.name, data.notes)
    place = name if _known(name) else str(Path(name).resolve())
    answers = source.target if not isinstance(data, Examples) or name in EXAMPLES else data.target
    return data, _found(msgspec.structs.replace(source, target=answers), place, data.sha256())


def read_held_out(source: Source, data: Events | Pieces) -> tuple[Events, Source]:
    """Read held-out events; columns of a table hold what they hold in the events to learn from.

    Args:
        source: what to read.
        data: the events to learn from.

    Returns:
        The events, and the source, as `read_events` gives them.

    Raises:
        DataError: there is nothing of that name, or a column is missing, or holds something else.
    """
    if not isinstance(data, Dataset | Pieces) or data.schema.plain or source.source in BUILT_IN:
        return read_events(source)
    check_there(source.source)
    found = read_as(source.source, data.schema)
    tell_notes(found.name, found.notes)
    place = source.source if source.source == "-" else str(Path(source.source).resolve())
    return found, _found(source, place, found.sha256())


def _found(source: Source, place: str, sha256: str) -> Source:
    """A source whose events have been read, with their place and hash."""
    if source.sha256 not in ("", sha256):
        raise StoreError(f"{source.source} has changed since the run was fitted")
    return msgspec.structs.replace(source, source=place, sha256=sha256)


def _with_answers(source: Source) -> Images | Examples:
    """Events with their answers; pictures of which nothing is known are events of densities."""
    if source.target is None and source.source not in EXAMPLES and source.holds_images and source.n is None:
        images = read_any(source.source, size=source.size, grey=source.grey)
        if isinstance(images, Images) and not images.labels:
            return images
        return examples(images)
    return examples(source.source, source.target, n=source.n, seed=source.seed, size=source.size, grey=source.grey)


def read_to_predict(name: str, model: ConditionalEstimator) -> Table | Images:
    """Read events without their answers, as a predictor was fitted to them; the reader's notes go to stderr.

    Args:
        name: what to read.
        model: the predictor.

    Raises:
        DataError: there is nothing of that name, or it cannot be read.
    """
    check_there(name)
    events, called = read_inputs(table_or_name(name), model.inputs_)
    tell_notes(called, events.notes)
    return events


def table_or_name(name: str) -> pa.Table | str:
    """The table on standard input if that is meant, with all its columns; or else the name.

    Args:
        name: a path, a built-in name, or "-".

    Raises:
        DataError: standard input holds no table.
    """
    if name != "-":
        return name
    table = csv_table(sys.stdin.buffer.read(), "stdin")[0]
    check_names(table.column_names, "stdin")
    return table


def tell_notes(name: str, notes: Iterable[str]) -> None:
    """Say on stderr what a reader left out or changed.

    Args:
        name: what the data is called.
        notes: in sentences.
    """
    for note in notes:
        tell(f"{name}: {note}")


def check_there(name: str) -> None:
    """Refuse a source that does not exist, with a suggestion.

    Args:
        name: a path, a built-in name, or "-".

    Raises:
        DataError: there is nothing of that name.
    """
    if _known(name) or os.path.lexists(name):
        return
    folder = Path(name).parent
    beside = [str(path.relative_to(".") if folder == Path(".") else path) for path in _entries(folder)]
    raise DataError(
        f"there is no file {name}, and no built-in data set of that name{suggest(name, [*BUILT_IN, *beside])} "
        f"(built in: {', '.join(BUILT_IN)})"
    )


def _known(name: str) -> bool:
    return name == "-" or name in BUILT_IN


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
