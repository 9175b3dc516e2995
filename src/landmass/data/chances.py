"""Which rows of counted cells may be alike by chance, and which are copies."""

from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Bool, Float

from landmass.types import HostEvents

# Rows of which fewer are expected if columns were independent are alike because they are copies, not by chance.
BY_CHANCE = 1e-6


class Chances(NamedTuple):
    """How often the values of each column come.

    Args:
        n: how many rows there are.
        known: for each column its values in order, infinity for an empty cell, and the logarithms of their shares.
        log_new: the logarithm of the share that a value is taken to have which was not looked at.
    """

    n: int
    known: list[tuple[Float[np.ndarray, " values"], Float[np.ndarray, " values"]]]
    log_new: float

    @classmethod
    def of(cls, X: HostEvents, n: int) -> Self:
        """Those of some rows.

        Args:
            X: rows that are looked at, at least one; NaN where a cell is empty.
            n: how many there are in all.
        """
        columns = [np.unique(values, return_counts=True) for values in np.where(np.isnan(X), np.inf, X).T]
        return cls(n, [(values, np.log(counts / len(X))) for values, counts in columns], -np.log(len(X)))

    def alike(self, X: HostEvents) -> Bool[np.ndarray, " events"]:
        """Of which rows, were columns independent, some would be expected.

        Args:
            X: rows; NaN where a cell is empty.
        """
        found = np.full(len(X), np.log(self.n))
        for (values, log_shares), cells in zip(self.known, np.where(np.isnan(X), np.inf, X).T, strict=True):
            place = np.minimum(np.searchsorted(values, cells), len(values) - 1)
            found += np.where(values[place] == cells, log_shares[place], self.log_new)
        return found >= np.log(BY_CHANCE)
