"""What a running fit tells the world; bars, logs and pages only listen."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from landmass.errors import StoreError


@dataclass(frozen=True)
class LayerRecord:
    """What was seen inside a layer over the last chunk of steps; see `landmass.evaluate.diagnose`.

    Gradients are of the model in training; everything else is of the model that was validated, in train mode, on the
    same training events at every look. Of several members it is the first one. None stands for a number that was not
    finite, or that this kind of layer does not have; after steps that were taken back nothing is looked at.

    Args:
        name: of the layer; one within a residual has a dotted name.
        gradients: norm of the gradient with respect to the layer's own weights, at each step; empty if it has none.
        mean: of its activations, over events and units.
        variance: of its activations, over events and units.
        dead: share of an activation's units that give all events the same.
        running_gap: of batch norm: how far a unit's running mean is from the batch's, in the batch's standard
            deviations; of the worst unit.
        running_ratio: of batch norm: a unit's running variance over the batch's; of the unit where it is farthest
            from 1.
    """

    name: str
    gradients: tuple[float | None, ...] = ()
    mean: float | None = None
    variance: float | None = None
    dead: float | None = None
    running_gap: float | None = None
    running_ratio: float | None = None


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
        log_det: what a score in the units of the data has more, and a loss less: of the training events, and of the
            held-out ones; None where nobody knows.
        layers: what was seen inside each layer over the last chunk of steps, if that was asked for; of a record that
            was rolled back, over the steps that were taken back.
    """

    kind: Literal["started", "advanced", "rolled_back", "chosen", "finished", "failed"]
    family: str = ""
    step: int = 0
    max_steps: int = 0
    loss: float | None = None
    score: float | None = None
    seconds: float = 0.0
    message: str = ""
    layers: tuple[LayerRecord, ...] = ()
    log_det: tuple[float | None, float | None] = (None, None)

    @property
    def training_score(self) -> float | None:
        """Minus the training loss, in the units of the data where they are known."""
        return None if self.loss is None else (self.log_det[0] or 0.0) - self.loss

    @property
    def held_out_score(self) -> float | None:
        """Mean held-out log-density, in the units of the data where they are known."""
        return None if self.score is None else (self.log_det[1] or 0.0) + self.score


Listener = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Listen to nothing."""


def log_line(record: Progress) -> bytes:
    """A record as a line of a run's log; where nobody watched the layers, it does not speak of them."""
    told = record if record.layers else {name: value for name, value in vars(record).items() if name != "layers"}
    return msgspec.json.encode(told) + b"\n"


def histories(path: Path) -> dict[str, tuple[Progress, ...]]:
    """The training history of each rung, from a run's progress log: of several candidates, the best one's.

    Args:
        path: the run's folder, or the log in it; of a run that still goes on too.

    Raises:
        StoreError: there is no log, or it is damaged.
    """
    log = path / "progress.jsonl" if path.is_dir() else path
    try:
        # The last line of a run under way may not be whole.
        lines = [line for line in log.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        records = [msgspec.json.decode(line, type=Progress) for line in lines]
    except (OSError, msgspec.MsgspecError) as error:
        raise StoreError(f"cannot read the progress log {log}: {error}") from error
    best: dict[str, float] = {}
    kept: dict[str, tuple[Progress, ...]] = {}
    running: dict[str, tuple[Progress, ...]] = {}
    for record in records:
        name = record.family
        before = running.get(name, ())
        if record.kind == "advanced":
            # A run that was resumed has taken some steps twice.
            running[name] = (*(other for other in before if other.step < record.step), record)
        elif record.kind == "rolled_back" and record.layers:
            again = any((other.step, other.layers) == (record.step, record.layers) for other in before)
            running[name] = before if again else (*before, record)
        elif record.kind == "chosen":
            score = float("-inf") if record.score is None else record.score
            if name not in best or score > best[name]:
                best[name], kept[name] = score, running.get(name, ())
            running[name] = ()
    return {**running, **kept}
