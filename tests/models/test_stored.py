"""Models that earlier releases have stored still load, and answer as they did."""

import json
from pathlib import Path

import numpy as np
import pytest

import landmass
from landmass.catalog import FAMILIES
from landmass.store import VERSION

STORED = Path(__file__).parents[1] / "stored"


def test_this_release_has_stored_every_family():
    assert sorted(path.name for path in (STORED / VERSION).iterdir()) == sorted(FAMILIES)


@pytest.mark.parametrize("folder", sorted(STORED.glob("*/*")), ids=lambda path: f"{path.parent.name} {path.name}")
def test_stored_model_loads_and_answers_as_it_did(folder):
    model = landmass.load(folder)
    golden = json.loads((folder / "manifest.json").read_text())["golden"]
    events = np.array([each["event"] for each in golden])
    known = np.array([-np.inf if each["log_density"] is None else each["log_density"] for each in golden])
    assert np.isfinite(known).any()
    np.testing.assert_allclose(model.score_samples(events), known, rtol=1e-4, atol=1e-4)
    assert np.isfinite(
        np.column_stack([np.asarray(column) for column in model.sample(9, random_state=0).columns])
    ).all()
