"""A customer's velocity state: its bytes -> what happened, as of a moment. The server-side step writes them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from bnpl_features.features.feature import Value
from bnpl_features.features.velocity import MOST_DISTINCT, RINGS, VELOCITY, Measure, StreamWindow

FORMAT = 1
FAILED_CENTS = 0xFFFF_FFFF
"""Stands for the amount of an attempt that failed."""

HOUR_MS = 3_600_000
_HEADER = struct.Struct("<B6s3s6s6sBBBBBB")
_RECENT = struct.Struct("<3sII4s3s")
_SLOT = struct.Struct("<IHH5s")
_DEVICE = struct.Struct("<4s3s")
_CATEGORY = struct.Struct("<3s3s")


Recent = tuple[int, int, bytes, bytes]
"""An event that is kept by itself: its time in ms, its cents (FAILED_CENTS for an attempt that failed), device and
category."""

Slot = tuple[int, int, int, int]
"""Its number since the epoch, completed purchases, failed attempts, cents."""


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
    events = [
        (floor_ms + int.from_bytes(at, "little"), cents, device, category)
        for at, _, cents, device, category in _entries(_RECENT, value, position, recent)
    ]
    position += recent * _RECENT.size
    rings: list[list[Slot]] = []
    for size in sizes[: len(RINGS)]:
        entries = _entries(_SLOT, value, position, size) if size else ()
        rings.append([(n, completed, failed, int.from_bytes(c, "little")) for n, completed, failed, c in entries])
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
    sums = [_sums(state, window, at_ms) for window in _WINDOWS]
    return tuple([_value(state, measure, window, sums[window], at_ms) for measure, window in _PLAN])


def happened_between(state: State | None, since_ms: int, until_ms: int) -> tuple[int, int]:
    """Completed purchases, and their cents, from the beginning of an hour until the end of one, or until now."""
    if state is None:
        return 0, 0
    count = total = 0
    for number, completed, _, cents in state.rings[-1]:
        if since_ms <= number * HOUR_MS < until_ms:
            count, total = count + completed, total + cents
    for at_ms, cents, _, _ in state.recent:
        if since_ms <= at_ms < until_ms and cents != FAILED_CENTS:
            count, total = count + 1, total + cents
    return count, total


def last_purchase_ms(state: State | None, at_ms: int) -> int | None:
    """When the latest completed purchase before a moment was; None where none is remembered."""
    if state is None:
        return None
    last = state.last_ms
    for event_ms, cents, _, _ in state.recent:
        if last < event_ms < at_ms and cents != FAILED_CENTS:
            last = event_ms
    return last or None


def _entries(entry: struct.Struct, value: bytes, position: int, size: int) -> Iterator[tuple[Any, ...]]:
    return entry.iter_unpack(value[position : position + size * entry.size])


def _sums(state: State, window: StreamWindow, at_ms: int) -> tuple[int, int, int]:
    """Completed purchases, failed attempts and cents."""
    first = window.first_slot(at_ms)
    first_ms = first * window.slot_seconds * 1000
    completed = failed = total = 0
    for number, of_completed, of_failed, cents in state.rings[_RING_OF[window.slot_seconds]]:
        if number >= first:
            completed, failed, total = completed + of_completed, failed + of_failed, total + cents
    for event_ms, cents, _, _ in state.recent:
        if first_ms <= event_ms < at_ms:
            if cents == FAILED_CENTS:
                failed += 1
            else:
                completed, total = completed + 1, total + cents
    return completed, failed, total


def _value(state: State, measure: Measure, window: int, sums: tuple[int, int, int], at_ms: int) -> Value:
    if measure is Measure.COUNT:
        return sums[0]
    if measure is Measure.SUM_USD:
        return sums[2] / 100
    if measure is Measure.FAILED:
        return sums[1]
    first = _WINDOWS[window].first_slot(at_ms)
    if measure is Measure.DEVICES:
        return _distinct(state, 2, state.devices, first, at_ms)
    if measure is Measure.CATEGORIES:
        return _distinct(state, 3, state.categories, first, at_ms)
    if measure is Measure.SINCE_LAST:
        last = last_purchase_ms(state, at_ms)
        return None if last is None or last // HOUR_MS < first else (at_ms - last) // 1000
    return None


def _distinct(state: State, part: int, hours: dict[bytes, int], first: int, at_ms: int) -> int:
    seen = {event[part] for event in state.recent if first * HOUR_MS <= event[0] < at_ms and event[1] != FAILED_CENTS}
    seen.update([member for member, hour in hours.items() if hour >= first])
    return min(len(seen), MOST_DISTINCT)


_WINDOWS = tuple(dict.fromkeys(feature.window for feature in VELOCITY.features))
_PLAN = [(feature.measure, _WINDOWS.index(feature.window)) for feature in VELOCITY.features]
_RING_OF = {ring.slot_seconds: number for number, ring in enumerate(RINGS)}
_NOTHING = tuple(feature.empty for feature in VELOCITY.features)
