"""What is known: customers' features by version, purchases, models; and so the probability of each answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.model import made_up, ranked
from benchmarks.proof.generating import content_of
from benchmarks.scoring import STRIDE
from benchmarks.store import random_vectors
from bnpl_features.derive.layout import Layout, layout_of
from bnpl_features.features.catalog import BEHAVIOURAL as FEATURES
from bnpl_features.risk_model.encoding import encode_purchase
from bnpl_features.risk_model.model import Model
from bnpl_features.risk_model.model_files import read_model
from bnpl_features.risk_model.purchase_inputs import PURCHASE_INPUTS
from bnpl_features.risk_model.training_set import TrainingSet
from bnpl_features.scoring.models import BEHAVIOURAL
from bnpl_features.scoring.purchase import columns_of, parse_purchase
from bnpl_features.store.codec import Codec
from bnpl_features.store.publishing.batches import customer_batches

LAYOUT = layout_of(FEATURES)
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]


def write_vectors(folder: Path, customers: int, seed: int) -> Path:
    """A partition as the warehouse holds it; each seed gives every customer other features."""
    path = folder / f"vectors-{seed}.parquet"
    pq.write_table(pa.Table.from_batches(random_vectors(LAYOUT, customers, seed)), path)
    return path


def training_on(vectors: Path, rows: int, seed: int) -> TrainingSet:
    """Made-up purchases of so many customers, whose features are spread like those that are published: models that are
    trained on two of them approve about as many."""
    training, _, _ = made_up(seed, rows)
    features = features_of(vectors, LAYOUT)[:rows]
    amount = [one.name for one in PURCHASE_INPUTS].index("amount")
    hint = 0.7 * ranked(np.nan_to_num(features[:, :12]).sum(axis=1)) + 0.3 * ranked(training.purchases[:, amount])
    defaulted = np.random.default_rng(seed).random(rows) < 0.2 * hint
    return replace(training, behavioural=features, defaulted=defaulted.astype(np.uint8))


@dataclass
class Known:
    """`vectors` has the file that a version was published from; models are read from their folder by version."""

    customers: int
    models_folder: Path
    vectors: dict[int, Path] = field(default_factory=dict)
    _features: dict[int, Floats32] = field(default_factory=dict)
    _purchases: Floats32 | None = None
    _models: dict[tuple[str, int], Model] = field(default_factory=dict)
    _probabilities: dict[tuple[str, int, int], Floats] = field(default_factory=dict)

    def probabilities(self, name: str, model_version: int, feature_version: int) -> Floats:
        """Of every customer's purchase, shape [customers]; a model of transactions ignores `feature_version`."""
        model = self.model(name, model_version)
        key = (name, model_version, feature_version if model.inputs.layout else 0)
        if key not in self._probabilities:
            features = self.features(feature_version) if model.inputs.layout else None
            self._probabilities[key] = model.score_batch(self.purchases, features)
        return self._probabilities[key]

    def model(self, name: str, version: int) -> Model:
        if (name, version) not in self._models:
            self._models[name, version] = read_model(self.models_folder / f"{name}-{version}", version=version)
        return self._models[name, version]

    def features(self, version: int) -> Floats32:
        """As they come out of the store, shape [customers, features]."""
        if version not in self._features:
            self._features[version] = features_of(self.vectors[version], LAYOUT)
        return self._features[version]

    @property
    def purchases(self) -> Floats32:
        """Of every customer, encoded, shape [customers, inputs]."""
        if self._purchases is None:
            rows = np.empty((self.customers, len(PURCHASE_INPUTS)), dtype=np.float32)
            for number in range(self.customers):
                rows[number * STRIDE % self.customers] = encode_purchase(PURCHASE_INPUTS, self.purchase(number))
            self._purchases = rows
        return self._purchases

    def purchase(self, number: int) -> dict[str, object]:
        """That of request `number`, in the warehouse's column names."""
        return columns_of(parse_purchase(content_of(number, self.customers).encode()))

    def thresholds(self, not_approved_share: float, version: int) -> tuple[float, float]:
        """From where purchases are reviewed and declined, so that this share is not approved."""
        found = self.probabilities(BEHAVIOURAL, 1, version)
        low, high = np.quantile(found, [1.0 - not_approved_share, 1.0 - not_approved_share / 2])
        return float(low), float(high)


def features_of(vectors: Path, layout: Layout) -> Floats32:
    codec = Codec(layout)
    batches = customer_batches(pq.ParquetFile(vectors).iter_batches(), layout)
    return np.vstack([codec.decode(codec.encode(batch.columns).records).astype(np.float32) for batch in batches])


def read_whole(path: Path) -> dict[int, bytes]:
    """The answers that the generator kept whole, by request."""
    return msgspec.msgpack.decode(path.read_bytes(), type=dict[int, bytes], strict=False)
