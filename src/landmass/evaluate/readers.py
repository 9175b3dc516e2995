"""Readers: attributes told by pixels alone, so that what an edit changed is measured by one that never saw a code."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from landmass.errors import DataError
from landmass.train.labels import LEAST, Labelled, labelled

# Larger images are read as means of blocks, so that no side has more pixels than this.
SIDE = 32

SETTINGS: Mapping[str, Any] = {"hidden_layer_sizes": (256, 64), "early_stopping": True, "random_state": 0}


class Reader:
    """Reads attributes off images: one network of scikit-learn for all amounts, and one for each pair of classes.

    Args:
        images: to learn from.
        attributes: by name, one label an image: numbers, or two classes; NaN, None and "" mean that there is none.

    Raises:
        DataError: an attribute has fewer than 20 labels, one class only or more than two; or fewer than 20 images have
            labels of all amounts.
    """

    def __init__(
        self, images: UInt8[np.ndarray, "events height width channels"], attributes: Mapping[str, Any]
    ) -> None:
        found = [labelled(name, values, len(images)) for name, values in attributes.items()]
        if many := [each.name for each in found if len(each.counts) > 2]:
            raise DataError(f"attribute {many[0]!r} has more than two classes; make an attribute of each, yes or no")
        self.names = tuple(attributes)
        self.amounts = tuple(each.name for each in found if each.classes is None)
        x = _numbers(images)
        with warnings.catch_warnings():
            # They stop when held-out images are read no better.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._classes = {each.name: _classifier(x, each) for each in found if each.classes is not None}
            self._amounts = _regression(x, [each for each in found if each.classes is None])

    def __call__(
        self, images: UInt8[np.ndarray, "events height width channels"]
    ) -> dict[str, Float[np.ndarray, " events"]]:
        """Each attribute of each image: an amount, or the probability of the second class in sorted order."""
        x = _numbers(images)
        told = {name: np.asarray(network.predict_proba(x))[:, 1] for name, network in self._classes.items()}
        if self._amounts is not None:
            told |= dict(zip(self.amounts, np.asarray(self._amounts.predict(x)).reshape(len(x), -1).T, strict=True))
        return {name: np.asarray(told[name], np.float64) for name in self.names}

    def quality(
        self, images: UInt8[np.ndarray, "events height width channels"], attributes: Mapping[str, Any]
    ) -> dict[str, float]:
        """How well it reads other images: R² of amounts, area under the ROC curve of classes.

        Args:
            images: that it did not learn from.
            attributes: what is known of them.

        Raises:
            DataError: an attribute has fewer than 20 labels, or one class only.
        """
        told, found = self(images), {}
        for name in self.names:
            each = labelled(name, attributes[name], len(images))
            score = r2_score if name in self.amounts else roc_auc_score
            found[name] = float(score(each.values, told[name][each.known]))
        return found


def _classifier(x: Float[np.ndarray, "events numbers"], of: Labelled) -> MLPClassifier:
    return MLPClassifier(**SETTINGS).fit(x[of.known], of.values)


def _regression(x: Float[np.ndarray, "events numbers"], amounts: list[Labelled]) -> TransformedTargetRegressor | None:
    if not amounts:
        return None
    whole = np.all([each.known for each in amounts], axis=0)
    if whole.sum() < LEAST:
        raise DataError(
            f"{whole.sum()} images have labels of all of {', '.join(each.name for each in amounts)}, of which "
            f"{LEAST} are needed; label more, or read fewer attributes"
        )
    wanted = np.column_stack([each.values[whole[each.known]] for each in amounts])
    network = TransformedTargetRegressor(MLPRegressor(**SETTINGS), transformer=StandardScaler())
    return network.fit(x[whole], wanted if len(amounts) > 1 else wanted[:, 0])


def _numbers(images: Shaped[np.ndarray, "events height width channels"]) -> Float[np.ndarray, "events numbers"]:
    """Means of blocks, from -1 to 1."""
    height, width = images.shape[1:3]
    down, across = -(-height // SIDE), -(-width // SIDE)
    x = images.astype(np.float32) / 127.5 - 1.0
    if down > 1 or across > 1:
        # What is left over at the lower and right edges is mirrored.
        x = np.pad(x, ((0, 0), (0, -height % down), (0, -width % across), (0, 0)), mode="symmetric")
        x = x.reshape(len(x), x.shape[1] // down, down, x.shape[2] // across, across, -1).mean(axis=(2, 4))
    return x.reshape(len(x), -1)
