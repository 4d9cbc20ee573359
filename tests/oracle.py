"""The meaning of every feature, written in plain Python from the feature dictionary: slow, obvious, never shared code.

The SQL is checked against this module, so nothing here may be imported from the library or derived from it. Windows are
ranges of UTC dates that end on the partition D. Every row that is not completed is ignored, for everything: population,
history, first sight of a device, missed payments, credit limit.
"""

import datetime
import itertools
import math
import statistics
from collections import Counter
from dataclasses import dataclass

import pandas as pd

HISTORY_DAYS = 365  # the configured look-back: the dates [D-364, D]

GROUPS: dict[str, tuple[str, ...]] = {
    "volume": (
        "txn_count_7d",
        "txn_count_30d",
        "txn_count_90d",
        "amount_sum_30d",
        "amount_mean_30d",
        "amount_max_30d",
        "amount_std_30d",
        "amount_cv_30d",
        "active_days_30d",
        "credit_utilization_30d",
    ),
    "temporal": (
        "weekend_share_30d",
        "night_share_30d",
        "business_hours_share_30d",
        "gap_mean_hours_30d",
        "gap_std_hours_30d",
        "gap_min_hours_30d",
    ),
    "category": (
        "category_count_30d",
        "category_entropy_30d",
        "top_category_share_30d",
        "high_risk_category_share_30d",
        "category_switch_share_30d",
    ),
    "device": (
        "device_count_30d",
        "top_device_share_30d",
        "trusted_device_share_30d",
        "new_device_share_30d",
        "mobile_share_30d",
    ),
    "risk_evolution": (
        "risk_score_mean_30d",
        "risk_score_max_30d",
        "risk_score_trend_90d",
        "amount_trend_90d",
        "spend_ratio_30d_90d",
        "high_risk_share_30d",
        "rushed_share_30d",
        "missed_payments_90d",
        "days_since_missed_payment",
        "days_since_last_txn",
        "days_since_first_txn",
        "lifecycle_stage",
    ),
    "segment": ("segment",),
}

NEVER_NULL_INTEGERS = (
    "txn_count_7d",
    "txn_count_30d",
    "txn_count_90d",
    "active_days_30d",
    "category_count_30d",
    "device_count_30d",
    "missed_payments_90d",
    "days_since_last_txn",
    "days_since_first_txn",
)


@dataclass(frozen=True)
class Purchase:
    """One completed purchase, with plain Python values; a null is None."""

    transaction_id: str
    at: datetime.datetime  # UTC
    amount: float
    product_category: str
    product_risk_category: str
    device_id: str
    device_type: str
    device_is_trusted: bool
    risk_score: float
    risk_level: str
    purchase_context: str
    checkout_speed: str
    payment_credit_limit: float | None
    days_to_first_missed_payment: int | None

    @property
    def date(self) -> datetime.date:
        return self.at.date()


def features(transactions: pd.DataFrame, partition: datetime.date) -> pd.DataFrame:
    """One row for each customer with a completed purchase in [D-364, D], sorted by customer_id; null is NaN."""
    rows = []
    for customer_id, purchases in histories(transactions, partition).items():
        found = {
            **volume(purchases, partition),
            **temporal(purchases, partition),
            **category(purchases, partition),
            **device(purchases, partition),
            **risk_evolution(purchases, partition),
        }
        rows.append({"customer_id": customer_id, **found, "segment": segment(found)})
    names = [name for group in GROUPS.values() for name in group]
    types = {name: "int64" if name in NEVER_NULL_INTEGERS else "float64" for name in names}
    types["lifecycle_stage"] = types["segment"] = "object"
    frame = pd.DataFrame(rows, columns=["customer_id", *names]).astype({"customer_id": "object", **types})
    return frame.sort_values("customer_id", ignore_index=True)


def segment(found: dict[str, object]) -> str:
    """The first that holds: who missed a payment, who is new, who buys little, who spends much, everybody else."""
    if found["missed_payments_90d"] > 0:
        return "at_risk"
    if found["days_since_first_txn"] < 30:
        return "new"
    if found["txn_count_90d"] < 3:
        return "thin_file"
    return "high_value" if found["amount_sum_30d"] >= 1000 else "established"


def histories(transactions: pd.DataFrame, partition: datetime.date) -> dict[str, list[Purchase]]:
    """The completed purchases of each customer in [D-364, D], sorted by (transaction_timestamp, transaction_id)."""
    found: dict[str, list[Purchase]] = {}
    for record in transactions.to_dict("records"):
        if record["status"] == "completed":
            purchase = parse(record)
            if in_window(purchase.date, partition, HISTORY_DAYS):
                found.setdefault(record["customer_id"], []).append(purchase)
    return {customer_id: sorted(found[customer_id], key=lambda p: (p.at, p.transaction_id)) for customer_id in found}


def parse(record: dict) -> Purchase:
    at = pd.Timestamp(record["transaction_timestamp"])
    at = at.tz_localize("UTC") if at.tzinfo is None else at.tz_convert("UTC")
    limit, days = record["payment_credit_limit"], record["days_to_first_missed_payment"]
    return Purchase(
        transaction_id=record["transaction_id"],
        at=at.to_pydatetime(),
        amount=float(record["amount"]),
        product_category=record["product_category"],
        product_risk_category=record["product_risk_category"],
        device_id=record["device_id"],
        device_type=record["device_type"],
        device_is_trusted=bool(record["device_is_trusted"]),
        risk_score=float(record["risk_score"]),
        risk_level=record["risk_level"],
        purchase_context=record["purchase_context"],
        checkout_speed=record["checkout_speed"],
        payment_credit_limit=None if pd.isna(limit) else float(limit),
        days_to_first_missed_payment=None if pd.isna(days) else int(days),
    )


def volume(history: list[Purchase], partition: datetime.date) -> dict:
    recent = last(30, history, partition)
    amounts = [p.amount for p in recent]
    mean = mean_of(amounts)
    std = std_of(amounts)
    return {
        "txn_count_7d": len(last(7, history, partition)),
        "txn_count_30d": len(recent),
        "txn_count_90d": len(last(90, history, partition)),
        "amount_sum_30d": math.fsum(amounts),
        "amount_mean_30d": mean,
        "amount_max_30d": max(amounts, default=None),
        "amount_std_30d": std,
        "amount_cv_30d": None if std is None or mean == 0 else std / mean,
        "active_days_30d": len({p.date for p in recent}),
        "credit_utilization_30d": credit_utilization(history, partition),
    }


def credit_utilization(history: list[Purchase], partition: datetime.date) -> float | None:
    """Null when the window holds no row, when history holds no limit, or when the latest limit is 0.

    The latest limit may be older than the window. Two at one timestamp: the larger limit wins. A latest limit of 0 is
    not replaced by an earlier one.
    """
    recent = last(30, history, partition)
    limited = [p for p in history if p.payment_credit_limit is not None]
    limits = [p.payment_credit_limit for p in limited if p.at == limited[-1].at]
    if not recent or not limits or max(limits) == 0:
        return None
    return math.fsum(p.amount for p in recent) / max(limits)


def temporal(history: list[Purchase], partition: datetime.date) -> dict:
    recent = last(30, history, partition)
    gaps = gaps_in_hours(recent)
    return {
        "weekend_share_30d": share([p.date.isoweekday() in (6, 7) for p in recent]),
        "night_share_30d": share([p.at.hour in (22, 23, 0, 1, 2, 3, 4, 5) for p in recent]),
        "business_hours_share_30d": share([9 <= p.at.hour <= 17 for p in recent]),  # until 17:59:59.999999
        "gap_mean_hours_30d": mean_of(gaps),
        "gap_std_hours_30d": std_of(gaps),
        "gap_min_hours_30d": min(gaps, default=None),
    }


def gaps_in_hours(purchases: list[Purchase]) -> list[float]:
    """Exact elapsed microseconds between neighbours, in hours; two at one timestamp are a gap of 0."""
    gaps = []
    for earlier, later in pairs(purchases):
        gaps.append(microseconds(later.at - earlier.at) / 3.6e9)
    return gaps


def category(history: list[Purchase], partition: datetime.date) -> dict:
    recent = last(30, history, partition)
    categories = [p.product_category for p in recent]
    return {
        "category_count_30d": len(set(categories)),
        "category_entropy_30d": entropy_in_nats(categories),
        "top_category_share_30d": top_share(categories),
        "high_risk_category_share_30d": share([p.product_risk_category == "high" for p in recent]),
        # Neighbours in the order of the gaps: by (transaction_timestamp, transaction_id).
        "category_switch_share_30d": share([a.product_category != b.product_category for a, b in pairs(recent)]),
    }


def device(history: list[Purchase], partition: datetime.date) -> dict:
    recent = last(30, history, partition)
    devices = [p.device_id for p in recent]
    first_seen: dict[str, datetime.date] = {}  # by this customer, in history
    for purchase in history:
        first_seen.setdefault(purchase.device_id, purchase.date)
    return {
        "device_count_30d": len(set(devices)),
        "top_device_share_30d": top_share(devices),
        "trusted_device_share_30d": share([p.device_is_trusted for p in recent]),
        "new_device_share_30d": share([in_window(first_seen[p.device_id], partition, 30) for p in recent]),
        "mobile_share_30d": share([p.device_type == "mobile" for p in recent]),
    }


def risk_evolution(history: list[Purchase], partition: datetime.date) -> dict:
    recent = last(30, history, partition)
    quarter = last(90, history, partition)
    scores = [p.risk_score for p in recent]
    return {
        "risk_score_mean_30d": mean_of(scores),
        "risk_score_max_30d": max(scores, default=None),
        "risk_score_trend_90d": slope_a_day(quarter, [p.risk_score for p in quarter]),
        "amount_trend_90d": slope_a_day(quarter, [p.amount for p in quarter]),
        "spend_ratio_30d_90d": spend_ratio(recent, quarter),
        "high_risk_share_30d": share([p.risk_level in ("high", "very_high") for p in recent]),
        "rushed_share_30d": share(
            [p.purchase_context == "rushed" or p.checkout_speed == "very_fast" for p in recent],
        ),
        **missed_payments(history, partition),
        "days_since_last_txn": (partition - history[-1].date).days,
        "days_since_first_txn": (partition - history[0].date).days,
        "lifecycle_stage": lifecycle_stage(history, partition),
    }


def slope_a_day(purchases: list[Purchase], values: list[float]) -> float | None:
    """Least squares of value on elapsed days (a float, not a date); null under 3 rows or if all times are equal."""
    if len(purchases) < 3 or purchases[0].at == purchases[-1].at:
        return None
    days = [microseconds(p.at - purchases[0].at) / 86.4e9 for p in purchases]
    mean_day, mean_value = mean_of(days), mean_of(values)
    covariation = math.fsum((d - mean_day) * (v - mean_value) for d, v in zip(days, values, strict=True))
    variation = math.fsum((d - mean_day) ** 2 for d in days)
    return covariation / variation


def spend_ratio(recent: list[Purchase], quarter: list[Purchase]) -> float | None:
    """Its window is the 90d one: null where that is empty or sums to 0; 0.0 where only the 30d one is empty."""
    spent_90d = math.fsum(p.amount for p in quarter)
    if spent_90d == 0:
        return None
    return math.fsum(p.amount for p in recent) / (spent_90d / 3)


def missed_payments(history: list[Purchase], partition: datetime.date) -> dict:
    """Only what was known at the end of D: a missed payment exists from its own date on."""
    known = []
    for purchase in history:
        if purchase.days_to_first_missed_payment is not None:
            missed = purchase.date + datetime.timedelta(days=purchase.days_to_first_missed_payment)
            if missed <= partition:
                known.append(missed)
    return {
        "missed_payments_90d": sum(in_window(missed, partition, 90) for missed in known),
        "days_since_missed_payment": (partition - max(known)).days if known else None,
    }


def lifecycle_stage(history: list[Purchase], partition: datetime.date) -> str:
    """The first that applies. All distances are between dates.

    The dictionary gives cooling as 31..90 days since the last purchase, but the 30d window is [D-29, D]: a customer
    whose last purchase was 30 days ago is no longer active and not yet in that range; 30 is cooling.
    """
    if (partition - history[0].date).days < 30:
        return "new"
    for previous, purchase in pairs(history):
        if in_window(purchase.date, partition, 30) and (purchase.date - previous.date).days > 90:
            return "reactivated"
    if last(30, history, partition):
        return "active"
    if (partition - history[-1].date).days <= 90:
        return "cooling"
    return "dormant"


def last(days: int, history: list[Purchase], partition: datetime.date) -> list[Purchase]:
    return [p for p in history if in_window(p.date, partition, days)]


def in_window(date: datetime.date, partition: datetime.date, days: int) -> bool:
    """`days` dates that end on the partition: 30 is [D-29, D]."""
    return partition - datetime.timedelta(days=days - 1) <= date <= partition


def pairs(purchases: list[Purchase]) -> list[tuple[Purchase, Purchase]]:
    return list(itertools.pairwise(purchases))


def microseconds(elapsed: datetime.timedelta) -> int:
    return elapsed // datetime.timedelta(microseconds=1)


def mean_of(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def std_of(values: list[float]) -> float | None:
    """Of the sample (divided by n - 1), null under two values; exact arithmetic, so equal values give exactly 0."""
    return statistics.stdev(values) if len(values) >= 2 else None


def share(answers: list[bool]) -> float | None:
    return sum(answers) / len(answers) if answers else None


def top_share(values: list[str]) -> float | None:
    return max(Counter(values).values()) / len(values) if values else None


def entropy_in_nats(values: list[str]) -> float | None:
    if not values:
        return None
    shares = [count / len(values) for count in Counter(values).values()]
    return math.fsum(p * math.log(1 / p) for p in shares)
