"""What a density is worth: by its numbers, never by its family."""

from landmass.evaluate.calibration import calibration
from landmass.evaluate.check import check_density

__all__ = ["calibration", "check_density"]
