"""Sections that every page has: the ledger, how the rungs learned, the footer."""

from html import escape
from pathlib import Path

import numpy as np

from landmass.report import charts, verdict
from landmass.report.measures import Shown
from landmass.report.parts import Plate, ledger_table, paragraphs, plate_of
from landmass.store import VERSION


def ledger(m: Shown, unit: str, figures: Path, also: str = "") -> str:
    """The scores of all rungs.

    Args:
        m: what is measured.
        unit: what densities are per.
        figures: the folder of the pictures.
        also: what else the caption says.
    """
    plate = Plate(
        "ledger",
        charts.ledger,
        "Held-out log-likelihood of every rung, with error bars; the numbers are in the table below",
        "Bars reach two standard errors to each side. The distance between two rungs is known better than "
        f"either score, because both were asked about the same events: the table's gains are paired.{also}",
    )
    return "\n".join(
        ["<h2>The ledger</h2>", paragraphs(verdict.gains(m)), plate_of(m, plate, figures), ledger_table(m, unit)]
    )


def learned(m: Shown, figures: Path) -> str:
    """How the rungs learned that took steps; nothing where that is not known.

    Args:
        m: what is measured.
        figures: the folder of the pictures.
    """
    if not m.curves:
        return ""
    blind = any(np.isnan(curve.train).all() for curve in m.curves.values())
    weighed = " Where training weighs parts of the bound otherwise, its loss is left out." if blind else ""
    plate = Plate(
        "training",
        charts.curves,
        "Log-likelihood of training batches and validation events by training step",
        "Nats an event, in the units of the data. Grey: training events. Colour: validation events, on which "
        f"nothing was trained at that time; the dot is the best state.{weighed}",
    )
    return "\n".join(["<h2>How they learned</h2>", plate_of(m, plate, figures)])


def footer(unit: str) -> str:
    """Who wrote the page.

    Args:
        unit: what densities are per.
    """
    return f"<footer>Written by landmass {escape(VERSION)}. Log-densities are in nats, per {escape(unit)}.</footer>"
