"""The audit trail, looked through: who did what, and why."""

from __future__ import annotations

from dataclasses import dataclass

from bnpl_features.console.parts import Parts
from bnpl_features.store.audit import ActFilter, find_acts
from bnpl_features.store.versions import AuditEntry


@dataclass(frozen=True)
class AuditFigures:
    """The newest acts that the filter lets through; `older` is where the next ones begin, empty where none do.

    `acts` of a kind and `actors` are those among the acts that were looked at, to choose from.
    """

    entries: tuple[AuditEntry, ...]
    older: str
    kinds: tuple[str, ...]
    actors: tuple[str, ...]


def audit_figures(parts: Parts, wanted: ActFilter, before: str = "", count: int = 50) -> AuditFigures:
    """Raises `StoreUnavailable`."""
    with parts.target() as target:
        found = find_acts(target.client, target.keyspace, wanted, before=before, count=count)
        seen = found.entries if wanted == ActFilter() else find_acts(target.client, target.keyspace, count=500).entries
    kinds = {one.act for one in (*seen, *found.entries)}
    actors = {one.actor for one in (*seen, *found.entries)}
    return AuditFigures(found.entries, found.older, tuple(sorted(kinds)), tuple(sorted(actors)))
