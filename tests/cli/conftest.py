"""What the command line's tests share: a small table, a finished run, and a way to call a command."""

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
