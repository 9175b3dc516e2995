"""What a density is worth: by its numbers, never by its family; what happens inside a network; what its codes tell."""

from landmass.evaluate.calibration import calibration
from landmass.evaluate.check import check_density
from landmass.evaluate.diagnosis import diagnose
from landmass.evaluate.edits import what_changed
from landmass.evaluate.factors import compare, recovery
from landmass.evaluate.inspect import trace
from landmass.evaluate.latents import active_units
from landmass.evaluate.nearest import nearest
from landmass.evaluate.readers import Reader

__all__ = [
    "Reader",
    "active_units",
    "calibration",
    "check_density",
    "compare",
    "diagnose",
    "nearest",
    "recovery",
    "trace",
    "what_changed",
]
