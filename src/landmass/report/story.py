"""The story of a ladder in plain sentences; every sentence has a measured number behind it."""

import math

from landmass.data.builtin.land import Land
from landmass.report import verdict
from landmass.report.measures import Measures
from landmass.report.style import general, signed, title


def opening(m: Measures) -> list[str]:
    """What was fitted to what, and what came of it."""
    return [
        verdict.parts(m, f"events of {verdict.columns(m.schema.names)}"),
        *_verdict(m),
        *_mass(m),
    ]


def _verdict(m: Measures) -> list[str]:
    """The scores of the simplest rung, the preferred one and the last one, and how far from the truth they are."""
    ledger, first = m.ledger, next(iter(m.rungs))
    best, base = ledger.rung(ledger.best), ledger.rung(first)
    said = []
    if best.nats is not None:
        said.append(f"Validation prefers the {title(best.family)}, which scores {verdict.nats(best)} nats an event.")
    last = ledger.rung(m.last)
    if last.family != best.family and last.nats is not None:
        said.append(f"The {title(last.family)} of all rungs, each weighted by validation, scores {verdict.nats(last)}.")
    said += verdict.truth(m, [last, best, base])
    said += verdict.ratio(best if best.nats is not None else last, base)
    return [" ".join(part for part in said if part)] if said else []


def _mass(m: Measures) -> list[str]:
    """Where the mass lies that the truth has none of."""
    if not m.empty:
        return []
    place = where(m)
    first = next(iter(m.empty))
    said = [f"{verdict.percent(m.empty[first].value)} of the {title(first)}'s mass is {place}."]
    others = [name for name in dict.fromkeys([m.ledger.best, m.last]) if name != first]
    if others:
        told = " and ".join(f"{verdict.percent(m.empty[name].value)} of the {title(name)}'s" for name in others)
        said.append(f"So is {told}.")
    return [" ".join(said)]


def where(m: Measures) -> str:
    """The places that the truth gives density zero, in words."""
    return "in the sea" if isinstance(m.truth, Land) else "where the truth has none"


def product(m: Measures) -> list[str]:
    """What becomes of the product of all densities, and of the sum of their logarithms."""
    if not m.products:
        return []
    first, found = m.last, m.products[m.last]
    total = sum(m.ledger.n.values())
    some = f"the first {found.n:,} of {total:,} events" if found.n < total else f"all {found.n:,} events"
    if found.n <= m.ledger.n["train"] + m.ledger.n["validation"]:
        some += ", all of which the rungs learned from,"
    said = f"The likelihood of a data set is the product of its events' densities. For {some} under the {title(first)} "
    if not math.isfinite(found.log_likelihood):
        said += f"it is zero: after {found.ended:,} events came one that the model holds impossible."
    elif found.ended is None:
        said += f"it is {found.value:.3g}, whose logarithm is {signed(found.log_likelihood, 1)} nats."
    else:
        end = "0.0" if found.value == 0.0 else "inf"
        said += (
            f"a computer finds {end}: float64 gives up after {found.ended:,} events. The sum of the logarithms is "
            f"{signed(found.log_likelihood, 1)} nats, and keeps every digit; that is why the ledger counts in nats."
        )
    return [said]


def integrals(m: Measures) -> list[str]:
    """Whether the densities integrate to one."""
    known = {name: each for name, each in m.integrals.items() if each is not None}
    if not known:
        return []
    worst = max(known, key=lambda name: abs(known[name].value - 1.0))
    way = "on a fine grid" if m.dim <= 2 else "by importance sampling"
    return [
        "A density may exceed one, but its integral over the sample space must be one. Added up "
        f"{way}, the one farthest from it is the {title(worst)}'s: {known[worst].value:.4f} ± {known[worst].error:.4f}."
    ]


def peaks(m: Measures) -> list[str]:
    """Where the likelihood surfaces have their peaks."""
    said = []
    for name, found in m.surfaces.items():
        some = f"{found.n:,} events that the rungs learned from"
        at = " and ".join(f"{label} {general(value)}" for label, value in zip(found.labels, found.peak, strict=True))
        text = f"The {title(name)}: vary two of its numbers and keep the rest, and {some} are likeliest at {at}."
        if "edge" in found.labels[0]:
            text += (
                " A box that ends inside the outermost event makes the data impossible (−∞); one that ends "
                "farther out spreads its mass thinner."
            )
            x, y = found.axes
            if not (x[0] <= found.fitted[0] <= x[-1] and y[0] <= found.fitted[1] <= y[-1]):
                ends = " and ".join(map(general, found.fitted))
                text += f" The ladder's box ends at {ends}, off this picture."
        said.append(text)
    return said
