"""What a reader says of a customer's velocity: computed from the state at hand, as of the moment of the lookup."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from bnpl_features.features.feature import Value
from bnpl_features.features.velocity import KEPT, REFRESHED, VELOCITY, Measure
from bnpl_features.store.velocity.state import State, happened_between, last_purchase_ms, parsed, values_at

_TO_MEAN = next(number for number, one in enumerate(VELOCITY.features) if one.measure is Measure.TO_MEAN)


class VelocityStatus(StrEnum):
    """How far velocity can be trusted: `stale` where no worker has caught up lately, so that events may be missing."""

    FRESH = "fresh"
    STALE = "stale"
    UNAVAILABLE = "unavailable"


@dataclass(slots=True)
class VelocityAnswer:
    """One customer's velocity at `at_ms` (since the epoch); a customer to whom nothing happened has no state.

    Values are computed each time that they are asked for.
    """

    status: VelocityStatus
    at_ms: int
    value: bytes | None = None
    reason: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return VELOCITY.names

    def values(self, amount_usd: float | None = None, mean_usd: float | None = None) -> tuple[Value, ...]:
        """The velocity features in their order; the purchase's amount is set against the customer's mean, if both are
        known."""
        values = values_at(self._state(), self.at_ms)
        if amount_usd is None or not mean_usd:
            return values
        return (*values[:_TO_MEAN], amount_usd / mean_usd, *values[_TO_MEAN + 1 :])

    def as_dict(self, amount_usd: float | None = None, mean_usd: float | None = None) -> dict[str, Value]:
        return dict(zip(VELOCITY.names, self.values(amount_usd, mean_usd), strict=True))

    def refreshed(self, daily: Mapping[str, Value], partition: date) -> dict[str, Value]:
        """Those daily features that events since the partition's end bring up to date without error.

        A window of n days then reaches from the partition's first day to now. Empty where the partition ended longer
        ago than events are remembered.
        """
        end = datetime.combine(partition, datetime.min.time(), UTC) + timedelta(days=1)
        end_ms = int(end.timestamp()) * 1000
        if self.status is not VelocityStatus.FRESH or self.at_ms - end_ms > KEPT.span_seconds * 1000:
            return {}
        state = self._state()
        count, cents = happened_between(state, end_ms, self.at_ms)
        last = last_purchase_ms(state, self.at_ms) or 0
        today = datetime.fromtimestamp(self.at_ms / 1000, UTC).date()
        fresh: dict[str, Value] = {}
        for name, measure in REFRESHED.items():
            value = daily.get(name)
            if not isinstance(value, (int, float)):
                continue
            if measure is Measure.COUNT:
                fresh[name] = value + count
            elif measure is Measure.SUM_USD:
                fresh[name] = value + cents / 100
            elif last >= end_ms:
                fresh[name] = (today - datetime.fromtimestamp(last / 1000, UTC).date()).days
            else:
                fresh[name] = int(value) + (today - partition).days
        return fresh

    def _state(self) -> State | None:
        try:
            return parsed(self.value)
        except struct.error:
            return None  # not the step's bytes: as good as none
