"""What segment-level priors gain: bare defaults for missing features, beside what the segment is usually like.

    python -m benchmarks.priors [customers]

Two behavioural models of the same purchases; they differ in what stands for missing features, in training and in
scoring alike: nothing, or the median among the segment's customers of the first partition. Later purchases judge.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import print_table
from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.range_query import vectors_range_query
from bnpl_features.derive.table import CUSTOMER_COLUMN, vectors_table
from bnpl_features.features.catalog import ALL_FEATURES, GROUPS, SEGMENTED, FeatureSet
from bnpl_features.features.feature import Kind, Value
from bnpl_features.features.segment import SEGMENT
from bnpl_features.risk_model.assembly import assemble
from bnpl_features.risk_model.bootstrap import Interval, intervals
from bnpl_features.risk_model.evaluation import score_rows
from bnpl_features.risk_model.metrics import curve_of, rank, roc_auc
from bnpl_features.risk_model.training import BEHAVIOURAL, train
from bnpl_features.risk_model.training_query import TrainingSpec
from bnpl_features.risk_model.training_set import read_training_set
from bnpl_features.simulator import Population, simulate
from bnpl_features.store.codec import Codec
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.warehouse.backfill import compute, parts_of
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.transactions import Source

AS_OF = date(2026, 3, 10)
SPEC = TrainingSpec(AS_OF, days=60, maturity_days=30)
FEWEST_CUSTOMERS = 30
"""Of a segment, for a median to stand for its customers."""


def main(customers: int = 20_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        warehouse = DuckDBWarehouse(Path(folder) / "warehouse", threads=2)
        (Path(folder) / "warehouse").mkdir()
        population = Population(
            customers, AS_OF - timedelta(days=200), AS_OF, seed=4, purchases_per_year=20.0, joined_share=0.4
        )
        warehouse.upsert_transactions(simulate(population), {})
        _compute(warehouse)
        bare, usual = SEGMENTED, with_priors(warehouse, SPEC.partitions[0])
        scores, training = {}, None
        for name, feature_set in (("bare", bare), ("priors", usual)):
            made = assemble(warehouse, Source(), SPEC, Path(folder) / name, feature_set=feature_set)
            training = read_training_set(made)
            scores[name] = score_rows(train(BEHAVIOURAL, training), training, training.test)
        assert training is not None
        rows = training.test
        known = np.asarray(training.known[rows])
        layout = layout_of(SEGMENTED)
        codes = training.behavioural[rows][:, layout.names.index(SEGMENT)]
        names = layout.fields[layout.names.index(SEGMENT)].storage.names
        of_whom = {
            "without history": ~known,
            "new, with some": known & (codes == names.index("new")),
            "thin file": known & (codes == names.index("thin_file")),
            "everybody": np.ones(len(known), dtype=bool),
        }
        found = []
        for who, inside in of_whom.items():
            defaulted = np.asarray(training.defaulted[rows])[inside]
            if defaulted.sum() < 30:
                found.append((who, int(inside.sum()), int(defaulted.sum()), "too few defaults", "", ""))
                continue
            own = {name: score[inside] for name, score in scores.items()}
            figures = _figures(own, defaulted, np.asarray(training.customer[rows])[inside])
            found.append((who, int(inside.sum()), int(defaulted.sum()), *map(str, figures.values())))
    heads = ("customers", "purchases", "defaults", "AUC, bare defaults", "AUC, priors", "gain")
    print_table(f"{len(scores['bare']):,} purchases after those that trained; 95 % intervals", heads, found)


def with_priors(warehouse: DuckDBWarehouse, day: date) -> FeatureSet:
    """The set with the median of every feature, among the segment's customers of the day, as each segment's default."""
    layout = layout_of(SEGMENTED)
    batches = warehouse.read_partition(vectors_table(), day, (CUSTOMER_COLUMN, *layout.names), {})
    codec = Codec(layout)
    values = np.vstack([codec.decode(codec.encode(b.columns).records) for b in customer_batches(batches, layout)])
    codes = values[:, layout.names.index(SEGMENT)]
    segments = []
    for code, segment in enumerate(SEGMENTED.segments):
        inside = values[codes == code]
        segments.append(replace(segment, defaults=_medians(inside)) if len(inside) >= FEWEST_CUSTOMERS else segment)
    unknown = next(one for one in segments if SEGMENTED.unknown and one.name == SEGMENTED.unknown.name)
    return replace(SEGMENTED, segments=tuple(segments), unknown=unknown)


def _medians(values: NDArray[np.float64]) -> Mapping[str, Value]:
    found: dict[str, Value] = {}
    for feature, column in zip(SEGMENTED.features, values.T, strict=True):
        seen = column[~np.isnan(column)]
        if feature.kind is not Kind.NAME and len(seen):
            median = float(np.median(seen))
            found[feature.name] = round(median) if feature.kind is Kind.COUNT else median
    return found


def _compute(warehouse: DuckDBWarehouse) -> None:
    for group in GROUPS:
        list(compute(warehouse, Source(), group, SPEC.partitions, {}))
    for part in parts_of(SPEC.partitions):
        warehouse.replace_partitions(vectors_table(), part, vectors_range_query(ALL_FEATURES, part[0], part[-1]), {})


def _figures(
    scores: Mapping[str, NDArray[np.float64]], defaulted: NDArray[np.uint8], customer: NDArray[np.int32]
) -> dict[str, Interval]:
    ranked = {name: rank(score, defaulted) for name, score in scores.items()}

    def measure(weights: NDArray[np.float64] | None) -> dict[str, float]:
        areas = {name: roc_auc(curve_of(one, weights)) for name, one in ranked.items()}
        return areas | {"gain": areas["priors"] - areas["bare"]}

    return intervals(measure, customer, resamples=200, seed=0)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
