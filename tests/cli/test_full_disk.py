"""A disk that is full in the middle of a fit: a clear error, and the last checkpoint goes on where there is room."""

import subprocess
import sys
from pathlib import Path

import pytest

import landmass
from tests.cli.conftest import Call

FIT = """
import sys
from landmass.cli import main
from landmass.train import checkpoint
checkpoint.EVERY = 0.0
sys.exit(main(sys.argv[1:]))
"""

# Inside a name space of its own a process may mount a small disk, which is gone when it ends.
SHELL = """
mount -t tmpfs -o size=600k tmpfs small || exit 77
"$@" --out small/run
code=$?
cp -r small/run kept
exit $code
"""


@pytest.fixture
def on_a_small_disk(tmp_path: Path, table_text: str):
    """Runs a fit whose run folder stands on a disk of 600 kB, and copies the folder to `kept`."""
    (tmp_path / "small").mkdir()
    (tmp_path / "table.csv").write_text(table_text)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["unshare", "-rm", "sh", "-c", SHELL, "sh", sys.executable, "-c", FIT, *words]
        try:
            done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=300, check=False)
        except FileNotFoundError:
            pytest.skip("there is no unshare here, to mount a small disk with")
        if done.returncode in (1, 77) and "landmass" not in done.stderr and "Error" not in done.stderr:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        return done

    return run


def test_full_disk_is_told_and_the_last_checkpoint_goes_on(on_a_small_disk, call: Call, tmp_path: Path):
    size = ["--set", "spline_flow.members=2", "--set", "spline_flow.n_bins=8", "--set", "spline_flow.max_steps=80"]
    words = ["fit", str(tmp_path / "table.csv"), "--families", "uniform_box,spline_flow", "--no-report", *size]
    full = on_a_small_disk(*words)
    assert full.returncode == 2, full.stderr
    last = full.stderr.splitlines()[-1]
    assert last.startswith("error: cannot write small/run/checkpoint/spline_flow/fit/")
    assert "No space left on device" in last
    assert last.endswith("; then go on with `landmass fit --resume small/run`")
    kept = tmp_path / "kept"
    assert isinstance(landmass.load(kept / "rungs" / "uniform_box"), landmass.UniformBox)
    assert (kept / "checkpoint" / "spline_flow" / "fit" / "checkpoint.json").exists()
    resumed = call("fit", "--resume", str(kept), "--no-report")
    assert resumed.code == 0, resumed.err
    assert call(*words, "--out", "whole").code == 0
    whole, again = landmass.load(tmp_path / "whole"), landmass.load(kept)
    for one, other in zip(whole.ledger_.rungs, again.ledger_.rungs, strict=True):
        assert (one.family, one.nats) == (other.family, other.nats)
