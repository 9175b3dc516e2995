"""The page of a ladder of predictors: how well answers are known, how sure the predictor is, and what it looks at."""

from html import escape
from pathlib import Path

from landmass.evaluate.ledger import Rung
from landmass.ladder import Ladder
from landmass.report import charts
from landmass.report.measures import Shown, curve_of
from landmass.report.parts import Plate, ledger_table, paragraphs, plate_of
from landmass.report.style import signed, title
from landmass.store import VERSION


def body(ladder: Ladder, figures: Path) -> str:
    """The page's HTML, its pictures written beside it.

    Args:
        ladder: fitted, with its events.
        figures: where the pictures go.
    """
    last = next(name for name, rung in ladder.rungs_.items() if rung is ladder.last_)
    curves = {name: curve_of(rung.history_, rung._log_det, rung._log_det) for name, rung in ladder.rungs_.items()}
    learned = {name: curve for name, curve in curves.items() if curve is not None and name != "constant"}
    m = Shown(ledger=ladder.ledger_, last=last, curves=learned)
    return "\n".join(
        [
            f"<header><h1>{escape(m.ledger.data)}: {escape(str(ladder.target_))} from the rest</h1>",
            paragraphs(_opening(m, str(ladder.target_))),
            "</header><main>",
            "<h2>The ledger</h2>",
            plate_of(
                m,
                Plate(
                    "ledger",
                    charts.ledger,
                    "Held-out log-likelihood of every rung, with error bars; the numbers are in the table below",
                    "Bars reach two standard errors to each side. The first rung is told nothing of an event.",
                ),
                figures,
            ),
            ledger_table(m, m.ledger.unit),
            *(["<h2>How they learned</h2>"] if m.curves else []),
            plate_of(
                m,
                Plate(
                    "training",
                    charts.curves,
                    "Log-likelihood of training batches and validation events by training step",
                    "Nats an event. Grey: training batches. Colour: validation events, on which nothing was trained; "
                    "the dot is the best state.",
                ),
                figures,
            ),
            f"</main><footer>Written by landmass {escape(VERSION)}.</footer>",
        ]
    )


def _opening(m: Shown, target: str) -> list[str]:
    n, best, floor = m.ledger.n, m.ledger.rung(m.last), m.ledger.rungs[0]
    said = [
        f"{sum(n.values()):,} events, each with its {target}. {n['train']:,} taught the rungs, {n['validation']:,} "
        f"chose among them, and {n['test']:,} were kept back for the scores below.",
        f"Validation prefers the {title(best.family)}, which scores {_nats(best)} nats an answer; who is told nothing "
        f"of an event scores {_nats(floor)}.",
    ]
    if m.ledger.true_entropy is not None:
        said.append(f"No predictor can expect more than {signed(-m.ledger.true_entropy, 3)}.")
    return said


def _nats(rung: Rung) -> str:
    return "−∞" if rung.nats is None else signed(rung.nats, 3)
