"""What a model may know of a purchase at checkout: each input declared once, and why every other column is none.

An outcome can be no input: `PurchaseInput` refuses it when constructed, and a test holds that every column of the
source contract is an input, an outcome, or excluded with a reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bnpl_features.features.feature import DeclarationError
from bnpl_features.features.purchase import PURCHASE_COLUMNS, TIMESTAMP_COLUMN, Column, ColumnType

OUTCOMES = ("will_default", "days_to_first_missed_payment")
"""Known only after the decision."""

EXCLUDED: dict[str, str] = {
    "transaction_id": "identifies",
    "customer_id": "identifies",
    "device_id": "identifies",
    "status": "known only after the decision; models train on completed purchases",
    "risk_level": "risk_score in four steps; the rules that a model has to beat",
    "customer_age_bracket": "age is a protected characteristic of credit decisions (US: ECOA, Regulation B)",
    "customer_state": "a place of residence can stand for protected characteristics (redlining)",
}
"""Columns that are no inputs, and why."""


class Encoding(StrEnum):
    """How a column becomes a number; null, and a value that an open set does not list, is NaN."""

    NUMBER = "number"
    FLAG = "flag"
    ORDERED = "ordered"
    NOMINAL = "nominal"
    HOUR = "hour"
    WEEKDAY = "weekday"


@dataclass(frozen=True)
class PurchaseInput:
    """One number of the input vector, from one column of a purchase.

    `values` lists the names of an ORDERED (lowest first) or NOMINAL column: the code is the position. Where `is_closed`
    no other name is accepted. HOUR and WEEKDAY (Monday is 0) are those of a UTC timestamp. `risk_direction` is 1 where
    default never becomes less likely as the number rises, -1 where never more likely, 0 where nothing is expected.
    """

    name: str
    column: str
    encoding: Encoding = Encoding.NUMBER
    values: tuple[str, ...] = ()
    is_closed: bool = False
    risk_direction: int = 0

    def __post_init__(self) -> None:
        if self.column in OUTCOMES:
            raise DeclarationError(
                f"input {self.name} reads {self.column}, an outcome that is not known at checkout; remove the input"
            )
        if self.column not in COLUMNS:
            raise DeclarationError(f"input {self.name} reads {self.column!r}, which is no column of a purchase; rename")
        if bool(self.values) != (self.encoding in (Encoding.ORDERED, Encoding.NOMINAL)):
            raise DeclarationError(f"input {self.name}: ordered and nominal inputs list their values, others do not")
        if self.encoding is Encoding.NOMINAL and self.risk_direction:
            raise DeclarationError(f"input {self.name}: nominal values have no order, so no risk_direction")

    @property
    def is_required(self) -> bool:
        """Whether a purchase must hold a value."""
        return COLUMNS[self.column].required

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "column": self.column,
            "encoding": self.encoding.value,
            "values": list(self.values),
            "is_closed": self.is_closed,
            "risk_direction": self.risk_direction,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> PurchaseInput:
        return cls(
            value["name"],
            value["column"],
            Encoding(value["encoding"]),
            tuple(value["values"]),
            value["is_closed"],
            value["risk_direction"],
        )


COLUMNS: dict[str, Column] = {column.name: column for column in PURCHASE_COLUMNS}


def _number(column: str, risk_direction: int = 0) -> PurchaseInput:
    encoding = Encoding.FLAG if COLUMNS[column].type is ColumnType.BOOL else Encoding.NUMBER
    return PurchaseInput(column, column, encoding, risk_direction=risk_direction)


def _ordered(column: str, *values: str, is_closed: bool = False, risk_direction: int = 0) -> PurchaseInput:
    return PurchaseInput(column, column, Encoding.ORDERED, values, is_closed, risk_direction)


def _nominal(column: str, *values: str, is_closed: bool = False) -> PurchaseInput:
    return PurchaseInput(column, column, Encoding.NOMINAL, values, is_closed)


PURCHASE_INPUTS: tuple[PurchaseInput, ...] = (
    _number("amount", risk_direction=1),
    _number("product_price"),
    _number("first_payment_amount"),
    _number("installment_count"),
    _number("payment_credit_limit"),
    _number("risk_score", risk_direction=1),
    _nominal("product_category", "electronics", "clothing", "home", "beauty", "sports"),
    _ordered("product_risk_category", "low", "medium", "high", is_closed=True, risk_direction=1),
    _nominal("device_type", "mobile", "desktop", "tablet", is_closed=True),
    _number("device_is_trusted", risk_direction=-1),
    _nominal("purchase_context", "normal", "impulse", "rushed", is_closed=True),
    _ordered("checkout_speed", "slow", "normal", "fast", "very_fast", is_closed=True),
    _nominal("payment_provider", "affirm", "afterpay", "klarna", "sezzle"),
    _number("time_on_site_seconds"),
    _number("price_comparison_time"),
    _number("cart_abandonment_count"),
    _ordered("customer_income_bracket", "<25k", "25k-50k", "50k-75k", "75k-100k", "100k+", risk_direction=-1),
    _ordered("customer_credit_score_range", "poor", "fair", "good", "excellent", risk_direction=-1),
    _ordered("customer_verification_level", "unverified", "partial", "verified", risk_direction=-1),
    _nominal("customer_address_stability", "frequent_mover", "new", "stable"),
    _number("customer_tenure_days", risk_direction=-1),
    PurchaseInput("hour_of_day", TIMESTAMP_COLUMN, Encoding.HOUR),
    PurchaseInput("day_of_week", TIMESTAMP_COLUMN, Encoding.WEEKDAY),
)
"""The order is the order of the model's input vector."""

RISK_LEVELS = ("low", "medium", "high", "very_high")
"""Of the warehouse's own rules, lowest first."""

CREDIT_RANGE = "customer_credit_score_range"
