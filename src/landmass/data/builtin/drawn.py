"""Images drawn here, by name: their labels are the factors that they were drawn from."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from landmass.data.images import Images


@dataclass(frozen=True)
class BuiltInImages:
    """A built-in data set of images.

    Args:
        description: one line for a list of data sets.
        maker: the function that draws them, in the module of its name.
        n: how many to draw unless told otherwise.
        size: their side, in pixels, unless told otherwise.
    """

    description: str
    maker: str
    n: int
    size: int = 32

    def make(self, n: int | None = None, *, size: int | None = None, seed: int = 0) -> "Images":
        """Draw so many images of some side from a seed."""
        # Images take a second to import: a list of data sets does not need them.
        draw = getattr(import_module(f"landmass.data.builtin.{self.maker}"), self.maker)
        return draw(self.n if n is None else n, size=self.size if size is None else size, seed=seed)


DRAWN = {
    "cylinders": BuiltInImages("grey cylinders that differ in radius and height alone", "cylinders", 5_000),
    "portraits": BuiltInImages("coloured faces with known hair, width, eyes, smile and glasses", "portraits", 10_000),
}
