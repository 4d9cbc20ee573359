"""A customer's velocity state: its bytes -> what happened, as of a moment. The server-side step writes them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from bnpl_features.features.feature import Value
from bnpl_features.features.velocity import MOST_DISTINCT, RINGS, VELOCITY, Measure, StreamWindow, VelocityFeature

FORMAT = 1
FAILED_CENTS = 0xFFFF_FFFF
"""Stands for the amount of an attempt that failed."""

HOUR_MS = 3_600_000
_HEADER = struct.Struct("<B6s3s6s6sBBBBBB")
_RECENT = struct.Struct("<3sII4s3s")
_SLOT = struct.Struct("<IHH5s")
_DEVICE = struct.Struct("<4s3s")
_CATEGORY = struct.Struct("<3s3s")


class Recent(NamedTuple):
    """An event that is kept by itself; `cents` is FAILED_CENTS for an attempt that failed."""

    at_ms: int
    cents: int
    device: bytes
    category: bytes


class Slot(NamedTuple):
    number: int
    completed: int
    failed: int
    cents: int


class State(NamedTuple):
    """What is known of a customer. Events later than `floor_ms` are in `recent`, one by one; those up to it in slots.

    `last_ms` is the latest purchase among those in slots, 0 without one; `devices` and `categories` map a digest to the
    hour (since the epoch) in which it was seen last. `rings` are in the order of `velocity.RINGS`.
    """

    floor_ms: int
    latest_ms: int
    last_ms: int
    recent: Sequence[Recent]
    rings: Sequence[Sequence[Slot]]
    devices: dict[bytes, int]
    categories: dict[bytes, int]


def parsed(value: bytes | None) -> State | None:
    """None where there is no state: nothing happened, or the customer was erased.

    Raises `struct.error` for bytes that the server-side step did not write.
    """
    if not value or value[0] != FORMAT:
        return None
    _, floor, latest, _, last, recent, *sizes = _HEADER.unpack_from(value)
    floor_ms = int.from_bytes(floor, "little")
    position = _HEADER.size
    events = []
    for _ in range(recent):
        at, _, cents, device, category = _RECENT.unpack_from(value, position)
        events.append(Recent(floor_ms + int.from_bytes(at, "little"), cents, device, category))
        position += _RECENT.size
    rings = []
    for size in sizes[: len(RINGS)]:
        rings.append(
            [Slot(n, c, f, int.from_bytes(s, "little")) for n, c, f, s in _entries(_SLOT, value, position, size)]
        )
        position += size * _SLOT.size
    sets = []
    for entry, size in zip((_DEVICE, _CATEGORY), sizes[len(RINGS) :], strict=True):
        sets.append({m: int.from_bytes(hour, "little") for m, hour in _entries(entry, value, position, size)})
        position += size * entry.size
    latest_ms = floor_ms + int.from_bytes(latest, "little")
    return State(floor_ms, latest_ms, int.from_bytes(last, "little"), events, rings, sets[0], sets[1])


def values_at(state: State | None, at_ms: int) -> tuple[Value, ...]:
    """The velocity features in their order, of what happened before a moment; those that need the purchase are null.

    Exact for any moment from the latest event on, and back to `floor_ms` where disorder left events beyond it.
    """
    if state is None:
        return _NOTHING
    before = [event for event in state.recent if event.at_ms < at_ms]
    return tuple([_MEASURES[feature.measure](state, before, feature, at_ms) for feature in VELOCITY.features])


def happened_between(state: State | None, since_ms: int, until_ms: int) -> tuple[int, int]:
    """Completed purchases, and their cents, from the beginning of an hour until the end of one, or until now."""
    if state is None:
        return 0, 0
    first = since_ms // HOUR_MS
    slots = [slot for slot in state.rings[-1] if first <= slot.number and slot.number * HOUR_MS < until_ms]
    recent = [e for e in state.recent if since_ms <= e.at_ms < until_ms and e.cents != FAILED_CENTS]
    count = sum(slot.completed for slot in slots) + len(recent)
    return count, sum(slot.cents for slot in slots) + sum(event.cents for event in recent)


def last_purchase_ms(state: State | None, at_ms: int) -> int | None:
    """When the latest completed purchase before a moment was; None where none is remembered."""
    if state is None:
        return None
    last = max(
        [event.at_ms for event in state.recent if event.at_ms < at_ms and event.cents != FAILED_CENTS], default=0
    )
    return max(last, state.last_ms) or None


def _entries(entry: struct.Struct, value: bytes, position: int, size: int) -> Iterator[tuple[Any, ...]]:
    return entry.iter_unpack(value[position : position + size * entry.size])


def _inside(
    state: State, before: Sequence[Recent], window: StreamWindow, at_ms: int
) -> tuple[list[Slot], list[Recent]]:
    """The slots of the window, and its events that are kept one by one."""
    ring = state.rings[next(n for n, one in enumerate(RINGS) if one.slot_seconds == window.slot_seconds)]
    first = window.first_slot(at_ms)
    first_ms = first * window.slot_seconds * 1000
    return [slot for slot in ring if slot.number >= first], [event for event in before if event.at_ms >= first_ms]


def _count(state: State, before: Sequence[Recent], feature: VelocityFeature, at_ms: int) -> Value:
    slots, recent = _inside(state, before, feature.window, at_ms)
    return sum(slot.completed for slot in slots) + sum(event.cents != FAILED_CENTS for event in recent)


def _failed(state: State, before: Sequence[Recent], feature: VelocityFeature, at_ms: int) -> Value:
    slots, recent = _inside(state, before, feature.window, at_ms)
    return sum(slot.failed for slot in slots) + sum(event.cents == FAILED_CENTS for event in recent)


def _sum_usd(state: State, before: Sequence[Recent], feature: VelocityFeature, at_ms: int) -> Value:
    slots, recent = _inside(state, before, feature.window, at_ms)
    cents = sum(slot.cents for slot in slots)
    return (cents + sum(event.cents for event in recent if event.cents != FAILED_CENTS)) / 100


def _devices(state: State, before: Sequence[Recent], feature: VelocityFeature, at_ms: int) -> Value:
    _, recent = _inside(state, before, feature.window, at_ms)
    seen = {event.device for event in recent if event.cents != FAILED_CENTS}
    return _distinct(seen, state.devices, feature.window.first_slot(at_ms))


def _categories(state: State, before: Sequence[Recent], feature: VelocityFeature, at_ms: int) -> Value:
    _, recent = _inside(state, before, feature.window, at_ms)
    seen = {event.category for event in recent if event.cents != FAILED_CENTS}
    return _distinct(seen, state.categories, feature.window.first_slot(at_ms))


def _distinct(seen: set[bytes], hours: dict[bytes, int], first: int) -> int:
    return min(len(seen | {member for member, hour in hours.items() if hour >= first}), MOST_DISTINCT)


def _since_last(state: State, before: Sequence[Recent], feature: VelocityFeature, at_ms: int) -> Value:
    last = last_purchase_ms(state, at_ms)
    if last is None or last // HOUR_MS < feature.window.first_slot(at_ms):
        return None
    return (at_ms - last) // 1000


_MEASURES: dict[Measure, Callable[[State, Sequence[Recent], VelocityFeature, int], Value]] = {
    Measure.COUNT: _count,
    Measure.SUM_USD: _sum_usd,
    Measure.DEVICES: _devices,
    Measure.CATEGORIES: _categories,
    Measure.FAILED: _failed,
    Measure.SINCE_LAST: _since_last,
    Measure.TO_MEAN: lambda state, before, feature, at_ms: None,
}
_NOTHING = tuple(feature.empty for feature in VELOCITY.features)
