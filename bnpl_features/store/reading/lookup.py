"""What one version's records mean, without any I/O: a customer id -> a command, a reply -> an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

import numpy as np

from bnpl_features.errors import LayoutMismatch
from bnpl_features.features.feature import Value
from bnpl_features.store.codec import Codec, Floats
from bnpl_features.store.keyspace import FIELD_BYTES, CustomerKey, Keyspace, bucket_of, field_of
from bnpl_features.store.manifest import Manifest

STALE_AFTER = timedelta(hours=30)
"""A partition ends at midnight UTC and is replaced by 06:00 a day later."""


class Status(StrEnum):
    """How far an answer can be trusted; anything but `fresh` asks the model to fall back or to be careful."""

    FRESH = "fresh"
    STALE = "stale"
    UNKNOWN_CUSTOMER = "unknown_customer"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Answer:
    """One customer's features, in the order of `names`; the declared defaults where the customer has none."""

    status: Status
    names: tuple[str, ...]
    values: tuple[Value, ...]
    version: int | None
    partition_date: date | None
    reason: str = ""

    def __getitem__(self, name: str) -> Value:
        return self.values[self.names.index(name)]

    def as_dict(self) -> dict[str, Value]:
        return dict(zip(self.names, self.values, strict=True))


class ServedVersion:
    """A version as a reader holds it."""

    def __init__(
        self, manifest: Manifest, keyspace: Keyspace, key: CustomerKey, stale_after: timedelta = STALE_AFTER
    ) -> None:
        """Raises `LayoutMismatch` where the version was published with another customer key."""
        if manifest.key_check != key.check:
            raise LayoutMismatch(
                f"version {manifest.version} was published with another customer key than this reader has, so no "
                "customer could be found; set BNPL_CUSTOMER_KEY to the publisher's"
            )
        self.manifest = manifest
        self.codec = Codec(manifest.layout)
        self.names = manifest.layout.names
        self.defaults: tuple[Value, ...] = tuple(field.default for field in manifest.layout.fields)
        partition_end = datetime.combine(manifest.partition_date, datetime.min.time(), UTC) + timedelta(days=1)
        self.stale_at = (partition_end + stale_after).timestamp()
        self._key = key
        self._prefix = keyspace.bucket_prefix(manifest.version)
        self._buckets = manifest.buckets

    def command(self, customer_id: str) -> bytes:
        """The customer's lookup in the server's protocol."""
        digest = self._key.digest(customer_id)
        bucket = self._prefix + b"%d" % bucket_of(digest, self._buckets)
        return b"*3\r\n$4\r\nHGET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
            len(bucket),
            bucket,
            FIELD_BYTES,
            field_of(digest),
        )

    def answer(self, reply: bytes | None, now: float) -> Answer:
        """The answer to the command's reply; `now` is seconds since the epoch."""
        if reply is None:
            return self.defaulted(Status.UNKNOWN_CUSTOMER)
        values = self.codec.decode_one(reply)
        if values is None:
            return self.defaulted(Status.UNKNOWN_CUSTOMER, f"corrupt record of {len(reply)} bytes")
        status = Status.FRESH if now < self.stale_at else Status.STALE
        return Answer(status, self.names, values, self.manifest.version, self.manifest.partition_date)

    def defaulted(self, status: Status, reason: str = "") -> Answer:
        return Answer(status, self.names, self.defaults, self.manifest.version, self.manifest.partition_date, reason)


def vector(answer: Answer, lists: Mapping[str, tuple[str, ...]]) -> Floats:
    """The values as float64 in their order: null is NaN, a name its position in `lists[feature]`."""
    return np.array(
        [
            np.nan if value is None else lists[name].index(value) if isinstance(value, str) else value
            for name, value in zip(answer.names, answer.values, strict=True)
        ],
        dtype=np.float64,
    )
