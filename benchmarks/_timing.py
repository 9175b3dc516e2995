"""What the speed benchmarks share: which machine this is, and honest timing."""

import os
import platform
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
