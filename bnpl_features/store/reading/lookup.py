"""What one version's records mean, without any I/O: a customer id -> a request, a reply -> an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from bnpl_features.derive.layout import layout_of
from bnpl_features.errors import LayoutMismatch
from bnpl_features.features.catalog import BEHAVIOURAL, SETS
from bnpl_features.features.feature import Value
from bnpl_features.features.segment import SEGMENT
from bnpl_features.store.codec import Codec
from bnpl_features.store.keyspace import CustomerKey, Keyspace, bucket_of, field_of
from bnpl_features.store.manifest import Manifest
from bnpl_features.store.projection import Projection
from bnpl_features.store.velocity.answer import VelocityAnswer
from bnpl_features.store.wire import hget

if TYPE_CHECKING:
    from bnpl_features.store.arrays import Floats

STALE_AFTER = timedelta(hours=30)
"""A partition ends at midnight UTC and is replaced by 06:00 a day later."""

CORRUPT = "corrupt record"


class Status(StrEnum):
    """How far an answer can be trusted; anything but `fresh` asks the model to fall back or to be careful."""

    FRESH = "fresh"
    STALE = "stale"
    UNKNOWN_CUSTOMER = "unknown_customer"
    UNAVAILABLE = "unavailable"


@dataclass(slots=True)
class Answer:
    """One customer's features, in the order of `names`; the declared defaults where the customer has none.

    Values are decoded each time that they are asked for: keep what is needed more than once. Not frozen only because
    that would take as long again to construct, a hundred times a batch; nothing changes one.
    """

    status: Status
    projection: Projection
    record: bytes | None
    version: int | None
    partition_date: date | None
    reason: str = ""
    velocity: VelocityAnswer | None = None
    """Where the reader was asked to read it as well."""

    @property
    def names(self) -> tuple[str, ...]:
        return self.projection.names

    @property
    def values(self) -> tuple[Value, ...]:
        """int, float, str or None (null) a feature."""
        return self.projection.values(self.record)

    @property
    def vector(self) -> Floats:
        """float64, one a feature: NaN is null, a name is its position in the declared list."""
        return self.projection.vector(self.record)

    def __getitem__(self, name: str) -> Value:
        return self.values[self.names.index(name)]

    @property
    def segment(self) -> str | None:
        """The customer's segment; that of unknown customers for one; None where the set has no segments."""
        value = self.projection.value(self.record, SEGMENT) if SEGMENT in self.names else None
        return value if isinstance(value, str) else None

    def as_dict(self) -> dict[str, Value]:
        return dict(zip(self.names, self.values, strict=True))


class ServedVersion:
    """A version as a reader holds it."""

    def __init__(
        self,
        manifest: Manifest,
        keyspace: Keyspace,
        keys: Sequence[CustomerKey],
        stale_after: timedelta = STALE_AFTER,
    ) -> None:
        """Raises `LayoutMismatch` where the version was published with a customer key that is none of `keys`."""
        key = next((key for key in keys if key.check == manifest.key_check), None)
        if key is None:
            raise LayoutMismatch(
                f"version {manifest.version} was published with another customer key than this reader has, so no "
                "customer could be found; set BNPL_CUSTOMER_KEY to the publisher's"
            )
        self.manifest = manifest
        self.codec = Codec(manifest.layout)
        self.projection = self.codec.whole
        self.was_read = False
        partition_end = datetime.combine(manifest.partition_date, datetime.min.time(), UTC) + timedelta(days=1)
        self.stale_at = (partition_end + stale_after).timestamp()
        self._digest = key.digest
        self._velocity_digest = keys[0].digest
        self._velocity_bucket = keyspace.velocity
        self._prefix = keyspace.bucket_prefix(manifest.version)
        self._buckets = manifest.buckets
        self._version = manifest.version
        self._partition_date = manifest.partition_date
        self._projections: dict[tuple[str, ...], Projection] = {}

    @property
    def deprecation(self) -> str:
        """What whoever reads this set should know; empty where it is not deprecated."""
        day = self.manifest.deprecated_on
        name = self.manifest.layout.feature_set
        return f"feature set {name} is deprecated, and may be withdrawn after {day}; move to a newer one" if day else ""

    def projected(self, features: tuple[str, ...]) -> Projection:
        """Some of the features, in the order given; raises `LayoutMismatch` where this version lacks one."""
        found = self._projections.get(features)
        if found is None:
            found = self._projections[features] = self.codec.projection(features)
        return found

    def request(self, customer_id: str) -> tuple[bytes, bytes]:
        """The key of the customer's bucket, and the command that reads the customer's record from it."""
        digest = self._digest(customer_id)
        key = b"%b%d" % (self._prefix, bucket_of(digest, self._buckets))
        return key, hget(key, field_of(digest))

    def velocity_request(self, customer_id: str) -> tuple[bytes, bytes]:
        """The same for the customer's velocity state, which is of no version."""
        digest = self._velocity_digest(customer_id)
        key = self._velocity_bucket(digest)
        return key, hget(key, field_of(digest))

    def answer(self, reply: bytes | None, now: float, projection: Projection | None = None) -> Answer:
        """The answer to the request's reply; `now` is seconds since the epoch."""
        chosen = projection or self.projection
        if reply is None:
            return self.defaulted(Status.UNKNOWN_CUSTOMER, projection=chosen)
        if not self.codec.fits(reply):
            return self.defaulted(Status.UNKNOWN_CUSTOMER, f"{CORRUPT} of {len(reply)} bytes", chosen)
        status = Status.FRESH if now < self.stale_at else Status.STALE
        return Answer(status, chosen, reply, self._version, self._partition_date)

    def defaulted(self, status: Status, reason: str = "", projection: Projection | None = None) -> Answer:
        return Answer(status, projection or self.projection, None, self._version, self._partition_date, reason)


def without_version(features: tuple[str, ...] | None, reason: str, feature_set: str = BEHAVIOURAL.name) -> Answer:
    """The declared defaults: without a manifest the reader's own catalogue is what it knows."""
    known = next((one for one in SETS if one.name == feature_set), BEHAVIOURAL)
    declared = {field.name: field for field in layout_of(known).fields}
    names = features or tuple(declared)
    defaults = tuple(declared[name].default if name in declared else None for name in names)
    vector = [
        float(declared[name].storage.names.index(default)) if isinstance(default, str) else default
        for name, default in zip(names, defaults, strict=True)
    ]
    return Answer(Status.UNAVAILABLE, Projection(names, defaults, vector), None, None, None, reason)
