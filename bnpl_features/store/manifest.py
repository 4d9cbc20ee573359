"""The manifest of a version: written once, never changed; all that a reader or an auditor needs to know of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from bnpl_features.derive.layout import Layout
from bnpl_features.errors import LayoutMismatch

FORMAT = 1


@dataclass(frozen=True)
class Provenance:
    """Who published a version, from what, and why it was allowed."""

    run_id: str = ""
    code_version: str = ""
    actor: str = ""
    checks: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """`checksum` is over all records in the order of buckets and fields; `saturated` counts values by feature.

    `customers` are those of the partition, `erased` those among them that were erased and are not stored.
    `expires_at` is seconds since the epoch; None: the version has no expiry. `deprecated_on` is the day after which
    nobody should read the layout's feature set any more.
    """

    version: int
    partition_date: date
    layout: Layout
    buckets: int
    customers: int
    checksum: str
    key_check: str
    created_at: str
    saturated: Mapping[str, int] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
    erased: int = 0
    expires_at: float | None = None
    deprecated_on: date | None = None

    def to_json(self) -> str:
        value = {
            "format": FORMAT,
            "version": self.version,
            "partition_date": self.partition_date.isoformat(),
            "layout": self.layout.to_json(),
            "buckets": self.buckets,
            "customers": self.customers,
            "checksum": self.checksum,
            "key_check": self.key_check,
            "created_at": self.created_at,
            "saturated": dict(self.saturated),
            "provenance": asdict(self.provenance),
            "erased": self.erased,
            "expires_at": self.expires_at,
            "deprecated_on": self.deprecated_on.isoformat() if self.deprecated_on else None,
        }
        return json.dumps(value, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Raises `LayoutMismatch` where the text is not a manifest that this release can read."""
        try:
            value: dict[str, Any] = json.loads(text)
            if value["format"] != FORMAT:
                raise ValueError(f"format {value['format']}, this release reads {FORMAT}")
            return cls(
                version=int(value["version"]),
                partition_date=date.fromisoformat(value["partition_date"]),
                layout=Layout.from_json(value["layout"]),
                buckets=int(value["buckets"]),
                customers=int(value["customers"]),
                checksum=value["checksum"],
                key_check=value["key_check"],
                created_at=value["created_at"],
                saturated=value["saturated"],
                provenance=Provenance(**value["provenance"]),
                erased=int(value.get("erased", 0)),
                expires_at=value.get("expires_at"),
                deprecated_on=date.fromisoformat(value["deprecated_on"]) if value.get("deprecated_on") else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise LayoutMismatch(
                f"a manifest cannot be read ({error}); it was written by another release or is damaged: "
                "upgrade this reader, or roll back to another version"
            ) from error
