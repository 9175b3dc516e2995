"""How the figures look: two themes, one density scale, quiet axes, names made safe to draw."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from landmass.data.schema import Schema
from landmass.text import title as written

# Perceptually uniform, and read alike by colour-blind eyes.
DENSITY_MAP = "viridis"


@dataclass(frozen=True)
class Theme:
    """Colours of the page's light or dark face; the two accents are of Okabe and Ito's colour-blind-safe set.

    Args:
        name: "light" or "dark".
        paper: background.
        ink: text and marks that matter.
        quiet: text and marks that help.
        line: hair lines.
        accent: the one thing to look at.
        second: what it is compared with.
    """

    name: str
    paper: str
    ink: str
    quiet: str
    line: str
    accent: str
    second: str


LIGHT = Theme("light", "#fcfcfa", "#1d2429", "#66707a", "#d9dbd8", "#0072b2", "#d55e00")
DARK = Theme("dark", "#14181b", "#e8e8e3", "#98a2ab", "#343b41", "#56b4e9", "#e69f00")


@contextmanager
def look(theme: Theme) -> Iterator[None]:
    """Draw in a theme: quiet axes without a frame."""
    settings: dict[Any, Any] = {
        "figure.facecolor": theme.paper,
        "axes.facecolor": theme.paper,
        "savefig.facecolor": theme.paper,
        "text.color": theme.ink,
        "axes.labelcolor": theme.quiet,
        "axes.edgecolor": theme.line,
        "xtick.color": theme.line,
        "ytick.color": theme.line,
        "xtick.labelcolor": theme.quiet,
        "ytick.labelcolor": theme.quiet,
        "font.family": ["DejaVu Sans"],
        "font.size": 9.0,
        "axes.labelsize": 9.0,
        "axes.titlesize": 10.0,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.labelsize": 8.0,
        "ytick.labelsize": 8.0,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "axes.linewidth": 0.6,
        "axes.formatter.useoffset": False,
        "axes.unicode_minus": True,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # A column's name may hold letters that the font has not.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def png(figure: Figure, dpi: int = 144) -> bytes:
    """A figure as the bytes of a PNG file."""
    content = BytesIO()
    figure.savefig(content, format="png", dpi=dpi, metadata={"Software": None})
    return content.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, whose parts find their places."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.set_layout_engine("constrained", w_pad=0.07, h_pad=0.05)
    return figure


def shown(text: str, most: int = 40) -> str:
    """A name as it can be drawn: on one line, not too long, its dollars no formulae."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    plain = plain if len(plain) <= most else plain[: most - 1] + "…"
    return plain.replace("$", r"\$")


def title(rung: str) -> str:
    """A rung's name for people; the truth has none."""
    return written(rung) if rung else "the truth"


def signed(value: float, digits: int) -> str:
    """A number with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def general(value: float) -> str:
    """A number in six digits, with a true minus sign."""
    return f"{value:.6g}".replace("-", "−")


def per(schema: Schema) -> str:
    """What a density is per, in words."""
    units = [column.unit for column in schema.columns]
    if len(units) == 2 and units[0] and units[0] == units[1]:
        return f"square {units[0]}"
    if all(units) and len(units) <= 3:
        return " · ".join(units)
    if len(units) <= 2:
        return "unit of " + " and of ".join(schema.names)
    return f"unit of all {len(units)} columns together"


def label(schema: Schema, i: int) -> str:
    """A column's name with its unit."""
    column = schema.columns[i]
    return shown(column.name) + (f" ({shown(column.unit)})" if column.unit else "")


def density_norm(pictures: list[Float[np.ndarray, " points"]], area: float) -> LogNorm:
    """One logarithmic scale for several densities.

    It ends where all but a thousandth of each picture lies below, and begins at a twentieth of the density that is
    even over the whole picture: what is fainter counts as empty.

    Args:
        pictures: log-densities on one grid.
        area: of the picture, in the units of the data.
    """
    most = max(float(np.quantile(picture, 0.999)) for picture in pictures)
    even = -math.log(area)
    low = even - math.log(20.0)
    return LogNorm(math.exp(low), math.exp(max(most, even + math.log(2.0))))


def log_ticks(axis_of: Axes, norm: LogNorm) -> None:
    """Ticks at powers of ten, or at 1, 2 and 5 of them on a short scale, along a colour bar's x axis."""
    low, high = math.log10(norm.vmin or 1.0), math.log10(norm.vmax or 1.0)
    steps = (1,) if high - low > 2.5 else (1, 2, 5)
    exponents = range(math.floor(low), math.ceil(high) + 1)
    ticks = [(s, e) for e in exponents for s in steps if low <= math.log10(s) + e <= high]
    axis_of.xaxis.set_major_locator(FixedLocator([s * 10.0**e for s, e in ticks]))
    axis_of.xaxis.set_major_formatter(FixedFormatter([power(s, e) for s, e in ticks]))
    axis_of.xaxis.set_minor_locator(NullLocator())


def power(factor: int, exponent: int) -> str:
    """A number such as 2·10⁻⁵, written in full where that is short."""
    if -3 <= exponent <= 3:
        return f"{factor * 10.0**exponent:g}"
    raised = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{raised}" if factor == 1 else f"{factor}·10{raised}"
