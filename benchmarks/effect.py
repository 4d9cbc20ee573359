"""What the stored precision does to a model: AUC on raw values beside AUC on the values that a reader is served."""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray

from benchmarks.labelled import Partition
from bnpl_features.features.storage import Scale
from bnpl_features.store.codec import Codec

Floats = NDArray[np.float64]

SEEDS = 24
FEATURE_SEEDS = 8
ROUNDS = 120
FOLDS = 4
"""Each seed holds out another quarter of the customers, in all partitions alike."""

_PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 50,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.8,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


@dataclass(frozen=True)
class Effect:
    """AUC of one model a seed, on customers that it has not seen: trained and scored on raw values, and what changes.

    `scored` is the change where the same model is scored on served values, `retrained` where another of the same seed
    is trained and scored on them, `by_feature` (seeds, features) where the same model is served one feature and has
    the others raw.
    """

    rows: int
    raw: Floats
    scored: Floats
    retrained: Floats
    by_feature: Floats

    @property
    def seed_noise(self) -> float:
        """Standard deviation of the AUC on raw values over the seeds that hold out the same customers."""
        folds = [self.raw[fold::FOLDS] for fold in range(FOLDS)]
        return float(np.sqrt(np.mean([fold.var(ddof=1) for fold in folds])))


def effect_of_storage(partitions: list[Partition], codec: Codec) -> Effect:
    raw, labels, fold = _rows(partitions)
    columns = dict(zip(codec.layout.names, raw.T, strict=True))
    served = codec.decode(codec.encode(columns).records)
    categories = [i for i, field in enumerate(codec.layout.fields) if field.storage.scale is Scale.NAMES]
    found: dict[str, list[float]] = {"raw": [], "scored": [], "retrained": []}
    by_feature = []
    for seed in range(SEEDS):
        test = fold == seed % FOLDS
        model = _trained(raw[~test], labels[~test], categories, seed)
        again = _trained(served[~test], labels[~test], categories, seed)
        before = auc(labels[test], _scores(model, raw[test]))
        found["raw"].append(before)
        found["scored"].append(auc(labels[test], _scores(model, served[test])) - before)
        found["retrained"].append(auc(labels[test], _scores(again, served[test])) - before)
        if seed < FEATURE_SEEDS:
            by_feature.append(
                [auc(labels[test], _scores(model, mixed)) - before for mixed in _one_served(raw[test], served[test])]
            )
    figures = {name: np.array(values) for name, values in found.items()}
    return Effect(len(labels), **figures, by_feature=np.array(by_feature))


def auc(labels: Floats, scores: Floats) -> float:
    """Area under the ROC curve: the share of (missed, paid) pairs that the score ranks right, ties counting half."""
    _, position, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[position]
    positives = labels.sum()
    pairs = positives * (len(labels) - positives)
    return float((ranks[labels == 1.0].sum() - positives * (positives + 1) / 2) / pairs)


def _rows(partitions: list[Partition]) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Vectors, labels and folds of the customers who bought something after the partition."""
    vectors = np.vstack([partition.vectors for partition in partitions])
    labels = np.concatenate([partition.labels for partition in partitions])
    numbers = [int(one.rpartition("_")[2]) for partition in partitions for one in partition.customer_ids]
    known = ~np.isnan(labels)
    return vectors[known], labels[known], np.array(numbers)[known] % FOLDS


def _trained(vectors: Floats, labels: Floats, categories: list[int], seed: int) -> lightgbm.Booster:
    data = lightgbm.Dataset(vectors, labels, categorical_feature=categories)
    return lightgbm.train(_PARAMETERS | {"seed": seed}, data, ROUNDS)


def _scores(model: lightgbm.Booster, vectors: Floats) -> Floats:
    return np.asarray(model.predict(vectors, num_threads=1), dtype=np.float64)


def _one_served(raw: Floats, served: Floats) -> list[Floats]:
    """The raw vectors with one feature each as it is served."""
    mixed = []
    for feature in range(raw.shape[1]):
        vectors = raw.copy()
        vectors[:, feature] = served[:, feature]
        mixed.append(vectors)
    return mixed
