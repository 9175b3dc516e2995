"""The page of a ladder of tables of any columns: what each column costs, alone and given the others, and odd cells."""

import math
from collections import Counter
from html import escape
from pathlib import Path

import numpy as np

from landmass.data.schema import AnyColumn, Boolean, Category, Continuous, Datetime, Grid, Schema, kind_of
from landmass.estimator.states import MOST_AT_HAND
from landmass.evaluate.ledger import mean_and_error
from landmass.report import sections, table_figures, verdict
from landmass.report.measures import MOST_EVENTS
from landmass.report.parts import Plate, paragraphs, plate_of, table
from landmass.report.style import general, signed, title
from landmass.report.table_measures import Odd, Strange, Tabled
from landmass.report.table_scales import level_name
from landmass.types import CellScores

# Nats a cell that are no fault worth telling.
LEAST_OFF = 0.005

# Columns that the table lists, cells of a strange row, letters of a name or word.
MOST_LISTED, MOST_CELLS, LETTERS = 30, 6, 28

KINDS = {
    "real": "numbers",
    "positive": "positive numbers",
    "bounded": "bounded numbers",
    "circular": "places on a circle",
    "grid": "rounded numbers",
    "integer": "whole numbers",
    "datetime": "dates",
    "category": "words",
    "boolean": "true or false",
}
"""What columns hold, by kind."""


def body(m: Tabled, figures: Path) -> str:
    """The page's HTML, its pictures written beside it.

    Args:
        m: what is measured.
        figures: where the pictures go.
    """
    unit, last = per(m.schema), title(m.last)
    each = Plate(
        "columns",
        table_figures.columns,
        f"Bars and histograms of each column of held-out events and of draws from the {last}",
        f"One column at a time{_of_columns(m)}: {'grey are held-out events, ' if m.data is not None else ''}blue lines "
        f"{len(m.draws):,} draws from the {last}. Bars are shares; heights of histograms are square roots of them, so "
        "that a pile at one value leaves the rest visible. Values far from the rest are left outside the pictures"
        f"{_of_words(m)}.",
    )
    pairs = Plate(
        "pairs",
        table_figures.pairs,
        f"Pairs of columns: held-out events, and draws from the {last}",
        f"The columns that depend most on each other, by mutual information{_of_pairs(m)}. Below the diagonal held-out "
        f"events, above it draws from the {last}. Values that are counted are jittered; shades are square roots of "
        "shares; events with an empty cell in a column of numbers are left out.",
    )
    return "\n".join(
        [
            f"<header><h1>{escape(m.ledger.data)}: where the probability is</h1>",
            paragraphs(opening(m)),
            "</header><main>",
            paragraphs(verdict.troubles(m), "troubles"),
            sections.ledger(m, unit, figures),
            f"<h2>What each column {'holds' if m.alone is None and m.given is None else 'costs'}</h2>",
            paragraphs(costs(m)),
            columns_table(m),
            sections.learned(m, figures),
            "<h2>What the draws look like</h2>",
            plate_of(m, each, figures),
            plate_of(m, pairs, figures),
            _strange_section(m),
            "</main>",
            sections.footer(unit),
        ]
    )


def per(schema: Schema) -> str:
    """What a density of rows is per: counted columns have no unit.

    Args:
        schema: the sample space.
    """
    measured = [column for column in schema.columns if isinstance(column, Continuous)]
    if not measured:
        return "row of counted cells"
    units = [column.unit or f"unit of {column.name}" for column in measured]
    if len(measured) <= 2:
        return " and ".join(units)
    return f"unit of each of the {len(measured)} columns that are measured"


def opening(m: Tabled) -> list[str]:
    """What was fitted to what, and what came of it.

    Args:
        m: what is measured.
    """
    kinds = Counter(KINDS.get(kind_of(column), kind_of(column)) for column in m.schema.columns)
    held = [f"{many} of {kind}" for kind, many in kinds.most_common()]
    said = [f"Columns by what they hold: {verdict.listed(held)}."]
    if m.empty is not None and m.empty.any():
        gaps, some = int((m.empty > 0.0).sum()), verdict.percent(float(m.empty.mean()))
        said.append(f"{gaps} of them {'has' if gaps == 1 else 'have'} empty cells, {some} of all.")
    events = f"events of {verdict.columns([_cut(name) for name in m.schema.names])}"
    return [
        verdict.parts(m, events, taught=m.ledger.n["train"] <= MOST_AT_HAND),
        " ".join(said),
        " ".join(_verdict(m)),
    ]


def _verdict(m: Tabled) -> list[str]:
    """The rung that validation prefers, and by how much."""
    ledger = m.ledger
    best, first, last = ledger.rung(ledger.best), ledger.rungs[0], ledger.rung(m.last)
    said = []
    if best.nats is not None:
        gain = "" if best.gain is None else f", {_gained(best.gain, best.gain_se)} the best rung below it"
        said.append(
            f"Validation prefers the {title(best.family)}, which scores {verdict.nats(best)} nats an event{gain}."
        )
    if last.family != best.family and last.nats is not None:
        # A stack of one part is that part.
        gain = f", {_gained(last.gain, last.gain_se)} the best of them" if last.gain else ""
        said.append(
            f"The {title(last.family)} of all rungs, each weighted by validation, scores {verdict.nats(last)}{gain}."
        )
    return [*said, *verdict.truth(m, [last, best, first]), *verdict.ratio(last if best.nats is None else best, first)]


def _gained(gain: float, error: float | None) -> str:
    known = f" ± {error:.3f}" if error is not None and math.isfinite(error) else ""
    return f"{abs(gain):.3f}{known} {'more' if gain >= 0.0 else 'less'} than"


def costs(m: Tabled) -> list[str]:
    """What the table of columns shows.

    Args:
        m: what is measured.
    """
    if m.data is None or (m.alone is None and m.given is None):
        return []
    said = [
        f"The mean log-probability of a column's cells says what they cost{_of_events(m)}: minus so many nats each. "
        "That of a column that is counted is zero at most; of a measured one it depends on the unit."
    ]
    if m.alone is not None:
        total = signed(float(m.alone.mean(0).sum()), 3)
        said.append(f"Alone, as the independent rung has it, the columns' numbers add up to {total} nats a row.")
    if m.given is not None:
        said.append("Given the others is the latent class rung's answer when it knows all other cells of the row.")
    return [" ".join(said), *_told(m), *_sure(m)]


def _told(m: Tabled) -> list[str]:
    """The columns of which the others tell most, and least."""
    gains = gains_of(m)
    if gains is None or len(m.schema.columns) < 2:
        return []
    means = [mean_and_error(gain, m.copies) for gain in gains.T]
    order = sorted(range(len(means)), key=lambda i: -means[i][0])
    clear = [i for i in order if np.isfinite(means[i][0]) and means[i][0] > 2.0 * means[i][1]]
    names = [_cut(name) for name in m.schema.names]
    if not clear:
        return ["Of no column do the others tell more than two standard errors."]
    top = [f"{names[i]} ({signed(means[i][0], 3)} ± {means[i][1]:.3f} nats)" for i in clear[:3]]
    said = f"The others tell most of {verdict.listed(top)}."
    few = len(means) - len(clear)
    if few:
        said += f" Of {few} of the {len(means)} columns they tell no more than two standard errors."
    return [said]


def _sure(m: Tabled) -> list[str]:
    """Whether what is said of a column given the others is as sure as it may be."""
    if m.sureness is None or len(m.schema.columns) < 2:
        return []
    means = [mean_and_error(each, m.copies) for each in m.sureness.T]
    names = [_cut(name) for name in m.schema.names]
    off = [i for i, (mean, error) in enumerate(means) if np.isfinite(mean) and mean < -max(3.0 * error, LEAST_OFF)]
    said = (
        "The last column compares how likely each cell was held with how likely the latent classes expected it to be: "
        "zero, within errors, where they are as sure as they may be, and below it where they are too sure."
    )
    if not off:
        return [f"{said} Of no column they are too sure by three standard errors and {LEAST_OFF:g} nats."]
    worst = sorted(off, key=lambda i: means[i][0])[:3]
    told = [f"{names[i]} ({signed(means[i][0], 3)} ± {means[i][1]:.3f} nats)" for i in worst]
    return [f"{said} They are too sure of {verdict.listed(told)}."]


def gains_of(m: Tabled) -> CellScores | None:
    """What the other cells of a row tell of each: the gain over the column alone; None where that is not known.

    Args:
        m: what is measured.
    """
    if m.alone is None or m.given is None:
        return None
    with np.errstate(invalid="ignore"):
        return m.given - m.alone


def columns_table(m: Tabled) -> str:
    """Each column's kind, base measure, empty cells, and nats.

    Args:
        m: what is measured.
    """
    gains = gains_of(m)
    scores = {"alone": m.alone, "given the others": m.given, "they tell": gains, "beyond expected": m.sureness}
    known = {head: each for head, each in scores.items() if each is not None}
    heads = ["column", "holds", "per", *([] if m.empty is None else ["empty"]), *known]
    chosen, some = list(range(len(m.schema.columns))), ""
    if len(chosen) > MOST_LISTED:
        some = f" (the first {MOST_LISTED} of {len(chosen)})"
        if gains is not None:
            order = np.argsort(-np.nan_to_num(gains.mean(0)), kind="stable")
            chosen = sorted(order[:MOST_LISTED].tolist())
            some = f" (the {MOST_LISTED} of {len(order)} of which the others tell most)"
        chosen = chosen[:MOST_LISTED]
    rows = []
    for i in chosen:
        column = m.schema.columns[i]
        row = [_cut(column.name), _holds(column), _per(column)]
        row += [] if m.empty is None else [verdict.percent(float(m.empty[i])) if m.empty[i] else "none"]
        # The error of what is given says little beside that of what the others tell.
        rows.append([*row, *(_score(each[:, i], m, head != "given the others") for head, each in known.items())])
    means = " Mean log-probability of a held-out cell in nats, ± one standard error." if known else ""
    return table(f"The columns{some}.{means}", heads, rows)


def _score(values: np.ndarray, m: Tabled, with_error: bool) -> str:
    impossible = int(np.isneginf(values).sum())
    if impossible:
        return f"−∞ ({impossible:,} of {len(values):,})"
    mean, error = mean_and_error(values, m.copies)
    if not math.isfinite(mean):
        return ""
    return f"{signed(mean, 3)} ± {error:.3f}" if with_error else signed(mean, 3)


def _holds(column: AnyColumn) -> str:
    kind = KINDS.get(kind_of(column), kind_of(column))
    if isinstance(column, Category):
        return f"{len(column.levels):,} {kind}{' and others' if column.other else ''}"
    if isinstance(column, Grid):
        return f"{kind}, by {column.step:g}"
    if isinstance(column, Datetime):
        return f"{kind}, by the {column.tick}"
    if isinstance(column, Continuous) and column.atoms:
        atoms = [general(atom) for atom in column.atoms[:2]] + [f"{len(column.atoms) - 2} more"] * (
            len(column.atoms) > 2
        )
        return f"{kind}; often {verdict.listed(atoms)}"
    return kind


def _per(column: AnyColumn) -> str:
    if not isinstance(column, Continuous):
        return "count"
    return (_cut(column.unit) or "unit") + (", or count" if column.atoms else "")


def _strange_section(m: Tabled) -> str:
    """The held-out events of lowest density, with their odd cells, or with their first cells."""
    if not m.strange:
        return ""
    first = m.strange[0]
    called = "One row" if first.row is None else f"Row {first.row:,}"
    said = [
        f"{called} has the log-density {_nats(first.nats)} under the {title(m.last)}, the lowest of the "
        "held-out events. Such rows are worth a look: they were told wrongly, or are simply rare."
    ]
    if first.odd:
        worst = first.odd[0]
        column = _cut(m.schema.names[worst.column])
        said.append(
            f"What stands out in it is {odd_words(m, first, worst)}: given all other cells of the row, the latent "
            f"class rung has {_nats(worst.nats)} nats for it, where {column} has {_nats(worst.usual)} on average."
        )
    heads, rows = _odd_rows(m) if any(each.odd for each in m.strange) else _plain_rows(m)
    counted = "; rows are counted from 0"
    if first.row is None:
        place, counted = heads.index("row"), ""
        heads, *rows = ([*line[:place], *line[place + 1 :]] for line in (heads, *rows))
    caption = f"The {len(m.strange)} held-out rows of lowest log-density, in nats{counted}."
    return "\n".join(["<h2>The strangest rows</h2>", paragraphs([" ".join(said)]), table(caption, heads, rows)])


def _odd_rows(m: Tabled) -> tuple[list[str], list[list[str]]]:
    heads = ["strange cell", "given the others", "that column on average", "row", "the whole row"]
    rows = [
        [odd_words(m, each, odd), _nats(odd.nats), _nats(odd.usual), _number(each), _nats(each.nats)]
        for each in m.strange
        for odd in each.odd
    ]
    return heads, rows


def _plain_rows(m: Tabled) -> tuple[list[str], list[list[str]]]:
    some = list(range(len(m.schema.columns)))[:MOST_CELLS]
    heads = ["row", "log-density", *(_cut(m.schema.names[i]) for i in some)]
    return heads, [[_number(e), _nats(e.nats), *(_cell(m, e, i) for i in some)] for e in m.strange]


def _number(event: Strange) -> str:
    return "" if event.row is None else f"{event.row:,}"


def odd_words(m: Tabled, event: Strange, odd: Odd) -> str:
    """A strange cell in words, such as "age 17 given marital_status Widowed".

    Args:
        m: what is measured.
        event: the cell's.
        odd: the cell.
    """
    said = f"{_cut(m.schema.names[odd.column])} {_cell(m, event, odd.column)}"
    if odd.beside is None:
        return said
    return f"{said} given {_cut(m.schema.names[odd.beside])} {_cell(m, event, odd.beside)}"


def _cell(m: Tabled, event: Strange, i: int) -> str:
    column, value = m.schema.columns[i], float(event.event[i])
    if math.isnan(value):
        return "empty"
    if isinstance(column, Category | Boolean):
        return _cut(level_name(column, int(value)))
    # A date's dashes are no minus signs.
    return column.shown(value) if isinstance(column, Datetime) else column.shown(value).replace("-", "−")


def _nats(value: float) -> str:
    return signed(value, 2) if math.isfinite(value) else "−∞"


def _cut(text: str) -> str:
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if len(plain) <= LETTERS else plain[: LETTERS - 1] + "…"


def _of_columns(m: Tabled) -> str:
    many = len(m.schema.columns)
    return f" (the first {table_figures.MOST_COLUMNS} of {many})" if many > table_figures.MOST_COLUMNS else ""


def _of_words(m: Tabled) -> str:
    most = table_figures.MOST_WORDS
    long = any(isinstance(column, Category) and column.high > most for column in m.schema.columns)
    return f", and of words all but the {most} most frequent are taken together" if long else ""


def _of_pairs(m: Tabled) -> str:
    many = len(m.schema.columns)
    return f" ({len(m.pairs)} of {many})" if many > len(m.pairs) else ""


def _of_events(m: Tabled) -> str:
    many = m.ledger.n["test"]
    return f", over the first {MOST_EVENTS:,} held-out events" if many > MOST_EVENTS else ""
