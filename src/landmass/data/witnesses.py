"""Witnesses: a few rows of a table too large for memory that show what all of its columns hold."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int

from landmass.data.cells import MICROSECONDS
from landmass.data.kinds import MOST_DECIMALS
from landmass.errors import DataError

# Rows that are taken whatever they hold, so that frequencies are those of all: between so many and twice as many.
PLAIN = 50_000

# Words of a column after which no other is kept: it names rows, or is to be declared.
MOST_WORDS = 200_000

Numbered = tuple[Int[np.ndarray, "_"], pa.Table]
"""Rows, with their numbers."""


def witnesses(tables: Iterable[pa.Table]) -> pa.Table:
    """Evenly spaced rows, and for each column every row that shows something new of it.

    New are an empty cell, a word, a number beyond those before it, one of more decimals, a time of a finer tick. So the
    kinds that are found from these rows fit all others.

    Args:
        tables: of the same columns, one after the other.

    Raises:
        DataError: they have other columns, or one holds words in one of them and numbers in another.
    """
    seen: dict[str, _Seen] = {}
    kept: list[Numbered] = []
    plain: list[Numbered] = []
    start, every = 0, 1
    names: list[str] = []
    for table in tables:
        names = names or table.column_names
        if sorted(table.column_names) != sorted(names):
            raise DataError(
                f"the pieces do not hold the same columns: from row {start:,} on they are {table.column_names}, before "
                f"{names}; write them alike"
            )
        even = np.arange(-start % every, table.num_rows, every)
        plain.append((start + even, table.take(even)))
        while sum(len(rows) for rows, _ in plain) > 2 * PLAIN:
            every *= 2
            plain = [_among(part, every) for part in plain]
        new = set().union(*(seen.setdefault(name, _Seen()).new_in(table[name]) for name in table.column_names))
        rows = np.array(sorted(new), int)
        kept.append((start + rows, table.take(rows)))
        start += table.num_rows
    rows = np.concatenate([rows for rows, _ in (*plain, *kept)] or [np.empty(0, int)])
    try:
        joined = pa.concat_tables([table for _, table in (*plain, *kept)], promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        raise DataError(f"the pieces do not hold the same columns: {error}; write them alike") from error
    return joined.take(np.unique(rows, return_index=True)[1])


def _among(part: Numbered, every: int) -> Numbered:
    rows, table = part
    chosen = np.flatnonzero(rows % every == 0)
    return rows[chosen], table.take(chosen)


@dataclass
class _Seen:
    """What is known of a column."""

    words: set[object] = field(default_factory=set)
    gap: bool = False
    least: float = np.inf
    most: float = -np.inf
    decimals: int = 0
    tick: int = 0

    def new_in(self, column: pa.ChunkedArray) -> set[int]:
        """The rows that show something new."""
        new: set[int] = set()
        if not self.gap and column.null_count:
            self.gap = True
            new.add(int(np.argmax(column.is_null().to_numpy(zero_copy_only=False))))
        kind = column.type
        if pa.types.is_temporal(kind):
            stamps = nw.from_native(pa.table({"x": column}), eager_only=True)["x"].cast(nw.Datetime("us"))
            values = stamps.dt.timestamp("us").to_arrow()
            return new | set(self._finer(_numbers(values)))
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            return new | set(self._farther(_numbers(column)))
        if len(self.words) < MOST_WORDS and not pa.types.is_nested(kind):
            coded = (column if pa.types.is_dictionary(kind) else column.dictionary_encode()).combine_chunks()
            codes, first = np.unique(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), return_index=True)
            words = coded.dictionary.to_pylist()
            fresh = [(words[code], int(row)) for code, row in zip(codes, first, strict=True) if code >= 0]
            new.update(row for word, row in fresh if word not in self.words)
            self.words.update(word for word, _ in fresh)
        return new

    def _farther(self, values: Float[np.ndarray, " rows"]) -> Iterator[int]:
        """Rows of numbers that are smaller, larger or more finely written than those before."""
        known = np.flatnonzero(np.isfinite(values))
        broken = np.flatnonzero(np.isinf(values))
        yield from broken[:1].tolist()
        if not known.size:
            return
        low, high = known[values[known].argmin()], known[values[known].argmax()]
        if values[low] < self.least:
            self.least = float(values[low])
            yield int(low)
        if values[high] > self.most:
            self.most = float(values[high])
            yield int(high)
        while self.decimals <= MOST_DECIMALS:
            scaled = values[known] * 10.0**self.decimals
            off = np.abs(scaled - np.rint(scaled)) > 1e-9 + 1e-12 * np.abs(scaled)
            if not off.any():
                return
            self.decimals += 1
            yield int(known[off.argmax()])

    def _finer(self, stamps: Float[np.ndarray, " rows"]) -> Iterator[int]:
        """Rows of times that fall between the ticks of those before."""
        known, ticks = np.flatnonzero(np.isfinite(stamps)), list(MICROSECONDS.values())
        while self.tick < len(ticks):
            off = np.mod(stamps[known], ticks[self.tick]) != 0.0
            if not off.any():
                return
            self.tick += 1
            yield int(known[off.argmax()])


def _numbers(column: pa.ChunkedArray | pa.Array) -> Float[np.ndarray, " rows"]:
    return pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
