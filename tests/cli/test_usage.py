"""Help, typos, bad data and bad settings: one line on stderr, exit code 2, and no folder left behind."""

from pathlib import Path

import pytest

from tests.cli.conftest import QUICK, Call

COMMANDS = ["hello", "fit", "score", "predict", "inspect", "sample", "report", "encode", "decode", "edit"]
COMMANDS += ["families", "datasets", "doctor"]

# The words of a command line, and what its one line of error must contain.
WRONG = {
    "command": (["fti"], ["'fti'", "did you mean 'fit'?"]),
    "option": (["fit", "table.csv", "--familes", "gaussian"], ["--familes", "did you mean --families?"]),
    "missing argument": (["fit"], ["SOURCE"]),
    "family": (["fit", "table.csv", "--families", "gausian"], ["'gausian'", "did you mean 'gaussian'?"]),
    "family twice": (["fit", "table.csv", "--families", "gaussian,gaussian"], ["'gaussian' twice"]),
    "no family": (["fit", "table.csv", "--families", ","], ["at least one family"]),
    "data set": (["fit", "lnad"], ["lnad", "did you mean 'land'?", "moons"]),
    "file": (["fit", "tabel.csv"], ["tabel.csv", "did you mean 'table.csv'?"]),
    "n of a file": (["fit", "table.csv", "--n", "5"], ["built-in", "table.csv"]),
    "seed": (["fit", "land", "--seed", "-1"], ["--seed", "-1"]),
    "set without value": (["fit", "table.csv", "--set", "gaussian"], ["family.setting=value", "'gaussian'"]),
    "set of a family unknown": (["fit", "table.csv", "--set", "histogran.n_cells=4"], ["did you mean 'histogram'?"]),
    "set of a family left out": (
        ["fit", "table.csv", *QUICK, "--set", "histogram.n_cells=4"],
        ["histogram is not among", "uniform_box, gaussian"],
    ),
    "set of a setting unknown": (
        ["fit", "table.csv", "--set", "histogram.n_cels=4"],
        ["'n_cels'", "did you mean 'n_cells'?", "validation_fraction"],
    ),
    "set of the wrong type": (
        ["fit", "table.csv", "--set", "histogram.n_cells=four"],
        ["histogram.n_cells must be a whole number or none, got 'four'"],
    ),
    "set to none of the choices": (
        ["fit", "table.csv", "--set", "gaussian_mixture.covariance_type=round"],
        ["'full' or 'diag'", "'round'"],
    ),
    "set out of range": (["fit", "table.csv", "--set", "histogram.n_cells=-4"], ["n_cells", "at least 1", "-4"]),
    "set of as many as there are not columns": (
        ["fit", "table.csv", "--set", "kernel_density.bandwidth=[1.0, 2.0, 3.0]"],
        ["bandwidth must be one number, or one for each of the 2 columns"],
    ),
    "set of the stack": (["fit", "table.csv", "--set", "stack.validation_fraction=0.5"], ["stack"]),
    "a name too long": (["fit", "x" * 300 + ".csv", *QUICK], ["xxx"]),
    "out that is there": (["fit", "table.csv", *QUICK, "--out", "here"], ["here exists already", "another name"]),
    "run": (["score", "heer", "table.csv"], ["heer", "did you mean 'here'?"]),
    "run that is none": (["score", "here", "table.csv"], ["manifest.json"]),
    "run unfinished": (["report", "unfinished"], ["unfinished is not finished", "landmass fit --resume unfinished"]),
    "form of the file": (["sample", "here", "--out", "rows.xls"], ["rows.xls", ".csv or .parquet"]),
    "two forms": (["score", "here", "table.csv", "--rows", "--json"], ["--rows", "--json"]),
    "families of no name": (["families", "spline"], ["'spline'"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_error_is_one_line_with_the_remedy_and_leaves_no_folder(call: Call, tmp_path: Path, case: str):
    (tmp_path / "here").mkdir()
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "source.json").write_text('{"source": "x.csv", "n": null, "seed": 0, "sha256": ""}')
    before = sorted(tmp_path.rglob("*"))
    words, needed = WRONG[case]
    answer = call(*words)
    assert answer.code == 2
    assert answer.out == ""
    *notes, error = answer.err.splitlines()
    assert error.startswith("error: ")
    assert all("left out column" in note for note in notes)
    for text in needed:
        assert text in error
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_help_starts_with_examples(call: Call, command: str):
    answer = call(command, "--help")
    usage, *rest = [line.strip() for line in answer.out.splitlines() if line.strip()]
    assert answer.code == 0
    assert usage.startswith(f"Usage: landmass {command}")
    assert rest[0] == "Examples:"
    assert rest[1].startswith(f"landmass {command}")


def test_no_command_shows_every_command(call: Call):
    answer = call()
    assert answer.code == 0
    assert all(f"\n  {command} " in answer.out for command in COMMANDS)


def test_version(call: Call):
    assert call("--version").out == "landmass 0.1.0\n"


def test_help_imports_nothing_heavy(start):
    code = (
        "import sys; from landmass.cli import main; main(['--help']); main(['fit', '--help']);"
        "print([name for name in ('jax', 'numpy', 'rich', 'sklearn', 'pyarrow') if name in sys.modules])"
    )
    out, err = start(code=code).communicate(timeout=60)
    assert err == ""
    assert out.splitlines()[-1] == "[]"


def test_list_of_data_sets_imports_nothing_that_computes(start):
    heavy = ("jax", "sklearn", "pyarrow", "PIL")
    code = (
        "import sys; from landmass.cli import main; main(['datasets']);"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    out, err = start(code=code).communicate(timeout=60)
    assert err == ""
    assert out.splitlines()[-1] == "[]"


def test_import_landmass_imports_neither_jax_nor_numpy(start):
    code = "import sys, landmass; print([name for name in ('jax', 'numpy') if name in sys.modules])"
    assert start(code=code).communicate(timeout=60) == ("[]\n", "")


def test_families_lists_all_and_one_in_detail(call: Call):
    assert "\nkernel_density " in call("families").out
    detail = call("families", "GaussianMixture").out
    assert "n_components = none   (a whole number or none)" in detail
    # A setting of its own stands before one that it shares with other families, and both are explained.
    assert detail.index("covariance_type = full   ('full' or 'diag')") < detail.index("validation_fraction = 0.1")
    assert "share of the events" in detail


def test_examples_are_listed_with_their_number(call: Call):
    visitors = next(line for line in call("datasets").out.splitlines() if line.startswith("visitors"))
    assert visitors.split()[1] == "10,000"


def test_drawn_images_are_listed_with_their_number(call: Call):
    line = next(line for line in call("datasets").out.splitlines() if line.startswith("cylinders"))
    assert line.split()[1] == "5,000"


def test_datasets_are_listed_with_their_entropy(call: Call):
    land = next(line for line in call("datasets").out.splitlines() if line.startswith("land"))
    assert "9.97" in land
    assert "longitude, latitude" in land


def test_doctor_finds_nothing_wrong_here(call: Call):
    answer = call("doctor")
    assert answer.code == 0, answer.out
    assert "tiny fit      compiled and right" in answer.out


def test_doctor_tells_a_problem_and_its_remedy(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "file" / "cache"))
    answer = call("doctor")
    assert answer.code == 1
    assert "!!  cache folder" in answer.out
    assert "make it writable, or set JAX_COMPILATION_CACHE_DIR" in answer.out


@pytest.mark.parametrize(
    ("text", "value"),
    {"7": 7, "none": None, "null": None, "1_000": 1000}.items(),
)
def test_set_takes_json_and_python(text: str, value: int | None):
    from landmass.cli.settings import estimators

    assert estimators("histogram", [f"histogram.n_cells={text}"])["histogram"].get_params()["n_cells"] == value


def test_set_takes_lists_and_whole_numbers_for_fractions():
    from landmass.cli.settings import estimators

    made = estimators("KernelDensity,uniform_box", ["kernel_density.bandwidth=[1, 0.5]", "UniformBox.margin=1"])
    assert list(made) == ["uniform_box", "kernel_density"]
    assert made["kernel_density"].get_params()["bandwidth"] == (1.0, 0.5)
    assert made["uniform_box"].get_params()["margin"] == 1.0


def test_cache_folder_is_set_only_where_it_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import os

    from landmass.cli.environment import prepare

    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    (tmp_path / "file").touch()
    for home, expected in [(tmp_path / "file", None), (tmp_path / "home", str(tmp_path / "home/landmass/jax"))]:
        monkeypatch.setattr("platformdirs.user_cache_path", lambda name, home=home: home / name)
        prepare()
        assert os.environ.get("JAX_COMPILATION_CACHE_DIR") == expected
