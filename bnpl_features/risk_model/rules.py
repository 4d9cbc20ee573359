"""The baseline to beat: the warehouse's own risk_level, as if it were a model."""

from __future__ import annotations

import numpy as np

from bnpl_features.risk_model.metrics import Floats
from bnpl_features.risk_model.purchase_inputs import RISK_LEVELS
from bnpl_features.risk_model.training_set import TrainingSet

RULES = "rules"

APPROVED_LEVELS = ("low", "medium")
"""What the lender's rules approve; high and very_high are declined. Approval rates are compared at this point."""


def rules_score(training: TrainingSet, rows: slice) -> Floats:
    """The position of risk_level in RISK_LEVELS, -1 where there is none: an order without a scale, shape [rows]."""
    return np.asarray(training.risk_level[rows], dtype=np.float64)


def rules_approve(training: TrainingSet, rows: slice) -> Floats:
    """1 where the rules approve, else 0, shape [rows]."""
    approved = [RISK_LEVELS.index(level) for level in APPROVED_LEVELS]
    return np.isin(training.risk_level[rows], approved).astype(np.float64)
