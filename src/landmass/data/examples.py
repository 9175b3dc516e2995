"""Examples: events with the answers that a predictor is to give of them."""

import hashlib
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import narwhals as nw
import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import entr
from sklearn.exceptions import DataConversionWarning

from landmass.data import delimited, images, tables
from landmass.data.batches import Split, split_rows
from landmass.data.builtin.drawn import DRAWN
from landmass.data.builtin.examples import EXAMPLES, asks_for_examples
from landmass.data.door import read as read_any
from landmass.data.features import Features, Table
from landmass.data.images import Images
from landmass.data.pixels import PixelInputs
from landmass.data.read import check_file, read
from landmass.errors import DataError, SettingError
from landmass.types import Copies

Inputs = Features | PixelInputs
"""How events become numbers for a network."""

# Whole numbers of more distinct values are amounts, not classes.
MOST_CLASSES = 20

Answers = Shaped[np.ndarray, " events"]
"""One an event: words, classes or numbers."""


def fit_inputs(train: Table | Images, validation: Table | Images, ranked: bool) -> Inputs:
    """Learn how events become numbers for a network; see `Features.fit` and `PixelInputs.fit`."""
    if isinstance(train, Images) and isinstance(validation, Images):
        return PixelInputs.fit(train, validation)
    if isinstance(train, Table) and isinstance(validation, Table):
        return Features.fit(train, validation, ranked)
    raise TypeError("the parts are of two kinds")


@dataclass(frozen=True, eq=False)
class Examples:
    """Events with their answers.

    Args:
        inputs: what a predictor is given.
        answers: what it is to predict.
        target: what the answers are called.
        name: what the data is called.
        chances: the exact probability of each class given the event, classes in sorted order, where it is known.
    """

    inputs: Table | Images
    answers: Answers
    target: str = "y"
    name: str = "data"
    chances: Float[np.ndarray, "events classes"] | None = None

    def __len__(self) -> int:
        return len(self.answers)

    def split(self, test: float = 0.2, *, seed: int = 0) -> tuple[Self, Self]:
        """Examples to learn from, and a share of them to be kept for the test; copies of an event stay on one side.

        Args:
            test: the share.
            seed: seed of the choice.
        """
        parts = self.parts(seed, 0.0, test, classes=not is_number(self.answers))
        return self.take(parts.train), self.take(parts.test)

    def parts(self, seed: int, validation: float, test: float, *, classes: bool) -> Split:
        """Rows to learn from, to choose by and to report on; copies of an event stay on one side.

        Args:
            seed: see `landmass.data.batches.split_rows`, and so for the next two.
            validation: see there.
            test: see there.
            classes: whether the answers are classes, of each of which there is to be something to learn from.
        """
        answers = self.answers.astype(str) if self.answers.dtype == object else self.answers
        codes = np.unique(answers, return_inverse=True)[1] if classes else None
        return split_rows(self.copies(), seed, validation, test, classes=codes)

    def copies(self) -> Copies:
        """For each event the number of the distinct one that it is a copy of.

        Where most events have copies, as rows of a few categories have, they are not one event told twice, and each
        counts for itself.
        """
        found = self.inputs.copies()
        return found if 2 * (found.max(initial=0) + 1) > len(self) else np.arange(len(self))

    def check_fit(self) -> None:
        """Refuse answers that are all the same.

        Raises:
            DataError: names the target, the value and the remedy.
        """
        if len(self) and (self.answers == self.answers[0]).all():
            is_ = "is always" if self.answers.dtype.kind in "fiu" else "has one class only:"
            raise DataError(
                f"the target {self.target!r} {is_} {self.answers.tolist()[0]!r} in all {len(self)} rows; add events "
                "with other answers"
            )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader left out or changed, in sentences."""
        return self.inputs.notes

    @property
    def unit(self) -> str:
        """What a density of the answers is per."""
        return f"unit of {self.target}" if is_number(self.answers) else "class"

    @property
    def entropy(self) -> float | None:
        """Mean entropy of the answers, each given its event, in nats; None where the chances are not known."""
        return None if self.chances is None else float(entr(self.chances).sum(axis=1).mean())

    def sha256(self) -> str:
        """Of the events and their answers."""
        return hashlib.sha256(f"{self.inputs.sha256()} {self.answers.tolist()!r}".encode()).hexdigest()

    def knowing(self, held_out: Self) -> Self:
        """The same examples, of data of which a part is held out: words that stand only there are unknown, no fault."""
        if isinstance(self.inputs, Table) and isinstance(held_out.inputs, Table):
            return replace(self, inputs=self.inputs.knowing(held_out.inputs))
        return self

    def take(self, rows: Shaped[np.ndarray, " chosen"]) -> Self:
        """The examples of some rows."""
        chances = None if self.chances is None else self.chances[rows]
        return type(self)(self.inputs.take(rows), self.answers[rows], self.target, self.name, chances)


def is_number(answers: Answers) -> bool:
    """Whether answers are numbers on a line, rather than classes: more than a few, or with fractions."""
    if answers.dtype.kind not in "fiu":
        return False
    distinct = np.unique(answers)
    return len(distinct) > MOST_CLASSES or bool((distinct != np.round(distinct)).any())


def read_examples(X: Any, y: Any, like: Inputs | None = None) -> Examples:
    """Read events and their answers.

    Args:
        X: a NumPy array (events × columns), a table of numbers and words, or the path of one; images, an array of them
            (events × height × width × channels), or the path of a folder or ZIP archive of pictures; `Examples`, or the
            name of built-in ones.
        y: the answers, one an event; or the name of the column or label that holds them. Images with one label alone
            need none.
        like: see `read_inputs`.

    Raises:
        DataError: there is no such column, an answer is missing, or there are more of one than of the other.
    """
    if isinstance(X, Examples) and y is None:
        return X
    if asks_for_examples(X, y):
        return examples(X)
    inputs, name = (X.inputs, X.name) if isinstance(X, Examples) else read_inputs(X, like)
    known = inputs.labels if isinstance(inputs, Images) else inputs.columns
    if y is None and isinstance(inputs, Images) and len(known) == 1:
        y = next(iter(known))
    if y is None and isinstance(inputs, Images):
        has = f"the labels {', '.join(map(repr, known))}; say which" if known else "no labels; give some, and say which"
        raise DataError(f"{name} has {has} is to be predicted (target=…, --target)")
    if isinstance(y, str):
        if y not in known:
            there = f"there are: {', '.join(map(repr, known))}" if known else "there are none"
            raise DataError(f"there is no column {y!r} to predict ({there})")
        answers, target = known[y], y
        inputs = inputs if isinstance(inputs, Images) else inputs.without(y)
    else:
        answers, target = _flat(y), "y"
    if len(inputs) != len(answers):
        raise DataError(f"there are {len(inputs)} events and {len(answers)} answers; give one for each")
    missing = np.array([cell is None or cell != cell for cell in answers.tolist()])
    if missing.any():
        raise DataError(
            f"the target {target!r} has no value in {missing.sum()} of {len(answers)} rows (the first is row "
            f"{missing.argmax()}, counted from 0; Input contains NaN); fill these cells, or remove their rows"
        )
    if answers.dtype.kind == "f" and np.isinf(answers).any():
        raise DataError(
            f"the target {target!r} holds {answers[np.isinf(answers)][0]} (row {np.isinf(answers).argmax()}, counted "
            "from 0; Input contains infinity); correct these cells, or remove their rows"
        )
    return Examples(inputs, answers, target, name)


def examples(
    source: Any,
    target: Any = None,
    *,
    n: int | None = None,
    seed: int = 0,
    size: int | tuple[int, int] | None = None,
    grey: bool | None = None,
) -> Examples:
    """Read events with the answers that a predictor is to give of them.

    Args:
        source: the path of a table, or of a folder or ZIP archive of pictures; an array or a table; or the name of
            built-in examples or images (`landmass datasets` lists them).
        target: the name of the column or label that holds the answers, or the answers themselves; images with one label
            alone, and built-in examples, need none.
        n: how many built-in examples to make.
        seed: seed of making them.
        size: height and width to bring all pictures to; one number makes squares.
        grey: whether to make all pictures grey; None does so if all are.
    """
    if asks_for_examples(source, target):
        made = EXAMPLES[source].make(EXAMPLES[source].n if n is None else n, seed)
        return Examples(made.inputs, made.answers, EXAMPLES[source].target, source, made.chances)
    if isinstance(source, str) and source in DRAWN and source not in EXAMPLES:
        return read_examples(read_any(source, n=n, seed=seed, size=size, grey=grey), target)
    if n is not None:
        raise SettingError(f"n counts built-in examples ({', '.join(EXAMPLES)}); {str(source)[:80]!r} are not such")
    if isinstance(source, str | Path) and (size is not None or grey is not None):
        source = images.read_images(Path(source), size=size, grey=grey)
    return read_examples(source, target)


def read_inputs(X: Any, like: Inputs | None = None) -> tuple[Table | Images, str]:
    """Read events without answers, and what they are called.

    Args:
        X: see `read_examples`; also the path of one picture.
        like: how the events of a fit became numbers: pictures in files are brought to the size of those.
    """
    if isinstance(X, Examples):
        return X.inputs, X.name
    if isinstance(X, Images | Table):
        return X, getattr(X, "name", "data")
    if isinstance(X, str) and X in EXAMPLES:
        return examples(X).inputs, X
    if isinstance(X, str) and X in DRAWN:
        return DRAWN[X].make(size=like.shape[0] if isinstance(like, PixelInputs) else None), X
    if isinstance(X, str | Path):
        return _read_path(Path(X), like), Path(X).stem
    if tables.is_table(X):
        return Table.of(nw.from_native(X, eager_only=True)), "data"
    if len(getattr(X, "shape", ())) in (3, 4):
        return images.from_array(X), "images"
    return _numbers(X), "data"


def _read_path(path: Path, like: Inputs | None) -> Table | Images:
    if not path.exists() and not path.is_symlink():
        known = ", ".join(EXAMPLES)
        raise DataError(f"there is no file or folder {path}, and no built-in examples of that name (there: {known})")
    if images.holds_images(path):
        if not isinstance(like, PixelInputs) or path.suffix.lower() in (".npy", ".npz"):
            return images.read_images(path)
        return images.read_images(path, size=like.shape[:2], grey=like.shape[2] == 1)
    check_file(path)
    ending = path.suffix.lower()
    if ending not in (".csv", ".tsv", ".parquet"):
        return _numbers(path)
    table = tables.parquet_table(path) if ending == ".parquet" else delimited.csv_table(path, path.stem)[0]
    tables.check_names(table.column_names, path.stem)
    return Table.of(nw.from_native(table, eager_only=True))


def _numbers(X: Any) -> Table:
    data = read(X)
    columns = dict(zip(data.schema.names, data.X.T, strict=True))
    return Table(columns, data.unnamed, data.notes)


def _flat(y: Any) -> Answers:
    if y is None:
        raise DataError(
            "fit requires y to be passed, but the target y is None; pass the answers, or the name of a column of X"
        )
    native = nw.from_native(y, series_only=True, pass_through=True)
    answers: Any = native.to_numpy() if isinstance(native, nw.Series) else np.asarray(y)
    if answers.ndim == 2 and answers.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected; pass y.ravel()",
            DataConversionWarning,
            stacklevel=4,
        )
        answers = answers[:, 0]
    if answers.ndim != 1:
        raise DataError(f"answers are one number or word an event, found shape {answers.shape}; give one column")
    return answers
