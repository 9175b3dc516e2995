"""What a density is worth: by its numbers and samples, never by its family; what happens inside; what codes tell."""

from landmass.evaluate.boosted import train_on_synthetic, two_sample
from landmass.evaluate.calibration import calibration
from landmass.evaluate.check import check_density
from landmass.evaluate.diagnosis import diagnose
from landmass.evaluate.edits import what_changed
from landmass.evaluate.factors import compare, recovery
from landmass.evaluate.fidelity import coverage, distances
from landmass.evaluate.inspect import trace
from landmass.evaluate.latents import active_units
from landmass.evaluate.memorisation import memorisation
from landmass.evaluate.nearest import nearest
from landmass.evaluate.readers import Reader
from landmass.evaluate.samples import judge

__all__ = [
    "Reader",
    "active_units",
    "calibration",
    "check_density",
    "compare",
    "coverage",
    "diagnose",
    "distances",
    "judge",
    "memorisation",
    "nearest",
    "recovery",
    "trace",
    "train_on_synthetic",
    "two_sample",
    "what_changed",
]
