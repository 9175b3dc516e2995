"""How much may be read, a bound that holds before anything is allocated; and how little memory is kept."""

import ctypes
import os
import sys

from landmass.errors import DataError

# A file that unpacks to more than so many times its size is a bomb.
LARGEST_GROWTH = 200

# glibc's number of the setting of how many heaps threads share; by default they have eight for each core.
M_ARENA_MAX = -8


def memory() -> int:
    """This machine's memory, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_size(what: str, size: int) -> None:
    """Refuse what would not leave the memory that a fit needs.

    Args:
        what: what is to be read.
        size: how many bytes it will take.

    Raises:
        DataError: it takes more than half of the memory.
    """
    if size > memory() // 2:
        raise DataError(
            f"{what} would take {size / 1e9:,.1f} GB of memory, more than half of this machine's "
            f"{memory() / 1e9:,.1f} GB; take fewer rows or columns"
        )


def share_heaps() -> None:
    """Let all threads of this process share two heaps, as each keeps what it freed; best before any thread begins."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(M_ARENA_MAX, 2)
