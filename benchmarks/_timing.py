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


def beside_torch(
    network: str,
    ours: Callable[[], Callable[[], object]],
    theirs: Callable[[int], Callable[[], object]],
    steps: int,
    epoch: float,
    turns: int,
) -> None:
    """Print what a training step takes in landmass and in PyTorch, with one thread and with two.

    Args:
        network: what to call it.
        ours: makes the call that takes some steps in landmass.
        theirs: the same in PyTorch, with a number of threads.
        steps: that a call takes.
        epoch: steps of an epoch.
        turns: how many.
    """
    makers = {"landmass": ours}
    makers |= {f"PyTorch, {n} thread{'s' * (n > 1)}": lambda n=n: theirs(n) for n in (1, 2)}
    methods, compiling = {}, {}
    for name, make in makers.items():
        try:
            methods[name] = make()
        except ImportError as missing:
            print(f"{network}  {name:<22} left out: {missing}")
            continue
        compiling[name] = seconds(methods[name], 1)
    for name, (turn, ratio) in in_turns(methods, "landmass", turns).items():
        compiled = f"{compiling[name] - turn:5.1f} s to compile" if name == "landmass" else ""
        print(
            f"{network}  {name:<22} {1e3 * turn / steps:8.2f} ms a step  {turn / steps * epoch:6.1f} s an epoch  "
            f"{ratio:5.2f} times  {compiled}",
            flush=True,
        )
