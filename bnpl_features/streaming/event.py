"""A purchase event: JSON in the warehouse's column names -> what the velocity state takes of it, or why it cannot."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from bnpl_features.features.purchase import COMPLETED
from bnpl_features.features.velocity import COUNTED, cents
from bnpl_features.store.velocity.applying import LARGEST_CENTS, Packed, Packer

LONGEST_TEXT = 256
FUTURE_SECONDS = 300
"""How far an event's time may be ahead of this clock: one from next year would make all that follow late."""

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TEXT)]


class PurchaseEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a purchase; other fields of the message are ignored."""

    transaction_id: Text
    customer_id: Text
    transaction_timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    amount: Annotated[float, msgspec.Meta(ge=0, le=LARGEST_CENTS / 100)]
    status: Text
    device_id: Text
    product_category: Text


class Poison(ValueError):
    """An event that no worker can take, however often; the message says why, without the event's values."""


_decode = msgspec.json.Decoder(PurchaseEvent).decode
encode = msgspec.json.Encoder().encode
"""An event, or any of its fields' mapping, as a message's payload."""


def parsed(payload: bytes, now_ms: int) -> PurchaseEvent:
    """Raises `Poison`."""
    try:
        event = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Poison(f"not a purchase event: {error}") from error
    at_ms = milliseconds(event.transaction_timestamp)
    if at_ms > now_ms + FUTURE_SECONDS * 1000:
        raise Poison(f"its time is {(at_ms - now_ms) / 1000:.0f} s ahead of this clock; see the producer's clock")
    if at_ms < 0:
        raise Poison("its time is before 1970")
    return event


def packed(event: PurchaseEvent, packer: Packer) -> Packed | None:
    """None for an event that no feature counts, such as a purchase that is still pending."""
    if event.status not in COUNTED:
        return None
    return packer.packed(
        event.customer_id,
        event.transaction_id,
        milliseconds(event.transaction_timestamp),
        cents(event.amount) if event.status == COMPLETED else None,
        event.device_id,
        event.product_category,
    )


def milliseconds(moment: datetime) -> int:
    """Since the epoch, rounded down, as the warehouse does."""
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
