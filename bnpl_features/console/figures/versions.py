"""Every version there is a trace of: those in the store, and those that are gone but whose acts and manifest remain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from bnpl_features.console.figures.panel import Level
from bnpl_features.console.parts import Parts
from bnpl_features.errors import LayoutMismatch, VersionMissing
from bnpl_features.store.manifest import Manifest
from bnpl_features.store.target import Target
from bnpl_features.store.versions import AuditEntry, State, audit_trail, list_versions

GONE = "gone"
_TRAIL = 2_000
"""Acts looked at for versions that are gone; a publication a day makes some four a day."""

_LEVELS = {State.ACTIVE: Level.OK, State.FAILED: Level.FAIL, State.STAGING: Level.WARN, State.RETIRING: Level.WARN}
_PASSED = "passed"


@dataclass(frozen=True)
class VersionFigures:
    """A version as operators see it. `since` is when it came into its state, seconds since the epoch; `checks` are
    those that it was let through by, name -> outcome; `overrides` reasons given against one; `manifest` is None while
    it is staged, and where it is unreadable or no longer kept.
    """

    number: int
    feature_set: str
    state: str
    since: float
    partition_date: date | None = None
    customers: int = 0
    created_at: str = ""
    actor: str = ""
    run_id: str = ""
    code_version: str = ""
    checks: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)
    manifest: Manifest | None = field(default=None, repr=False)

    @property
    def level(self) -> Level:
        return _LEVELS.get(State(self.state), Level.IDLE) if self.state != GONE else Level.IDLE

    @property
    def may_be_activated(self) -> bool:
        return self.state in (State.VERIFIED, State.RETAINED)

    @property
    def may_be_retired(self) -> bool:
        return self.state not in (State.ACTIVE, GONE)

    @property
    def not_passed(self) -> tuple[str, ...]:
        """Checks whose outcome is anything else than passed."""
        return tuple(name for name, outcome in self.checks.items() if outcome != _PASSED)


@dataclass(frozen=True)
class VersionStory:
    """One version with all that was done to it, newest first."""

    version: VersionFigures
    acts: tuple[AuditEntry, ...]


def version_timeline(parts: Parts) -> tuple[VersionFigures, ...]:
    """Newest first; raises `StoreUnavailable`."""
    with parts.target() as target:
        return _timeline(target, audit_trail(target.client, target.keyspace, _TRAIL))


def version_story(parts: Parts, number: int) -> VersionStory:
    """Raises `VersionMissing` where there is no trace of it, or `StoreUnavailable`."""
    with parts.target() as target:
        trail = audit_trail(target.client, target.keyspace, _TRAIL)
        found = next((one for one in _timeline(target, trail) if one.number == number), None)
    if found is None:
        raise VersionMissing(f"there is no version {number}; `bnpl-features versions` lists what there is")
    return VersionStory(found, tuple(one for one in trail if one.version == number))


def _timeline(target: Target, trail: Iterable[AuditEntry]) -> tuple[VersionFigures, ...]:
    known = list_versions(target.client, target.keyspace)
    last_act = {one.version: one for one in reversed(list(trail)) if one.version}
    gone = sorted(set(last_act) - {one.number for one in known}, reverse=True)
    texts = target.client.mget([target.keyspace.manifest(number) for number in gone]) if gone else []
    found = [_figures(one.number, one.feature_set, one.state, one.since, one.manifest) for one in known]
    for number, text in zip(gone, texts, strict=True):
        manifest = _readable(text)
        feature_set = manifest.layout.feature_set if manifest else ""
        found.append(_figures(number, feature_set, GONE, last_act[number].at, manifest))
    return tuple(sorted(found, key=lambda one: -one.number))


def _figures(number: int, feature_set: str, state: str, since: float, manifest: Manifest | None) -> VersionFigures:
    if manifest is None:
        return VersionFigures(number, feature_set, str(state), since)
    by = manifest.provenance
    return VersionFigures(
        number,
        feature_set,
        str(state),
        since,
        manifest.partition_date,
        manifest.customers - manifest.erased,
        manifest.created_at,
        by.actor,
        by.run_id,
        by.code_version,
        by.checks,
        by.overrides,
        manifest,
    )


def _readable(text: bytes | str | None) -> Manifest | None:
    try:
        return Manifest.from_json(text) if text else None
    except LayoutMismatch:
        return None
