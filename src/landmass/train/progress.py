"""What a running fit tells the world; bars, logs and pages only listen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Progress:
    """One record of a running fit.

    Args:
        kind: what happened.
        family: the rung it happened to; filled in by whoever runs several.
        step: training steps done so far.
        max_steps: the most steps the fit may take.
        loss: mean training loss over the last chunk of steps, in nats an event of the model's space.
        score: mean held-out log-density, in nats an event of the model's space.
        seconds: since the fit began.
        message: one sentence for people.
    """

    kind: Literal["started", "advanced", "rolled_back", "chosen", "finished", "failed"]
    family: str = ""
    step: int = 0
    max_steps: int = 0
    loss: float | None = None
    score: float | None = None
    seconds: float = 0.0
    message: str = ""


Listener = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Listen to nothing."""
