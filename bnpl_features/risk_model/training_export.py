"""A training set -> one Parquet file that any tool reads: names instead of codes, nulls instead of NaN.

    every purchase input   named as in docs/risk-model.md; text, bool, int8 or float32
    every feature          named as in docs/features.md; text, int32 or float32, as decoded from the online record
    every velocity feature named as in docs/streaming.md; float32, as known at the purchase
    defaulted              bool, the label
    day                    date, UTC, of the purchase
    part                   train, validation or test, as the project's own models use it
    is_known_customer      whether the features are the customer's own, not defaults
    risk_level             of the lender's own rules; null where it is none of theirs

The file holds no customer id, nor a number in its place. Each column's metadata says what it means, the file's which
training set it is of. Rows are written some thousand at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bnpl_features.errors import InputError, ModelMissing
from bnpl_features.features.catalog import ALL_FEATURES
from bnpl_features.features.feature import Kind
from bnpl_features.features.velocity import VELOCITY
from bnpl_features.risk_model.purchase_inputs import COLUMNS, RISK_LEVELS, Encoding, PurchaseInput
from bnpl_features.risk_model.training_set import DESCRIPTION, TrainingSet

LATEST = "latest"
PARTS = ("train", "validation", "test")
ROWS_AT_ONCE = 65_536

_TEXT = pa.dictionary(pa.int8(), pa.string())
_TYPES = {Encoding.NUMBER: pa.float32(), Encoding.FLAG: pa.bool_()} | dict.fromkeys(
    (Encoding.HOUR, Encoding.WEEKDAY), pa.int8()
)
_KINDS = {Kind.COUNT: pa.int32(), Kind.NUMBER: pa.float32()}


@dataclass(frozen=True)
class _Column:
    """One column of the file: `read` gives some rows of it as numbers, NaN or a negative code being null."""

    name: str
    type: pa.DataType
    meaning: str
    read: Callable[[slice], NDArray[Any]]
    names: tuple[str, ...] = ()

    @property
    def field(self) -> pa.Field:
        return pa.field(self.name, self.type, metadata={"meaning": self.meaning})

    def array(self, rows: slice) -> pa.Array:
        numbers = self.read(rows)
        null = np.isnan(numbers) if numbers.dtype.kind == "f" else numbers < 0
        if self.names:
            codes = pa.array(np.where(null, 0, numbers).astype(np.int8), mask=null)
            return pa.DictionaryArray.from_arrays(codes, pa.array(self.names))
        if self.type == pa.float32():
            return pa.array(numbers, mask=null)
        return pa.array(np.where(null, 0, numbers).astype(np.int32), mask=null).cast(self.type)


def chosen_folder(folder: Path, which: str) -> Path:
    """The folder of the training set with a fingerprint, of which the beginning is enough, or of the `latest` made.

    Raises `ModelMissing` where there is none, and `InputError` where several begin like this.
    """
    found = sorted(folder.glob(f"*/{DESCRIPTION}"), key=lambda path: path.stat().st_mtime)
    if found and which == LATEST:
        return found[-1].parent
    fitting = [path.parent for path in found if path.parent.name.startswith(which)]
    if len(fitting) > 1:
        raise InputError(f"{len(fitting)} training sets begin with {which!r}; give more of the fingerprint")
    if not fitting:
        there = ", ".join(path.parent.name for path in found) or "none"
        raise ModelMissing(f"{folder} holds no training set {which} (there: {there}); `bnpl-features train` makes one")
    return fitting[0]


def export_training_set(training: TrainingSet, file: Path) -> int:
    """Write the set to `file`, which appears when it is whole; returns bytes. Raises `InputError` where it cannot."""
    columns = _columns(training)
    about = {"training_set": training.fingerprint, "spec": json.dumps(training.spec.to_json())}
    schema = pa.schema([one.field for one in columns], metadata=about)
    unfinished = file.with_name(f"{file.name}.new")
    try:
        with pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
            for rows in _slices(training.rows):
                writer.write_batch(pa.record_batch([one.array(rows) for one in columns], schema=schema))
        unfinished.rename(file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise InputError(f"{file} cannot be written ({error}); choose another place") from error
    return file.stat().st_size


def _slices(rows: int) -> Iterator[slice]:
    for start in range(0, rows, ROWS_AT_ONCE):
        yield slice(start, min(start + ROWS_AT_ONCE, rows))


def _columns(training: TrainingSet) -> list[_Column]:
    return [
        *(_purchase(training, one, position) for position, one in enumerate(training.inputs.purchase)),
        *_features(training),
        *_velocity(training),
        _Column("defaulted", pa.bool_(), "The label.", lambda rows: training.defaulted[rows].astype(np.int8)),
        _Column("day", pa.date32(), "UTC date of the purchase.", lambda rows: training.day[rows]),
        _Column("part", _TEXT, "Part of the set.", lambda rows: _parts(training, rows), PARTS),
        _Column(
            "is_known_customer",
            pa.bool_(),
            "False: the features are the declared defaults.",
            lambda rows: training.known[rows].astype(np.int8),
        ),
        _Column(
            "risk_level", _TEXT, COLUMNS["risk_level"].meaning, lambda rows: training.risk_level[rows], RISK_LEVELS
        ),
    ]


def _purchase(training: TrainingSet, one: PurchaseInput, position: int) -> _Column:
    kind = _TYPES.get(one.encoding, _TEXT)
    return _Column(
        one.name, kind, COLUMNS[one.column].meaning, lambda rows: training.purchases[rows, position], one.values
    )


def _features(training: TrainingSet) -> Iterator[_Column]:
    meanings = {feature.name: f"{feature.meaning} [{feature.unit}]" for feature in ALL_FEATURES.features}
    for position, one in enumerate(training.inputs.layout.fields if training.inputs.layout else ()):
        yield _Column(
            one.name,
            _KINDS.get(one.kind, _TEXT),
            meanings.get(one.name, ""),
            lambda rows, position=position: training.behavioural[rows, position],  # type: ignore[misc]
            one.storage.names,
        )


def _velocity(training: TrainingSet) -> Iterator[_Column]:
    meanings = {feature.name: f"{feature.meaning} [{feature.unit}]" for feature in VELOCITY.features}
    for position, name in enumerate(training.inputs.velocity):
        yield _Column(
            name,
            pa.float32(),
            meanings.get(name, ""),
            lambda rows, position=position: training.velocity[rows, position],  # type: ignore[misc]
        )


def _parts(training: TrainingSet, rows: slice) -> NDArray[np.int8]:
    return np.searchsorted(training.boundaries, np.arange(rows.start, rows.stop), side="right").astype(np.int8)
