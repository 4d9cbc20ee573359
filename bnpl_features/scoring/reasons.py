"""Why a purchase was not simply approved, in words that a customer may be told: declared once, one code a subject.

US lenders name the principal reasons of an adverse action, usually up to four (Regulation B, 12 CFR 1002.9, and its
commentary). Codes are the lender's own numbers and never change their meaning.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from bnpl_features.risk_model.model import Contribution

MOST_REASONS = 4


class Reason(msgspec.Struct, frozen=True):
    """A code and its text."""

    code: str
    text: str


@dataclass(frozen=True)
class Subject:
    """A reason, and the model inputs whose push towards default it stands for."""

    reason: Reason
    inputs: tuple[str, ...]


def _subject(code: str, text: str, *inputs: str) -> Subject:
    return Subject(Reason(code, text), inputs)


SUBJECTS: tuple[Subject, ...] = (
    _subject("R01", "Amount of the purchase", "amount", "product_price"),
    _subject("R02", "Terms of repayment asked for", "first_payment_amount", "installment_count", "payment_provider"),
    _subject(
        "R03",
        "Amounts in relation to the credit limit",
        "payment_credit_limit",
        "credit_utilization_30d",
    ),
    _subject("R04", "Result of the underwriting of this purchase", "risk_score"),
    _subject("R05", "Kind of goods", "product_category", "product_risk_category"),
    _subject("R06", "Device that the purchase was made from", "device_type", "device_is_trusted"),
    _subject(
        "R07",
        "Course of this checkout",
        *("purchase_context", "checkout_speed", "time_on_site_seconds", "price_comparison_time"),
        *("cart_abandonment_count", "hour_of_day", "day_of_week"),
    ),
    _subject("R08", "Income", "customer_income_bracket"),
    _subject("R09", "Credit history", "customer_credit_score_range"),
    _subject("R10", "Identity could not be verified fully", "customer_verification_level"),
    _subject("R11", "Length of residence", "customer_address_stability"),
    _subject("R12", "Length of the relationship with us", "customer_tenure_days", "days_since_first_txn"),
    _subject(
        "R13",
        "Number of recent purchases",
        *("txn_count_7d", "txn_count_30d", "txn_count_90d", "active_days_30d", "gap_mean_hours_30d"),
        *("gap_std_hours_30d", "gap_min_hours_30d"),
    ),
    _subject(
        "R14",
        "Amounts of recent purchases",
        *("amount_sum_30d", "amount_mean_30d", "amount_max_30d", "amount_std_30d", "amount_cv_30d"),
    ),
    _subject("R15", "Recent purchases rose", "amount_trend_90d", "spend_ratio_30d_90d"),
    _subject("R16", "Times of recent purchases", "weekend_share_30d", "night_share_30d", "business_hours_share_30d"),
    _subject(
        "R17",
        "Kinds of recent purchases",
        *("category_count_30d", "category_entropy_30d", "top_category_share_30d", "high_risk_category_share_30d"),
        "category_switch_share_30d",
    ),
    _subject(
        "R18",
        "Devices of recent purchases",
        *("device_count_30d", "top_device_share_30d", "trusted_device_share_30d", "new_device_share_30d"),
        "mobile_share_30d",
    ),
    _subject(
        "R19",
        "Underwriting of recent purchases",
        *("risk_score_mean_30d", "risk_score_max_30d", "risk_score_trend_90d", "high_risk_share_30d"),
        "rushed_share_30d",
    ),
    _subject("R20", "Missed payments", "missed_payments_90d", "days_since_missed_payment"),
    _subject("R21", "Time since the purchase before", "days_since_last_txn", "lifecycle_stage"),
    _subject(
        "R22",
        "Number of purchases of the last hours",
        *("txn_count_10m", "txn_count_1h", "txn_count_24h", "seconds_since_last_txn"),
    ),
    _subject("R23", "Amounts of purchases of the last hours", "amount_sum_1h", "amount_sum_24h", "amount_to_mean_30d"),
    _subject("R24", "Devices and kinds of purchases of the last hours", "device_count_24h", "category_count_24h"),
    _subject("R25", "Attempts of the last hour that failed", "failed_count_1h"),
)

OTHER = Reason("R99", "Other information about this purchase")
"""Of an input that a model brings along and no subject names."""

_SUBJECT_OF = {name: subject.reason for subject in SUBJECTS for name in subject.inputs}


def reasons_of(contributions: Iterable[Contribution], most: int = MOST_REASONS) -> tuple[Reason, ...]:
    """The subjects that moved the score towards default, that which moved it most first.

    Contributions of one subject are added up, so that two inputs which say the same are not two reasons.
    """
    moved: dict[Reason, float] = {}
    for one in contributions:
        reason = _SUBJECT_OF.get(one.input, OTHER)
        moved[reason] = moved.get(reason, 0.0) + one.log_odds
    towards_default = sorted((item for item in moved.items() if item[1] > 0.0), key=lambda item: -item[1])
    return tuple(reason for reason, _ in towards_default[:most])
