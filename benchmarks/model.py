"""Scoring in process: one purchase, its reasons, a batch; ours beside LightGBM's own predict.

    python -m benchmarks.model

A model as large as the one of docs/risk-model.md is trained on made-up rows. The limit beside it: the bare call of
LightGBM's C interface on a row that is ready.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np

from benchmarks.table import print_table
from bnpl_features.derive.layout import layout_of
from bnpl_features.features.catalog import BEHAVIOURAL as FEATURES
from bnpl_features.risk_model.columns import encode_column
from bnpl_features.risk_model.encoding import encode_purchase
from bnpl_features.risk_model.model import Inputs, Model
from bnpl_features.risk_model.purchase_inputs import PURCHASE_INPUTS
from bnpl_features.risk_model.training import train
from bnpl_features.risk_model.training_query import TrainingSpec
from bnpl_features.risk_model.training_set import TrainingSet
from bnpl_features.simulator import Population, simulate
from bnpl_features.store.codec import Codec

ROWS, CALLS = 60_000, 5_000
DAILY_MODELS = ("transaction_only", "behavioural")
TARGET_MICROSECONDS = 100.0


def main() -> None:
    training, purchase, values = made_up()
    rows = []
    for name in DAILY_MODELS:
        model = train(name, training)
        label = f"{name}, {model.booster.num_trees()} trees"
        rows += [(f"{label}: {what}", *cells) for what, *cells in timed(model, training, purchase, values)]
    print_table(
        f"Scoring in process, one thread, microseconds a purchase (target under {TARGET_MICROSECONDS:.0f} for one)",
        ("step", "p50", "p99"),
        rows,
    )


def timed(
    model: Model, training: TrainingSet, purchase: dict[str, Any], values: tuple[Any, ...]
) -> list[tuple[str, str, str]]:
    layout = training.inputs.layout
    assert layout is not None
    reading = model.reading(layout)
    vector = reading(values)
    row = np.array([model._row(purchase, vector)], dtype=np.float32)
    ready = row[0].tolist()
    batch = (np.asarray(training.purchases[:10_000]), np.asarray(training.behavioural[:10_000]))
    started = time.perf_counter()
    model.score_batch(*batch)
    each = (time.perf_counter() - started) / 10_000 * 1e6
    return [
        ("score_one", *percentiles(lambda: model.score_one(purchase, vector))),
        ("  of it: the purchase encoded", *percentiles(lambda: encode_purchase(PURCHASE_INPUTS, purchase))),
        ("  of it: bare LightGBM (limit)", *percentiles(lambda: model._margin(ready))),
        ("an answer read into a vector", *percentiles(lambda: reading(values))),
        ("Booster.predict of the ready row (peer)", *percentiles(lambda: model.booster.predict(row, num_threads=1))),
        ("contributions", *percentiles(lambda: model.contributions(purchase, vector), CALLS // 10)),
        ("score_batch of 10,000", f"{each:.1f}", ""),
    ]


def made_up(seed: int = 0, rows: int = ROWS) -> tuple[TrainingSet, dict[str, Any], tuple[Any, ...]]:
    """Real purchases beside random vectors that hint at random outcomes; a purchase; values of a reader's answer.

    `rows` is a multiple of 60.
    """
    layout, random = layout_of(FEATURES), np.random.default_rng(seed)
    batch = next(simulate(Population(rows // 3, date(2026, 1, 1), date(2026, 6, 30)), rows_per_batch=rows))
    columns = {f.name: random.random(rows) * min(f.storage.high or 4.0, 100.0) for f in layout.fields}
    columns["lifecycle_stage"] = random.integers(0, 5, rows).astype(float)
    codec = Codec(layout)
    records = codec.encode(columns).records
    behavioural = codec.decode(records).astype(np.float32)
    purchases = np.stack([encode_column(one, batch.column(one.column)) for one in PURCHASE_INPUTS], axis=1)
    hint = 0.7 * ranked(behavioural[:, :12].sum(axis=1)) + 0.3 * ranked(batch.column("amount").to_numpy())
    training = TrainingSet(
        "",
        TrainingSpec(date(2026, 9, 1)),
        Inputs(PURCHASE_INPUTS, layout),
        {},
        purchases,
        behavioural,
        np.zeros((rows, 0), dtype=np.float32),
        (random.random(rows) < 0.2 * hint).astype(np.uint8),
        np.repeat(np.arange(60, dtype=np.int32), rows // 60),
        np.arange(rows, dtype=np.int32),
        np.zeros(rows, dtype=np.int8),
        np.ones(rows, dtype=np.bool_),
    )
    values = codec.decode_one(records[0].tobytes())
    assert values is not None
    return training, batch.slice(0, 1).to_pylist()[0], values


def ranked(values: np.ndarray) -> np.ndarray:
    """Ranks, 0..1."""
    return np.argsort(np.argsort(values)) / len(values)


def percentiles(call: Callable[[], object], calls: int = CALLS) -> tuple[str, str]:
    for _ in range(100):
        call()
    taken = []
    for _ in range(calls):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    taken.sort()
    return f"{taken[calls // 2] * 1e6:.1f}", f"{taken[int(calls * 0.99)] * 1e6:.1f}"


if __name__ == "__main__":
    main()
