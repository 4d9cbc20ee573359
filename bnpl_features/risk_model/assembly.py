"""The warehouse -> a training set: the join, streamed in Arrow batches, through the online record, into compact arrays.

Memory is bounded by the spec's `max_rows`: about 0.7 KB a row at the most, whatever the table holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bnpl_features.derive.layout import Layout, layout_of
from bnpl_features.derive.table import CUSTOMER_COLUMN, PARTITION_COLUMN
from bnpl_features.derive.velocity_query import windowed_features
from bnpl_features.errors import TrainingRefused
from bnpl_features.features.catalog import BEHAVIOURAL, FeatureSet
from bnpl_features.features.feature import Kind
from bnpl_features.features.purchase import TIMESTAMP_COLUMN
from bnpl_features.features.velocity import MEAN_FEATURE, VELOCITY
from bnpl_features.risk_model.columns import MICROSECONDS_PER_DAY, encode_column, unlisted
from bnpl_features.risk_model.model import Inputs
from bnpl_features.risk_model.purchase_inputs import OUTCOMES, PURCHASE_INPUTS, RISK_LEVELS
from bnpl_features.risk_model.training_query import (
    CUSTOMER_KEY,
    DEFAULTED,
    KNOWN,
    MICROS,
    RISK_LEVEL,
    ROW_KEY,
    TrainingSpec,
    partitions_query,
    rows_query,
    size_query,
)
from bnpl_features.risk_model.training_set import write_training_set
from bnpl_features.store.codec import Codec
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.warehouse.transactions import Source
from bnpl_features.warehouse.warehouse import Labels, Warehouse

Progress = Callable[[str, int, int], None]
"""Called with the step, rows done and rows in total."""

_MISSING_SHOWN = 3


def assemble(
    warehouse: Warehouse,
    source: Source,
    spec: TrainingSpec,
    folder: Path,
    *,
    feature_set: FeatureSet = BEHAVIOURAL,
    labels: Labels | None = None,
    progress: Progress | None = None,
) -> Path:
    """Make the training set of the spec under `folder`; returns its own folder, named by its fingerprint.

    Raises `TrainingRefused` where feature partitions are missing, where no purchase has a label, or where the table
    lacks the outcome; `RelationMissing` where there are no features at all.
    """
    asked_by = labels or {}
    relation = _relation(warehouse, source)
    _require_partitions(warehouse, feature_set, spec, asked_by)
    (size,) = _rows(warehouse.read(size_query(relation, spec), asked_by))
    if not size["purchases"]:
        raise TrainingRefused(
            f"no purchase from {spec.first_day} to {spec.last_day} has a known outcome; choose an as_of that is later, "
            "more days or a shorter maturity, or load outcomes"
        )
    query = rows_query(relation, feature_set, spec, min(1.0, spec.max_rows / size["purchases"]))
    layout = layout_of(feature_set)
    total = min(spec.max_rows, size["purchases"])
    chunks, counts = [], {"purchases": int(size["purchases"]), "unresolved": int(size["unresolved"])}
    done = 0
    for batch in warehouse.read(query, asked_by):
        chunk, saturated = _chunk(batch, layout)
        chunks.append(chunk)
        done += batch.num_rows
        for name, count in (_unlisted(batch) | saturated).items():
            counts[name] = counts.get(name, 0) + count
        if progress:
            progress("training set", done, total)
    return write_training_set(folder, spec, Inputs(PURCHASE_INPUTS, layout, VELOCITY.names), counts, _sorted(chunks))


def _relation(warehouse: Warehouse, source: Source) -> str:
    found = warehouse.columns(source.relation)
    lacking = [name for name in OUTCOMES if source.columns.get(name, name) not in found]
    if lacking:
        raise TrainingRefused(
            f"{source.relation} has no column {lacking[0]!r}, the outcome that a model learns; "
            f"add it, or map the column that holds it with BNPL_COLUMN_{lacking[0].upper()}"
        )
    return source.checkout_sql(found)


def _require_partitions(warehouse: Warehouse, feature_set: FeatureSet, spec: TrainingSpec, labels: Labels) -> None:
    """A day without features is not a day of unknown customers."""
    found = {
        day if type(day) is date else day.date()
        for day in (row[PARTITION_COLUMN] for row in _rows(warehouse.read(partitions_query(feature_set, spec), labels)))
    }
    missing = [day for day in spec.partitions if day not in found]
    if missing:
        shown = ", ".join(map(str, missing[:_MISSING_SHOWN])) + (" ..." if len(missing) > _MISSING_SHOWN else "")
        raise TrainingRefused(
            f"{len(missing)} of {spec.days} feature partitions are missing ({shown}); compute them with "
            f"`bnpl-features backfill --from {missing[0]} --to {missing[-1]}`, or train on fewer days"
        )


def _chunk(batch: pa.RecordBatch, layout: Layout) -> tuple[dict[str, NDArray[Any]], dict[str, int]]:
    known = np.asarray(batch.column(KNOWN).to_numpy(zero_copy_only=False)) == 1
    micros = np.asarray(batch.column(MICROS).to_numpy(zero_copy_only=False), dtype=np.int64)
    stamped = batch.append_column(TIMESTAMP_COLUMN, pa.array(micros).cast(pa.timestamp("us", tz="UTC")))
    purchases = [encode_column(one, stamped.column(one.column)) for one in PURCHASE_INPUTS]
    decoded, saturated = _served(batch, layout, known)
    has_mean = MEAN_FEATURE in layout.names
    mean = decoded[:, layout.names.index(MEAN_FEATURE)] if has_mean else np.full(len(decoded), np.nan)
    velocity = _velocity(batch, mean)
    levels = pc.index_in(batch.column(RISK_LEVEL), value_set=pa.array(RISK_LEVELS)).fill_null(-1)
    return {
        "purchases": np.stack(purchases, axis=1),
        "behavioural": decoded.astype(np.float32),
        "velocity": velocity.astype(np.float32),
        "defaulted": _numpy(batch, DEFAULTED).astype(np.uint8),
        "day": (micros // MICROSECONDS_PER_DAY).astype(np.int32),
        "customer": _numbers(batch, CUSTOMER_KEY),
        "risk_level": levels.to_numpy(zero_copy_only=False).astype(np.int8),
        "known": known,
        ROW_KEY: _numbers(batch, ROW_KEY),
    }, saturated


def _served(
    batch: pa.RecordBatch, layout: Layout, known: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], dict[str, int]]:
    """What a reader would have decoded: stored and read again, or the declared defaults of an unknown customer."""
    codec = Codec(layout)
    nobody = pa.array([""] * batch.num_rows)
    parts = []
    saturated: dict[str, int] = {}
    for part in customer_batches([batch.append_column(CUSTOMER_COLUMN, nobody)], layout):
        encoded = codec.encode(part.columns)
        parts.append(codec.decode(encoded.records))
        for name, count in encoded.saturated.items():
            saturated[f"saturated {name}"] = saturated.get(f"saturated {name}", 0) + count
    decoded = np.concatenate(parts)
    decoded[~known] = [_default(one.kind, one.default, one.storage.names) for one in layout.fields]
    return decoded, saturated


def _velocity(batch: pa.RecordBatch, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """In the group's order, as a reader computes it: the purchase is set against the mean that was served."""
    columns = {one.name: _float64(batch, one.name) for one in windowed_features()}
    with np.errstate(invalid="ignore", divide="ignore"):
        to_mean = np.where(mean > 0, _float64(batch, "amount") / mean, np.nan)
    return np.stack([columns.get(feature.name, to_mean) for feature in VELOCITY.features], axis=1)


def _float64(batch: pa.RecordBatch, name: str) -> NDArray[np.float64]:
    return np.asarray(batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False))


def _default(kind: Kind, default: object, names: tuple[str, ...]) -> float:
    if default is None:
        return float("nan")
    return float(names.index(str(default))) if kind is Kind.NAME else float(default)  # type: ignore[arg-type]


def _sorted(chunks: list[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """One array a name, rows in order of day and key, chunks let go of as they are copied; customers numbered anew."""
    if not chunks:
        raise TrainingRefused("the sample holds no purchase; raise max_rows or choose another seed")
    arrays = {name: np.concatenate([chunk.pop(name) for chunk in chunks]) for name in list(chunks[0])}
    order = np.lexsort((arrays.pop(ROW_KEY), arrays["day"]))
    arrays["customer"] = np.unique(arrays["customer"], return_inverse=True)[1].astype(np.int32)
    for name in arrays:
        arrays[name] = arrays[name][order]
    return arrays


def _unlisted(batch: pa.RecordBatch) -> dict[str, int]:
    counted = {
        f"unlisted {one.column}": unlisted(one, batch.column(one.column)) for one in PURCHASE_INPUTS if one.values
    }
    return {name: count for name, count in counted.items() if count}


def _numbers(batch: pa.RecordBatch, name: str) -> NDArray[np.int64]:
    """Hexadecimal text as integers."""
    return np.array([int(text, 16) for text in batch.column(name).to_pylist()], dtype=np.int64)


def _numpy(batch: pa.RecordBatch, name: str) -> NDArray[Any]:
    array: NDArray[Any] = batch.column(name).to_numpy(zero_copy_only=False)
    return array


def _rows(batches: Iterator[pa.RecordBatch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.to_pylist()]
