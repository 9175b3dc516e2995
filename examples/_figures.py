"""What the lessons share: their two options, and the look of their figures."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from landmass.report.style import LIGHT, look, new_figure, png

FIGURES = Path(__file__).parent / "figures"

INK, GREY, BLUE, RED = LIGHT.ink, LIGHT.quiet, LIGHT.accent, LIGHT.second

# Okabe and Ito's, which colour-blind eyes tell apart.
COLOURS = (BLUE, RED, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def options(lesson: str | None) -> ArgumentParser:
    """What every lesson can be told.

    Args:
        lesson: its docstring, which `--help` prints.
    """
    parser = ArgumentParser(description=lesson, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="less data and fewer steps: seconds, not minutes")
    parser.add_argument("--out", type=Path, default=FIGURES, help="folder for the figure")
    return parser


@contextmanager
def drawn(file: Path, width: float, height: float) -> Iterator[Figure]:
    """An empty figure to draw on, which is then written.

    Args:
        file: where to, as PNG; its folder is made.
        width: in inches.
        height: in inches.
    """
    with look(LIGHT):
        figure = new_figure(width, height)
        yield figure
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(figure))
    print(f"Drawn: {file}")


def name_lines(axes: Axes, columns: int = 1) -> None:
    """A legend without a frame."""
    axes.legend(loc="best", ncols=columns, frameon=False, fontsize=8.0)
