"""Segments: every customer is in one, that of the first rule which holds; and what is particular to each.

Rules are expressions over features, in BigQuery's dialect, evaluated in the warehouse. The segment is a feature like
any other: it stands in the record of the sets that have it, so whoever reads a version reads one segment a customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bnpl_features.features.feature import HISTORY, DeclarationError, Feature, FeatureGroup, Kind, Value
from bnpl_features.features.risk_evolution import RISK_EVOLUTION
from bnpl_features.features.storage import names
from bnpl_features.features.volume import VOLUME

SEGMENT = "segment"
"""The feature's name."""

EVERYBODY_ELSE = "TRUE"


@dataclass(frozen=True)
class Segment:
    """One segment.

    `rule` says who is in it, unless an earlier segment has them. `defaults` are served for missing values of its
    customers, in sets that have segments: what such a customer is usually like. `feature_set` names the set whose
    features its model reads, from the same record (empty: all). `model` is the registry's name of its own model (empty:
    the behavioural one scores). `bands` are its (review_from, decline_from), `drift_thresholds` its (warn, error),
    where they differ from what is configured; `drift_reference` names the segment whose customers of the days before
    it is compared with (empty: its own).
    """

    name: str
    meaning: str
    rule: str
    defaults: Mapping[str, Value] = field(default_factory=dict, hash=False)
    feature_set: str = ""
    model: str = ""
    bands: tuple[float, float] | None = None
    drift_thresholds: tuple[float, float] | None = None
    drift_reference: str = ""


NEW = Segment(
    "new",
    "First purchase less than 30 days ago; and whoever has not bought anything yet.",
    "days_since_first_txn < 30",
)

SEGMENTS: tuple[Segment, ...] = (
    Segment("at_risk", "Missed a payment within 90 days.", "missed_payments_90d > 0"),
    NEW,
    Segment("thin_file", "Fewer than three purchases in 90 days.", "txn_count_90d < 3"),
    Segment("high_value", "Spent 1,000 USD or more in 30 days.", "amount_sum_30d >= 1000"),
    Segment("established", "Everybody else.", EVERYBODY_ELSE),
)
"""In the order in which rules are tried; the last one takes everybody else."""


def segment_named(name: str, segments: tuple[Segment, ...] = SEGMENTS) -> Segment:
    """Raises `KeyError` with the names that exist."""
    for one in segments:
        if one.name == name:
            return one
    raise KeyError(f"no segment {name!r}; there are {', '.join(one.name for one in segments)}")


def segment_feature(segments: tuple[Segment, ...], unknown: Segment) -> Feature:
    """The name of a customer's segment; `unknown` is that of a customer who is not in the store."""
    if len({one.name for one in segments}) < len(segments):
        raise DeclarationError("two segments have the same name; rename one")
    if not segments or segments[-1].rule != EVERYBODY_ELSE or unknown not in segments:
        raise DeclarationError(f"the last segment takes everybody else: give it the rule {EVERYBODY_ELSE}")
    cases = " ".join(f"WHEN {one.rule} THEN '{one.name}'" for one in segments[:-1])
    return Feature(
        name=SEGMENT,
        meaning="The segment: the first whose rule holds.",
        unit="name",
        kind=Kind.NAME,
        window=HISTORY,
        sql=f"CASE {cases} ELSE '{segments[-1].name}' END",
        storage=names(*(one.name for one in segments)),
        lower=None,
        nullable=False,
        default=unknown.name,
    )


SEGMENT_GROUP = FeatureGroup(
    name=SEGMENT,
    meaning="Which kind of customer this is.",
    owner="team:risk-features",
    of=(VOLUME, RISK_EVOLUTION),
    features=(segment_feature(SEGMENTS, NEW),),
)
