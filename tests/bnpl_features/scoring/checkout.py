"""What the scoring tests are made of: real LightGBM models on the declared inputs, purchases as a checkout sends."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import lightgbm as lgb
import numpy as np

from bnpl_features.derive.layout import Layout, layout_of
from bnpl_features.features.catalog import BEHAVIOURAL as BEHAVIOURAL_SET
from bnpl_features.features.velocity import VELOCITY as VELOCITY_GROUP
from bnpl_features.risk_model.calibration import Calibration
from bnpl_features.risk_model.model import Inputs, Model
from bnpl_features.risk_model.model_files import fingerprint_of
from bnpl_features.risk_model.purchase_inputs import PURCHASE_INPUTS
from bnpl_features.scoring.models import BEHAVIOURAL, TRANSACTION_ONLY, VELOCITY, ActiveModels

LAYOUT = layout_of(BEHAVIOURAL_SET)
TREES, LEAVES, ROWS = 200, 31, 4_000
"""About the size of a trained model."""

PURCHASE: dict[str, Any] = {
    "transaction_id": "txn-0000001",
    "customer_id": "customer-1",
    "transaction_timestamp": "2026-11-25T10:15:00Z",
    "amount": 120.5,
    "product_category": "electronics",
    "product_risk_category": "medium",
    "device_id": "device-1",
    "device_type": "mobile",
    "device_is_trusted": True,
    "risk_score": 0.31,
    "risk_level": "medium",
    "purchase_context": "normal",
    "checkout_speed": "normal",
    "payment_credit_limit": 1500.0,
    "installment_count": 4,
    "product_price": 120.5,
    "payment_provider": "klarna",
    "time_on_site_seconds": 320,
    "price_comparison_time": 40,
    "cart_abandonment_count": 1,
    "first_payment_amount": 30.12,
    "customer_income_bracket": "50k-75k",
    "customer_credit_score_range": "good",
    "customer_verification_level": "verified",
    "customer_address_stability": "stable",
    "customer_tenure_days": 400,
    "customer_state": "CA",
    "customer_age_bracket": "25-34",
}


def purchase(**changes: Any) -> dict[str, Any]:
    """As JSON says it; a change to None leaves the field out."""
    return {name: value for name, value in (PURCHASE | changes).items() if value is not None}


def body(**changes: Any) -> bytes:
    return json.dumps(purchase(**changes)).encode()


@lru_cache(maxsize=16)
def model(name: str = BEHAVIOURAL, version: int = 1, layout: Layout | None = LAYOUT) -> Model:
    """A model with a version of its own: risk rises with risk_score, and with missed payments where it sees them."""
    names = VELOCITY_GROUP.names if name == VELOCITY else ()
    inputs = Inputs(PURCHASE_INPUTS, None if name == TRANSACTION_ONLY else layout, names)
    dice = np.random.default_rng(version)
    rows = dice.random((ROWS, len(inputs.names))).astype(np.float32)
    danger = 3.0 * rows[:, inputs.names.index("risk_score")]
    if inputs.layout and "missed_payments_90d" in inputs.names:
        missed = inputs.names.index("missed_payments_90d")
        rows[:, missed] = dice.integers(0, 3, ROWS)
        danger += rows[:, missed]
    defaulted = dice.random(ROWS) < 1.0 / (1.0 + np.exp(3.5 - danger))
    parameters = {"objective": "binary", "num_leaves": LEAVES, "verbose": -1, "num_threads": 1, "seed": version}
    booster = lgb.train(parameters, lgb.Dataset(rows, defaulted.astype(int)), TREES)
    calibration = Calibration(1.0, 0.01 * version)
    fingerprint = fingerprint_of(name, inputs, calibration, booster.model_to_string())
    return Model(name, fingerprint, inputs, calibration, booster, version)


def active(*models: Model) -> ActiveModels:
    """The first of each name is its champion."""
    given = models or (model(), model(TRANSACTION_ONLY))
    champions = {one.name: one for one in reversed(given)}
    return ActiveModels(champions, {(one.name, one.version): one for one in given})


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
