"""What the command line's tests share: small tables and pictures, a finished run, and a way to call a command."""

import csv
import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from landmass.cli import main

QUICK = ("--families", "uniform_box,gaussian", "--no-report")


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


Call = Callable[..., Answer]


def table(n: int, seed: int) -> str:
    """Rows that two hidden numbers make, and after them two attributes: the first of these, and the second's sign."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 2))
    rows = hidden @ np.array([[1.0, 0.5, -1.0], [0.0, 1.0, 2.0]]) + 0.05 * rng.normal(size=(n, 3))
    # Every ninth row has no age.
    cells = [
        f"{a},{b},{c},{'' if i % 9 == 0 else h},{'old' if k > 0 else 'new'},town {i}"
        for i, ((a, b, c), (h, k)) in enumerate(zip(rows.tolist(), hidden.tolist(), strict=True))
    ]
    return "\n".join(["a,b,c,age,make,place", *cells]) + "\n"


def grey(n: int = 60) -> dict[str, np.ndarray]:
    """Pictures that are brighter below, half of them more so, with labels."""
    rng = np.random.default_rng(0)
    bright = np.arange(n) % 2 == 0
    slope = np.arange(8)[:, None] * np.where(bright, 30, 15)[:, None, None] + rng.normal(0, 20, (n, 8, 8))
    labels = {"bright": np.where(bright, "yes", "no"), "three": np.arange(n).astype(str), "level": slope.mean((1, 2))}
    return {"images": slope.clip(0, 255).astype(np.uint8), **labels}


def cells(text: str) -> np.ndarray:
    """The numbers of the first three columns."""
    return np.array([line.split(",")[:3] for line in text.splitlines()[1:]], float)


def printed(answer: Answer) -> tuple[list[str], np.ndarray]:
    """The columns' names and numbers that were printed."""
    assert answer.code == 0, answer.err
    head, *lines = csv.reader(io.StringIO(answer.out))
    return head, np.array(lines, float)


@pytest.fixture(scope="session")
def table_text() -> str:
    """200 rows of two columns of numbers that hang together, and one of words."""
    rows = np.random.default_rng(0).normal(size=(200, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]]) + 10.0
    return "height,weight,town\n" + "".join(f"{a},{b},town{i % 3}\n" for i, (a, b) in enumerate(rows.tolist()))


@pytest.fixture
def call(tmp_path: Path, table_text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command line in an empty folder that holds `table.csv`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text(table_text)

    def call(*words: str, stdin: str = "") -> Answer:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        code = main(words)
        return Answer(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, table_text: str) -> Path:
    """A finished run of two families on the table."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "table.csv").write_text(table_text)
    assert main(["fit", str(folder / "table.csv"), *QUICK, "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture
def start(tmp_path: Path, table_text: str) -> Callable[..., subprocess.Popen[str]]:
    """Start the real command in a process of its own."""
    (tmp_path / "table.csv").write_text(table_text)

    def start(*words: str, code: str | None = None) -> subprocess.Popen[str]:
        program = ["-c", code] if code else ["-c", "import sys; from landmass.cli import main; sys.exit(main())"]
        pipe = subprocess.PIPE
        source = str(Path(__file__).parents[2] / "src")
        return subprocess.Popen(
            [sys.executable, *program, *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": source},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
        )

    return start
