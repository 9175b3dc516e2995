"""The catalog: names of families, and what is said of those that are none."""

import json
import os

import numpy as np
import pytest
from scipy import stats
from sklearn.base import BaseEstimator

import landmass
from landmass import Gaussian, SettingError, StoreError, UniformBox
from landmass.catalog import FAMILIES, family, name_of
from landmass.estimator.density import DensityEstimator

X = np.random.default_rng(0).standard_normal((50, 2))


def test_families_stand_from_the_box_to_the_stack():
    assert list(FAMILIES) == [
        "uniform_box",
        "independent",
        "gaussian",
        "probabilistic_pca",
        "histogram",
        "gaussian_mixture",
        "latent_class",
        "kernel_density",
        "mixed_kernel_density",
        "spline_flow",
        "mixed_spline_flow",
        "autoregressive",
        "stack",
    ]


@pytest.mark.parametrize("name", FAMILIES)
def test_family_is_found_by_both_of_its_names(name):
    cls = family(name)
    assert family(FAMILIES[name]) is cls
    assert issubclass(cls, DensityEstimator)
    assert issubclass(cls, BaseEstimator)
    assert name_of(cls()) == name


@pytest.mark.parametrize("typo, meant", [("kernel_densty", "kernel_density"), ("Gausian", "Gaussian"), ("box", None)])
def test_typo_gets_a_suggestion_and_the_list(typo, meant):
    with pytest.raises(SettingError, match=f"no family is called '{typo}'") as raised:
        family(typo)
    assert (f"did you mean {meant!r}?" in str(raised.value)) == (meant is not None)
    assert "uniform_box, independent, gaussian, probabilistic_pca, histogram" in str(raised.value)


@pytest.fixture
def saved(tmp_path):
    """A saved Gaussian's folder."""
    Gaussian().fit(X).save(tmp_path / "model")
    return tmp_path / "model"


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_model(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_text())
    edit(folder / "manifest.json", model={**manifest["model"], **changes})


MANIFESTS = {
    "unknown family": ({"family": "Cubist"}, "names an unknown family 'Cubist'"),
    "module path as family": ({"family": "os.system"}, "names an unknown family"),
    "another family": ({"family": "KernelDensity"}, "."),
    "unknown setting": ({"family": "UniformBox", "settings": {"colour": "red"}}, "."),
    "setting of a wrong type": (
        {"family": "UniformBox", "settings": {"margin": "wide"}},
        "are not those of UniformBox",
    ),
    "setting out of range": (
        {"family": "UniformBox", "settings": {"margin": -1.0}},
        "margin must be None or from 0 to 10000",
    ),
    "unknown field": ({"colour": "red"}, "is not what landmass writes there"),
    "extra setting": (
        {"family": "UniformBox", "settings": {"margin": 0.1, "colour": "red"}},
        "there is no setting 'colour'",
    ),
    "no golden events": ({"golden": []}, "golden events do not have 2 columns"),
    "golden events of other columns": ({"golden": [{"event": [0.0], "log_density": 0.0}]}, "do not have 2 columns"),
    "another answer": (
        {"golden": [{"event": [0.0, 0.0], "log_density": 7.5}]},
        r"does not answer as when it was saved: event \[0.0, 0.0\] had log-density 7.5 and now has -",
    ),
    "later version": ({"schema_version": 2}, "is not what landmass writes there"),
    "other columns": ({"columns": {"columns": [{"kind": "real", "name": "z"}]}}, "columns are not the manifest's"),
    "no columns": ({"columns": {"columns": []}}, "is not what landmass writes there"),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_manifest_that_does_not_fit_is_not_loaded(saved, case):
    changes, message = MANIFESTS[case]
    edit(saved / "manifest.json", **changes)
    with pytest.raises(StoreError, match=message):
        landmass.load(saved)


WEIGHTS = {
    "changed hash": ({"sha256": "0" * 64}, "has changed since it was saved"),
    "missing space": ({"space": None}, "is not what landmass writes there"),
    "sizes of a wrong type": ({"sizes": {"a": "b"}}, "is not what landmass writes there"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_that_do_not_fit_are_not_loaded(saved, case):
    changes, message = WEIGHTS[case]
    edit_model(saved, **changes)
    with pytest.raises(StoreError, match=message):
        landmass.load(saved)


@pytest.mark.parametrize("sizes", [{}, {"components": -1}, {"components": 4}])
def test_sizes_that_do_not_fit_are_not_loaded(tmp_path, sizes):
    landmass.GaussianMixture(n_components=2, random_state=0).fit(X).save(tmp_path / "model")
    edit_model(tmp_path / "model", sizes=sizes)
    with pytest.raises(StoreError, match=r"do not make a model|the model needs"):
        landmass.load(tmp_path / "model")


@pytest.mark.parametrize("name", ["manifest.json", "weights.safetensors"])
def test_missing_file_is_named(saved, name):
    (saved / name).unlink()
    with pytest.raises(StoreError, match=f"cannot read .*{name}|has no manifest.json"):
        landmass.load(saved)


def test_folder_that_holds_nothing_is_not_loaded(tmp_path):
    with pytest.raises(StoreError, match=r"is not a run or model folder: it has no manifest.json"):
        landmass.load(tmp_path)


def test_saving_over_something_is_refused(saved):
    with pytest.raises(StoreError, match="exists already"):
        UniformBox().fit(X).save(saved)


def test_manifest_tells_environment_and_golden_densities(saved):
    manifest = json.loads((saved / "manifest.json").read_text())
    assert manifest["environment"].keys() == {"python", "system", "device", "jax", "numpy", "equinox"}
    events = np.array([golden["event"] for golden in manifest["golden"]])
    assert len(events) == 8
    # SciPy's normal distribution, at the maximum-likelihood estimate.
    expected = stats.multivariate_normal(X.mean(axis=0), np.cov(X.T, bias=True)).logpdf(events)
    np.testing.assert_allclose([golden["log_density"] for golden in manifest["golden"]], expected, atol=1e-4)


def test_golden_events_are_none_of_the_data(saved):
    golden = json.loads((saved / "manifest.json").read_text())["golden"]
    assert not np.isin(np.array([each["event"] for each in golden]), X).any()


@pytest.mark.parametrize("name", ["manifest.json", "weights.safetensors"])
def test_links_out_of_the_folder_are_not_followed(saved, tmp_path, name):
    (saved / name).rename(tmp_path / "elsewhere")
    (saved / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=f"{name} is a link to elsewhere"):
        landmass.load(saved)


def test_a_pipe_in_place_of_a_file_is_not_waited_for(saved):
    (saved / "weights.safetensors").unlink()
    os.mkfifo(saved / "weights.safetensors")
    with pytest.raises(StoreError):
        landmass.load(saved)
