"""Ladder: fit several families to one split of the data, compare them, choose, stack; and read it back."""

from landmass.ladder.ladder import Ladder
from landmass.ladder.load import load
from landmass.ladder.rungs import usual_predictors

__all__ = ["Ladder", "load", "usual_predictors"]
