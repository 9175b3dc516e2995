"""How much may be read, a bound that holds before anything is allocated; and how little memory is kept."""

import ctypes
import os
import sys

import pyarrow as pa

from landmass.errors import DataError

# A file that unpacks to more than so many times its size is a bomb.
LARGEST_GROWTH = 200

# glibc's settings, by number: threads share two heaps (by default they have eight for each core), and what takes
# 128 kB or more always has pages of its own, which go back when it is freed; by default that bound grows to 32 MB.
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3
HEAP = {M_ARENA_MAX: 2, M_MMAP_THRESHOLD: 1 << 17}


TAKE_FEWER = "take fewer rows or columns"
IN_PIECES = (
    f"{TAKE_FEWER}, or read it in pieces, as Parquet or as a folder of smaller files (landmass.pieces in Python, "
    "`landmass fit --pieces` on the shell)"
)


def memory() -> int:
    """This machine's memory, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_size(what: str, size: int, remedy: str = TAKE_FEWER) -> None:
    """Refuse what would not leave the memory that a fit needs.

    Args:
        what: what is to be read.
        size: how many bytes it will take.
        remedy: what to do about it.

    Raises:
        DataError: it takes more than half of the memory.
    """
    if size > memory() // 2:
        raise DataError(
            f"{what} would take {size / 1e9:,.1f} GB of memory, more than half of this machine's "
            f"{memory() / 1e9:,.1f} GB; {remedy}"
        )


def keep_little() -> None:
    """Let this process give back what it freed, where otherwise it would keep it; best before any thread begins."""
    pa.set_memory_pool(pa.system_memory_pool())
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        for setting, value in HEAP.items():
            mallopt(setting, value)
