"""Velocity: what a customer did in the last minutes and hours, from events as they happen.

The one declaration of streaming windows. The server-side step, the reader and the warehouse's SQL are derived from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bnpl_features.features.feature import NAME, DeclarationError, Kind, Value
from bnpl_features.features.purchase import COMPLETED

LATENESS_SECONDS = 600
"""How far behind a customer's latest event another may come; what comes later is refused, and counted."""

MOST_RECENT_EVENTS = 64
"""Events that are kept one by one. A customer with more within the lateness has a shorter lateness: down to the oldest
of these."""

MOST_DISTINCT = 16
"""Devices, or categories, that are told apart: a count of 16 means 16 or more."""

FAILED = ("failed", "declined")
"""Statuses of an attempt that came to nothing. Events that are neither completed nor failed count for no feature."""

COUNTED = (COMPLETED, *FAILED)


@dataclass(frozen=True)
class StreamWindow:
    """The running slot of `slot_seconds` and those before it, `span_seconds` in all; slots begin at whole multiples
    since the epoch. Within a slot nothing needs to be remembered but sums, so memory does not grow with events."""

    name: str
    span_seconds: int
    slot_seconds: int

    def __post_init__(self) -> None:
        if self.slot_seconds < 1 or self.span_seconds % self.slot_seconds:
            raise DeclarationError(f"window {self.name}: {self.span_seconds} s are no whole slots; choose another slot")

    @property
    def slots(self) -> int:
        return self.span_seconds // self.slot_seconds

    def first_slot(self, at_ms: int) -> int:
        """The oldest slot of the window that ends at a moment."""
        return at_ms // (1000 * self.slot_seconds) - self.slots + 1


TEN_MINUTES = StreamWindow("10m", 600, 60)
HOUR = StreamWindow("1h", 3_600, 300)
DAY = StreamWindow("24h", 86_400, 3_600)
KEPT = StreamWindow("kept", 30 * 3_600, 3_600)
"""What is remembered at all: as long as a partition counts as fresh, so that its features can be brought up to date."""

RINGS = (TEN_MINUTES, HOUR, KEPT)
"""The windows whose slots a customer's state has; DAY is a part of KEPT."""


class Measure(StrEnum):
    """What is taken of the events of a window."""

    COUNT = "completed purchases"
    SUM_USD = "their amount, in whole cents"
    DEVICES = "distinct devices of completed purchases"
    CATEGORIES = "distinct product categories of completed purchases"
    FAILED = "failed or declined attempts"
    SINCE_LAST = "whole seconds since the latest completed purchase"
    TO_MEAN = "the purchase's amount over the customer's mean"


@dataclass(frozen=True)
class VelocityFeature:
    """One velocity feature; `empty` is what it is where nothing happened in the window (None: null)."""

    name: str
    meaning: str
    unit: str
    kind: Kind
    measure: Measure
    window: StreamWindow
    empty: Value = 0
    upper: float | None = None
    risk_direction: int = 0

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise DeclarationError(f"feature name {self.name!r}: use lower-case letters, digits and underscores")


@dataclass(frozen=True)
class VelocityGroup:
    """Features computed together from the events of a customer."""

    name: str
    meaning: str
    owner: str
    features: tuple[VelocityFeature, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)


def _count(
    name: str, meaning: str, window: StreamWindow, measure: Measure, upper: float | None = None
) -> VelocityFeature:
    return VelocityFeature(name, meaning, "count", Kind.COUNT, measure, window, upper=upper)


VELOCITY = VelocityGroup(
    name="velocity",
    meaning="What the customer did in the last minutes and hours.",
    owner="team:risk-features",
    features=(
        _count("txn_count_10m", "Completed purchases in 10 minutes.", TEN_MINUTES, Measure.COUNT),
        _count("txn_count_1h", "Completed purchases in an hour.", HOUR, Measure.COUNT),
        _count("txn_count_24h", "Completed purchases in 24 hours.", DAY, Measure.COUNT),
        VelocityFeature("amount_sum_1h", "Sum of amount in an hour.", "USD", Kind.NUMBER, Measure.SUM_USD, HOUR, 0.0),
        VelocityFeature("amount_sum_24h", "Sum of amount in 24 hours.", "USD", Kind.NUMBER, Measure.SUM_USD, DAY, 0.0),
        _count(
            "device_count_24h", "Distinct devices in 24 hours; 16 and more are 16.", DAY, Measure.DEVICES, MOST_DISTINCT
        ),
        _count(
            "category_count_24h",
            "Distinct product categories in 24 hours; 16 and more are 16.",
            DAY,
            Measure.CATEGORIES,
            MOST_DISTINCT,
        ),
        VelocityFeature(
            "seconds_since_last_txn",
            "Whole seconds since the latest completed purchase; null where it is 24 hours old or there is none.",
            "seconds",
            Kind.COUNT,
            Measure.SINCE_LAST,
            DAY,
            None,
        ),
        _count("failed_count_1h", "Failed or declined attempts in an hour.", HOUR, Measure.FAILED),
        VelocityFeature(
            "amount_to_mean_30d",
            "The purchase's amount over amount_mean_30d; null where there is no mean, or it is 0.",
            "ratio",
            Kind.NUMBER,
            Measure.TO_MEAN,
            DAY,
            None,
        ),
    ),
)

MEAN_FEATURE = "amount_mean_30d"
"""The daily feature that the purchase's amount is measured against."""

REFRESHED: dict[str, Measure] = {
    "txn_count_7d": Measure.COUNT,
    "txn_count_30d": Measure.COUNT,
    "txn_count_90d": Measure.COUNT,
    "amount_sum_30d": Measure.SUM_USD,
    "days_since_last_txn": Measure.SINCE_LAST,
}
"""Daily features that today's events bring up to date without error: the partition's value plus what happened since its
end, so that a window reaches from the partition's first day to now. All others would need rows that a record lacks."""


def cents(amount_usd: float) -> int:
    """Whole cents, half a cent upwards: the same arithmetic as in the warehouse's SQL."""
    return int(amount_usd * 100.0 + 0.5)
