"""The strangest answers: the held-out rows whose answers the predictor held least likely."""

import numpy as np
from jaxtyping import Int

from landmass.data.features import Table
from landmass.report.answers import Answered, Classified, Estimated
from landmass.report.parts import paragraphs, table
from landmass.report.style import general, signed, title

# Rows and columns of the table, and letters of a cell.
MOST_ROWS, MOST_COLUMNS, LETTERS = 10, 8, 32


def section(m: Answered) -> str:
    """The table of the strangest answers; nothing where the rows are not at hand, or are images."""
    if m.events is None or m.answers is None or not isinstance(m.events.inputs, Table):
        return ""
    chosen = strangest(m)
    names = (m.columns or [])[:MOST_COLUMNS]
    heads = ["row", *map(_cut, names), f"{_cut(m.target)}: came", *_heads(m)]
    rows = [
        [
            f"{m.rows[i]:,}",
            *(_cell(m.events.inputs.columns[name][i]) for name in names),
            _cell(m.events.answers.tolist()[i]),
            *_said(m, int(i)),
        ]
        for i in chosen
    ]
    all_columns = len(m.columns or [])
    some = f"; the first {MOST_COLUMNS} of {all_columns} columns" if all_columns > MOST_COLUMNS else ""
    return "\n".join(
        [
            "<h2>The strangest answers</h2>",
            paragraphs(_sentence(m, int(chosen[0]))),
            table(f"The held-out answers of least probability (rows counted from 0{some}).", heads, rows),
        ]
    )


def strangest(m: Answered) -> Int[np.ndarray, " few"]:
    """The events whose answers have the lowest log-density, the lowest first."""
    return np.argsort(m.scores, kind="stable")[:MOST_ROWS]


def _sentence(m: Answered, i: int) -> list[str]:
    """What is said of the strangest."""
    found = m.answers
    if isinstance(found, Classified):
        chance = float(np.exp(m.scores[i]))
        return [
            f"In row {m.rows[i]:,} came {found.classes[found.true[i]]!r}, to which the {title(m.last)} had given the "
            f"probability {probability(chance)}. Such rows are worth a look: they were told wrongly, lack a column "
            "that matters, or are simply rare."
        ]
    if isinstance(found, Estimated):
        low, high = found.interval(0.9)[i]
        return [
            f"In row {m.rows[i]:,} came {general(found.actual[i])}, where the {title(m.last)} was nine parts in ten "
            f"sure of an answer from {_short(low)} to {_short(high)}. Such rows are worth a look: they were told "
            "wrongly, lack a column that matters, or are simply rare."
        ]
    return []


def _heads(m: Answered) -> list[str]:
    if isinstance(m.answers, Classified):
        return ["predicted", "probability of it", "probability of what came"]
    return ["expected", "90% interval", "log-density, nats"]


def _said(m: Answered, i: int) -> list[str]:
    """What the predictor says of an event."""
    found = m.answers
    if isinstance(found, Classified):
        taken = int(found.predicted[i])
        return [
            _cut(found.classes[taken]),
            probability(float(found.chances[i, taken])),
            probability(float(found.chances[i, found.true[i]])),
        ]
    if isinstance(found, Estimated):
        low, high = found.interval(0.9)[i]
        return [_short(found.expected[i]), f"{_short(low)} to {_short(high)}", signed(float(m.scores[i]), 2)]
    return []


def probability(chance: float) -> str:
    """A probability in words that neither 0 nor 1 are told of.

    Args:
        chance: from 0 to 1.
    """
    if chance < 0.0001:
        return "below 0.01%"
    if chance > 0.9999:
        return "above 99.99%"
    return f"{100.0 * chance:.2f}%" if min(chance, 1.0 - chance) < 0.01 else f"{100.0 * chance:.1f}%"


def _cell(value: object) -> str:
    if value is None or value != value:
        return ""
    return general(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"


def _short(value: float) -> str:
    return general(float(f"{value:.4g}"))
