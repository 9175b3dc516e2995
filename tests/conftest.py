"""How the tests see landmass: shapes checked at the calls of functions, every silent promotion an error."""

import ast
import os
from pathlib import Path
from typing import Any, Self

import beartype
import hypothesis
import jax
import jaxtyping
import pytest
from jaxtyping import _import_hook

CACHE = Path(__file__).parents[1] / ".cache" / "jax"

# The hook decorates one method at a time, where beartype cannot know what Self is.
check_types = beartype.beartype(
    conf=beartype.BeartypeConf(is_pep484_tower=True, hint_overrides=beartype.FrozenDict({Self: Any}))
)
QUICKLY = "xla_backend_optimization_level" in os.environ.get("XLA_FLAGS", "")


class Outer(_import_hook.JaxtypingTransformer):
    """Leaves functions within functions alone, which would be decorated anew at each call of the outer one.

    That takes a sixth of the suite; `make test-slow` checks them, too.
    """

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        within = any(isinstance(parent, ast.FunctionDef) for parent in self._parents)
        return node if within else super().visit_FunctionDef(node)


check_outer = check_types
if QUICKLY:
    _import_hook.JaxtypingTransformer = Outer
# Python keeps byte code by this name.
jaxtyping.install_import_hook("landmass", f"tests.conftest.check_{'outer' if QUICKLY else 'types'}")

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_compilation_cache_dir", str(CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)

# For the processes that tests start; matplotlib reads its line at import.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(CACHE)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["MPLBACKEND"] = "Agg"

hypothesis.settings.register_profile("landmass", derandomize=True, deadline=None)
hypothesis.settings.load_profile("landmass")

# Each compiled program takes some of the 65,530 memory maps that Linux allows a process, and the suite compiles more.
MOST_MAPS = 40_000


def pytest_collection_modifyitems(items):
    """Put the longest of the last files first: one process would wait for the other to end it."""
    items.sort(key=lambda item: item.path.name != "test_readme.py")


@pytest.fixture(scope="module", autouse=True)
def few_programs(request):
    """Forgets compiled programs, of which the cache on disk has a copy, before a process has too many.

    A module that says `COMPILES = True` compiles more than it computes, and those of single layers and densities do:
    their programs are not optimised, unless all are compiled as users do.
    """
    compiles = getattr(request.module, "COMPILES", request.path.parent.name in ("core", "nn"))
    jax.config.update("jax_disable_most_optimizations", QUICKLY and compiles)
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MOST_MAPS:
        jax.clear_caches()
