"""`landmass doctor`: check what landmass needs here, and tell a remedy for everything that is missing."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer

from landmass.cli.environment import cache_folder, writable

PACKAGES = ("jax", "jaxlib", "equinox", "optax", "numpy", "scipy", "scikit-learn", "pyarrow", "matplotlib")

REINSTALL = "install landmass again: python -m pip install --force-reinstall landmass"


class Problem(Exception):
    """A check that failed.

    Args:
        found: what is wrong.
        remedy: what to do about it.
    """

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(f"{found}; {remedy}")


def examine() -> int:
    """Run every check.

    Returns:
        The exit code: 1 if something is broken.
    """
    checks: dict[str, Callable[[], str]] = {
        "Python": _python,
        "landmass": _landmass,
        "packages": _packages,
        "device": _device,
        "processors": _processors,
        "memory": _memory,
        "cache folder": _cache,
        "this folder": _here,
        "land map": _land,
        "tiny fit": _tiny_fit,
    }
    broken = 0
    for name, check in checks.items():
        try:
            mark, found = "ok", check()
        # A check may meet anything, a broken library's own errors included; all of it is told.
        except Exception as error:
            kind = "" if isinstance(error, Problem) else f"{type(error).__name__}: "
            mark, found = "!!", kind + " ".join(str(error).split())
            broken += 1
        typer.echo(f"{mark}  {name:<12}  {found}")
    typer.echo("\nAll is well." if not broken else f"\n{broken} of {len(checks)} checks found a problem.")
    return 1 if broken else 0


def _python() -> str:
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        raise Problem(f"{sys.version.split()[0]}", "landmass needs Python 3.11, 3.12 or 3.13: install one of them")
    return f"{sys.version.split()[0]} at {sys.executable}"


def _landmass() -> str:
    import landmass

    return f"{version('landmass')} at {Path(landmass.__file__ or '').parent}"


def _packages() -> str:
    found, missing = [], []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        raise Problem(f"missing: {', '.join(missing)}", REINSTALL)
    return ", ".join(found)


def _device() -> str:
    try:
        import jax

        devices = jax.devices()
    except (ImportError, RuntimeError) as error:
        raise Problem(f"JAX does not start ({error})", f"unset JAX_PLATFORMS, or {REINSTALL}") from error
    kinds = ", ".join(f"{device.platform} ({device.device_kind})" for device in devices)
    asked_for_cpu = os.environ.get("JAX_PLATFORMS") == "cpu"
    if jax.default_backend() == "cpu" and shutil.which("nvidia-smi") and not asked_for_cpu:
        return f"{kinds}; there is an NVIDIA GPU here: pip install 'landmass[cuda]' to use it"
    return kinds


def _processors() -> str:
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return f"{allowed} of {os.cpu_count()} may be used"


def _memory() -> str:
    if sys.platform != "linux":
        return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB"
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, free = (int(lines[name].split()[0]) / 2**20 for name in ("MemTotal", "MemAvailable"))
    if free < 1.0:
        raise Problem(f"{free:.1f} GiB free of {total:.1f}", "a fit needs about 1 GiB: close other programs")
    return f"{free:.1f} GiB free of {total:.1f}"


def _cache() -> str:
    folder = cache_folder()
    if not writable(folder):
        raise Problem(
            f"{folder} cannot be written, so every command compiles anew",
            "make it writable, or set JAX_COMPILATION_CACHE_DIR to a folder that is",
        )
    return str(folder)


def _here() -> str:
    here = Path.cwd()
    if not writable(here):
        raise Problem(f"{here} cannot be written", "run landmass elsewhere, or name a run folder with --out")
    return f"{here} can be written"


def _land() -> str:
    from landmass.data.builtin import truth

    entropy = truth("land").entropy
    if abs(entropy - 9.972) > 0.001:
        raise Problem(f"the map's entropy is {entropy:.4f}, not 9.972", REINSTALL)
    return f"read; its entropy is {entropy:.4f} nats"


def _tiny_fit() -> str:
    import numpy as np

    from landmass.models.gaussian import Gaussian

    began = time.perf_counter()
    X = np.random.default_rng(0).normal(3.0, 2.0, (500, 1))
    found = Gaussian().fit(X).score(X)
    # The maximised likelihood of a normal density is minus its entropy at the sample variance.
    expected = -0.5 * np.log(2.0 * np.pi * np.e * X.var())
    if not abs(found - expected) < 1e-4:
        raise Problem(f"a Gaussian scored {found:.5f} instead of {expected:.5f} nats", REINSTALL)
    return f"compiled and right, in {time.perf_counter() - began:.1f} s"
