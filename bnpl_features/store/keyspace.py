"""The names of all keys, and where a customer's record is: the only module that spells a key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from bnpl_features.errors import SettingsError

CUSTOMERS_PER_BUCKET = 64
VELOCITY_BUCKETS = 4_096
"""However many customers are active: a bucket of many costs no more a customer (docs/decisions/0060-*)."""

DIGEST_BYTES = 8
FIELD_BYTES = 6
"""The low bytes of the digest; what they leave out, the choice of the bucket has told. At 10 million customers an
unknown one is taken for another once in 1.8 * 10**12 lookups (docs/decisions/0008-*)."""

FIRST_SET = "behavioural@1"
"""The set whose pointer bears no name: releases before there were several publish it, and read it, there."""

_DIGEST_PURPOSE = b"bnpl-customer"
_CHECK_PURPOSE = b"bnpl-key-check"
LARGEST_SECRET_BYTES = hashlib.blake2b.MAX_KEY_SIZE


@dataclass(frozen=True)
class Keyspace:
    """The keys of one namespace (an environment or tenant), with the pointer of one feature set.

    All sets share the numbering of versions, so that a bucket's key names its version and nothing else; what each has
    of its own is the pointer. Control keys share a hash tag, because one atomic step touches several of them; buckets
    spread over all slots.
    """

    namespace: str = "bnpl"
    feature_set: str = FIRST_SET

    def __post_init__(self) -> None:
        if not self.namespace or any(character in self.namespace for character in "{}: \r\n"):
            raise SettingsError(f"namespace {self.namespace!r}: use letters, digits, - and _, without braces or colons")
        if not self.feature_set or any(character in self.feature_set for character in "{}: \r\n"):
            raise SettingsError(f"feature set {self.feature_set!r}: name one that is declared, such as {FIRST_SET}")

    def of(self, feature_set: str) -> Keyspace:
        """The same namespace, with the pointer of another set."""
        return self if feature_set == self.feature_set else replace(self, feature_set=feature_set)

    @property
    def active(self) -> str:
        """The pointer: the number of the set's version that is served."""
        return self._control("active" if self.feature_set == FIRST_SET else f"active:{self.feature_set}")

    @property
    def counter(self) -> str:
        return self._control("version")

    @property
    def versions(self) -> str:
        return self._control("versions")

    @property
    def states(self) -> str:
        return self._control("states")

    @property
    def audit(self) -> str:
        return self._control("audit")

    @property
    def erased(self) -> str:
        """Tombstones of erased customers."""
        return self._control("erased")

    @property
    def erasures(self) -> str:
        """How often a customer was erased or readmitted."""
        return self._control("erasures")

    @property
    def experiments(self) -> str:
        """Definitions of the experiments, as a document."""
        return self._control("experiments")

    @property
    def readers(self) -> str:
        """Who read which set lately (see `readers.py`)."""
        return self._control("readers")

    @property
    def lease(self) -> str:
        return self._control("publisher")

    @property
    def events(self) -> str:
        """The channel on which readers hear of a switch."""
        return self._control("events")

    def manifest(self, version: int) -> str:
        return self._control(f"manifest:{version}")

    def bucket_prefix(self, version: int) -> bytes:
        return f"{self.namespace}:b:{version}:".encode()

    def bucket(self, version: int, bucket: int) -> bytes:
        return self.bucket_prefix(version) + b"%d" % bucket

    @property
    def purchases(self) -> str:
        """The stream of purchase events, where the store is also their broker."""
        return self._control("purchases")

    @property
    def caught_up(self) -> str:
        """Until when all events that there were have been applied, in seconds since the epoch."""
        return self._control("caught-up")

    @property
    def dead_letters(self) -> str:
        """The stream of events that no worker could take."""
        return self._control("dead-letters")

    def velocity(self, digest: bytes) -> bytes:
        """The bucket of a customer's velocity state, whatever version is served."""
        return self.velocity_bucket(bucket_of(digest, VELOCITY_BUCKETS))

    def velocity_bucket(self, bucket: int) -> bytes:
        return b"%b:w:%d" % (self.namespace.encode(), bucket)

    @property
    def patterns(self) -> dict[str, str]:
        """Kinds of keys of which there are many -> a glob pattern that matches all of them, and no others."""
        return {
            "pointers": f"{self.of(FIRST_SET).active}*",
            "manifests": self._control("manifest:*"),
            "buckets": f"{self.namespace}:b:*",
            "velocity": f"{self.namespace}:w:*",
        }

    def _control(self, name: str) -> str:
        return f"{{{self.namespace}}}:{name}"


@dataclass(frozen=True, repr=False)
class CustomerKey:
    """The secret that turns a customer id into a digest; publisher and readers share it.

    The raw id is never stored. The digest's high half chooses the bucket, so that digests in order are buckets
    in order; its low bytes are the hash field.
    """

    secret: bytes = b""

    def __post_init__(self) -> None:
        if len(self.secret) > LARGEST_SECRET_BYTES:
            raise SettingsError(
                f"the customer key has {len(self.secret)} bytes, at most {LARGEST_SECRET_BYTES} are allowed; "
                "use 32 random bytes"
            )

    @property
    def check(self) -> str:
        """Tells two secrets apart without giving either away; it stands in the manifest."""
        return hashlib.blake2b(b"", digest_size=8, key=self.secret, person=_CHECK_PURPOSE).hexdigest()

    def digest(self, customer_id: str) -> bytes:
        """The digest of any text: half a surrogate pair, which JSON may carry, is an unknown customer, not an error."""
        hashed = self._keyed.copy()
        hashed.update(customer_id.encode(errors="surrogatepass"))
        return hashed.digest()

    def digests(self, customer_ids: Iterable[str]) -> bytes:
        """The digests of many customers, one after the other: `digest` without a call a customer."""
        copy = self._keyed.copy
        digests = []
        for customer_id in customer_ids:
            hashed = copy()
            hashed.update(customer_id.encode())
            digests.append(hashed.digest())
        return b"".join(digests)

    @cached_property
    def _keyed(self) -> hashlib.blake2b:
        """The hash with the secret taken in already: a copy costs half of starting anew."""
        return hashlib.blake2b(digest_size=DIGEST_BYTES, key=self.secret, person=_DIGEST_PURPOSE)


def bucket_count(customers: int) -> int:
    return max(1, -(-customers // CUSTOMERS_PER_BUCKET))


def bucket_of(digest: bytes, buckets: int) -> int:
    """The bucket of a digest: its high 32 bits, scaled to the number of buckets."""
    return (int.from_bytes(digest[:4], "big") * buckets) >> 32


def field_of(digest: bytes) -> bytes:
    """The hash field of a digest: what the choice of the bucket has not told already."""
    return digest[-FIELD_BYTES:]
