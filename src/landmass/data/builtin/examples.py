"""Examples to predict from, by name: most with known chances, so that the right answer is known exactly."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from landmass.data.builtin.makers import Made


@dataclass(frozen=True)
class BuiltInExamples:
    """A built-in data set of examples.

    Args:
        description: one line for a list of data sets.
        maker: the function of `makers` that makes them.
        n: how many to make unless told otherwise.
        finite: whether there are no others.
    """

    description: str
    maker: str
    n: int
    finite: bool = False

    def make(self, n: int, seed: int) -> "Made":
        """Make so many examples from a seed."""
        # Tables and images take a second to import: a list of data sets needs neither.
        from landmass.data.builtin import makers

        return getattr(makers, self.maker)(n, seed)


EXAMPLES = {
    "visitors": BuiltInExamples("job title × site visits -> subscribes; their interaction decides", "visitors", 10_000),
    "land_and_sea": BuiltInExamples("places on the world map -> land or sea", "land_and_sea", 20_000),
    "portraits": BuiltInExamples("drawn faces -> smiling or not; some hidden, some told wrongly", "smiles", 10_000),
    "digits": BuiltInExamples("handwritten digits of 8×8 pixels -> 0 to 9", "digits", 1_797, True),
}
