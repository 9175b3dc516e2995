"""What a ladder is fitted to and held against: events, or examples with their answers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from landmass.data import read as columns
from landmass.data import tables
from landmass.data.builtin.drawn import DRAWN
from landmass.data.builtin.examples import EXAMPLES, means_examples
from landmass.data.dataset import Dataset
from landmass.data.door import read, read_like
from landmass.data.examples import Examples, read_examples
from landmass.data.images import Images
from landmass.data.pieces import Pieces
from landmass.errors import DataError, SettingError
from landmass.estimator.states import MOST_AT_HAND
from landmass.ladder.rungs import Wanted, are_densities, take_tables

WEIGHED = "a ladder's events have no weights, as not all of its families can honour them; give copies"


def read_events(X: Any, target: Any, families: Wanted) -> Dataset | Images | Examples | Pieces:
    """Events to fit densities to, or examples to fit predictors to; few events in pieces are read whole.

    Raises:
        DataError: they cannot be modelled.
    """
    if isinstance(X, Pieces):
        if target is not None:
            raise SettingError("predictors need all their examples in memory, and these events come in pieces")
        if X.weighed:
            raise DataError(WEIGHED)
        X.check_fit()
        return X.whole() if X.n <= MOST_AT_HAND else X
    name = X if isinstance(X, str) else ""
    # A name of both images and examples means examples, unless densities are asked for.
    drawn = name in DRAWN and (name not in EXAMPLES or are_densities(families))
    known = isinstance(X, Examples) or (means_examples(name) and not drawn)
    # Arrays are taken as plain numbers; in tables there is more to be found.
    find = is_table(X) and take_tables(families)
    data = None if target is not None or known else columns.read(X, find=True) if find else read(X)
    if data is None or (isinstance(data, Images) and data.labels and not (drawn or are_densities(families))):
        found = read_examples(X if data is None else data, target)
        found.check_fit()
        return found
    if data.weight is not None:
        raise DataError(WEIGHED)
    data.check_fit()
    return data


def is_table(source: Any) -> bool:
    """Whether a source holds columns that may be looked at for what they hold: a table in memory, or a file of one.

    Args:
        source: what to read.
    """
    if isinstance(source, str | Path):
        return str(source) == "-" or Path(source).suffix.lower() in (".csv", ".tsv", ".parquet")
    return tables.is_table(source)


def like(test: Any, data: Dataset | Images | Examples | Pieces) -> Dataset | Images | Examples:
    """Test events as the training events are; named columns may come in another order.

    Args:
        test: in any form that they could have, or a pair of such and their answers.
        data: the training events.

    Raises:
        DataError: their columns are others.
    """
    if isinstance(data, Examples):
        events, answers = test if isinstance(test, tuple) and len(test) == 2 else (test, data.target)
        return test if isinstance(test, Examples) else read_examples(events, answers)
    if isinstance(data, Images):
        return read_like(test, data.X.shape[1:])
    if not data.schema.plain:
        return columns.read_as(test, data.schema)
    return same_columns(columns.read(test), data)


def same_columns(test: Dataset, data: Dataset | Pieces) -> Dataset:
    """Test events in the sample space of the training events; named columns may come in another order."""
    names, found = data.schema.names, test.schema.names
    if sorted(found) != sorted(names):
        raise DataError(f"the test events have columns {found}, the others {names}; give them the same columns")
    # Whole rows are enough for a mean.
    return replace(test, X=test.X[:, [found.index(name) for name in names]], schema=data.schema, gaps="")
