"""What is killed at any moment loses nothing: it goes on, and ends with the bits of what was not."""

import hashlib
import json
import multiprocessing
import random
import time
from multiprocessing import forkserver
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from landmass.train import checkpoint
from landmass.train.checkpoint import HEAD, Checkpoint, Head

WORDS = ["--families", "uniform_box,spline_flow", "--no-report"]
SIZES = {"max_steps": 200, "members": 1, "hidden": 8, "depth": 1, "n_bins": 4}
SETTINGS = {f"spline_flow.{name}": size for name, size in SIZES.items()}

SHARD = 500


def work(log: Path, *words: str) -> None:
    """A process of its own: the real command, with a checkpoint after every chunk of steps, and small shards."""
    import sys

    from landmass.cli import main, shards

    sys.stdout = sys.stderr = open(log, "w")  # noqa: SIM115
    checkpoint.EVERY, shards.ROWS = 0.0, SHARD
    sys.exit(main(words))


@pytest.fixture(scope="module")
def begin(tmp_path_factory):
    """Starts the command in a fresh process, in which everything is imported and nothing else has happened."""
    log = tmp_path_factory.mktemp("log") / "said.txt"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            *(f"landmass.cli.{name}" for name in ("app", "fit", "shards", "ask_commands", "latent_commands")),
            *("landmass.models.spline_flow", __name__),
        ]
    )
    with pytest.MonkeyPatch.context() as patch:
        # JAX reads these when it is imported.
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        forkserver.ensure_running()

    def begin(*words):
        process = context.Process(target=work, args=(log, *words))
        process.start()
        process.log = log
        return process

    return begin


def numbers(run: Path) -> dict[str, str]:
    """The SHA-256 of every weight file of a finished run, and its ledger without times."""
    ledger = json.loads((run / "ledger.json").read_text())
    for rung in ledger["rungs"]:
        del rung["seconds"]
    weights = [path for rung in (run / "rungs").glob("[!.]*") for path in rung.rglob("*.safetensors")]
    hashes = {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in weights}
    return {**hashes, "ledger": json.dumps(ledger)}


def check_all_checkpoints(run: Path) -> None:
    """Each checkpoint that is on disk is whole."""
    for head in run.rglob(HEAD):
        assert Checkpoint(head.parent).load(dict) is not None
        assert json.loads(head.read_text()).keys() == set(Head.__struct_fields__)


@pytest.mark.parametrize("kills", [20, pytest.param(300, marks=pytest.mark.slow)])
def test_killed_fits_go_on_and_lose_nothing(begin, tmp_path, table_text, kills):
    (tmp_path / "table.csv").write_text(table_text)
    fit = ["fit", str(tmp_path / "table.csv"), *WORDS, "--out"]
    settings = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    for name in ("cold", "whole"):
        began = time.monotonic()
        process = begin(*fit, str(tmp_path / name), *settings)
        process.join()
        assert process.exitcode == 0
    print(f"an undisturbed fit takes {time.monotonic() - began:.1f} s")
    whole, seconds = numbers(tmp_path / "whole"), time.monotonic() - began
    rng, killed, finished, resumed = random.Random(0), 0, 0, 0
    run = tmp_path / "run-0"
    while killed < kills or not (run / "manifest.json").exists():
        begun = (run / "source.json").exists()
        resumed += begun
        process = begin("fit", "--resume", str(run), "--no-report") if begun else begin(*fit, str(run), *settings)
        # When enough were killed, the last run is left to finish.
        process.join(rng.uniform(0.0, 1.1 * seconds) if killed < kills else None)
        if process.exitcode is None:
            process.kill()
            process.join()
            killed += 1
            check_all_checkpoints(run)
        else:
            assert process.exitcode == 0, process.log.read_text()
            assert not (run / "checkpoint").exists()
        # A process may be killed when its run is complete, and then leaves what it would have swept away.
        if not (run / "manifest.json").exists():
            continue
        assert numbers(run) == whole
        finished += 1
        run = tmp_path / f"run-{finished}" if killed < kills else run
    print(f"{killed} killed, {resumed} resumed, {finished} finished")
    assert resumed > kills / 3


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_scores_go_on_and_neither_lose_nor_repeat_a_row(begin, tmp_path, run_folder, kills):
    rows = np.random.default_rng(0).normal(size=(30_100, 2)) + 10.0
    table = pa.table({"height": rows[:, 0], "weight": rows[:, 1]})
    parquet.write_table(table, tmp_path / "large.parquet", row_group_size=1_700)
    score = ["score", str(run_folder), str(tmp_path / "large.parquet"), "--out"]
    for name in ("cold", "whole"):
        began = time.monotonic()
        process = begin(*score, str(tmp_path / name))
        process.join()
        assert process.exitcode == 0, process.log.read_text()
    whole, seconds = parquet.read_table(tmp_path / "whole"), time.monotonic() - began
    assert whole["row"].to_pylist() == list(range(len(rows)))
    told = json.loads((tmp_path / "whole" / "_manifest.json").read_text())
    assert told["nats"] == pytest.approx(np.mean(whole["log_density"]), abs=1e-12)
    rng, killed, finished, resumed = random.Random(0), 0, 0, 0
    while killed < kills:
        out = tmp_path / f"scores-{finished}"
        resumed += (out / "part-000000.parquet").exists()
        process = begin(*score, str(out))
        process.join(rng.uniform(0.0, 1.1 * seconds))
        if process.exitcode is None:
            process.kill()
            process.join()
            killed += 1
        elif json.loads((out / "_manifest.json").read_text())["n"] is not None:
            assert process.exitcode in (0, 2), process.log.read_text()
            assert parquet.read_table(sorted(out.glob("part-*"))).equals(whole)
            assert {path.name[:5] for path in out.iterdir()} == {"part-", "_mani"}
            finished += 1
    print(f"{killed} killed, {resumed} resumed, {finished} finished")
    assert resumed > kills / 5
    assert finished
