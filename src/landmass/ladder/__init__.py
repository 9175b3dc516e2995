"""Ladder: fit several families to one split of the data, compare them, choose, stack; and read it back."""

from landmass.ladder.ladder import Ladder
from landmass.ladder.load import load

__all__ = ["Ladder", "load"]
