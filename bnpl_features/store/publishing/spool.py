"""Records on their way to the store: spread over files by bucket range, so that memory stays bounded."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from bnpl_features.errors import PublicationRefused
from bnpl_features.store.arrays import Records
from bnpl_features.store.keyspace import DIGEST_BYTES, FIELD_BYTES

CUSTOMERS_PER_RANGE = 250_000


@dataclass(frozen=True)
class SortedRows:
    """The customers of a range in the order of their digests, which is the order of their buckets.

    `pairs` has a row a customer: the bytes of the hash field, then those of the record.
    """

    digests: NDArray[np.uint64]
    pairs: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.digests)


@dataclass(frozen=True)
class Ranges:
    """How `buckets` are divided into `count` contiguous ranges; a range is staged, and retried, on its own."""

    buckets: int
    count: int

    @classmethod
    def for_customers(cls, customers: int, buckets: int) -> Ranges:
        return cls(buckets, max(1, min(buckets, -(-customers // CUSTOMERS_PER_RANGE))))

    def buckets_of(self, number: int) -> range:
        """The buckets of one range."""
        return range(-(-number * self.buckets // self.count), -(-(number + 1) * self.buckets // self.count))

    def of_digests(self, digests: NDArray[np.uint64]) -> NDArray[np.int64]:
        return (self.bucket_of_digests(digests) * self.count) // self.buckets

    def bucket_of_digests(self, digests: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The same as `keyspace.bucket_of`, for many: the digest's high 32 bits scaled to the number of buckets."""
        return (((digests >> np.uint64(32)) * np.uint64(self.buckets)) >> np.uint64(32)).astype(np.int64)


@dataclass
class Spool:
    """Files of rows (digest, record), one a bucket range, in `folder`."""

    folder: Path
    ranges: Ranges
    record_bytes: int
    customers: int = 0
    _files: dict[int, BinaryIO] = field(default_factory=dict)

    @property
    def row_type(self) -> np.dtype[np.void]:
        return np.dtype([("digest", ">u8"), ("record", "u1", (self.record_bytes,))])

    def add(self, digests: bytes, records: Records) -> None:
        """Append customers: their digests one after the other, and their records."""
        rows = np.empty(len(records), dtype=self.row_type)
        rows["digest"] = np.frombuffer(digests, dtype=">u8")
        rows["record"] = records
        owner = self.ranges.of_digests(rows["digest"].astype(np.uint64))
        order = np.argsort(owner, kind="stable")
        bounds = np.searchsorted(owner[order], np.arange(self.ranges.count + 1))
        for number in range(self.ranges.count):
            chosen = order[bounds[number] : bounds[number + 1]]
            if len(chosen):
                self._file(number).write(rows[chosen].tobytes())
        self.customers += len(records)

    def rows_of(self, number: int) -> SortedRows:
        """The rows of one range; raises `PublicationRefused` where two have one digest, or the folder is gone."""
        if not self.folder.exists():
            raise PublicationRefused(f"{self.folder} was removed: another part of this publication failed")
        path = self.folder / str(number)
        rows = np.fromfile(path, dtype=self.row_type) if path.exists() else np.empty(0, dtype=self.row_type)
        digests = rows["digest"].astype(np.uint64)
        order = np.argsort(digests)
        digests = digests[order]
        twice = int(np.count_nonzero(digests[1:] == digests[:-1]))
        if twice:
            raise PublicationRefused(
                f"{twice} records share their digest with another: a customer appears twice in the partition "
                "(see the uniqueness check), or two digests collide (then change the customer key)"
            )
        raw = rows.view(np.uint8).reshape(len(rows), self.row_type.itemsize)
        return SortedRows(digests, raw[order, DIGEST_BYTES - FIELD_BYTES :])

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _file(self, number: int) -> BinaryIO:
        if number not in self._files:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._files[number] = (self.folder / str(number)).open("wb", buffering=1 << 20)
        return self._files[number]
