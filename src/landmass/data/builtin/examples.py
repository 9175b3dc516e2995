"""Examples to predict from, by name: most with known chances, so that the right answer is known exactly."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from landmass.data.builtin import DATASETS

if TYPE_CHECKING:
    from landmass.data.builtin.makers import Made


@dataclass(frozen=True)
class BuiltInExamples:
    """A built-in data set of examples.

    Args:
        description: one line for a list of data sets.
        maker: the function of `makers` that makes them.
        target: what their answers are called.
        n: how many to make unless told otherwise.
        finite: whether there are no others.
    """

    description: str
    maker: str
    target: str
    n: int
    finite: bool = False

    def make(self, n: int, seed: int) -> "Made":
        """Make so many examples from a seed."""
        # Tables and images take a second to import: a list of data sets needs neither.
        from landmass.data.builtin import makers

        return getattr(makers, self.maker)(n, seed)


EXAMPLES = {
    "visitors": BuiltInExamples(
        "job title × site visits -> subscribes; their interaction decides", "visitors", "subscribes", 10_000
    ),
    "land_and_sea": BuiltInExamples("places on the world map -> land or sea", "land_and_sea", "place", 20_000),
    "portraits": BuiltInExamples(
        "drawn faces -> smiling or not; some hidden, some told wrongly", "smiles", "smiling", 10_000
    ),
    "digits": BuiltInExamples("handwritten digits of 8×8 pixels -> 0 to 9", "digits", "digit", 1_797, True),
}


def asks_for_examples(source: Any, target: Any) -> bool:
    """Whether a source is the name of examples, and their own answers are asked for.

    Args:
        source: anything that may be read.
        target: what is to be predicted; None is their own answers.
    """
    if not (isinstance(source, str) and source in EXAMPLES):
        return False
    return target is None or (isinstance(target, str) and target == EXAMPLES[source].target)


def means_examples(name: str) -> bool:
    """Whether a name means examples where no target is told; one that is a table's too means the table.

    Args:
        name: of anything.
    """
    return name in EXAMPLES and name not in DATASETS
