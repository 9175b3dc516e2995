"""Every error landmass raises on purpose, so that a caller can catch one or all.

LandmassError
├── DataError      the data cannot be modelled: names the column, the value and the way out   (also a ValueError)
│   ├── NotNumbersError   it holds things that are no numbers                                (also a TypeError)
│   └── InseparableError  an attribute cannot change while others stay
├── SettingError   an unknown family, setting or data set, or a value out of range            (also a ValueError)
├── FitError       training cannot go on; the best state so far is kept                       (also a RuntimeError)
└── StoreError     a run or model folder cannot be written, or does not hold what it says     (also an OSError)
"""


class LandmassError(Exception):
    """Base of every error that landmass raises on purpose."""


class DataError(LandmassError, ValueError):
    """The data cannot be modelled as it is."""


class NotNumbersError(DataError, TypeError):
    """The data holds things that are no numbers."""


class InseparableError(DataError):
    """An attribute cannot change while others stay.

    Args:
        problem: what cannot be.
        remedy: what to do next, which each face words as it is asked for there.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem

    def __str__(self) -> str:
        return "; ".join(self.args)


class SettingError(LandmassError, ValueError):
    """A name or value that landmass does not know or cannot use."""


class FitError(LandmassError, RuntimeError):
    """Training cannot go on."""


class StoreError(LandmassError, OSError):
    """A folder cannot be written, or does not hold what its manifest says."""


class FewParticlesWarning(RuntimeWarning):
    """What is said of some events rests on few particles."""
