"""Progress for people, on stderr: a live view in a terminal, a few plain lines anywhere else."""

import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from landmass.text import title
from landmass.train.progress import Progress

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

# A plain log gets at most one line in this many seconds out of a running rung.
QUIET_SECONDS = 15.0

BAR = 20


class View(ABC):
    """Shows a ladder's progress between `with` and its end.

    Args:
        rungs: the names of the rungs to come, in order.
    """

    def __init__(self, rungs: Sequence[str]) -> None:
        self.rungs = rungs
        self.width = max(map(len, rungs))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave the terminal as it was."""
        return

    @abstractmethod
    def hear(self, progress: Progress, result: str = "") -> None:
        """Take note of a progress record.

        Args:
            progress: the record.
            result: what a finished rung scored.
        """


def view(rungs: Sequence[str]) -> View:
    """The view for this terminal, or for none.

    Args:
        rungs: the names of the rungs to come, in order.
    """
    live = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return LiveView(rungs) if live else PlainView(rungs)


class PlainView(View):
    """One line a rung, and a few in between if it takes long."""

    def __init__(self, rungs: Sequence[str]) -> None:
        super().__init__(rungs)
        self._spoken = time.monotonic()

    def hear(self, progress: Progress, result: str = "") -> None:
        name = f"{title(progress.family):<{self.width}}"
        if progress.kind == "finished":
            self._say(f"{name}  {result}  {seconds(progress)}")
        elif progress.kind in ("failed", "rolled_back"):
            self._say(f"{name}  {progress.kind.replace('_', ' ')}: {progress.message}")
        elif progress.kind in ("advanced", "chosen") and time.monotonic() - self._spoken > QUIET_SECONDS:
            self._say(f"{name}  … {' '.join(filter(None, (steps(progress), running(progress))))}")

    def _say(self, line: str) -> None:
        self._spoken = time.monotonic()
        print(line.rstrip(), file=sys.stderr, flush=True)


class LiveView(View):
    """One line a rung, drawn again and again: waiting, running with a bar, finished with its score."""

    def __init__(self, rungs: Sequence[str]) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__(rungs)
        self._records: dict[str, Progress] = {}
        self._results: dict[str, str] = {}
        self._began: dict[str, float] = {}
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, get_renderable=self._lines, refresh_per_second=5)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Draw the lines a last time and give the cursor back."""
        self._live.stop()

    def hear(self, progress: Progress, result: str = "") -> None:
        name = progress.family
        self._began.setdefault(name, time.monotonic())
        self._records[name], self._results[name] = progress, result
        if progress.kind in ("rolled_back", "failed"):
            self._console.print(f"{title(name)}: {progress.message}", markup=False)

    def _lines(self) -> "Table":
        from rich.table import Table

        table = Table.grid(padding=(0, 1))
        for _ in range(3):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for name in self.rungs:
            table.add_row(*self._row(name))
        return table

    def _row(self, name: str) -> tuple["str | Text", ...]:
        from rich.text import Text

        record = self._records.get(name)
        if record is None:
            return "", Text(title(name), "dim"), "", ""
        if record.kind == "finished":
            return Text("✓", "green"), title(name), Text(f"{seconds(record):>8}", "dim"), self._results[name]
        if record.kind == "failed":
            return Text("✗", "red"), title(name), "", "failed: see above"
        elapsed = time.monotonic() - self._began[name]
        spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[int(elapsed * 5) % 10]
        detail = Text()
        if record.max_steps > 1:
            done = BAR * record.step // record.max_steps
            detail.append("━" * done, "cyan").append("─" * (BAR - done), "dim").append(f" {steps(record)}  ")
        detail.append(running(record))
        return Text(spinner, "cyan"), title(name), Text(f"{elapsed:.1f} s".rjust(8), "dim"), detail


def steps(progress: Progress) -> str:
    """How far a fit has come."""
    return f"{progress.step:,}/{progress.max_steps:,}" if progress.max_steps > 1 else ""


def running(progress: Progress) -> str:
    """What a running fit has to say: log-likelihoods in nats an event, in the units of the data."""
    parts = [("training", progress.training_score), ("validation", progress.held_out_score)]
    told = "  ".join(f"{name} {value:.3f}" for name, value in parts if value is not None)
    return "  ".join(filter(None, (progress.message, f"{told} nats" if told else "")))


def seconds(progress: Progress) -> str:
    """How long a fit took."""
    return f"{progress.seconds:.1f} s"
