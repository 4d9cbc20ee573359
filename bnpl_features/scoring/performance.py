"""How models did on live purchases whose outcomes are known by now: calibration and discrimination, by model version.

Only completed purchases have outcomes, and the service's own decisions are among the reasons why a purchase is not
completed. So the area under the ROC curve of what remains is smaller than that of an evaluation, without any fault of
the model. `auc_expected` is what the model's own probabilities allow on the very same purchases: the area where
each of them defaults with just the probability that it was given.

Source: D. van Klaveren et al., A new concordance measure for risk prediction models in external validation settings,
2016 (model-based concordance); E. Steyerberg, Clinical prediction models, 2019, chapter 15 (observed / expected,
calibration intercept and slope).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from bnpl_features.derive.query import Query
from bnpl_features.errors import TrainingRefused
from bnpl_features.features.purchase import TIMESTAMP_COLUMN
from bnpl_features.risk_model.bootstrap import RESAMPLES, Interval, intervals
from bnpl_features.risk_model.calibration import fit_calibration
from bnpl_features.risk_model.metrics import Floats, curve_of, rank, roc_auc
from bnpl_features.scoring.experiments.analysis import columns_of
from bnpl_features.scoring.experiments.outcomes import outcomes_sql, scored_sql
from bnpl_features.scoring.prediction_table import PREDICTIONS
from bnpl_features.warehouse.warehouse import Labels, Warehouse

MOST_ROWS = 1_000_000
"""Of more predictions those of a sample of customers are taken, so that memory stays bounded."""

_SAMPLE_DIGITS = 8
_EVERYONE = "g"
"""Sorts after every hexadecimal digest."""
_COLUMNS = ("model", "model_version", "is_shadow", "customer_digest", "probability", "defaulted")


@dataclass(frozen=True)
class Performance:
    """What one version of a model was worth on `purchases` scored from `days[0]` to `days[1]`, with intervals over
    customers.

    Attributes:
        is_shadow: whether these scores were only logged.
        observed_to_expected: defaults over the sum of the probabilities; 1 is perfect, 2 is twice the defaults.
        calibration_intercept, calibration_slope: of the log odds of default on those of the score; 0 and 1 are perfect.
        roc_auc, auc_expected: reached, and allowed by the probabilities themselves.
    """

    model: str
    version: int
    is_shadow: bool
    days: tuple[date, date]
    purchases: int
    defaults: int
    observed_to_expected: Interval
    calibration_intercept: float
    calibration_slope: float
    roc_auc: Interval
    auc_expected: Interval


@dataclass(frozen=True)
class Bounds:
    """From where on a model counts as degraded. Sizes of effects: an interval that excludes none is not enough.

    Attributes:
        calibration_ratio: above 1; how many times more, or fewer, defaults than were predicted.
        auc_loss: how far the area may fall below what the evaluation promised.
        least_defaults: fewer say nothing.
    """

    calibration_ratio: float = 1.25
    auc_loss: float = 0.03
    least_defaults: int = 100


def measured(
    warehouse: Warehouse,
    source: str,
    *,
    as_of: date,
    days: int,
    maturity_days: int,
    resamples: int = RESAMPLES,
    most_rows: int = MOST_ROWS,
    labels: Labels | None = None,
) -> list[Performance]:
    """Of each version that scored in the `days` whose outcomes were the last to be mature on `as_of`; `source` yields
    the canonical columns of purchases. Raises `RelationMissing` where predictions were never loaded."""
    last = as_of - timedelta(days=maturity_days)
    first = last - timedelta(days=days - 1)
    (size,) = (row for batch in warehouse.read(_size_query(first, last), labels or {}) for row in batch.to_pylist())
    share = min(1.0, most_rows / max(size["predictions"], 1))
    batches = [
        {name: np.asarray(batch.column(name).to_numpy(zero_copy_only=False)) for name in _COLUMNS}
        for batch in warehouse.read(outcomes_query(source, first, last, maturity_days, share), labels or {})
        if batch.num_rows
    ]
    rows = columns_of(batches, _COLUMNS)
    found = sorted(set(zip(rows["model"], rows["model_version"], rows["is_shadow"], strict=True)))
    measures = []
    for model, version, is_shadow in found:
        chosen = (rows["model"] == model) & (rows["model_version"] == version) & (rows["is_shadow"] == is_shadow)
        _, customer = np.unique(rows["customer_digest"][chosen], return_inverse=True)
        figures = figures_of(
            rows["probability"][chosen].astype(np.float64),
            rows["defaulted"][chosen].astype(np.uint8),
            customer.astype(np.int32),
            resamples=resamples,
        )
        measures.append(Performance(str(model), int(version), bool(is_shadow), (first, last), *figures))
    return measures


def figures_of(
    probability: Floats, defaulted: NDArray[np.uint8], customer: NDArray[np.int32], *, resamples: int = RESAMPLES
) -> tuple[int, int, Interval, float, float, Interval, Interval]:
    """The last fields of `Performance`, in order; arrays have shape [purchases]."""
    reached, allowed = rank(probability, defaulted), rank(probability, probability)

    def measure(weights: Floats | None) -> dict[str, float]:
        counted = np.ones_like(probability) if weights is None else weights
        expected = float((counted * probability).sum())
        return {
            "ratio": float((counted * defaulted).sum()) / expected if expected else math.nan,
            "reached": roc_auc(curve_of(reached, weights)),
            # Each purchase counts as a default by its probability and as repaid by the rest, at its place in the order.
            "allowed": roc_auc(curve_of(allowed, weights)),
        }

    drawn = intervals(measure, customer, resamples=resamples)
    intercept, slope = _recalibration(probability, defaulted)
    ends = (int(defaulted.size), int(defaulted.sum()), drawn["ratio"])
    return (*ends, intercept, slope, drawn["reached"], drawn["allowed"])


def degradation(performance: Performance, promised_auc: float | None, bounds: Bounds) -> tuple[str, ...]:
    """What is worse than it may be, in words; `promised_auc` is the evaluation's, None where there is none.

    A finding takes both: an effect of the size that bounds name, and an interval that excludes that there is none.
    """
    if performance.defaults < bounds.least_defaults:
        return ()
    found = []
    ratio = performance.observed_to_expected
    if ratio.value > bounds.calibration_ratio and ratio.low > 1.0:
        found.append(f"{ratio} times as many defaults as predicted, from {bounds.calibration_ratio:g} on it counts")
    if ratio.value < 1.0 / bounds.calibration_ratio and ratio.high < 1.0:
        found.append(f"only {ratio} times as many defaults as predicted, up to {1 / bounds.calibration_ratio:.2g}")
    allowed = performance.auc_expected.value
    bar = allowed if promised_auc is None else min(promised_auc, allowed)
    reached = performance.roc_auc
    if reached.value < bar - bounds.auc_loss and reached.high < bar:
        found.append(f"ROC-AUC {reached} where {bar:.4g} was to be had, a loss over {bounds.auc_loss:g}")
    return tuple(found)


def outcomes_query(source: str, first_day: date, last_mature: date, maturity_days: int, share: float = 1.0) -> Query:
    """One row a scored purchase with an outcome, of a `share` (0..1) of the customers; in order, so that resamples are
    the same wherever the rows come from."""
    scored = scored_sql(
        f"transaction_id, {TIMESTAMP_COLUMN}, customer_digest, is_shadow, model, model_version, probability",
        "@last_mature",
        f"{_SCORED} AND customer_digest < @sample_below",
    )
    return Query(
        f"""WITH scored AS (
{scored}
),
outcomes AS (
{outcomes_sql(source)}
)
SELECT
  scored.model,
  scored.model_version,
  scored.is_shadow,
  scored.customer_digest,
  scored.probability,
  outcomes.defaulted
FROM scored
JOIN outcomes
  ON outcomes.transaction_id = scored.transaction_id AND outcomes.{TIMESTAMP_COLUMN} = scored.{TIMESTAMP_COLUMN}
ORDER BY customer_digest, probability, defaulted""",
        {
            "first_day": first_day,
            "last_mature": last_mature,
            "maturity_days": maturity_days,
            "sample_below": _EVERYONE if share >= 1.0 else f"{int(share * 16**_SAMPLE_DIGITS):0{_SAMPLE_DIGITS}x}",
        },
    )


_SCORED = "model_version IS NOT NULL AND probability IS NOT NULL"


def _size_query(first_day: date, last_mature: date) -> Query:
    return Query(
        f"SELECT COUNT(*) AS predictions\nFROM {PREDICTIONS}\n"
        f"WHERE partition_date BETWEEN @first_day AND @last_mature AND {_SCORED}",
        {"first_day": first_day, "last_mature": last_mature},
    )


def _recalibration(probability: Floats, defaulted: NDArray[np.uint8]) -> tuple[float, float]:
    """NaN where one outcome is missing, or where higher scores do not go with more defaults."""
    kept = np.clip(probability, 1e-9, 1.0 - 1e-9)
    try:
        fitted = fit_calibration(np.log(kept / (1.0 - kept)), defaulted)
    except TrainingRefused:
        return math.nan, math.nan
    return fitted.intercept, fitted.slope


def of_version(measures: Sequence[Performance], model: str, version: int) -> Performance | None:
    """What a version was worth where it answered; None where none of its scores has an outcome yet."""
    return next(
        (one for one in measures if (one.model, one.version, one.is_shadow) == (model, version, False)),
        None,
    )
