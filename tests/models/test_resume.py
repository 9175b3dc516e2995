"""Every family: a fit that is stopped and goes on from its checkpoint ends with the bits of one that was not."""

import hashlib
import json

import pytest

from landmass.catalog import FAMILIES
from landmass.data.batches import split
from landmass.train.checkpoint import HEAD, NOWHERE, Checkpoint
from landmass.train.trees import named_arrays
from tests.models.cases import data, estimator


class Stopped(BaseException):
    """Stands for a killed process."""


def stop_at(number):
    """A listener that lets some records through and dies at the next."""
    heard = []

    def listen(progress):
        heard.append(progress)
        if len(heard) == number:
            raise Stopped

    listen.heard = heard
    return listen


def fit(family, checkpoint, stop=-1):
    """The estimator after fit and refit, and what was heard of them."""
    events = data("plane")
    parts = split(events, 0, validation=0.2, test=0.0)
    fresh, listen = estimator(family), stop_at(stop)
    fresh.fit_parts(events.take(parts.train), events.take(parts.validation), listen, checkpoint.inside("fit"))
    fresh.refit(events, checkpoint.inside("refit"))
    return fresh, listen.heard


def sha256(model):
    """Of all numbers of a model, or of a stack's parts and weights."""
    parts = model.parts_.values() if hasattr(model, "parts_") else [model]
    found = hashlib.sha256(model.weights_.tobytes() if hasattr(model, "weights_") else b"")
    for part in parts:
        for name, array in named_arrays(part.model_).items():
            found.update(name.encode() + array.tobytes())
    return found.hexdigest()


def checkpoints(folder):
    """The SHA-256 of all arrays (weights, optimiser's state, key) of each checkpoint below a folder."""
    return {str(path.relative_to(folder)): json.loads(path.read_text())["sha256"] for path in folder.rglob(HEAD)}


@pytest.fixture(scope="module", params=FAMILIES)
def uninterrupted(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    model, heard = fit(request.param, Checkpoint(folder, every=0.0))
    return request.param, sha256(model), len(heard), checkpoints(folder)


@pytest.mark.parametrize("share", [0.3, 0.9, *(pytest.param(share, marks=pytest.mark.slow) for share in (0.0, 0.6))])
def test_resumed_fit_ends_with_the_same_bits(uninterrupted, share, tmp_path):
    family, expected, records, kept = uninterrupted
    with pytest.raises(Stopped):
        fit(family, Checkpoint(tmp_path, every=0.0), stop=max(1, round(share * records)))
    resumed, _ = fit(family, Checkpoint(tmp_path, every=0.0))
    assert sha256(resumed) == expected
    assert checkpoints(tmp_path) == kept


def test_fit_stopped_again_and_again_ends_with_the_same_bits(uninterrupted, tmp_path):
    family, expected, _, kept = uninterrupted
    stops = 0
    while True:
        try:
            # Fits, a stack's two parts among them, say "started"; with the next record there is something new on disk.
            resumed, _ = fit(family, Checkpoint(tmp_path, every=0.0), stop=3)
            break
        except Stopped:
            stops += 1
        assert stops < 200
    assert sha256(resumed) == expected
    assert checkpoints(tmp_path) == kept


def test_fit_without_checkpoints_has_the_same_bits(uninterrupted):
    assert sha256(fit(uninterrupted[0], NOWHERE)[0]) == uninterrupted[1]


def test_resumed_fit_takes_no_step_twice(tmp_path):
    with pytest.raises(Stopped):
        fit("spline_flow", Checkpoint(tmp_path, every=0.0), stop=8)
    resumed, heard = fit("spline_flow", Checkpoint(tmp_path, every=0.0))
    steps = [record.step for record in resumed.history_]
    assert steps == sorted(set(steps))
    # The eighth record was heard after its checkpoint was written.
    assert [record.step for record in heard if record.kind == "advanced"] == steps[7:]


def test_another_seed_gives_other_bits(uninterrupted):
    family, expected, _, _ = uninterrupted
    events = data("plane", seed=7)
    assert sha256(estimator(family).fit_parts(events, events)) != expected
