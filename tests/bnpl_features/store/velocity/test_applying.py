"""Velocity state in a real server: windows, lateness, duplicates, bounds, idle customers, erasure."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bnpl_features.features.velocity import KEPT, LATENESS_SECONDS, MOST_DISTINCT, MOST_RECENT_EVENTS, VELOCITY
from bnpl_features.store.keyspace import CustomerKey, field_of
from bnpl_features.store.velocity.applying import Outcome, Packed, Packer, apply, fill, forget, remember
from bnpl_features.store.velocity.state import State, happened_between, parsed, values_at
from tests.bnpl_features.store.shop import SECRET, Shop

NOON = 1_709_294_400_000  # 2024-03-01 12:00 UTC, the beginning of a slot of every window
MINUTE = 60_000
HOUR = 60 * MINUTE
PACKER = Packer(CustomerKey(SECRET))
LARGEST_STATE_BYTES = 2_300


def event(at_ms: int, number: int = 0, **changes: Any) -> Packed:
    given = {"customer_id": "ann", "cents": 1_000, "device_id": "phone", "category": "home"} | changes
    return PACKER.packed(event_id=f"txn-{at_ms}-{number}", at_ms=at_ms, **given)


def send(shop: Shop, *events: Packed, now_ms: int = NOON, looked_at: int = 0) -> list[Outcome]:
    return apply(shop.client, shop.keyspace, events, now_ms, looked_at)


def stored(shop: Shop, customer: str = "ann") -> bytes | None:
    digest = PACKER.key.digest(customer)
    found: bytes | None = shop.client.hget(shop.keyspace.velocity(digest), field_of(digest))
    return found


def state(shop: Shop, customer: str = "ann") -> State | None:
    return parsed(stored(shop, customer))


def at(shop: Shop, at_ms: int) -> dict[str, Any]:
    return dict(zip(VELOCITY.names, values_at(state(shop), at_ms), strict=True))


def test_windows_expire_without_a_new_event(any_shop: Shop) -> None:
    send(any_shop, event(NOON), event(NOON + MINUTE, cents=None))

    soon, later = at(any_shop, NOON + 2 * MINUTE), at(any_shop, NOON + 61 * MINUTE)
    tomorrow = at(any_shop, NOON + 24 * HOUR)

    assert (soon["txn_count_10m"], soon["txn_count_1h"], soon["failed_count_1h"]) == (1, 1, 1)
    assert (later["txn_count_10m"], later["txn_count_1h"], later["txn_count_24h"]) == (0, 0, 1)
    assert (later["seconds_since_last_txn"], later["amount_sum_24h"]) == (3_660, 10.0)
    assert tomorrow == dict(zip(VELOCITY.names, values_at(None, 0), strict=True))


def test_a_purchase_is_not_seen_in_its_own_millisecond(shop: Shop) -> None:
    send(shop, event(NOON))

    assert at(shop, NOON)["txn_count_10m"] == 0
    assert at(shop, NOON + 1)["txn_count_10m"] == 1


def test_an_event_later_than_the_lateness_is_refused(any_shop: Shop) -> None:
    send(any_shop, event(NOON))

    late = send(any_shop, event(NOON - LATENESS_SECONDS * 1000), event(NOON - LATENESS_SECONDS * 1000 + 1))

    assert late == [Outcome.LATE, Outcome.APPLIED]


def test_a_duplicate_is_without_effect_however_late(any_shop: Shop) -> None:
    first = [event(NOON + minute * MINUTE) for minute in range(30)]
    send(any_shop, *first)
    before = stored(any_shop)

    again = Counter(send(any_shop, *first))

    assert stored(any_shop) == before
    assert again[Outcome.APPLIED] == 0
    assert again[Outcome.DUPLICATE] == 10


def test_the_same_id_at_another_time_is_another_purchase(shop: Shop) -> None:
    """As the source contract has it: the lender's ids begin anew every day."""
    one = PACKER.packed("ann", "txn-1", NOON, 100, "phone", "home")
    other = PACKER.packed("ann", "txn-1", NOON + 1, 100, "phone", "home")

    assert send(shop, one, other, one) == [Outcome.APPLIED, Outcome.APPLIED, Outcome.DUPLICATE]


def test_memory_is_bounded_whatever_the_rate_and_counts_stay_exact(any_shop: Shop) -> None:
    events = [
        event(NOON - 30 * HOUR + number * 10_000, number, device_id=f"d{number}", category=f"c{number}")
        for number in range(30 * 360)
    ]
    for start in range(0, len(events), 500):
        send(any_shop, *events[start : start + 500])

    now = at(any_shop, NOON)
    assert len(stored(any_shop) or b"") < LARGEST_STATE_BYTES
    assert (now["txn_count_10m"], now["txn_count_1h"]) == (9 * 6, 55 * 6)
    assert now["txn_count_24h"] == 23 * 360
    assert now["amount_sum_24h"] == 23 * 3_600.0
    assert (now["device_count_24h"], now["category_count_24h"]) == (MOST_DISTINCT, MOST_DISTINCT)


def test_a_burst_shortens_the_lateness_and_is_counted_once(any_shop: Shop) -> None:
    burst = [event(NOON + number, number) for number in range(3 * MOST_RECENT_EVENTS)]
    send(any_shop, *burst)

    again = send(any_shop, *burst)
    late = send(any_shop, event(NOON - MINUTE))

    assert Outcome.APPLIED not in again + late
    assert at(any_shop, NOON + MINUTE)["txn_count_10m"] == 3 * MOST_RECENT_EVENTS


def test_many_events_of_one_moment_are_counted_once(any_shop: Shop) -> None:
    same = [event(NOON, number) for number in range(MOST_RECENT_EVENTS + 1)]
    send(any_shop, *same)

    assert Outcome.APPLIED not in send(any_shop, *same)
    assert at(any_shop, NOON + 1)["txn_count_10m"] == MOST_RECENT_EVENTS + 1


def test_what_happened_between_midnight_is_told_from_what_was_before(shop: Shop) -> None:
    midnight = NOON - 12 * HOUR
    send(shop, event(midnight - 1), event(midnight + 20 * MINUTE), event(NOON, cents=250))

    assert happened_between(state(shop), midnight, NOON + 1) == (2, 1_250)
    assert happened_between(state(shop), midnight, NOON) == (1, 1_000)


def test_idle_customers_are_removed_by_others_events_and_buckets_expire(any_shop: Shop) -> None:
    digest = PACKER.key.digest("ann")
    bucket = any_shop.keyspace.velocity(digest)
    neighbour = next(
        name
        for name in (f"customer-{number}" for number in range(100_000))
        if any_shop.keyspace.velocity(PACKER.key.digest(name)) == bucket
    )
    send(any_shop, event(NOON))
    much_later = NOON + KEPT.span_seconds * 1000 + 2 * LATENESS_SECONDS * 1000

    send(any_shop, event(much_later, customer_id=neighbour), now_ms=much_later, looked_at=4)

    assert stored(any_shop) is None
    assert stored(any_shop, neighbour) is not None
    assert 0 < any_shop.client.ttl(bucket) <= KEPT.span_seconds + 2 * LATENESS_SECONDS


def test_an_erased_customer_has_no_state_and_gets_none(any_shop: Shop) -> None:
    send(any_shop, event(NOON))

    forget(any_shop.client, any_shop.keyspace, [PACKER.key.digest("ann")], NOON)
    refused = send(any_shop, event(NOON + 1), event(NOON + 2), event(NOON, customer_id="bob"))

    assert state(any_shop) is None
    assert refused == [Outcome.ERASED, Outcome.ERASED, Outcome.APPLIED]
    remember(any_shop.client, any_shop.keyspace, [PACKER.key.digest("ann")], NOON)
    assert send(any_shop, event(NOON + 3)) == [Outcome.APPLIED]


def test_a_fill_completes_a_state_that_a_worker_began_meanwhile(any_shop: Shop) -> None:
    whole = [event(NOON + minute * MINUTE, cents=100 * minute) for minute in range(0, 120, 5)]
    send(any_shop, *whole)
    expected = at(any_shop, NOON + 2 * HOUR)
    any_shop.client.delete(any_shop.keyspace.velocity(whole[0].digest))
    send(any_shop, *whole[15:])
    history = {whole[0].digest: b"".join(one.event for one in whole)}

    fill(any_shop.client, any_shop.keyspace, history, NOON, NOON + 2 * HOUR, NOON + 2 * HOUR)
    filled = stored(any_shop)
    fill(any_shop.client, any_shop.keyspace, history, NOON, NOON + 2 * HOUR, NOON + 2 * HOUR)

    assert at(any_shop, NOON + 2 * HOUR) == expected
    assert stored(any_shop) == filled


def test_a_fill_that_ends_before_the_worker_began_adds_what_was_before(any_shop: Shop) -> None:
    whole = [event(NOON + minute * MINUTE, cents=100 * minute) for minute in (0, 30, 60, 90, 100, 115)]
    send(any_shop, *whole)
    expected = at(any_shop, NOON + 2 * HOUR)
    any_shop.client.delete(any_shop.keyspace.velocity(whole[0].digest))
    send(any_shop, *whole[3:])
    yesterday = {whole[0].digest: b"".join(one.event for one in whole[:3])}

    for _ in range(2):
        fill(any_shop.client, any_shop.keyspace, yesterday, NOON, NOON + HOUR, NOON + 2 * HOUR)

    assert at(any_shop, NOON + 2 * HOUR) == expected


def test_a_server_that_lost_its_scripts_is_told_them_again(any_shop: Shop) -> None:
    send(any_shop, event(NOON))
    any_shop.client.script_flush()

    assert send(any_shop, event(NOON + 1)) == [Outcome.APPLIED]
