"""Data sets with a known truth: `truth(name)` gives the distribution, `DATASETS` lists the names."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from landmass.data.builtin.land import Land
from landmass.data.builtin.toys import Checkerboard, Moons, eight_gaussians, mixture, pinwheel
from landmass.data.builtin.truth import Truth
from landmass.errors import SettingError

__all__ = ["DATASETS", "BuiltIn", "Truth", "truth"]


def _visitors() -> Truth:
    # It takes half a second to import SciPy's distributions.
    from landmass.data.builtin.visitors import Visitors

    return Visitors()


@dataclass(frozen=True)
class BuiltIn:
    """A built-in data set.

    Args:
        description: one line for a list of data sets.
        make: makes the truth; files are read only when the truth is first asked something.
        n: how many events to draw unless told otherwise.
    """

    description: str
    make: Callable[[], Truth]
    n: int


DATASETS: dict[str, BuiltIn] = {
    "land": BuiltIn("places on land, uniform per square degree of the world map", Land, 10_000),
    "moons": BuiltIn("two interleaved half circles with Gaussian noise of 0.1", Moons, 10_000),
    "eight_gaussians": BuiltIn("eight small round Gaussians on a circle", eight_gaussians, 10_000),
    "checkerboard": BuiltIn("uniform on eight of the sixteen squares of a board", Checkerboard, 10_000),
    "pinwheel": BuiltIn("five arms of Gaussian noise, twisted about the middle", pinwheel, 10_000),
    "mixture": BuiltIn("three correlated Gaussians of unequal weight", mixture, 10_000),
    "visitors": BuiltIn(
        "visitors of a site: a table of columns of every kind, some of whose cells are empty", _visitors, 10_000
    ),
}


def truth(name: str) -> Truth:
    """Make the distribution that a built-in data set is drawn from.

    Args:
        name: a key of `DATASETS`.

    Raises:
        SettingError: no built-in data set has that name.
    """
    if name not in DATASETS:
        close = get_close_matches(name, DATASETS, n=1)
        hint = f" did you mean {close[0]!r}?" if close else ""
        raise SettingError(f"no built-in data set is called {name!r};{hint} choose one of {', '.join(DATASETS)}")
    return DATASETS[name].make()
