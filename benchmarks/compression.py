"""The record's storage: its error on data, its effect on a model, and other ways to store the same codes.

    python -m benchmarks.compression [customers]

Customers are simulated, their vectors computed by the warehouse's own statements, on one core; about two minutes. A
scheme would be adopted that takes over 25 % less server memory than the present record and is decoded in under 2 us.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.alternatives import print_schemes
from benchmarks.effect import FEATURE_SEEDS, FOLDS, SEEDS, Effect, effect_of_storage
from benchmarks.labelled import Partition, labelled_partitions
from benchmarks.table import print_table
from bnpl_features.derive.layout import layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.features.storage import Scale, Storage
from bnpl_features.store.arrays import float_table
from bnpl_features.store.codec import Codec


def main(customers: int = 50_000) -> None:
    codec = Codec(layout_of(BEHAVIOURAL))
    with tempfile.TemporaryDirectory() as folder:
        partitions = labelled_partitions(Path(folder) / "warehouse", customers, codec.layout)
        effect = effect_of_storage(partitions, codec)
        _print_features(codec, partitions, effect)
        _print_effect(effect)
        print_schemes(codec, partitions, Path(folder))


def _print_features(codec: Codec, partitions: list[Partition], effect: Effect) -> None:
    vectors = np.vstack([partition.vectors for partition in partitions])
    records = codec.encode(dict(zip(codec.layout.names, vectors.T, strict=True)))
    served = codec.decode(records.records)
    changes = effect.by_feature.mean(axis=0)
    rows = [
        (
            field.name,
            field.storage.scale.value,
            field.storage.width_bytes,
            field.storage.error_text,
            _largest_error(field.storage, vectors[:, position], served[:, position]),
            _signed(changes[position]),
        )
        for position, field in enumerate(codec.layout.fields)
    ]
    rows.append(("tag", "", 1, "", "", ""))
    saturated = sum(records.saturated.values())
    print_table(
        f"Storage of {len(codec.layout.fields)} features in {codec.layout.width_bytes} bytes; errors on "
        f"{len(vectors):,} vectors, {saturated} values saturated; AUC: only that feature as served, mean of "
        f"{FEATURE_SEEDS} models",
        ("feature", "storage", "bytes", "stated error", "largest error", "AUC effect"),
        rows,
    )


def _largest_error(storage: Storage, raw: NDArray[np.float64], served: NDArray[np.float64]) -> str:
    """In the unit in which the storage states its error; raises where null and value are confused."""
    assert (np.isnan(raw) == np.isnan(served)).all()
    known = ~np.isnan(raw)
    error = np.abs(served - raw)[known]
    if storage.scale in (Scale.EXACT, Scale.NAMES):
        return f"{error.max(initial=0.0):.2g}" if error.any() else "none"
    if storage.scale is Scale.LINEAR:
        return f"±{error.max(initial=0.0):.2g}"
    least = storage.low if storage.scale is Scale.LOGARITHMIC else float_table(storage)[1 << 10]
    large = np.abs(raw[known]) >= least
    return f"±{(error[large] / np.abs(raw[known][large])).max(initial=0.0):.2g} relative"


def _print_effect(effect: Effect) -> None:
    error_of_mean = float(effect.retrained.std(ddof=1) / np.sqrt(SEEDS))
    rows = [
        ("AUC on raw values", f"{effect.raw.mean():.4f}", f"{effect.seed_noise:.4f}"),
        ("the same model, scored on served values", _signed(effect.scored.mean()), _noise(effect.scored)),
        ("trained and scored on served values", _signed(effect.retrained.mean()), _noise(effect.retrained)),
    ]
    print_table(
        f"LightGBM, {effect.rows:,} rows, three quarters of the customers to train on, the others to score, {SEEDS} "
        f"training seeds, {FOLDS} times other customers; the last mean is known to ±{error_of_mean:.4f}",
        ("", "mean, or mean change", "standard deviation over seeds"),
        rows,
    )


def _signed(value: float) -> str:
    """To four decimals; what is nothing then has no sign."""
    return f"{value:+.4f}" if round(value, 4) else "0.0000"


def _noise(values: NDArray[np.float64]) -> str:
    return f"{values.std(ddof=1):.4f}"


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
