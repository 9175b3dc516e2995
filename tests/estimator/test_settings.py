"""Settings of a wrong kind are refused; others survive saving, whatever kind of number or sequence they were."""

import numpy as np
import pytest
from sklearn.base import clone

import landmass
from landmass import VAE, Gaussian, KernelDensity, NeuralClassifier, NeuralRegressor, SettingError, Stack, UniformBox
from landmass.catalog import KNOWN, family
from landmass.nn.base import Layer
from landmass.nn.layers import Activation, Dense
from landmass.nn.network import Residual

COMPILES = True

QUICK = {"hidden": 2, "depth": 1, "max_steps": 4, "random_state": 0}
TABLE = np.random.default_rng(0).normal(size=(60, 2))
IMAGES = np.random.default_rng(0).integers(0, 255, (60, 6, 6), np.uint8)
CLASS = (TABLE[:, 0] > 0.5).astype(int)


def saved(model, folder):
    model.save(folder / "model")
    return landmass.load(folder / "model")


@pytest.mark.parametrize(
    "settings",
    [
        {"architecture": [Dense(3), Activation("tanh"), Dense(2)]},
        {"architecture": (Dense(3), Residual((Dense(3), Activation())), Dense(2))},
        {"class_weight": {0: 1.0, 1: 2.0}},
        {"class_weight": {key: 2.0 for key in np.unique(CLASS)}},
    ],
    ids=["list of layers", "tuple of layers", "class weights", "NumPy's keys"],
)
def test_loaded_predictor_has_the_same_settings_and_fits_the_same_network(settings, tmp_path):
    model = NeuralClassifier(**QUICK).set_params(**settings).fit(TABLE, CLASS)
    loaded = saved(model, tmp_path)
    assert loaded.get_params() == model.get_params()
    np.testing.assert_array_equal(clone(loaded).fit(TABLE, CLASS).predict_proba(TABLE), model.predict_proba(TABLE))


def test_numbers_of_numpy_survive_saving(tmp_path):
    plain = {"learning_rate": 0.25, "max_steps": 5, "batch_norm": True, "optimiser": "sgd"}
    model = NeuralClassifier(**{**QUICK, **plain}).fit(TABLE, CLASS)
    others = {"learning_rate": np.float32(0.25), "max_steps": np.int64(5), "batch_norm": np.True_}
    loaded = saved(model.set_params(**others, optimiser=np.str_("sgd")), tmp_path)
    assert loaded.get_params() == {**model.get_params(), **plain}
    assert type(loaded.learning_rate) is float
    np.testing.assert_array_equal(clone(loaded).fit(TABLE, CLASS).predict_proba(TABLE), model.predict_proba(TABLE))


@pytest.mark.parametrize("augment", [["flip"], ("flip", "crop"), ()])
def test_augmentation_survives_saving(augment, tmp_path):
    model = NeuralRegressor(augment=augment, **QUICK).fit(IMAGES, TABLE[:, 0])
    loaded = saved(model, tmp_path)
    assert loaded.get_params() == model.get_params()
    np.testing.assert_array_equal(clone(loaded).fit(IMAGES, TABLE[:, 0]).predict(IMAGES), model.predict(IMAGES))


@pytest.mark.parametrize("bandwidth", [[0.3, 0.4], (0.3, 0.4), np.float32(0.25)])
def test_bandwidth_survives_saving(bandwidth, tmp_path):
    model = KernelDensity().fit(TABLE).set_params(bandwidth=bandwidth)
    assert saved(model, tmp_path).get_params() == model.get_params()


def test_estimators_of_a_stack_survive_saving(tmp_path):
    stack = Stack(estimators={"box": UniformBox(margin=0.3), "bell": Gaussian()}, random_state=0).fit(TABLE)
    loaded = saved(stack, tmp_path)
    assert repr(loaded.estimators) == repr(stack.estimators)
    np.testing.assert_array_equal(clone(loaded).fit(TABLE).score_samples(TABLE), stack.score_samples(TABLE))


def test_random_generator_is_not_kept(tmp_path):
    model = NeuralClassifier(**QUICK).set_params(random_state=np.random.RandomState(0)).fit(TABLE, CLASS)
    assert saved(model, tmp_path).random_state is None


class Doubled(Layer, frozen=True, tag="doubled"):
    """Twice what it is given."""

    def __call__(self, weights, running, x, key):
        return 2.0 * x, running


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"architecture": [Doubled(), Dense(2)]}, r"architecture=\[Doubled\(\), .* cannot be kept in a file: Invalid"),
        ({"watch": "yes"}, r"NeuralClassifier: watch='yes' cannot be kept in a file: Expected `bool`, got `str`; set_"),
        ({"random_state": np.int64(0), "patience": lambda: 4}, "patience=<function .* cannot be kept in a file"),
    ],
    ids=["layer", "word", "function"],
)
def test_setting_that_no_file_can_hold_is_named(settings, told, tmp_path):
    model = NeuralClassifier(**QUICK).fit(TABLE, CLASS).set_params(**settings)
    with pytest.raises(SettingError, match=told):
        model.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "model, settings, told",
    [
        (VAE(), {"prior": "gaussian"}, "VAE: prior must be 'normal' or 'uniform' or 'mixture', got 'gaussian'"),
        (VAE(), {"scales": "shared"}, "VAE: scales must be 'each' or 'one', got 'shared'"),
        (VAE(), {"architecture": [Dense(3)]}, "VAE: architecture must be 'linear' or 'mlp' or 'cnn', got [Dense("),
        (VAE(), {"latents": 2.5}, "VAE: latents must be a whole number, got 2.5"),
        (VAE(), {"batch_norm": "yes"}, "VAE: batch_norm must be true or false, got 'yes'"),
        (VAE(), {"schedule": "cos"}, "VAE: schedule must be 'cosine' or 'linear' or 'constant', got 'cos'"),
        (NeuralClassifier(), {"optimiser": "adamax"}, "NeuralClassifier: optimiser must be 'sgd' or 'momentum' or "),
        (NeuralRegressor(), {"activation": "swish"}, "NeuralRegressor: activation must be 'linear' or 'relu' or "),
        (NeuralRegressor(), {"augment": "flip"}, "NeuralRegressor: augment must be a list, each 'flip' or "),
        (Gaussian(), {"shrinkage": "0.1"}, "Gaussian: shrinkage must be a number, got '0.1'"),
        (UniformBox(), {"margin": [0.1]}, "UniformBox: margin must be a number or none, got [0.1]"),
        (KernelDensity(), {"random_state": "0"}, "KernelDensity: random_state must be a whole number or none, got '0'"),
        (Stack(), {"estimators": {"box": 3}}, "Stack: estimators must be "),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_setting_of_another_kind_is_refused_before_any_work(model, settings, told):
    with pytest.raises(SettingError) as raised:
        model.set_params(**settings).fit(TABLE, CLASS)
    assert str(raised.value).startswith(told)


@pytest.mark.parametrize("name", KNOWN)
def test_every_family_refuses_a_setting_of_another_kind(name):
    fresh = family(name)()
    for setting in fresh.get_params(deep=False):
        with pytest.raises(SettingError, match=f"^{type(fresh).__name__}: {setting} must be .*, got "):
            clone(fresh).set_params(**{setting: object}).check_settings()


def test_settings_may_be_numbers_of_numpy_random_generators_and_layers_of_ones_own():
    VAE().set_params(latents=np.int64(2), beta=np.float32(2.0), prior=np.str_("normal")).check_settings()
    VAE().set_params(batch_norm=np.True_, beta=2, random_state=np.random.RandomState(0)).check_settings()
    KernelDensity().set_params(bandwidth=np.array([0.3, 0.4])).check_settings()
    NeuralClassifier().set_params(architecture=[Doubled(), Dense(2)]).check_settings()
