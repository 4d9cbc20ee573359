"""A customer as the online store serves them: every feature today and yesterday, velocity, segment, tombstone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from bnpl_features.errors import InputError
from bnpl_features.features.catalog import GROUPS, set_named
from bnpl_features.features.feature import Value
from bnpl_features.features.segment import SEGMENT, SEGMENTS
from bnpl_features.features.velocity import VELOCITY
from bnpl_features.store.buckets import each
from bnpl_features.store.connection import named_errors, url_of
from bnpl_features.store.erasure import Tombstone, tombstone_of
from bnpl_features.store.reading.follower import CAUGHT_UP_SECONDS
from bnpl_features.store.reading.lookup import Answer, ServedVersion, Status
from bnpl_features.store.target import Target
from bnpl_features.store.velocity.answer import VelocityAnswer, VelocityStatus
from bnpl_features.store.versions import State, Version, list_versions

LONGEST_ID = 200


@dataclass(frozen=True)
class FeatureFigure:
    """`today` is the value as served, `now` the one that today's events bring it up to (None: they do not);
    `yesterday` is of the version before, None where that does not know the customer."""

    name: str
    group: str
    meaning: str
    unit: str
    today: Value
    yesterday: Value
    now: Value = None

    @property
    def change(self) -> float | None:
        """Today less yesterday; None for names and where one of them is null."""
        if isinstance(self.today, (int, float)) and isinstance(self.yesterday, (int, float)):
            return self.today - self.yesterday
        return None


@dataclass(frozen=True)
class VelocityFigure:
    name: str
    meaning: str
    unit: str
    value: Value


@dataclass(frozen=True)
class Customer:
    """`status` and `reason` are those of a lookup (`store.reading.lookup.Status`); `before` is the partition that
    yesterday's values are of, None where no version of an earlier day is kept. `erased` says when, by whom and why."""

    customer_id: str
    feature_set: str
    status: str
    reason: str
    version: int | None
    partition: date | None
    before: date | None
    segment: str | None
    segment_meaning: str
    features: tuple[FeatureFigure, ...]
    velocity_status: str
    velocity: tuple[VelocityFigure, ...]
    erased: Tombstone | None

    @property
    def is_known(self) -> bool:
        return self.status in (Status.FRESH, Status.STALE)


def customer(target: Target, customer_id: str, feature_set: str) -> Customer:
    """Read in one set's active version and in the version of the day before it, without counting as a reader.

    Raises `InputError` for what is no id or no set, `StoreUnavailable`, and `LayoutMismatch` where the version has
    another customer key.
    """
    _require(customer_id, feature_set)
    with named_errors(url_of(target.client)):
        versions = [one for one in list_versions(target.client, target.keyspace) if one.feature_set == feature_set]
        erased = tombstone_of(target.client, target.keyspace, target.keys, customer_id)
        active = next((one for one in versions if one.state is State.ACTIVE and one.manifest), None)
        before = _version_before(versions, _day_of(active), [key.check for key in target.keys]) if active else None
        now, then = (_read(target, one, customer_id) if one else None for one in (active, before))
        velocity = _velocity(target, active, customer_id) if active else None
    shown = _shown(customer_id, feature_set, now, then, velocity, erased)
    return replace(shown, before=_day_of(before) if before else None)


def _require(customer_id: str, feature_set: str) -> None:
    if not customer_id.strip() or len(customer_id) > LONGEST_ID:
        raise InputError(f"a customer id has 1 to {LONGEST_ID} characters; give the id as the warehouse has it")
    try:
        set_named(feature_set)
    except KeyError as error:
        raise InputError(str(error.args[0])) from error


def _version_before(versions: Sequence[Version], day: date, checks: Sequence[str]) -> Version | None:
    """The newest version of an earlier partition that is kept, made with one of the customer keys at hand."""
    kept = (one for one in versions if one.state is State.RETAINED and one.manifest)
    earlier = [one for one in kept if _day_of(one) < day and one.manifest and one.manifest.key_check in checks]
    return max(earlier, key=lambda one: (_day_of(one), one.number), default=None)


def _day_of(version: Version) -> date:
    return version.manifest.partition_date if version.manifest else date.min


def _served(target: Target, version: Version) -> ServedVersion:
    assert version.manifest is not None  # only such versions are chosen
    return ServedVersion(version.manifest, target.keyspace, target.keys)


def _read(target: Target, version: Version, customer_id: str) -> Answer:
    served = _served(target, version)
    key, words = served.request(customer_id)
    ((_, reply),) = each(target.client, [key], lambda _: words)
    return served.answer(reply, time.time())


def _velocity(target: Target, version: Version, customer_id: str) -> VelocityAnswer:
    key, words = _served(target, version).velocity_request(customer_id)
    ((_, reply),) = each(target.client, [key], lambda _: words)
    now = time.time()
    is_late = now - float(target.client.get(target.keyspace.caught_up) or 0) > CAUGHT_UP_SECONDS
    return VelocityAnswer(VelocityStatus.STALE if is_late else VelocityStatus.FRESH, int(now * 1000), reply)


def _shown(
    customer_id: str,
    feature_set: str,
    now: Answer | None,
    then: Answer | None,
    velocity: VelocityAnswer | None,
    erased: Tombstone | None,
) -> Customer:
    status = now.status if now else Status.UNAVAILABLE
    reason = now.reason if now else f"no version of {feature_set} is active"
    today = now.as_dict() if now else {}
    yesterday = then.as_dict() if then and then.record is not None else {}
    recent = velocity.refreshed(today, now.partition_date) if velocity and now and now.partition_date else {}
    segment = now.segment if now else None
    return Customer(
        customer_id,
        feature_set,
        status.value,
        reason,
        now.version if now else None,
        now.partition_date if now else None,
        None,
        segment,
        next((one.meaning for one in SEGMENTS if one.name == segment), ""),
        tuple(
            FeatureFigure(
                feature.name,
                group.name,
                feature.meaning,
                feature.unit,
                today[feature.name],
                yesterday.get(feature.name),
                recent.get(feature.name),
            )
            for group in GROUPS
            for feature in group.features
            if feature.name in today and feature.name != SEGMENT
        ),
        velocity.status.value if velocity else VelocityStatus.UNAVAILABLE.value,
        tuple(
            VelocityFigure(feature.name, feature.meaning, feature.unit, value)
            for feature, value in zip(VELOCITY.features, velocity.values() if velocity else (), strict=False)
        ),
        erased,
    )
