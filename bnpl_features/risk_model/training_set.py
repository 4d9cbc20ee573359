"""A training set: purchases as numbers, in a folder named by its fingerprint, mapped into memory when read.

    purchases.npy      float32 [rows, purchase inputs]
    behavioural.npy    float32 [rows, features], as decoded from the online record; declared defaults where unknown
    velocity.npy       float32 [rows, velocity features], just before the purchase
    defaulted.npy      uint8   [rows]
    day.npy            int32   [rows], days since 1970-01-01
    customer.npy       int32   [rows], a number without meaning outside the set; no customer id is stored
    risk_level.npy     int8    [rows], position in RISK_LEVELS, -1 where none of them
    known.npy          bool    [rows], False where the partition had no such customer

Rows are in order of day, then of a salted hash, so the order says nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpl_features.derive.layout import Layout
from bnpl_features.errors import ModelMissing
from bnpl_features.risk_model.encoding import Floats32
from bnpl_features.risk_model.model import Inputs
from bnpl_features.risk_model.purchase_inputs import PurchaseInput
from bnpl_features.risk_model.training_query import TrainingSpec

TRAIN_SHARE, VALIDATION_SHARE = 0.6, 0.2
"""Of the purchases, by time: the first train, the next calibrate and stop, the last test."""

ARRAYS = ("purchases", "behavioural", "velocity", "defaulted", "day", "customer", "risk_level", "known")
DESCRIPTION = "training_set.json"
EPOCH = date(1970, 1, 1)

Rows = NDArray[np.intp] | slice


@dataclass(frozen=True)
class TrainingSet:
    """The arrays, and what they are of; see the module."""

    fingerprint: str
    spec: TrainingSpec
    inputs: Inputs
    counts: Mapping[str, int]
    purchases: Floats32
    behavioural: Floats32
    velocity: Floats32
    defaulted: NDArray[np.uint8]
    day: NDArray[np.int32]
    customer: NDArray[np.int32]
    risk_level: NDArray[np.int8]
    known: NDArray[np.bool_]

    @property
    def rows(self) -> int:
        return int(self.defaulted.size)

    @cached_property
    def boundaries(self) -> tuple[int, int]:
        """Where validation and test begin; a day is never divided."""
        wanted = [TRAIN_SHARE * self.rows, (TRAIN_SHARE + VALIDATION_SHARE) * self.rows]
        starts = np.flatnonzero(np.diff(self.day, prepend=self.day[:1] - 1)) if self.rows else np.zeros(1, np.intp)
        starts = np.append(starts, self.rows)
        first, second = (int(starts[np.abs(starts - place).argmin()]) for place in wanted)
        return first, second

    @property
    def train(self) -> slice:
        return slice(0, self.boundaries[0])

    @property
    def validation(self) -> slice:
        return slice(*self.boundaries)

    @property
    def test(self) -> slice:
        return slice(self.boundaries[1], self.rows)

    def matrix(self, inputs: Inputs, rows: Rows) -> Floats32:
        """The model's input matrix, float32 [rows, inputs], of some rows; columns are found by name."""
        purchase_names = [one.name for one in self.inputs.purchase]
        purchase = [purchase_names.index(one.name) for one in inputs.purchase]
        behavioural = [self.inputs.behavioural.index(name) for name in inputs.behavioural]
        customers = np.hstack([self.behavioural[rows], self.velocity[rows]])
        matrix: Floats32 = np.hstack([self.purchases[rows][:, purchase], customers[:, behavioural]])
        return matrix

    def days_of(self, rows: slice) -> tuple[str, str]:
        """First and last date of a part, as text."""
        days = np.asarray(self.day[rows], dtype="datetime64[D]")
        return str(days[0]), str(days[-1])


def write_training_set(
    folder: Path, spec: TrainingSpec, inputs: Inputs, counts: Mapping[str, int], arrays: Mapping[str, NDArray[Any]]
) -> Path:
    """Write the set under `folder`, unless the same one is there; returns its own folder, named by the fingerprint."""
    fingerprint = _fingerprint(spec, inputs, arrays)
    target = folder / fingerprint
    if (target / DESCRIPTION).exists():
        return target
    target.mkdir(parents=True, exist_ok=True)
    for name in ARRAYS:
        np.save(target / f"{name}.npy", arrays[name])
    description = {
        "fingerprint": fingerprint,
        "spec": spec.to_json(),
        "purchase_inputs": [one.to_json() for one in inputs.purchase],
        "layout": inputs.layout.to_json() if inputs.layout else None,
        "velocity": list(inputs.velocity),
        "counts": dict(counts),
    }
    # Last: a folder without it is not a training set.
    written = target / f"{DESCRIPTION}.new"
    written.write_text(json.dumps(description, indent=1))
    written.rename(target / DESCRIPTION)
    return target


def read_training_set(folder: Path) -> TrainingSet:
    """The set in a folder that `write_training_set` returned; raises `ModelMissing` where there is none."""
    try:
        description = json.loads((folder / DESCRIPTION).read_text())
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
    except (OSError, ValueError) as error:
        raise ModelMissing(f"{folder} holds no training set ({error}); run `bnpl-features train` again") from error
    inputs = Inputs(
        tuple(PurchaseInput.from_json(one) for one in description["purchase_inputs"]),
        Layout.from_json(description["layout"]),
        tuple(description.get("velocity", ())),
    )
    return TrainingSet(
        description["fingerprint"], TrainingSpec.from_json(description["spec"]), inputs, description["counts"], **arrays
    )


def _fingerprint(spec: TrainingSpec, inputs: Inputs, arrays: Mapping[str, NDArray[Any]]) -> str:
    """32 hex digits over the spec, the declarations and every number."""
    layout = inputs.layout and inputs.layout.fingerprint
    declared = [spec.to_json(), [one.to_json() for one in inputs.purchase], layout, list(inputs.velocity)]
    digest = hashlib.blake2b(json.dumps(declared, sort_keys=True).encode(), digest_size=16)
    for name in ARRAYS:
        digest.update(np.ascontiguousarray(arrays[name]).view(np.uint8).data)
    return digest.hexdigest()
