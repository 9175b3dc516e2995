"""What pages are made of: figures for both themes, tables, paragraphs."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from landmass.evaluate.ledger import as_rows
from landmass.report.measures import Shown
from landmass.report.style import DARK, LIGHT, Theme, look, png
from landmass.store import write_bytes

Draw = Callable[[Any, Theme], Figure | None]
"""Makes a figure of what is measured, in a theme; None where there is nothing to show."""


@dataclass(frozen=True)
class Plate:
    """A figure of the page.

    Args:
        name: of its file.
        draw: makes it in a theme; None where the ladder has nothing to show.
        alt: what it shows, for who cannot see it.
        caption: how to read it.
    """

    name: str
    draw: Draw
    alt: str
    caption: str


def plate_of(m: Any, plate: Plate, figures: Path) -> str:
    """Draw a figure for both faces of the page; the light one is also written as a file.

    Args:
        m: what is measured.
        plate: what to draw of it.
        figures: the folder of the files.

    Returns:
        HTML; nothing where there is nothing to show.
    """
    images = {}
    for theme in (LIGHT, DARK):
        with look(theme):
            figure = plate.draw(m, theme)
            if figure is None:
                return ""
            images[theme.name] = png(figure)
    write_bytes(figures / f"{plate.name}.png", images["light"])
    light, dark = (f"data:image/png;base64,{base64.b64encode(images[name]).decode()}" for name in ("light", "dark"))
    return (
        f'<figure><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{escape(plate.alt)}"></picture>'
        f"<figcaption>{escape(plate.caption)}</figcaption></figure>"
    )


def ledger_table(m: Shown, unit: str) -> str:
    """The ledger as a table.

    Args:
        m: what is measured.
        unit: what densities are per.
    """
    heads, rows = as_rows(m.ledger)
    caption = f"Held-out log-likelihood in nats an event, per {unit}; ± one standard error."
    marked = [name == m.last for name in (rung.family for rung in m.ledger.rungs)]
    return table(caption, heads, [[cell.replace("-", "−") for cell in row] for row in rows], marked)


def table(caption: str, heads: list[str], rows: list[list[str]], marked: list[bool] | None = None) -> str:
    """A table of texts.

    Args:
        caption: what it shows.
        heads: of the columns.
        rows: the first cell of each is its head.
        marked: which rows stand out.
    """
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heads)
    body = ""
    for row, mark in zip(rows, marked or [False] * len(rows), strict=True):
        cells = f'<th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        body += f'<tr class="last">{cells}</tr>' if mark else f"<tr>{cells}</tr>"
    return (
        f'<div class="scroll" tabindex="0"><table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def paragraphs(sentences: list[str], kind: str = "") -> str:
    """Sentences, each a paragraph.

    Args:
        sentences: plain text.
        kind: class of the paragraphs.
    """
    attribute = f' class="{kind}"' if kind else ""
    return "\n".join(f"<p{attribute}>{escape(sentence)}</p>" for sentence in sentences)
