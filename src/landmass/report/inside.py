"""The section "Inside the network": the layers of the predictor that answers for the ladder."""

from pathlib import Path

from landmass.report.answers import Answered
from landmass.report.parts import paragraphs, table
from landmass.report.style import title


def section(m: Answered, figures: Path) -> str:
    """What the network is made of.

    Args:
        m: what is measured.
        figures: the folder of the pictures.
    """
    return "\n".join(["<h2>Inside the network</h2>", paragraphs([_size(m)]), _layers(m)])


def _size(m: Answered) -> str:
    """How many numbers were learned."""
    each = sum(count for *_, count in m.layers)
    if m.members == 1:
        return f"The {title(m.last)} learned {each:,} numbers."
    return (
        f"The {title(m.last)} is {m.members} networks of {each:,} learned numbers each, {m.members * each:,} in all. "
        "The probabilities that they give are averaged."
    )


def _layers(m: Answered) -> str:
    rows = [["input", _shape(m.shape), ""]]
    rows += [[name, _shape(shape), f"{count:,}"] for name, shape, count in m.layers]
    rows.append(["in all", "", f"{sum(count for *_, count in m.layers):,}"])
    whose = "The network's layers" if m.members == 1 else "The layers of each network"
    return table(f"{whose}, from the event to the answer.", ["layer", "output", "parameters"], rows)


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
