"""Set JAX up for the command line, before it is imported: a compilation cache, and no chatter."""

import os
import tempfile
from pathlib import Path


def cache_folder() -> Path:
    """Where compiled programs are kept between two commands."""
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    from platformdirs import user_cache_path

    return user_cache_path("landmass") / "jax"


def writable(folder: Path) -> bool:
    """Whether files can be written in a folder, which is made if it is not there.

    Args:
        folder: the folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def prepare() -> None:
    """Set the environment variables that JAX reads at import; those that are set already stay."""
    # JAX tells every machine without a GPU, and XLA every machine at all, what could be better.
    os.environ.setdefault("JAX_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "JAX_COMPILATION_CACHE_DIR" in os.environ or not writable(cache_folder()):
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache_folder())
    # Most of landmass's programs compile in less than the second from which JAX keeps them.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
