"""The page: figures written beside it and set into it, tables, sentences; one file without a network."""

from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from landmass.errors import StoreError
from landmass.ladder import Ladder
from landmass.models.uniform_box import UniformBox
from landmass.report import (
    charts,
    image_densities,
    maps,
    predictions,
    samples,
    sections,
    story,
    table_measures,
    tables,
    verdict,
)
from landmass.report.answers import measure_answers
from landmass.report.measures import Measures, measure
from landmass.report.parts import Draw, Plate, paragraphs, plate_of, table
from landmass.report.style import general, per, signed, title
from landmass.store import write_bytes

# Columns of a box that are listed.
MOST_ROWS = 12


def write_report(ladder: Ladder, folder: str | Path) -> Path:
    """Write a ladder's report: `report.html`, which needs no other file, and its pictures in `figures/`.

    Args:
        ladder: fitted, or read back from its run folder. Until `recall` gives it its events, the report leaves out what
            needs them: of densities the data itself, the product of likelihoods, the likelihood's peak, the training
            curves; of predictors their answers.
        folder: where to write; made if it is not there.

    Returns:
        The path of the page.

    Raises:
        StoreError: the folder cannot be written.
    """
    folder = Path(folder)
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write {folder}: {error.strerror or error}") from error
    if ladder.target_ is None and ladder.ledger_.dimensions:
        body = image_densities.body(image_densities.measure(ladder), folder / "figures")
    elif ladder.target_ is None and not ladder.last_.data_.schema.plain:
        body = tables.body(table_measures.measure(ladder), folder / "figures")
    elif ladder.target_ is None:
        body = _body(measure(ladder), folder / "figures")
    else:
        body = predictions.body(measure_answers(ladder), folder / "figures")
    page = Template(_resource("page.html")).substitute(
        title=escape(ladder.ledger_.data), style=_resource("page.css"), body=body
    )
    write_bytes(folder / "report.html", page.encode())
    return folder / "report.html"


def _body(m: Measures, figures: Path) -> str:
    last, unit = title(m.last), per(m.schema)

    def plate(name: str, draw: Draw, alt: str, caption: str) -> str:
        return plate_of(m, Plate(name, draw, alt, caption), figures)

    return "\n".join(
        [
            "<header>",
            f"<h1>{escape(m.ledger.data)}: where the probability is</h1>",
            paragraphs(story.opening(m)),
            "</header>",
            "<main>",
            paragraphs(verdict.troubles(m), "troubles"),
            plate(
                "density",
                maps.large_map,
                f"Map of the density of the {last}",
                f"The density of the {last}, the mixture that answers for the ladder."
                if m.last == "stack"
                else f"The density of the {last}.",
            ),
            sections.ledger(m, unit, figures),
            "<h2>What each rung believes</h2>",
            plate(
                "rungs",
                maps.small_maps,
                "The data, and the density of every rung on one colour scale",
                f"One logarithmic scale for all, in density per {unit}; the numbers are nats an event. The darkest "
                "colour stands for less than a twentieth of an even spread.",
            ),
            plate(
                "rungs",
                maps.lines,
                "The density of every rung over a histogram of the data",
                f"Lines: each rung's density per {unit}. Grey: the data.",
            ),
            plate(
                "marginals",
                samples.marginals,
                f"Histograms of each column of the data and of draws from the {last}",
                f"One column at a time{_of_columns(m)}: grey is the data, the line {len(_draws(m)):,} draws from the "
                f"{last}. Values far from the rest are left outside the pictures.",
            ),
            plate(
                "pairs",
                samples.pairs,
                f"Scatter plots of pairs of columns: the data, and draws from the {last}",
                f"The columns whose ranks are most correlated. Below the diagonal the data, above it draws from "
                f"the {last}.",
            ),
            sections.learned(m, figures),
            "<h2>Probability made visible</h2>",
            _box_table(m),
            paragraphs(story.product(m)),
            plate(
                "product",
                charts.running_product,
                "The running product of likelihoods, which falls out of the range of float64",
                "The likelihood of the first events, one multiplied after the other.",
            ),
            paragraphs(story.integrals(m)),
            _checks_table(m),
            paragraphs(story.peaks(m)),
            plate(
                "peak",
                charts.surfaces,
                "Log-likelihood as a surface over two parameters, with its peak",
                "Maximum likelihood is the peak of this hill: brighter is likelier. White lines: one, two, three and "
                "four standard errors from it, which are ½, 2, 4½ and 8 nats below.",
            ),
            "</main>",
            sections.footer(unit),
        ]
    )


def _box_table(m: Measures) -> str:
    """The corners of the box, which are all there is to know of it."""
    box = next(((name, rung) for name, rung in m.rungs.items() if isinstance(rung, UniformBox)), None)
    if box is None:
        return ""
    corners = box[1].parameters_
    rows = [
        [name, general(float(low)), general(float(high))]
        for name, low, high in zip(m.schema.names, corners["low"], corners["high"], strict=True)
    ]
    more = f" (the first {MOST_ROWS} of {m.dim} columns)" if m.dim > MOST_ROWS else ""
    caption = f"The {title(box[0])} is {2 * m.dim} numbers, and nothing else{more}."
    return table(caption, ["column", "low", "high"], rows[:MOST_ROWS])


def _checks_table(m: Measures) -> str:
    """Each rung's integral, misplaced mass, product and log-likelihood."""
    heads = ["rung"]
    heads += ["integral"] if m.integrals else []
    heads += [f"mass {story.where(m)}"] if m.empty else []
    heads += ["product of densities", "after so many events", "sum of logs, nats"] if m.products else []
    rows = []
    for name in m.rungs if len(heads) > 1 else ():
        row = [title(name)]
        if m.integrals:
            found = m.integrals.get(name)
            row.append("" if found is None else f"{found.value:.4f} ± {found.error:.4f}")
        if m.empty:
            row.append(verdict.percent(m.empty[name].value))
        if m.products:
            each = m.products[name]
            possible = abs(each.log_likelihood) < float("inf")
            row += [
                f"{each.value:.4g}" if each.ended is None else ("0.0" if each.value == 0.0 else "inf"),
                "" if each.ended is None else f"{each.ended:,}",
                signed(each.log_likelihood, 1) if possible else "−∞",
            ]
        rows.append(row)
    if not rows:
        return ""
    caption = "What must be one, what must be small, and what no computer can multiply."
    return table(caption if m.empty else "What must be one, and what no computer can multiply.", heads, rows)


def _of_columns(m: Measures) -> str:
    return f" (the first {samples.MOST_COLUMNS} of {m.dim})" if m.dim > samples.MOST_COLUMNS else ""


def _draws(m: Measures) -> list:
    return [] if m.draws is None else list(m.draws)


def _resource(name: str) -> str:
    return files("landmass.report").joinpath(name).read_text(encoding="utf-8")
