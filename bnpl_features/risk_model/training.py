"""A training set -> calibrated models: LightGBM, monotone where risk practice expects it, the same every time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bnpl_features import __version__
from bnpl_features.derive.layout import Layout
from bnpl_features.errors import TrainingRefused
from bnpl_features.features.catalog import ALL_FEATURES
from bnpl_features.features.feature import Kind
from bnpl_features.features.velocity import VELOCITY as VELOCITY_GROUP
from bnpl_features.risk_model.calibration import fit_calibration
from bnpl_features.risk_model.model import Inputs, Model
from bnpl_features.risk_model.model_files import fingerprint_of
from bnpl_features.risk_model.purchase_inputs import Encoding
from bnpl_features.risk_model.training_set import TrainingSet

TRANSACTION_ONLY, BEHAVIOURAL, VELOCITY = "transaction_only", "behavioural", "velocity"
MODEL_NAMES = (TRANSACTION_ONLY, BEHAVIOURAL, VELOCITY)

MOST_TREES = 600
PATIENCE_TREES = 40
"""Trees without a better likelihood on the validation purchases, after which training stops."""

FEWEST_DEFAULTS = 20
"""Under this many defaults among the purchases that train, the trees would be noise."""

PARAMETERS: Mapping[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 15,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
    "max_cat_to_onehot": 8,
    "monotone_constraints_method": "intermediate",
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
"""Small trees, few of them: defaults are rare and the signal is weak. Chosen once by the validation purchases."""


def inputs_of(name: str, training: TrainingSet) -> Inputs:
    """The inputs of the model of that name: the purchase; for `behavioural` every daily feature as well; for
    `velocity` all there are."""
    if name == VELOCITY:
        return training.inputs
    return Inputs(training.inputs.purchase, training.inputs.layout if name == BEHAVIOURAL else None)


def without_features(inputs: Inputs, names: set[str]) -> Inputs:
    """The same inputs but the named features, and without velocity: what an ablation trains on."""
    assert inputs.layout is not None
    fields = tuple(one for one in inputs.layout.fields if one.name not in names)
    return Inputs(inputs.purchase, Layout(inputs.layout.feature_set, fields) if fields else None)


def train(name: str, training: TrainingSet, inputs: Inputs | None = None, *, threads: int = 1) -> Model:
    """Train on the set's first part, stop and calibrate on its second; the third is left for evaluation.

    The same training set and release of LightGBM give the same model text, whatever `threads`. Raises `TrainingRefused`
    where there are too few defaults to learn from, or where what was learned does not last.
    """
    import lightgbm as lgb

    inputs = inputs or inputs_of(name, training)
    _require_outcomes(training)
    directions = risk_directions(inputs)
    parameters = dict(PARAMETERS) | {
        "seed": training.spec.seed,
        "num_threads": threads,
        "monotone_constraints": directions,
        "min_data_in_leaf": min(PARAMETERS["min_data_in_leaf"], max(1, training.boundaries[0] // 50)),
    }
    columns: dict[str, Any] = {
        "feature_name": list(inputs.names),
        "categorical_feature": nominal_names(inputs),
        "free_raw_data": True,
    }
    rows, later = training.train, training.validation
    fitted = lgb.Dataset(training.matrix(inputs, rows), training.defaulted[rows], **columns)
    validation = training.matrix(inputs, later)
    stopping = fitted.create_valid(validation, training.defaulted[later])
    booster = lgb.train(
        parameters,
        fitted,
        MOST_TREES,
        valid_sets=[stopping],
        callbacks=[lgb.early_stopping(PATIENCE_TREES, verbose=False)],
    )
    trees = _without_run_settings(booster.model_to_string(num_iteration=booster.best_iteration))
    kept = lgb.Booster(model_str=trees)
    margins = np.asarray(kept.predict(validation, raw_score=True, num_threads=threads), dtype=np.float64)
    calibration = fit_calibration(margins, training.defaulted[later])
    return Model(
        name,
        fingerprint_of(name, inputs, calibration, kept.model_to_string()),
        inputs,
        calibration,
        kept,
        provenance={
            "training_set": training.fingerprint,
            "spec": training.spec.to_json(),
            "purchases_trained_on": training.boundaries[0],
            "trees": kept.num_trees(),
            "days": {
                "train": training.days_of(rows),
                "validation": training.days_of(later),
                "test": training.days_of(training.test),
            },
            "code_version": __version__,
            "lightgbm": lgb.__version__,
        },
    )


def risk_directions(inputs: Inputs) -> list[int]:
    """The monotone constraint of each input, as its declaration says."""
    declared = {one.name: one.risk_direction for one in ALL_FEATURES.features}
    declared |= {one.name: one.risk_direction for one in VELOCITY_GROUP.features}
    return [*(one.risk_direction for one in inputs.purchase), *(declared.get(name, 0) for name in inputs.behavioural)]


def nominal_names(inputs: Inputs) -> list[str]:
    """The inputs whose numbers have no order."""
    of_purchase = [one.name for one in inputs.purchase if one.encoding is Encoding.NOMINAL]
    of_customer = [one.name for one in inputs.layout.fields if one.kind is Kind.NAME] if inputs.layout else []
    return of_purchase + of_customer


def _require_outcomes(training: TrainingSet) -> None:
    for name, rows in (("train", training.train), ("validation", training.validation), ("test", training.test)):
        defaults, count = int(training.defaulted[rows].sum()), training.defaulted[rows].size
        if defaults < FEWEST_DEFAULTS or defaults == count:
            raise TrainingRefused(
                f"the {name} part holds {count} purchases with {defaults} defaults, but a model needs at least "
                f"{FEWEST_DEFAULTS} of them in each part; train on more days or purchases"
            )


def _without_run_settings(trees: str) -> str:
    """LightGBM appends the parameters of the run, the number of threads among them, which change no score."""
    start, end = trees.find("\nparameters:"), trees.find("end of parameters")
    return trees if start < 0 or end < 0 else trees[:start] + "\n" + trees[end + len("end of parameters") :].lstrip()
