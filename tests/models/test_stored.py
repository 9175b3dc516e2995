"""Models that earlier releases have stored still load, and answer as they did."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import landmass
from landmass.catalog import KNOWN
from landmass.store import VERSION

STORED = Path(__file__).parents[1] / "stored"
PREDICTORS = sorted(path.parent for path in STORED.glob("*/*/expected.json"))
DENSITIES = sorted(set(STORED.glob("*/*")) - set(PREDICTORS))


def name_of(path):
    return f"{path.parent.name} {path.name}"


def test_this_release_has_stored_every_family():
    assert sorted(path.name for path in (STORED / VERSION).iterdir()) == sorted(KNOWN)


@pytest.mark.parametrize("folder", DENSITIES, ids=name_of)
def test_stored_model_loads_and_answers_as_it_did(folder):
    model = landmass.load(folder)
    golden = json.loads((folder / "manifest.json").read_text())["golden"]
    events = np.array([each["event"] for each in golden])
    known = np.array([-np.inf if each["log_density"] is None else each["log_density"] for each in golden])
    assert np.isfinite(known).any()
    of_images = model.data_.schema.image is not None
    of_tables = not model.data_.schema.plain
    events = model.space_.of_golden(events) if of_images else events
    events = landmass.Dataset(events, model.data_.schema) if of_tables else events
    # What has no likelihood is known by its errors.
    found = model.score_samples(events) if hasattr(model, "score_samples") else -model.errors(events)
    np.testing.assert_allclose(found, known, rtol=1e-4, atol=1e-4)
    drawn = model.sample(9, random_state=0)
    if of_tables:
        assert drawn.column_names == model.data_.schema.names
        drawn = model._draw(9, np.random.RandomState(0))[:, [not c.nullable for c in model.data_.schema.columns]]
        assert np.isfinite(drawn).all()
        return
    assert np.isfinite(drawn if of_images else np.column_stack([np.asarray(each) for each in drawn.columns])).all()


@pytest.mark.parametrize("folder", PREDICTORS, ids=name_of)
def test_stored_predictor_loads_and_answers_as_it_did(folder):
    model = landmass.load(folder)
    expected = json.loads((folder / "expected.json").read_text())
    X, y = expected.pop("X"), np.array(expected.pop("y"))
    X = pa.table(X) if isinstance(X, dict) else np.array(X, np.uint8)
    for method, known in expected.items():
        ask = getattr(model, method)
        found = ask(X, y) if method == "log_prob" else ask(X)
        np.testing.assert_allclose(found, known, rtol=1e-4, atol=1e-4, err_msg=method)
    running = [each for each in model.model_.components.network.running.numbers if each]
    # They start at 0 and 1: nothing was averaged if they still are.
    assert running and all(np.abs(each["mean"]).max() > 0.0 for each in running)
