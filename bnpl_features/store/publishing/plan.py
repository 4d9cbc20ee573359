"""A version that is being published, as all of its workers know it: a folder that they share.

    plan.json       what is being published, and how it is divided
    rows/N          the customers of bucket range N, (digest, record) each
    filled.json     what came out of the warehouse
    placed/N.json   what range N came to in the store

The folder holds digests and records, and of a sample the customer ids: whoever opens a publication removes it in the
end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from bnpl_features.derive.layout import Layout
from bnpl_features.errors import PublicationRefused
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publishing.spool import Ranges, Spool


@dataclass(frozen=True)
class Plan:
    """`expected` is the version that was active when the publication began, `lease` the publisher's token,
    `primaries` the servers that took writes then, `customers` how many the warehouse counted, `began_at` seconds since
    the epoch, `removed` the versions that were swept, and `traceparent` the span that began it."""

    version: int
    expected: int | None
    partition: date
    customers: int
    layout: Layout
    ranges: Ranges
    lease: str
    primaries: frozenset[str]
    provenance: Provenance
    began_at: float
    removed: tuple[int, ...]
    folder: Path
    traceparent: str = ""
    deprecated_on: date | None = None

    def save(self) -> None:
        value = {
            "version": self.version,
            "expected": self.expected,
            "partition": self.partition.isoformat(),
            "customers": self.customers,
            "layout": self.layout.to_json(),
            "ranges": asdict(self.ranges),
            "lease": self.lease,
            "primaries": sorted(self.primaries),
            "provenance": asdict(self.provenance),
            "began_at": self.began_at,
            "removed": self.removed,
            "traceparent": self.traceparent,
            "deprecated_on": self.deprecated_on.isoformat() if self.deprecated_on else None,
        }
        _write(self.folder / "plan.json", value)

    @classmethod
    def load(cls, folder: Path) -> Plan:
        """Raises `PublicationRefused` where the folder holds no plan."""
        value = _read(folder / "plan.json")
        return cls(
            version=value["version"],
            expected=value["expected"],
            partition=date.fromisoformat(value["partition"]),
            customers=value["customers"],
            layout=Layout.from_json(value["layout"]),
            ranges=Ranges(**value["ranges"]),
            lease=value["lease"],
            primaries=frozenset(value["primaries"]),
            provenance=Provenance(**value["provenance"]),
            began_at=value["began_at"],
            removed=tuple(value["removed"]),
            folder=folder,
            traceparent=value.get("traceparent", ""),
            deprecated_on=date.fromisoformat(value["deprecated_on"]) if value["deprecated_on"] else None,
        )

    @property
    def spool(self) -> Spool:
        return Spool(self.folder / "rows", self.ranges, self.layout.width_bytes)


@dataclass(frozen=True)
class Filled:
    """What the warehouse handed over: how many customers, values that did not fit by feature, and a sample of them."""

    customers: int
    saturated: Mapping[str, int]
    sample: Mapping[str, Mapping[str, float]]
    seconds: float

    def save(self, plan: Plan) -> None:
        _write(plan.folder / "filled.json", asdict(self))

    @classmethod
    def load(cls, plan: Plan) -> Filled:
        return cls(**_read(plan.folder / "filled.json"))


@dataclass(frozen=True)
class PlacedRange:
    """What one range came to; `checksum` is the CRC-32 of its (field, record) pairs in order of digest.

    `empty` are the buckets of the range that hold nobody, `fullest` is the key of the one that holds most.
    """

    number: int
    customers: int
    checksum: str
    fullest: str
    empty: tuple[int, ...]
    began_at: float
    ended_at: float

    def save(self, plan: Plan) -> None:
        _write(plan.folder / "placed" / f"{self.number}.json", asdict(self))

    @classmethod
    def load(cls, plan: Plan, number: int) -> PlacedRange:
        value = _read(plan.folder / "placed" / f"{number}.json")
        return cls(**value | {"empty": tuple(value["empty"])})


def _write(path: Path, value: Any) -> None:
    """Whole or not at all: a worker that dies leaves no half of a file, and one that is late no folder."""
    unfinished = path.with_suffix(".part")
    try:
        path.parent.mkdir(exist_ok=True)
        unfinished.write_text(json.dumps(value))
        unfinished.replace(path)
    except FileNotFoundError as error:
        raise PublicationRefused(f"{path.parent} was removed: another part of this publication failed") from error


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise PublicationRefused(
            f"{path} is missing: the workers of a publication share one folder; set BNPL_PUBLISH_FOLDER to one that "
            "all of them see, and publish again"
        ) from error
