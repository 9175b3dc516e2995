"""What `manifest.json` says of a saved estimator."""

import platform
from importlib.metadata import version
from typing import Any, Literal

import jax
import msgspec

from landmass.data.schema import Schema
from landmass.store import VERSION


class Golden(msgspec.Struct, forbid_unknown_fields=True):
    """An event and its log-density when the estimator was saved: `load` asks for it again.

    Args:
        event: in the units of the data.
        log_density: in nats; None stands for -inf.
    """

    event: list[float]
    log_density: float | None


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """What `manifest.json` says of a saved estimator.

    Args:
        family: the class's name.
        settings: its fields.
        columns: the sample space.
        data: what the data was called.
        model: what the family needs beside its arrays, in its own form.
        golden: events with known log-densities.
        environment: what it was saved with; for people, nothing depends on it.
        schema_version: of this form.
        landmass: the version that saved it.
        lists: settings that were lists; others of several values were tuples.
    """

    family: str
    settings: dict[str, Any]
    columns: Schema
    data: str
    model: msgspec.Raw
    golden: list[Golden]
    environment: dict[str, str]
    schema_version: Literal[1] = 1
    landmass: str = VERSION
    lists: tuple[str, ...] = ()


def environment() -> dict[str, str]:
    """What this process runs on."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": jax.devices()[0].device_kind,
        **{name: version(name) for name in ("jax", "numpy", "equinox")},
    }
