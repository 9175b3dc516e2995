"""The ledger: held-out log-likelihood per event of every rung, in nats, in the units of the data."""

import math
from html import escape
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import Float

from landmass.core.capabilities import Likelihood
from landmass.text import title
from landmass.train.weights import standard_error
from landmass.types import Copies, LogDensities

MARKS: dict[Likelihood, str] = {"exact": "", "lower_bound": "≥ ", "estimate": "≈ ", "none": "no likelihood "}
"""How a number is marked in a table: a bound and an estimate are not exact values."""

# A bound from below on a density bounds the bits from above.
BITS_MARKS: dict[Likelihood, str] = {**MARKS, "lower_bound": "≤ "}


class Rung(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the ledger.

    Args:
        family: the rung's name.
        label: how its likelihood is known.
        nats: mean held-out log-density; null if some event has density zero.
        se: its standard error.
        gain: mean paired gain over the best rung below, of those with a finite score.
        gain_se: the gain's standard error.
        parameters: fitted numbers.
        seconds: time to fit.
        n: held-out events.
        zero_density: held-out events whose density is zero.
        weight: the rung's weight in the stack.
        measures: what else can be said of predictions, by name; see `landmass.evaluate.predictions`.
    """

    family: str
    label: Likelihood
    nats: float | None
    se: float | None
    gain: float | None
    gain_se: float | None
    parameters: int
    seconds: float
    n: int
    zero_density: int
    weight: float | None = None
    measures: dict[str, float] = {}


class Ledger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All rungs of a ladder on one held-out part.

    Args:
        data: the data set's name.
        n: events in all, and in each part.
        true_entropy: entropy of the distribution the data came from, where it is known, in nats.
        unit: what the densities are per.
        rungs: from simple to rich, the stack last.
        best: the rung that validation prefers.
        failed: families that could not be fitted, and why.
        notes: what the reader of the data left out or changed.
        dimensions: counted numbers an event, of images; None of other data.
        in_pieces: whether the events to learn from came in pieces.
    """

    data: str
    n: dict[str, int]
    true_entropy: float | None
    unit: str
    rungs: tuple[Rung, ...]
    best: str
    failed: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    dimensions: int | None = None
    in_pieces: bool = False
    schema_version: Literal[1] = 1

    def rung(self, family: str) -> Rung:
        """The line of one rung."""
        return next(rung for rung in self.rungs if rung.family == family)

    def bits(self, rung: Rung) -> float | None:
        """Bits that a rung needs for each number of an event; None unless they are counted, or if it cannot."""
        if self.dimensions is None or rung.nats is None:
            return None
        return -rung.nats / (self.dimensions * math.log(2.0))

    def gap(self, rung: Rung) -> float | None:
        """How far a rung's score lies below the truth's, in nats; None where one of them is not known.

        The truth's expected score is minus its entropy, so that a small negative gap is chance.
        """
        if self.true_entropy is None or rung.nats is None:
            return None
        return -self.true_entropy - rung.nats


def mean_and_error(values: Float[np.ndarray, " events"], copies: Copies | None = None) -> tuple[float, float]:
    """Mean, and its standard error; for `copies` see `standard_error`."""
    return float(values.mean()), standard_error(values, copies)


def paired_gain(
    richer: LogDensities, simpler: LogDensities, copies: Copies | None = None
) -> tuple[float | None, float | None]:
    """Mean gain an event, and its standard error; None where an event of density zero makes it infinite."""
    difference = richer - simpler
    return mean_and_error(difference, copies) if np.isfinite(difference).all() else (None, None)


def line_of(
    scores: LogDensities,
    below: LogDensities | None,
    copies: Copies,
    *,
    family: str,
    label: Likelihood,
    parameters: int,
    seconds: float,
    weight: float | None,
    measures: dict[str, float],
) -> Rung:
    """A rung's line.

    Args:
        scores: its log-densities of the held-out events.
        below: those of the best rung below; None for the first.
        copies: see `standard_error`.
        family: see `Rung`, and so for the rest.
        label: see there.
        parameters: see there.
        seconds: see there.
        weight: see there.
        measures: see there.
    """
    zeros = int(np.isneginf(scores).sum())
    nats, se = (None, None) if zeros else mean_and_error(scores, copies)
    gain, gain_se = (None, None) if zeros or below is None else paired_gain(scores, below, copies)
    return Rung(
        family=family,
        label=label,
        nats=nats,
        se=se,
        gain=gain,
        gain_se=gain_se,
        parameters=parameters,
        seconds=seconds,
        n=len(scores),
        zero_density=zeros,
        weight=weight,
        measures=measures,
    )


def prefer(scores: dict[str, LogDensities], copies: Copies | None = None) -> str:
    """The rung to prefer: a richer one only if its paired gain over the best so far exceeds two standard errors.

    Args:
        scores: log-densities of validation events, from simple to rich.
        copies: see `standard_error`.
    """
    best, *rest = scores
    for name in rest:
        if not np.isfinite(scores[name]).all():
            continue
        gain, error = paired_gain(scores[name], scores[best], copies)
        if gain is None or error is None or gain > 2.0 * error:
            best = name
    return best


def as_rows(ledger: Ledger) -> tuple[list[str], list[list[str]]]:
    """The ledger's table for people: headings, and one row of texts a rung."""
    known, stacked = ledger.true_entropy is not None, any(rung.weight is not None for rung in ledger.rungs)
    others = list(dict.fromkeys(name for rung in ledger.rungs for name in rung.measures))
    heads = [
        "rung",
        "nats an event",
        *(["bits a dimension"] if ledger.dimensions else []),
        *(["gap to truth"] if known else []),
        "gain",
        *others,
        "parameters",
        "seconds",
        *(["weight"] if stacked else []),
    ]
    rows = []
    for rung in ledger.rungs:
        nats = f"-inf ({rung.zero_density} of {rung.n})" if rung.nats is None else f"{rung.nats:.4f} ± {rung.se:.4f}"
        gap, gain = ledger.gap(rung), rung.gain
        rows.append(
            [
                title(rung.family),
                MARKS[rung.label] + nats,
                *([_bits(ledger, rung)] if ledger.dimensions else []),
                *([("" if gap is None else f"{gap:.4f}")] if known else []),
                "" if gain is None else f"{gain:+.4f} ± {rung.gain_se:.4f}",
                *(f"{rung.measures[name]:.4f}" if name in rung.measures else "" for name in others),
                f"{rung.parameters:,}",
                f"{rung.seconds:.1f}",
                *(["" if rung.weight is None else f"{rung.weight:.3f}"] if stacked else []),
            ]
        )
    return heads, rows


def _bits(ledger: Ledger, rung: Rung) -> str:
    found = ledger.bits(rung)
    return "" if found is None else f"{BITS_MARKS[rung.label]}{found:.4f}"


def as_text(ledger: Ledger) -> str:
    """The ledger as a table of plain text."""
    heads, rows = as_rows(ledger)
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in (heads, *rows)]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def as_html(ledger: Ledger) -> str:
    """The ledger as an HTML table."""
    heads, rows = as_rows(ledger)
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
