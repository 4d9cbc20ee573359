"""What is profiled: a group's features, the vectors by segment, the purchases, the predictions, the outcomes.

Bins are fixed by the declaration, not by the data, so that profiles of any two days can be compared or added up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from bnpl_features.derive.query import SOURCE
from bnpl_features.derive.table import PARTITION_COLUMN
from bnpl_features.features.catalog import FeatureSet
from bnpl_features.features.feature import Feature, FeatureGroup, Kind
from bnpl_features.features.purchase import COMPLETED, TIMESTAMP_COLUMN
from bnpl_features.features.segment import SEGMENT
from bnpl_features.features.storage import Scale

_COUNT_EDGES = (1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0, 55.0, 89.0, 144.0, 233.0)
_SIGNED_EDGES = (-100.0, -10.0, -1.0, -0.1, -0.01, -0.001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
_SHARE_EDGES = (1e-6, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0 - 1e-9)
_PROBABILITY_EDGES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5)
_USD_EDGES = (1.0, 3.2, 10.0, 18.0, 32.0, 56.0, 100.0, 180.0, 320.0, 560.0, 1_000.0, 3_200.0, 10_000.0, 100_000.0)
_HOUR_EDGES = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 22.0)
_FLAG_EDGES = (1.0,)
_LINEAR_BINS = 10
_EDGES_PER_DECADE = 2


@dataclass(frozen=True)
class ProfiledColumn:
    """A number, binned by `edges`, or a name, binned by `categories`; `sql` yields it from the subject's relation.

    Bin k of a number holds edges[k-1] <= value < edges[k]. A name's bin is its position in `categories`; the last bin
    holds every other name. `is_scaled` says that the number has a unit that may change by mistake, `ages` that it grows
    by itself for everybody.
    """

    name: str
    sql: str
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    is_scaled: bool = False
    ages: bool = False


@dataclass(frozen=True)
class Subject:
    """A relation of which each day has a profile, in the table `profile_<name>`.

    `where` selects the day's rows by `@partition_date` and whatever `parameters` a query is given. `segments` divide
    them: name of the division -> SQL that names a row's part.
    """

    name: str
    relation: str
    columns: tuple[ProfiledColumn, ...]
    segments: Mapping[str, str] = field(default_factory=dict)
    where: str = f"{PARTITION_COLUMN} = @partition_date"

    @property
    def table(self) -> str:
        return f"profile_{self.name}"


def edges(feature: Feature) -> tuple[float, ...]:
    """The stable edges of a numeric feature, from the way it is stored."""
    storage = feature.storage
    if storage.scale is Scale.EXACT:
        return _COUNT_EDGES
    if storage.scale is Scale.HALF:
        return _SIGNED_EDGES
    if storage.scale is Scale.LINEAR:
        width = (storage.high - storage.low) / _LINEAR_BINS
        inner = tuple(storage.low + width * step for step in range(1, _LINEAR_BINS))
        # Shares pile up on their ends: exactly none and exactly all are bins of their own.
        return (storage.low + width * 1e-6, *inner, storage.high * (1 - 1e-9))
    decades = range(_EDGES_PER_DECADE * 40)
    steps = (storage.low * 10 ** (step / _EDGES_PER_DECADE) for step in decades)
    return tuple(float(f"{edge:.6g}") for edge in steps if edge <= storage.high)


def bin_labels(feature: Feature) -> tuple[str, ...]:
    """What each bin from 0 on holds, as a person reads it; of a range the end lies in the next bin."""
    storage = feature.storage
    if feature.kind is Kind.NAME:
        return storage.names
    if feature.kind is Kind.COUNT:
        whole = [0, *map(int, edges(feature))]
        spans = (str(low) if low + 1 == high else f"{low}–{high - 1}" for low, high in pairwise(whole))
        return (*spans, f"from {whole[-1]}")
    marks = [edge_label(edge) for edge in edges(feature)]
    first, last = f"under {marks[0]}", f"from {marks[-1]}"
    if storage.scale is Scale.LINEAR:
        first, last = marks[0], marks[-1] = f"{storage.low:g}", f"{storage.high:g}"
    return (first, *(f"{low}–{high}" for low, high in pairwise(marks)), last)


def edge_label(edge: float) -> str:
    """Three digits that count, thousands in full."""
    rounded = f"{edge:.3g}"
    return f"{float(rounded):,.0f}" if abs(edge) >= 1_000 else rounded


def feature_column(feature: Feature) -> ProfiledColumn:
    if feature.kind is Kind.NAME:
        return ProfiledColumn(feature.name, feature.name, categories=feature.storage.names)
    return ProfiledColumn(
        feature.name,
        feature.name,
        edges(feature),
        is_scaled=feature.storage.scale is Scale.LOGARITHMIC,
        ages=feature.ages,
    )


def group_subject(group: FeatureGroup) -> Subject:
    """All customers of a group's partition."""
    return Subject(group.name, group.table, tuple(map(feature_column, group.features)))


def vectors_subject(feature_set: FeatureSet) -> Subject:
    """All features by segment of customers: only where groups are joined does each feature have its segment."""
    return Subject(
        "feature_vectors", "feature_vectors", tuple(map(feature_column, feature_set.features)), CUSTOMER_SEGMENTS
    )


def segments_subject(feature_set: FeatureSet) -> Subject:
    """All features by declared segment, apart from the other divisions: a profile has a row a combination of parts."""
    columns = tuple(map(feature_column, feature_set.features))
    return Subject("segments", "feature_vectors", columns, {SEGMENT: SEGMENT})


CUSTOMER_SEGMENTS = {
    "lifecycle_stage": "lifecycle_stage",
    "credit_band": (
        "CASE WHEN credit_utilization_30d IS NULL THEN 'none' WHEN credit_utilization_30d < 0.1 THEN 'under 10 %' "
        "WHEN credit_utilization_30d < 0.5 THEN '10 to 50 %' ELSE 'over 50 %' END"
    ),
}
_CREDIT_RANGE = {"credit_range": "COALESCE(customer_credit_score_range, 'not said')"}


def _names(name: str, *categories: str) -> ProfiledColumn:
    return ProfiledColumn(name, name, categories=categories)


def _usd(name: str) -> ProfiledColumn:
    return ProfiledColumn(name, name, _USD_EDGES, is_scaled=True)


TRANSACTIONS = Subject(
    "transactions",
    SOURCE,
    (
        _usd("amount"),
        _usd("payment_credit_limit"),
        ProfiledColumn("risk_score", "risk_score", _SHARE_EDGES, is_scaled=True),
        ProfiledColumn("installment_count", "installment_count", _COUNT_EDGES),
        ProfiledColumn("device_is_trusted", "CAST(device_is_trusted AS INT64)", _FLAG_EDGES),
        ProfiledColumn("hour_of_day", f"EXTRACT(HOUR FROM {TIMESTAMP_COLUMN})", _HOUR_EDGES),
        _names("status", "completed", "pending", "failed", "cancelled"),
        _names("product_category", "electronics", "clothing", "home", "beauty", "sports"),
        _names("product_risk_category", "low", "medium", "high"),
        _names("device_type", "mobile", "desktop", "tablet"),
        _names("risk_level", "low", "medium", "high", "very_high"),
        _names("purchase_context", "normal", "impulse", "rushed"),
        _names("checkout_speed", "slow", "normal", "fast", "very_fast"),
        _names("payment_provider", "affirm", "afterpay", "klarna", "sezzle"),
    ),
    _CREDIT_RANGE,
    f"{TIMESTAMP_COLUMN} >= TIMESTAMP(@partition_date)\n"
    f"    AND {TIMESTAMP_COLUMN} < TIMESTAMP(DATE_ADD(@partition_date, INTERVAL 1 DAY))",
)
"""Every purchase of the day, whatever its status."""

OUTCOMES = Subject(
    "outcomes",
    SOURCE,
    (
        ProfiledColumn(
            "defaulted",
            "IF(will_default IS NULL, NULL, IF(will_default AND "
            "COALESCE(days_to_first_missed_payment, 0) <= @maturity_days, 1, 0))",
            _FLAG_EDGES,
        ),
        ProfiledColumn(
            "days_to_first_missed_payment",
            "IF(days_to_first_missed_payment <= @maturity_days, days_to_first_missed_payment, NULL)",
            _COUNT_EDGES,
        ),
    ),
    _CREDIT_RANGE,
    f"{TIMESTAMP_COLUMN} >= TIMESTAMP(DATE_SUB(@partition_date, INTERVAL @maturity_days DAY))\n"
    f"    AND {TIMESTAMP_COLUMN} < TIMESTAMP(DATE_ADD(DATE_SUB(@partition_date, INTERVAL @maturity_days DAY), "
    f"INTERVAL 1 DAY))\n    AND status = '{COMPLETED}'",
)
"""What became of the completed purchases that mature on the day: those of `maturity_days` before it."""

PREDICTIONS = Subject(
    "predictions",
    "predictions",
    (
        ProfiledColumn("probability", "probability", _PROBABILITY_EDGES, is_scaled=True),
        _names("decision", "approve", "review", "decline"),
        ProfiledColumn("is_fallback", "IF(fallback IS NULL OR fallback = '', 0, 1)", _FLAG_EDGES),
        _names("arm", "champion", "challenger"),
        _names("feature_status", "fresh", "stale", "unknown_customer", "unavailable"),
    ),
    {"arm": "arm"},
)
"""Every prediction of the day; the table is the log's (`scoring.prediction_table`)."""
