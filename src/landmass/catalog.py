"""Family name -> class; an estimator read back from its folder."""

from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import landmass
from landmass.errors import SettingError, StoreError
from landmass.estimator.base import Estimator
from landmass.estimator.manifest import Manifest
from landmass.store import read_json

FAMILIES, OF_TABLES, OF_IMAGES, WITHOUT_LIKELIHOOD, CONDITIONALS = (
    {module.rpartition(".")[2]: name for name, module in kind.items()}
    for kind in (
        landmass._DENSITIES,
        landmass._OF_TABLES,
        landmass._OF_IMAGES,
        landmass._WITHOUT_LIKELIHOOD,
        landmass._CONDITIONALS,
    )
)
"""The families' names, from simple to rich, and their classes': densities of rows of numbers, of tables of any columns,
and of images, those that have no likelihood, and conditional densities."""

USUAL = [name for name, cls in FAMILIES.items() if cls not in landmass._ON_REQUEST]
USUAL_OF_TABLES = [name for name, cls in OF_TABLES.items() if cls not in landmass._ON_REQUEST_OF_TABLES]
"""The densities of rows, and of tables, that a ladder has unless others are asked for; some tables have one more."""

_ALL = {**FAMILIES, **OF_TABLES, **OF_IMAGES, **WITHOUT_LIKELIHOOD, **CONDITIONALS}

KNOWN = list(_ALL)
"""All names, from simple to rich."""


def family(name: str) -> type[Any]:
    """The class of a family, of densities or of conditional ones.

    Args:
        name: such as "kernel_density", or the class's name.

    Raises:
        SettingError: there is no such family; suggests the closest.
    """
    known = {**_ALL, **{cls: cls for cls in _ALL.values()}}
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise SettingError(f"no family is called {name!r}{hint} (there are: {', '.join(_ALL)})")
    return getattr(import_module(landmass._EXPORTS[known[name]]), known[name])


def name_of(estimator: Estimator) -> str:
    """The name of an estimator's family: its module's, or its class's outside landmass."""
    cls = type(estimator)
    return next((name for name, known in _ALL.items() if known == cls.__name__), cls.__name__)


def load_estimator(path: Path) -> Any:
    """Read a saved estimator, of a density or of a conditional one.

    Args:
        path: the folder that `save` wrote.

    Raises:
        StoreError: the folder does not hold what its manifest says.
    """
    manifest = read_json(path / "manifest.json", Manifest)
    if manifest.family not in _ALL.values():
        raise StoreError(f"{path}: the manifest names an unknown family {manifest.family!r}")
    return family(manifest.family).restore(manifest, path, load_estimator)
