"""A training set -> the part of it that trains a segment's own model, and what that model reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bnpl_features.errors import TrainingRefused
from bnpl_features.features.catalog import set_named
from bnpl_features.features.segment import SEGMENT, Segment
from bnpl_features.risk_model.model import Inputs
from bnpl_features.risk_model.training import without_features
from bnpl_features.risk_model.training_set import ARRAYS, TrainingSet, write_training_set


def segment_part(training: TrainingSet, segment: Segment, folder: Path) -> Path:
    """Write the purchases of the segment's customers as a training set of their own; returns its folder.

    A customer was in the segment if the features said so that the purchase was scored with, those of the day before.
    Raises `TrainingRefused` where the set lacks the feature, or nobody was.
    """
    if SEGMENT not in training.inputs.behavioural:
        raise TrainingRefused(
            f"the training set has no feature {SEGMENT}; train on a set that has, as with "
            "BNPL_MODEL_FEATURE_SET=behavioural@2"
        )
    assert training.inputs.layout is not None
    field = training.inputs.layout.fields[training.inputs.layout.names.index(SEGMENT)]
    codes = training.behavioural[:, training.inputs.behavioural.index(SEGMENT)]
    rows = np.flatnonzero(codes == field.storage.names.index(segment.name))
    if not rows.size:
        raise TrainingRefused(f"no purchase of the training set is of segment {segment.name}; train on more days")
    arrays = {name: getattr(training, name)[rows] for name in ARRAYS}
    return write_training_set(folder, training.spec, training.inputs, {"purchases": int(rows.size)}, arrays)


def segment_inputs(segment: Segment, training: TrainingSet) -> Inputs:
    """The purchase, and the features of the segment's own set (all of the training set's where it has none)."""
    inputs = Inputs(training.inputs.purchase, training.inputs.layout)
    if not segment.feature_set:
        return inputs
    own = {feature.name for feature in set_named(segment.feature_set).features}
    return without_features(inputs, set(inputs.behavioural) - own)
