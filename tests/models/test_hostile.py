"""Hostile folders: whatever stands in a saved model, `load` refuses it or reads a model, and does nothing else."""

import hashlib
import json
import random
import resource
import signal
import struct
import sys
from contextlib import contextmanager
from pathlib import Path

import jax
import pytest

import landmass
from landmass import LandmassError, NeuralClassifier, NeuralRegressor
from landmass.catalog import FAMILIES
from landmass.nn import Activation, BatchNorm, Conv, Dense, Flatten, Pool, Residual
from tests.conftest import CACHE
from tests.models.cases import data

COMPILES = True

# What JSON can hold that a reader may stumble over.
VALUES = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**12, 10**30, -(10**12), 1e308, 1e-320, 0.5, -0.0),
    *("", "x", "..", "../../../etc/passwd", "/etc/passwd", "\u0000", "é" * 1000, "os.system", "__class__"),
    *([], {}, [[]], [0] * 1000, {"a": {"a": {}}}, {"__import__('os').system('true')": 1}),
]
SECONDS = 20

# JAX keeps every program it compiles, and each shape of network needs its own; what counts is what a load takes.
LOADS = 2_000


def mutated_value(value, rng):
    """JSON with one place changed: replaced, removed, doubled, renamed, or put one level deeper."""
    places = list(walk(value))
    holder, key = rng.choice(places)
    kind = rng.randrange(6)
    if kind == 0 and isinstance(holder, dict):
        holder[rng.choice(["x", "__init__", str(key) + "x"])] = holder.pop(key)
    elif kind == 1:
        del holder[key]
    elif kind == 2 and isinstance(holder, list):
        holder.extend([holder[key]] * rng.choice([1, 5, 1000]))
    elif kind == 3:
        holder[key] = [holder[key]]
    elif kind == 4 and isinstance(holder[key], int | float):
        holder[key] *= rng.choice([-1, 0, 2, 1000, 10**12])
    else:
        holder[key] = json.loads(json.dumps(rng.choice(VALUES)))


def walk(value):
    """Every place inside a JSON value."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from walk(inner)


def mutated_bytes(content, rng):
    """Bytes changed, cut off, doubled or put in."""
    start = rng.randrange(len(content))
    end = min(len(content), start + rng.choice([1, 1, 8, 200]))
    kind = rng.randrange(5)
    if kind == 0:
        return content[:start]
    if kind == 1:
        return content[:start] + content[end:]
    if kind == 2:
        return content[:end] + content[start:]
    fresh = rng.randbytes(end - start) if kind == 3 else rng.choice([b"[", b"{", b"9" * 400, b"\xff", b"\0"]) * 50
    return content[:start] + fresh + content[end:]


def mutate(folder, rng):
    """Change one thing in a saved model; a changed weight file gets the hash that fits it."""
    manifest = folder / "manifest.json"
    kind = rng.randrange(4)
    if kind == 0:
        manifest.write_bytes(mutated_bytes(manifest.read_bytes(), rng))
        return
    said = json.loads(manifest.read_bytes())
    if kind == 1 or "sha256" not in said["model"]:
        mutated_value(said, rng)
    else:
        weights = folder / "weights.safetensors"
        content = weights.read_bytes()
        if kind == 2:
            content = mutated_bytes(content, rng)
        else:
            (length,) = struct.unpack("<Q", content[:8])
            header = json.loads(content[8 : 8 + length])
            mutated_value(header, rng)
            fresh = json.dumps(header).encode()
            content = struct.pack("<Q", len(fresh)) + fresh + content[8 + length :]
        weights.write_bytes(content)
        said["model"]["sha256"] = hashlib.sha256(content).hexdigest()
    manifest.write_text(json.dumps(said))


# Python reads its own sources, and ours, for a traceback; JAX keeps programs that it has compiled.
OURS = (sys.prefix, sys.base_prefix, str(Path(landmass.__file__).parent), str(Path(__file__).parent), str(CACHE))

WATCHED = {"on": False, "folder": "", "seen": []}


def watch(event, args):
    """Note every file opened outside of the folder, and everything that runs code."""
    if not WATCHED["on"]:
        return
    # An open file that is given a buffer is announced once more, by its number.
    if event == "open" and not isinstance(args[0], int):
        name = args[0].decode() if isinstance(args[0], bytes) else str(args[0])
        if not name.startswith((WATCHED["folder"], *OURS)):
            WATCHED["seen"].append((event, name))
    elif event in ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect"):
        WATCHED["seen"].append((event, str(args)))


@contextmanager
def watched(folder):
    """Keep a watch on this process, which must be done within some seconds."""

    def late(number, frame):
        raise TimeoutError(f"still at work after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    WATCHED.update(on=True, folder=str(folder), seen=[])
    try:
        yield
    finally:
        WATCHED["on"] = False
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def hook():
    sys.addaudithook(watch)


@pytest.fixture(scope="module")
def folders(fitted, tmp_path_factory):
    """A saved model of each family, each of which was loaded once."""
    saved = tmp_path_factory.mktemp("saved")
    for family in FAMILIES:
        fitted(family, "plane").save(saved / family)
        landmass.load(saved / family)
    X, small = data("plane").X, {"hidden": 4, "depth": 1, "max_steps": 5, "batch_norm": True}
    NeuralClassifier(**small).fit(X, X[:, 0] > 0.0).save(saved / "neural_classifier")
    NeuralRegressor(**small).fit(X, X[:, 0] ** 2).save(saved / "neural_regressor")
    layers = [Conv(2), BatchNorm(), Residual((Conv(2), Activation("relu"))), Pool(2), Flatten(), Dense(10)]
    of_images = NeuralClassifier(max_steps=5, architecture=layers)
    of_images.fit(landmass.examples("digits", n=50)).save(saved / "of_images")
    return saved


@pytest.mark.parametrize("count", [1_500, pytest.param(100_000, marks=pytest.mark.slow)])
def test_mutated_folders_are_refused_or_read(hook, folders, count):
    rng, refused, read = random.Random(0), 0, 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(count):
        family = rng.choice([*FAMILIES, "neural_classifier", "neural_regressor", "of_images"])
        folder = folders / family
        changed = rng.choice(sorted(folder.rglob("manifest.json"))).parent
        good = {path: path.read_bytes() for path in changed.iterdir() if path.is_file()}
        mutate(changed, rng)
        with watched(folder):
            try:
                landmass.load(folder)
                read += 1
            except LandmassError as error:
                refused += 1
                assert str(error)
            except Exception as error:
                error.add_note(f"mutation {number}, {changed.relative_to(folders)}")
                raise
        assert not WATCHED["seen"], (number, WATCHED["seen"])
        for path, content in good.items():
            path.write_bytes(content)
        if number % LOADS == LOADS - 1:
            jax.clear_caches()
    # The models are small: all that a load may take beside twice its file is 200 MB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert refused > 0.7 * count
    print(f"{count} mutations: {refused} refused, {read} read")


def test_watch_sees_what_it_should(hook, tmp_path):
    (tmp_path / "outside").write_text("x")
    with watched(tmp_path / "inside"):
        (tmp_path / "outside").read_text()
    assert WATCHED["seen"] == [("open", str(tmp_path / "outside"))]
