"""A day of purchase events made of edges: bursts, gaps across slots, many devices, failures; and its disorder."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from bnpl_features.features.velocity import LATENESS_SECONDS
from tests.edge_cases import SCHEMA

DAY = date(2024, 3, 1)

_PLAIN: dict[str, Any] = {
    "product_risk_category": "low",
    "device_type": "mobile",
    "device_is_trusted": True,
    "risk_score": 0.1,
    "risk_level": "low",
    "purchase_context": "normal",
    "checkout_speed": "normal",
    "installment_count": 4,
}


def day_of_events(customers: int, seed: int, days: Sequence[date] = (DAY,)) -> list[dict[str, Any]]:
    """In order of time. A customer buys now and then, in a burst, or on the hour."""
    dice = random.Random(seed)
    events: list[dict[str, Any]] = []
    for day in days:
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        for number in range(customers):
            moments = [dice.uniform(0, 86_400) for _ in range(dice.choice((1, 2, 3, 12)))]
            if number % 5 == 0:
                burst = dice.uniform(0, 80_000)
                moments += [burst + dice.expovariate(1 / 40) * n for n in range(15)]
            if number % 7 == 0:
                moments += [float(dice.randrange(24) * 3_600 + dice.choice((0, 60, 300))) for _ in range(4)]
            for moment in sorted(set(moments)):
                if moment < 86_400:
                    events.append(_event(dice, f"customer-{number}", midnight + timedelta(seconds=moment), len(events)))
    return sorted(events, key=lambda event: event["transaction_timestamp"])


def disordered(events: Sequence[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """As they arrive: each up to the lateness behind its time, one in ten twice."""
    dice = random.Random(seed)
    arrivals = []
    for event in events:
        for _ in range(2 if dice.random() < 0.1 else 1):
            delay = timedelta(seconds=dice.uniform(0, LATENESS_SECONDS - 1))
            arrivals.append((event["transaction_timestamp"] + delay, event))
    return [event for _, event in sorted(arrivals, key=lambda arrival: arrival[0])]


def arrow(events: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([_PLAIN | event for event in events], SCHEMA)


def _event(dice: random.Random, customer: str, moment: datetime, number: int) -> dict[str, Any]:
    return {
        "transaction_id": f"txn-{number}",
        "customer_id": customer,
        "transaction_timestamp": moment,
        "amount": round(dice.lognormvariate(4, 1), 2),
        "status": dice.choices(("completed", "failed", "pending", "cancelled"), (80, 10, 5, 5))[0],
        "product_category": dice.choice(("electronics", "clothing", "home", "beauty", "sports")),
        "device_id": f"device-{customer}-{dice.choices(range(30), range(30, 0, -1))[0]}",
    }
