"""Features: what a predictor is given, as numbers for a network: columns of numbers and of words, or pixels."""

import hashlib
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import msgspec
import narwhals as nw
import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import ndtri

from landmass.data.numbers import as_float64
from landmass.errors import DataError
from landmass.nn.base import Layer
from landmass.types import Copies

# Values at which a rank is kept; between two of them it is a straight line.
KNOTS = 128

# A column of words with more levels than this, of which most stand in one row only, names its rows.
NAMES_ROWS = 20


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of numbers and of words, cells of which may be empty.

    Args:
        columns: numbers with NaN for an empty cell, or text objects with None for one; by name, in order.
        unnamed: whether the names were made up, so that columns are told apart by their place.
        notes: what the reader left out, in sentences.
        beside: a part of the same data that is held out: what only it holds is unknown, and no fault.
    """

    columns: dict[str, Shaped[np.ndarray, " events"]]
    unnamed: bool = False
    notes: tuple[str, ...] = ()
    beside: "Table | None" = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, rows: Shaped[np.ndarray, " chosen"]) -> Self:
        """The events of some rows."""
        return type(self)({name: cells[rows] for name, cells in self.columns.items()}, self.unnamed, self.notes)

    def copies(self) -> Copies:
        """For each row the number of the distinct event that it is a copy of."""
        codes = [
            np.unique(cells.astype(str) if cells.dtype == object else cells, return_inverse=True)[1]
            for cells in self.columns.values()
        ]
        return np.unique(np.column_stack(codes), axis=0, return_inverse=True)[1].ravel()

    def sha256(self) -> str:
        """Of the cells."""
        found = hashlib.sha256(repr(list(self.columns)).encode())
        for cells in self.columns.values():
            found.update(repr(cells.tolist()).encode() if cells.dtype == object else cells.tobytes())
        return found.hexdigest()

    def knowing(self, held_out: "Table") -> Self:
        """The same events, of data of which a part is held out."""
        return replace(self, beside=held_out)

    def without(self, name: str) -> Self:
        """The same events without a column."""
        kept = {other: cells for other, cells in self.columns.items() if other != name}
        if not kept:
            raise DataError(f"there is no column besides {name!r} to predict it from; add one")
        return type(self)(kept, self.unnamed, self.notes)

    @classmethod
    def of(cls, frame: nw.DataFrame) -> Self:
        """The columns of a table in memory.

        Raises:
            DataError: a number is infinite.
        """
        columns, notes = {}, []
        for values, name in zip(frame.iter_columns(), map(str, frame.columns), strict=True):
            cells = _cells(values, name)
            if cells is None:
                notes.append(f"left out column {name!r}: it holds {values.dtype}, neither numbers nor words")
            else:
                columns[name] = cells
        if not columns:
            raise DataError("no column of numbers or words to predict from; add one")
        return cls(columns, notes=tuple(notes))


def _cells(values: nw.Series, name: str) -> Shaped[np.ndarray, " events"] | None:
    """A column's cells; None of a kind that cannot be used."""
    kind = values.dtype
    empty = values.is_null().to_numpy().astype(bool)
    if kind.is_numeric() or kind == nw.Boolean:
        numbers = np.full(len(values), np.nan)
        numbers[~empty] = as_float64(values.filter((~empty).tolist()).to_numpy(), name)
        wrong = np.isinf(numbers)
        if wrong.any():
            row = int(wrong.argmax())
            raise DataError(
                f"column {name!r} holds {numbers[row]} (row {row}, counted from 0; {wrong.sum()} such values); "
                "correct these cells, or empty them"
            )
        own = values.to_numpy()
        return own if own.dtype.kind in "biu" and not empty.any() else numbers
    if kind in (nw.String, nw.Categorical, nw.Enum, nw.Object):
        words = np.array(
            [None if gap else str(cell) for cell, gap in zip(values.to_list(), empty, strict=True)], object
        )
        return words
    return None


class Rank(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number's place among those of training, as the normal score of the share below it.

    Args:
        values: where it is known, ascending.
        scores: it.
    """

    values: tuple[float, ...]
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.values) == len(self.scores) > 0 or any(a >= b for a, b in pairwise(self.values)):
            raise ValueError("a rank has a score for each of its values, which ascend")

    def encode(self, cells: Shaped[np.ndarray, " events"]) -> Float[np.ndarray, " events"]:
        """The rank of each cell, the nearest one beyond the ends; 0 for an empty cell."""
        return np.nan_to_num(np.interp(cells, self.values, self.scores))

    @classmethod
    def fit(cls, values: Shaped[np.ndarray, " values"], shares: Shaped[np.ndarray, " values"]) -> Self:
        """Learn it from values and the shares below them."""
        kept = np.arange(len(values))
        if len(values) > KNOTS:
            kept = np.unique(np.searchsorted(shares, np.linspace(shares[0], shares[-1], KNOTS)))
        return cls(tuple(values[kept].tolist()), tuple(ndtri(shares[kept]).round(6).tolist()))


class Number(msgspec.Struct, frozen=True, tag_field="kind", tag="number", forbid_unknown_fields=True):
    """A column of numbers, standardised; an empty cell is the mean, and told beside it.

    Args:
        name: the column's.
        loc: its mean.
        scale: its standard deviation.
        gaps: whether cells may be empty, because some were in training.
        fills: whether an empty cell is the mean and no more, because only held-out rows had some.
        ranks: its place among the rows, and if that is another one, its place among the distinct numbers.
    """

    name: str
    loc: float
    scale: float
    gaps: bool
    ranks: tuple[Rank, ...] = ()
    fills: bool = False

    @property
    def width(self) -> int:
        """How many numbers it makes."""
        return 1 + self.gaps

    def encode(self, cells: Shaped[np.ndarray, " events"]) -> Float[np.ndarray, "events width"]:
        """The numbers it makes of cells.

        Raises:
            DataError: a cell holds what no cell held in training.
        """
        if cells.dtype == object:
            first = next((cell for cell in cells if cell is not None), None)
            raise DataError(f"column {self.name!r} held numbers in training, and now text: {first!r}; give numbers")
        empty = np.isnan(cells)
        if empty.any() and not (self.gaps or self.fills):
            raise DataError(
                f"column {self.name!r} has an empty cell (row {empty.argmax()}, counted from 0), and had none in "
                "training; fill it, or fit with such rows"
            )
        with np.errstate(over="ignore"):
            numbers = np.where(empty, 0.0, (cells - self.loc) / self.scale)
        return np.column_stack([numbers, empty] if self.gaps else [numbers])


class Words(msgspec.Struct, frozen=True, tag_field="kind", tag="words", forbid_unknown_fields=True):
    """A column of words: one number for each of its levels, 1 for the one it holds; none for a word that is unknown.

    Args:
        name: the column's.
        levels: the words seen in training.
        gaps: whether cells may be empty, because some were in training.
        others: words that are unknown, because only held-out rows had them; None is an empty cell.
    """

    name: str
    levels: tuple[str, ...]
    gaps: bool
    others: tuple[str | None, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers it makes."""
        return len(self.levels) + self.gaps

    def encode(self, cells: Shaped[np.ndarray, " events"]) -> Float[np.ndarray, "events width"]:
        """The numbers it makes of cells.

        Raises:
            DataError: a cell holds what no cell held in training.
        """
        if cells.dtype != object and not np.isnan(cells).all():
            raise DataError(
                f"column {self.name!r} held words in training, and now numbers: "
                f"{float(cells[~np.isnan(cells)][0]):g}; give "
                "words"
            )
        places: dict[str | None, int] = dict.fromkeys(self.others, self.width)
        places |= {level: i for i, level in enumerate(self.levels)} | ({None: len(self.levels)} if self.gaps else {})
        known = [_word(cell) for cell in cells]
        found = np.array([places.get(cell, -1) for cell in known], int)
        if (found < 0).any():
            row = int((found < 0).argmax())
            some = ", ".join(map(repr, self.levels[:5])) + (", …" if len(self.levels) > 5 else "")
            what = "has an empty cell" if known[row] is None else f"holds {known[row]!r}"
            raise DataError(
                f"column {self.name!r} {what} (row {row}, counted from 0; {(found < 0).sum()} such cells), which it "
                f"never did in training ({len(self.levels)} levels: {some}); map it to one of these, or fit with it"
            )
        # The last place is for what is unknown.
        numbers = np.zeros((len(found), self.width + 1), np.float32)
        numbers[np.arange(len(found)), found] = 1.0
        return numbers[:, :-1]


class Features(msgspec.Struct, frozen=True, tag_field="inputs", tag="columns", forbid_unknown_fields=True):
    """How the columns of a table become numbers, as the training part had them.

    Args:
        columns: each one.
        unnamed: whether columns are told apart by their place.
        notes: which columns tell nothing, and what counts as unknown, in sentences.
    """

    columns: tuple[Number | Words, ...]
    unnamed: bool
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(cls, train: Table, validation: Table, ranked: bool) -> Self:
        """Learn levels, means, scales and ranks.

        Args:
            train: the part to learn from.
            validation: the part to choose by: a word that stands only here, or an empty cell, counts as unknown, as it
                does in the part that `train` knows to be held out.
            ranked: whether a network is given the ranks of numbers too.

        Raises:
            DataError: no column differs from row to row.
        """
        parts = [part.columns for part in (validation, train.beside) if part is not None]
        columns, notes = [], []
        for name, cells in train.columns.items():
            held_out = [part[name] for part in parts if name in part]
            alike = [each for each in held_out if (each.dtype == object) == (cells.dtype == object)]
            column, note = _fit_column(name, cells, np.concatenate([cells[:0], *alike]), ranked)
            columns += [] if column is None else [column]
            notes += [note] if note else []
        if not columns:
            raise DataError(f"there is nothing to predict from: {'; '.join(notes[:3])}")
        return cls(tuple(columns), train.unnamed, tuple(notes))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one event for the network."""
        return (sum(column.width for column in self.columns) + self.ranks,)

    @property
    def ranks(self) -> int:
        """How many of the last numbers of an event are ranks."""
        return sum(len(column.ranks) for column in self.columns if isinstance(column, Number))

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What a network begins with: nothing, as numbers come standardised."""
        return ()

    def golden(self, n: int) -> Float[np.ndarray, "events units"]:
        """Made-up numbers for a network."""
        return np.random.default_rng(0).standard_normal((n, *self.shape)).astype(np.float32).astype(np.float64)

    def of_golden(self, rows: Float[np.ndarray, "events units"]) -> Float[np.ndarray, "events units"]:
        """The same, as the network is given them."""
        return rows.astype(np.float32)

    def encode(self, table: Table) -> Float[np.ndarray, "events units"]:
        """The numbers that a network is given, float32.

        Args:
            table: its columns are found by name, or by place where they have none.

        Raises:
            DataError: a column is missing, or holds what it never held in training.
        """
        missing = [name for name in self.names if name not in table.columns]
        if missing:
            raise DataError(
                f"the columns {', '.join(map(repr, missing))} of the training data are missing here (there are: "
                f"{', '.join(map(repr, table.columns))})"
            )
        numbers: list[np.ndarray] = [column.encode(table.columns[column.name]) for column in self.columns]
        ranks = [
            rank.encode(table.columns[column.name])
            for column in self.columns
            if isinstance(column, Number)
            for rank in column.ranks
        ]
        return np.column_stack([np.clip(each, -1e30, 1e30).astype(np.float32) for each in (*numbers, *ranks)])


def _fit_column(
    name: str, cells: Shaped[np.ndarray, " events"], held_out: Shaped[np.ndarray, " others"], ranked: bool
) -> tuple[Number | Words | None, str]:
    """How a column becomes numbers, None where it tells nothing; and what there is to say of it."""
    if cells.dtype == object:
        return _fit_words(name, [_word(cell) for cell in cells], [_word(cell) for cell in held_out])
    known = cells[~np.isnan(cells)].astype(np.float64)
    gaps, empty = bool(np.isnan(cells).any()), int(np.isnan(held_out).sum())
    if not known.size:
        return None, f"left out column {name!r}: it is empty in every training row"
    with np.errstate(over="ignore", invalid="ignore"):
        loc, scale = float(known.mean()), float(known.std())
    if not np.isfinite(scale):
        raise DataError(f"column {name!r} reaches {np.abs(known).max():g}, whose square is no number; rescale it")
    if scale <= 1e-12 * abs(loc) and not gaps:
        return None, f"left out column {name!r}: it is {loc:g} in every training row"
    fills = bool(empty) and not gaps
    note = f"column {name!r} is empty in {empty} held-out rows and in no training row; that counts as its mean"
    return Number(name, loc, scale or 1.0, gaps, _ranks(known) if ranked else (), fills), note if fills else ""


def _fit_words(name: str, words: list[str | None], held_out: list[str | None]) -> tuple[Number | Words | None, str]:
    """The same of words."""
    seen = set(words)
    levels, gaps = sorted(word for word in seen if word is not None), None in seen
    if len(levels) > NAMES_ROWS and len(levels) > len(words) / 2:
        told = f"it names rows more than it says of them ({len(levels)} words in {len(words)} training rows)"
        return None, f"left out column {name!r}: {told}"
    if len(seen) < 2:
        return None, f"left out column {name!r}: it is {repr(levels[0]) if levels else 'empty'} in every training row"
    unknown = [word for word in held_out if word not in seen]
    others = sorted(set(unknown), key=lambda word: (word is None, word))
    some = ", ".join("an empty cell" if word is None else repr(word) for word in others[:3])
    note = (
        f"column {name!r} holds {len(others)} words in {len(unknown)} held-out rows that no training row has "
        f"({some}{', …' if len(others) > 3 else ''}); they count as unknown"
    )
    return Words(name, tuple(levels), gaps, tuple(others)), note if others else ""


def _ranks(known: Shaped[np.ndarray, " cells"]) -> tuple[Rank, ...]:
    """The places of numbers among the rows and, where many rows share few numbers, among the distinct ones."""
    values, counts = np.unique(known, return_counts=True)
    among_rows = (np.cumsum(counts) - counts / 2.0) / counts.sum()
    among_values = (np.arange(len(values)) + 0.5) / len(values)
    alike = np.abs(among_rows - among_values).max() < 0.01
    return tuple(Rank.fit(values, shares) for shares in ((among_rows,) if alike else (among_rows, among_values)))


def _word(cell: Any) -> str | None:
    return None if cell is None or cell != cell else str(cell)
