"""The audit trail: looked through, and acts beside those that a change of the store records itself.

Of the latter kind are who signed in, and who looked at a customer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bnpl_features.store.connection import StoreClient, text
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.versions import AuditEntry, audit_entry

LONGEST_REASON = 500
_MOST_ACTS = 100_000
"""As the scripts trim the trail that they write to as well."""

_STEP = 1_000


@dataclass(frozen=True)
class ActFilter:
    """Empty, or 0, lets through whatever it is; `words` are part of the reason, in any case."""

    act: str = ""
    actor: str = ""
    version: int = 0
    words: str = ""

    def lets_through(self, entry: AuditEntry) -> bool:
        return (
            (not self.act or entry.act == self.act)
            and (not self.actor or entry.actor == self.actor)
            and (not self.version or entry.version == self.version)
            and self.words.lower() in entry.reason.lower()
        )


@dataclass(frozen=True)
class FoundActs:
    """Newest first; `older` is what `before` is given to go on, empty at the end of the trail."""

    entries: tuple[AuditEntry, ...]
    older: str


def record_act(
    client: StoreClient, keyspace: Keyspace, *, act: str, actor: str, reason: str, subject: str = "", version: int = 0
) -> None:
    """One more entry of the audit trail. `subject` is what was acted on: of a customer the digest, never the id."""
    entry = {
        "act": act,
        "version": version,
        "previous": subject,
        "actor": actor,
        "reason": reason[:LONGEST_REASON],
        "at": f"{time.time():.3f}",
    }
    client.xadd(keyspace.audit, entry, maxlen=_MOST_ACTS, approximate=True)  # type: ignore[arg-type]


def find_acts(
    client: StoreClient, keyspace: Keyspace, wanted: ActFilter = ActFilter(), *, before: str = "", count: int = 50
) -> FoundActs:
    """The newest `count` acts that the filter lets through, from those older than `before` on."""
    found: list[AuditEntry] = []
    step = count if wanted == ActFilter() else _STEP
    while True:
        read = client.xrevrange(keyspace.audit, max=f"({before}" if before else "+", count=step) or []
        for identity, fields in read:
            before = text(identity)
            entry = audit_entry(fields or {})
            if wanted.lets_through(entry):
                found.append(entry)
            if len(found) == count:
                return FoundActs(tuple(found), before)
        if len(read) < step:
            return FoundActs(tuple(found), "")
