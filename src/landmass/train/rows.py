"""Training events as a learner sees them: at hand, or read block by block as often as it needs them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer, Shaped

from landmass.arrays import on_device
from landmass.data.pieces import some_of
from landmass.types import Key

# Rows that a pass adds up at a time: what they need besides fits a core's cache.
BLOCK = 512

Block = tuple[Shaped[np.ndarray, "events ..."], Float[np.ndarray, " events"]]
"""Coordinates of some events, with their weights."""


class Rows(NamedTuple):
    """Training events on the device, with rows of padding behind them: close numbers of events share a program.

    Args:
        x: the events, then padding, shape (places, columns), or of images (places, height, width, channels).
        weight: how often each counts; 0 for padding.
        n: how many events there are.
        context: what is given beside each event, shape (places, …); None where nothing is.
    """

    x: Shaped[Array, "places ..."]
    weight: Float[Array, " places"]
    n: Integer[Array, ""]
    context: Shaped[Array, "places ..."] | None = None


class Batch(NamedTuple):
    """Some of the events, with what is given beside each."""

    x: Shaped[Array, "batch ..."]
    context: Shaped[Array, "batch ..."] | None = None


def padded(
    x: Shaped[np.ndarray, "events ..."],
    weight: Float[np.ndarray, " events"],
    least: int = 64,
    context: Shaped[np.ndarray, "events ..."] | None = None,
) -> Rows:
    """Events with padding up to the next multiple of `least`, or of 1, 1.25, 1.5, 1.75, 2, … times a power of two."""
    quarter = max(1 << max((len(x) - 1).bit_length() - 3, 0), least)
    more = -len(x) % quarter

    def longer(rows: Shaped[np.ndarray, "events ..."]) -> Shaped[Array, "places ..."]:
        return on_device(np.pad(rows, ((0, more), *[(0, 0)] * (rows.ndim - 1))))

    beside = None if context is None else longer(context)
    return Rows(longer(x), longer(weight.astype(np.float32)), jnp.int32(len(x)), beside)


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Training events in the coordinates of a model's space.

    Args:
        blocks: reads them, block by block.
        n: how many there are.
        total: their summed weight.
        columns: how many numbers an event has.
        at_hand: all of them with their weights, where they are in memory.
        context: what is given beside each; they are at hand then.
        log_det: their mean log-density in the units of the data, less that in the space; None where nobody knows.
        shuffled: reads blocks of them in random order, by a seed and the number of the reading; None where they are at
            hand.
    """

    blocks: Callable[[], Iterator[Block]]
    n: int
    total: float
    columns: int
    at_hand: Block | None = None
    context: Shaped[np.ndarray, "events ..."] | None = None
    log_det: float | None = None
    shuffled: Callable[[int, int], Iterator[Block]] | None = None

    @classmethod
    def of(
        cls,
        z: Shaped[np.ndarray, "events ..."],
        weight: Float[np.ndarray, " events"] | None = None,
        context: Shaped[np.ndarray, "events ..."] | None = None,
        log_det: Float[np.ndarray, " events"] | None = None,
    ) -> Self:
        """Events in memory.

        Args:
            z: their coordinates.
            weight: how often each counts; None counts each once.
            context: what is given beside each.
            log_det: the log-density of each in the units of the data, less that in the space.
        """
        everything = z, np.ones(len(z)) if weight is None else weight
        total = float(everything[1].sum())
        known = None if log_det is None or not total or not np.isfinite(log_det).all() else log_det
        mean = None if known is None else float(everything[1] @ known) / total
        return cls(lambda: iter([everything]), len(z), total, z.shape[1], everything, context, mean)

    @property
    def whole(self) -> Block:
        """All events with their weights, for families that need them at once."""
        if self.at_hand is None:
            raise TypeError("these events are not at hand")
        return self.at_hand

    def rows(self) -> Iterator[Rows]:
        """The events on the device: all at once where they are at hand."""
        # Blocks of a pass end at the same events, however many a reading gives at a time.
        least = 64 if self.at_hand is not None else BLOCK
        return (padded(z, weight, least, self.context) for z, weight in self.blocks())

    def stream(self, key: Key, first: int = 0) -> Iterator[Rows]:
        """The events on the device, block by block in random order, reading after reading without an end.

        Args:
            key: source of the order.
            first: blocks to leave out.
        """
        if self.shuffled is None:
            raise TypeError("these events are at hand, or have no order but their own")
        seed = int(np.asarray(jax.random.key_data(key))[-1])
        blocks = (block for reading in count() for block in self.shuffled(seed, reading))
        return (padded(z, weight) for z, weight in islice(blocks, first, None))

    def some(self, most: int, rng: np.random.Generator) -> Block:
        """All events, or as many random ones as `most` where there are more, in their order."""
        return some_of(self.blocks(), self.n, most, rng)
