"""Predictors beside scikit-learn's on real tables: the held-out log score, in nats an answer.

    LANDMASS_SHARED_DATA=… python benchmarks/predictors.py     # a folder with tables/california_housing.parquet, …

California housing (20,640 rows, the logarithm of the median value) and Adult (48,842 rows, income above 50,000): the
same held-out fifth for all. Scikit-learn's regressors give a number and no density: they get the best Gaussian and the
best Laplace density that a fifth of their training part can choose, of one scale or of a scale predicted by a second
regressor of the same kind (fitted to the logarithm of the absolute residual, out of fold), whichever of the four scores
best there. Its classifiers get a temperature from the same fifth, as ours do. Gradient boosting stops early; the
network takes standardised columns and one column a word.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from _timing import machine
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import landmass

Score = tuple[float, float]
"""Held-out log score, and R² or the area under the ROC curve."""


def california(folder: Path) -> None:
    """Print a line a regressor."""
    frame = pq.read_table(folder / "california_housing.parquet").to_pandas().dropna()
    target = next(name for name in ("MedHouseVal", "median_house_value") if name in frame)
    y = np.log(frame.pop(target).to_numpy(float))
    parts = train_test_split(frame, y, test_size=0.2, random_state=0)
    train, test = map(_numbers_like(parts[0]), parts[:2])

    def of_landmass(**settings: object) -> Callable[[], Score]:
        def run() -> Score:
            model = landmass.NeuralRegressor(random_state=0, **settings).fit(parts[0], parts[2])  # pyright: ignore[reportArgumentType]
            return float(model.log_prob(parts[1], parts[3]).mean()), r2_score(parts[3], model.predict(parts[1]))

        return run

    print(f"California housing: {len(train):,} rows, {frame.shape[1]} columns, held out {len(test):,}")
    _report(
        {
            "landmass": of_landmass(),
            "landmass, mixture, 8 members": of_landmass(head="mixture", members=8),
            "gradient boosting": lambda: _sklearn_regressor(
                lambda: HistGradientBoostingRegressor(max_iter=1000, early_stopping=True, random_state=0),
                train,
                test,
                parts,
            ),
            "MLPRegressor": lambda: _sklearn_regressor(
                lambda: MLPRegressor(hidden_layer_sizes=(64, 64), early_stopping=True, max_iter=500, random_state=0),
                train,
                test,
                parts,
            ),
        },
        "R²",
    )


def adult(folder: Path) -> None:
    """Print a line a classifier."""
    frame = pq.read_table(folder / "adult.parquet").to_pandas()
    target = next(name for name in ("income", "class", "target") if name in frame)
    frame = frame.drop(columns=["split"], errors="ignore")
    y = frame.pop(target).astype(str).str.strip().str.contains(">").to_numpy()
    parts = train_test_split(frame, y, test_size=0.2, random_state=0)
    train, test = map(_numbers_like(parts[0]), parts[:2])

    def of_landmass(**settings: object) -> Callable[[], Score]:
        def run() -> Score:
            model = landmass.NeuralClassifier(random_state=0, **settings).fit(parts[0], parts[2])  # pyright: ignore[reportArgumentType]
            chances = model.predict_proba(parts[1])[:, 1]
            return float(model.log_prob(parts[1], parts[3]).mean()), roc_auc_score(parts[3], chances)

        return run

    print(f"Adult: {len(train):,} rows, {frame.shape[1]} columns, held out {len(test):,}")
    _report(
        {
            "landmass": of_landmass(),
            "landmass, 8 members": of_landmass(members=8),
            "gradient boosting": lambda: _sklearn_classifier(
                HistGradientBoostingClassifier(max_iter=1000, early_stopping=True, random_state=0), train, test, parts
            ),
            "MLPClassifier": lambda: _sklearn_classifier(
                MLPClassifier(hidden_layer_sizes=(64, 64), early_stopping=True, max_iter=500, random_state=0),
                train,
                test,
                parts,
            ),
        },
        "AUC",
    )


def _report(methods: dict[str, Callable[[], Score]], other: str) -> None:
    for name, run in methods.items():
        began = time.perf_counter()
        nats, figure = run()
        print(
            f"  {name:<30} {nats:8.4f} nats   {other} {figure:.4f}   {time.perf_counter() - began:6.1f} s", flush=True
        )


def _numbers_like(frame: object) -> Callable[[object], np.ndarray]:
    """Columns of a table as scikit-learn's networks need them: standardised, and one for each word."""
    words = [name for name in frame if frame[name].dtype.kind not in "iuf"]  # pyright: ignore
    rest = [name for name in frame if name not in words]  # pyright: ignore
    scaler = StandardScaler().fit(frame[rest])  # pyright: ignore
    coder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(frame[words].astype(str)) if words else None  # pyright: ignore

    def numbers(part: object) -> np.ndarray:
        found = [scaler.transform(part[rest])]  # pyright: ignore
        return np.column_stack([*found, coder.transform(part[words].astype(str))] if coder else found)  # pyright: ignore

    return numbers


def _sklearn_classifier(model: object, train: np.ndarray, test: np.ndarray, parts: list) -> Score:
    inside, choice, y_inside, y_choice = train_test_split(train, parts[2], test_size=0.2, random_state=1)
    model.fit(inside, y_inside)  # pyright: ignore[reportAttributeAccessIssue]

    def scores(X: np.ndarray, y: np.ndarray, t: float) -> float:
        log_p = np.log(np.clip(model.predict_proba(X), 1e-12, 1.0))  # pyright: ignore[reportAttributeAccessIssue]
        return float(log_softmax(log_p / t, axis=1)[np.arange(len(y)), y.astype(int)].mean())

    best = minimize_scalar(lambda t: -scores(choice, y_choice, np.exp(t)), bounds=(-2, 2), method="bounded")
    t = float(np.exp(best.x))  # pyright: ignore[reportAttributeAccessIssue]
    chances = model.predict_proba(test)[:, 1]  # pyright: ignore[reportAttributeAccessIssue]
    return scores(test, parts[3], t), float(roc_auc_score(parts[3], chances))


def _sklearn_regressor(make: Callable[[], object], train: np.ndarray, test: np.ndarray, parts: list) -> Score:
    """The best of four densities around what a regressor expects."""
    inside, choice, y_inside, y_choice = train_test_split(train, parts[2], test_size=0.2, random_state=1)
    model = make().fit(inside, y_inside)  # pyright: ignore
    off = np.abs(y_inside - cross_val_predict(make(), inside, y_inside, cv=4))  # pyright: ignore
    spread = make().fit(inside, np.log(off + 1e-3))  # pyright: ignore

    def scores(X: np.ndarray, y: np.ndarray, laplace: bool, varying: bool, log_scale: float) -> float:
        scale = np.exp(log_scale + (spread.predict(X) if varying else 0.0))
        z = np.abs(y - model.predict(X)) / scale
        return float(
            np.mean(-np.log(2 * scale) - z if laplace else -0.5 * np.log(2 * np.pi) - np.log(scale) - z**2 / 2)
        )

    tried = []
    for laplace in (False, True):
        for varying in (False, True):
            best = minimize_scalar(
                lambda s, a=laplace, b=varying: -scores(choice, y_choice, a, b, s), bounds=(-6, 4), method="bounded"
            )
            tried.append((-best.fun, laplace, varying, float(best.x)))  # pyright: ignore[reportAttributeAccessIssue]
    _, *chosen = max(tried)
    return scores(test, parts[3], *chosen), float(r2_score(parts[3], model.predict(test)))


def main() -> None:
    """Print both tables, where the data is at hand."""
    if "LANDMASS_SHARED_DATA" not in os.environ:
        print("left out: LANDMASS_SHARED_DATA names no folder with tables/")
        return
    print(machine("scikit-learn"))
    tables = Path(os.environ["LANDMASS_SHARED_DATA"]) / "tables"
    california(tables)
    adult(tables)


if __name__ == "__main__":
    main()
