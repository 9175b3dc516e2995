"""How much may be read, a bound that holds before anything is allocated; and what is given back."""

import ctypes
import os
import sys

import pyarrow as pa

from landmass.errors import DataError

# A file that unpacks to more than so many times its size is a bomb.
LARGEST_GROWTH = 200

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


def give_back() -> None:
    """Give freed memory back to the system, which Arrow and the heaps of threads otherwise keep for later."""
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
