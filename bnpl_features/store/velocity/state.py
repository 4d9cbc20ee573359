"""A customer's velocity state: its bytes -> what happened, as of a moment. The server-side step writes them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from bnpl_features.features.feature import Value
from bnpl_features.features.velocity import MOST_DISTINCT, RINGS, VELOCITY, Measure

FORMAT = 1
FAILED_CENTS = 0xFFFF_FFFF
"""Stands for the amount of an attempt that failed."""

HOUR_MS = 3_600_000
# Numbers of three, five and six bytes are read as a low and a high part.
_HEADER = struct.Struct("<BIHHBIHIHBBBBBB")
_RECENT = struct.Struct("<HBII4s3s")
_SLOT = struct.Struct("<IHHIB")
_DEVICE = struct.Struct("<4sHB")
_CATEGORY = struct.Struct("<3sHB")


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
    _, floor, above, latest, latest_above, _, _, last, last_above, recent, *sizes = _HEADER.unpack_from(value)
    floor_ms = floor | above << 32
    position = _HEADER.size
    end = position + recent * _RECENT.size
    events = [
        (floor_ms + (low | high << 16), cents, device, category)
        for low, high, _, cents, device, category in _RECENT.iter_unpack(value[position:end])
    ]
    rings: list[Sequence[Slot]] = []
    for size in sizes[: len(RINGS)]:
        position, end = end, end + size * _SLOT.size
        slots = _SLOT.iter_unpack(value[position:end]) if size else ()
        rings.append([(number, done, failed, low | high << 32) for number, done, failed, low, high in slots])
    sets = []
    for entry, size in zip((_DEVICE, _CATEGORY), sizes[len(RINGS) :], strict=True):
        position, end = end, end + size * entry.size
        members = entry.iter_unpack(value[position:end]) if size else ()
        sets.append({member: low | high << 16 for member, low, high in members})
    latest_ms = floor_ms + (latest | latest_above << 16)
    return State(floor_ms, latest_ms, last | last_above << 32, events, rings, sets[0], sets[1])


def values_at(state: State | None, at_ms: int) -> tuple[Value, ...]:
    """The velocity features in their order, of what happened before a moment; those that need the purchase are null.

    Exact for any moment from the latest event on, and back to `floor_ms` where disorder left events beyond it.
    """
    if state is None:
        return _NOTHING
    sums: list[int] = []
    for ring, slot_ms, slots in _WINDOWS:
        sums += _sums(state, ring, at_ms // slot_ms - slots + 1, slot_ms, at_ms)
    return tuple(
        [
            sums[place]
            if take is None
            else sums[place] / 100
            if take is Measure.SUM_USD
            else _other(state, take, at_ms, place)
            for take, place in _PLAN
        ]
    )


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


def _sums(state: State, ring: int, first: int, slot_ms: int, at_ms: int) -> tuple[int, int, int]:
    """Completed purchases, failed attempts and cents from a slot on until a moment."""
    completed = failed = total = 0
    for number, of_completed, of_failed, cents in state.rings[ring]:
        if number >= first:
            completed, failed, total = completed + of_completed, failed + of_failed, total + cents
    first_ms = first * slot_ms
    for event_ms, cents, _, _ in state.recent:
        if first_ms <= event_ms < at_ms:
            if cents == FAILED_CENTS:
                failed += 1
            else:
                completed, total = completed + 1, total + cents
    return completed, failed, total


def _other(state: State, measure: Measure, at_ms: int, slots: int) -> Value:
    """What is no sum; these are of windows whose slots are hours."""
    first = at_ms // HOUR_MS - slots + 1
    if measure is Measure.DEVICES:
        return _distinct(state, state.devices, first, at_ms, of_device=True)
    if measure is Measure.CATEGORIES:
        return _distinct(state, state.categories, first, at_ms, of_device=False)
    if measure is Measure.SINCE_LAST:
        last = last_purchase_ms(state, at_ms)
        return None if last is None or last // HOUR_MS < first else (at_ms - last) // 1000
    return None


def _distinct(state: State, hours: dict[bytes, int], first: int, at_ms: int, *, of_device: bool) -> int:
    seen = {member for member, hour in hours.items() if hour >= first}
    for event_ms, cents, device, category in state.recent:
        if first * HOUR_MS <= event_ms < at_ms and cents != FAILED_CENTS:
            seen.add(device if of_device else category)
    return min(len(seen), MOST_DISTINCT)


_RING_OF = {ring.slot_seconds: number for number, ring in enumerate(RINGS)}
_DECLARED = tuple(dict.fromkeys(feature.window for feature in VELOCITY.features))
_WINDOWS = [(_RING_OF[window.slot_seconds], window.slot_seconds * 1000, window.slots) for window in _DECLARED]
"""Ring, milliseconds of a slot, slots."""

_PLACE = {Measure.COUNT: 0, Measure.FAILED: 1, Measure.SUM_USD: 2}
_PLAN: list[tuple[Measure | None, int]] = [
    (None if one.measure is not Measure.SUM_USD else one.measure, 3 * _DECLARED.index(one.window) + _PLACE[one.measure])
    if one.measure in _PLACE
    else (one.measure, one.window.slots)
    for one in VELOCITY.features
]
"""For each feature what is done, and where its sum stands (or how many slots its window has)."""

_NOTHING = tuple(feature.empty for feature in VELOCITY.features)
