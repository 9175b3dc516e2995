"""What a density is worth: by its numbers, never by its family; and what happens inside a network."""

from landmass.evaluate.calibration import calibration
from landmass.evaluate.check import check_density
from landmass.evaluate.diagnosis import diagnose
from landmass.evaluate.inspect import trace

__all__ = ["calibration", "check_density", "diagnose", "trace"]
