"""What the speed benchmarks share: which machine this is, and honest timing."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version


def machine(*packages: str) -> str:
    """The machine, and the versions of packages."""
    found = []
    for package in ("jax", *packages):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {', '.join(found)}"


def seconds(call: Callable[[], object], repeats: int = 3) -> float:
    """Least time of some calls; what they return must be on the host."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def in_turns(methods: dict[str, Callable[[], object]], ours: str, turns: int) -> dict[str, tuple[float, float]]:
    """Let methods take turns, so that what else the machine does meets all alike.

    Args:
        methods: by name; what they return must be on the host.
        ours: the name of the one that the others are told beside.
        turns: how many.

    Returns:
        Each method's least time, and the median over turns of its time beside ours.
    """
    times = [{name: seconds(call, 1) for name, call in methods.items()} for _ in range(turns)]
    return {
        name: (min(turn[name] for turn in times), statistics.median(turn[name] / turn[ours] for turn in times))
        for name in methods
    }
