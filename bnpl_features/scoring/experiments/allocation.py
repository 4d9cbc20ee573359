"""Which hash buckets belong to which arm: shares change, customers stay where they are as far as shares allow."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bnpl_features.errors import ExperimentRefused

BUCKETS = 10_000
"""A share is a multiple of 0.01 %."""


class Span(msgspec.Struct, frozen=True, array_like=True):
    """Buckets from `start` up to `end`, which is not one of them, and their arm; an arm "" is in no experiment."""

    start: int
    end: int
    arm: str


class Allocation(msgspec.Struct, frozen=True):
    """Spans in order, which together are all buckets."""

    spans: tuple[Span, ...]

    def by_bucket(self) -> list[str]:
        return [span.arm for span in self.spans for _ in range(span.start, span.end)]

    def count(self, arm: str) -> int:
        return sum(span.end - span.start for span in self.spans if span.arm == arm)


NOBODY = Allocation((Span(0, BUCKETS, ""),))


def allocate(shares: Mapping[str, float]) -> Allocation:
    """The first allocation; raises `ExperimentRefused` for shares that cannot be."""
    return reallocate(NOBODY, shares)


def reallocate(before: Allocation, shares: Mapping[str, float]) -> Allocation:
    """With these shares and the fewest buckets moved: an arm that shrinks gives up its last ones, one that grows takes
    free ones. Raises `ExperimentRefused` for shares that cannot be."""
    wanted = {arm: round(share * BUCKETS) for arm, share in shares.items()}
    if any(not 0.0 <= share <= 1.0 for share in shares.values()) or sum(wanted.values()) > BUCKETS:
        raise ExperimentRefused(f"shares {dict(shares)}: each must be in 0..1, and together at most 1")
    buckets = before.by_bucket()
    for arm in {*buckets} - {""}:
        own = [number for number, name in enumerate(buckets) if name == arm]
        for number in own[wanted.get(arm, 0) :]:
            buckets[number] = ""
    free = [number for number, name in enumerate(buckets) if not name]
    for arm, count in wanted.items():
        lacking = count - buckets.count(arm)
        for number in free[:lacking]:
            buckets[number] = arm
        free = free[max(lacking, 0) :]
    return Allocation(tuple(_spans(buckets)))


def moved(before: Allocation, after: Allocation) -> int:
    """Buckets whose customers change from one arm to another; joining or leaving the experiment is no such change."""
    pairs = zip(before.by_bucket(), after.by_bucket(), strict=True)
    return sum(1 for one, other in pairs if one and other and one != other)


def _spans(buckets: list[str]) -> list[Span]:
    spans: list[Span] = []
    start = 0
    for number in range(1, BUCKETS + 1):
        if number == BUCKETS or buckets[number] != buckets[start]:
            spans.append(Span(start, number, buckets[start]))
            start = number
    return spans
