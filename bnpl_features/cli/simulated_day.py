"""A day that runs: purchases like yesterday's, scored by the prediction service and sent to the event stream."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import click
import redis

from bnpl_features.cli.demo_scoring import post
from bnpl_features.cli.output import console, named_exit
from bnpl_features.cli.purchases import yesterday
from bnpl_features.connect.data import open_target, open_warehouse
from bnpl_features.connect.streaming import redis_producer
from bnpl_features.derive.query import Query
from bnpl_features.errors import InputError, StreamFull
from bnpl_features.settings import Settings, load_settings

_MOST_PURCHASES = 50_000
_UNKNOWN_SHARE = 0.02
"""Of purchases by customers who have never bought before."""

_WAIT_SECONDS = 2.0


@click.command(name="simulate-day")
@click.option("--url", help="Of the prediction service (default: this machine, scoring.port).")
@click.option("--per-second", type=click.FloatRange(0.01, 1_000), default=3.0, show_default=True, help="Purchases.")
@click.option("--count", type=click.IntRange(1), help="End after so many (default: go on until stopped).")
def simulate_day(url: str | None, per_second: float, count: int | None) -> None:
    """Run a simulated day: purchases like yesterday's, scored and streamed at the pace that is asked for.

    More come when more came yesterday: the day is squeezed, not evened out. It begins anew when it is over, and waits
    where the service does not answer.

    Example: bnpl-features simulate-day --per-second 10
    """
    with named_exit():
        settings = load_settings()
        address = url or f"http://127.0.0.1:{settings.scoring.port}"
        purchases = _purchases(settings, yesterday())
        if not purchases:
            raise InputError(f"there are no purchases of {yesterday()} to repeat; run `bnpl-features demo` first")
        with open_target(settings.store) as target:
            producer = redis_producer(settings.streaming, target)
            sent = 0
            for purchase in _paced(purchases, per_second):
                if _scored(address, purchase):
                    _streamed(producer, purchase)
                    sent += 1
                if sent == count:
                    break
    console.print(f"{sent:,} purchases")


def _purchases(settings: Settings, day: date) -> list[dict[str, Any]]:
    """Of the embedded warehouse's simulated purchases, or of the configured relation."""
    columns = ", ".join((*sorted(_scoring_columns()), "status"))
    query = Query(
        f"SELECT {columns}\nFROM {settings.source.sql()}\nWHERE DATE(transaction_timestamp) = @day\n"
        "ORDER BY transaction_timestamp, transaction_id\nLIMIT @most",
        {"day": day, "most": _MOST_PURCHASES},
    )
    return [row for batch in open_warehouse(settings.warehouse).read(query, {}) for row in batch.to_pylist()]


def _paced(purchases: list[dict[str, Any]], per_second: float) -> Iterator[dict[str, Any]]:
    """Each at its moment, stamped with it, day after day; a few by nobody who is known."""
    dice = random.Random(0)
    ordered = sorted(purchases, key=lambda one: one["transaction_timestamp"].time())
    squeezed = len(ordered) / per_second / 86_400
    number = 0
    while True:
        began = time.monotonic()
        for purchase in ordered:
            moment = purchase["transaction_timestamp"]
            at = (moment.hour * 3_600 + moment.minute * 60 + moment.second) * squeezed
            time.sleep(max(0.0, began + at - time.monotonic()))
            number += 1
            changed = {"transaction_timestamp": datetime.now(UTC), "transaction_id": f"day_{time.time_ns()}"}
            if dice.random() < _UNKNOWN_SHARE:
                changed["customer_id"] = f"cust_new_{number}"
            yield purchase | changed


def _scored(address: str, purchase: Mapping[str, Any]) -> bool:
    """Whether the service took it; where it does not answer, it is given time."""
    asked = {name: value for name, value in purchase.items() if name in _scoring_columns()}
    try:
        post(f"{address}/v1/score", {**asked, "transaction_timestamp": purchase["transaction_timestamp"].isoformat()})
    except (OSError, click.ClickException):
        time.sleep(_WAIT_SECONDS)
        return False
    return True


def _streamed(producer: Any, purchase: Mapping[str, Any]) -> None:
    from bnpl_features.streaming.event import encode

    try:
        producer.append([encode(dict(purchase))])
    except (StreamFull, redis.RedisError):
        time.sleep(_WAIT_SECONDS)


def _scoring_columns() -> frozenset[str]:
    from bnpl_features.scoring.purchase import Purchase

    return frozenset(Purchase.__struct_fields__)
