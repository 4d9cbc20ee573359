"""The state of everything at a glance: served features, the store, the prediction service, drift, experiments, acts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bnpl_features.console.figures.drift import heat_map
from bnpl_features.console.figures.panel import Level, Panel, panel, worst
from bnpl_features.console.figures.serving import serving_now
from bnpl_features.console.figures.signals import Signal
from bnpl_features.console.figures.store_state import ServedSet, ServerMemory, served_sets, server_memory
from bnpl_features.console.parts import Parts
from bnpl_features.drift.findings import Severity
from bnpl_features.scoring.experiments.shelf import StoreShelf, read_definitions
from bnpl_features.store.versions import AuditEntry, audit_trail

T = TypeVar("T")
DRIFT_SECONDS = 60.0
_ACTS = 6


@dataclass(frozen=True)
class Overview:
    """`signals` are what is watched, `problems` what could not be looked at, by name."""

    at: float
    signals: tuple[Signal, ...]
    problems: dict[str, str]
    sets: tuple[ServedSet, ...]
    memory: tuple[ServerMemory, ...]
    acts: tuple[AuditEntry, ...]

    @property
    def level(self) -> Level:
        return worst([one.level for one in self.signals] + [Level.FAIL] * bool(self.problems))


def overview(parts: Parts, wait: bool = False) -> Overview:
    """Never raises; what the warehouse knows is what is at hand, unless it should `wait` for that."""
    sets, memory = panel(lambda: served_sets(parts)), panel(lambda: server_memory(parts))
    drift = parts.remembered.look("drift", lambda: _drift(parts), DRIFT_SECONDS, wait=wait)
    experiment, acts = panel(lambda: _experiment(parts)), panel(lambda: _newest_acts(parts))
    readings = parts.sampler.readings()
    looked: dict[str, Panel[tuple[Signal, ...]]] = {
        "features": _from(sets, lambda found: tuple(map(_fresh, found)) or (_NOTHING_SERVED,)),
        "store": _from(memory, lambda found: tuple(map(_room, found))),
        "prediction service": Panel(_service(parts), readings.problem),
        "drift": Panel((_LOOKING,)) if drift is None else drift,
        "experiments": experiment,
    }
    return Overview(
        time.time(),
        tuple(signal for one in looked.values() for signal in one.value or ()),
        _told_once({name: one.problem for name, one in looked.items() if one.problem}),
        sets.value or (),
        memory.value or (),
        acts.value or (),
    )


_NOTHING_SERVED = Signal(
    "Features",
    "none",
    "nothing is published yet",
    Level.IDLE,
    "/versions",
    "Compute and publish a day: bnpl-features run",
)
_LOOKING = Signal("Drift", "…", "being looked up", Level.IDLE, "/drift")


def _from(found: Panel[T], signals: Callable[[T], tuple[Signal, ...]]) -> Panel[tuple[Signal, ...]]:
    return Panel(None, found.problem) if found.value is None else Panel(signals(found.value))


def _told_once(problems: dict[str, str]) -> dict[str, str]:
    """A store that is down is a problem of many; it is told under the first name."""
    first = {text: name for name, text in reversed(problems.items())}
    return {name: text for name, text in problems.items() if first[text] == name}


def _fresh(one: ServedSet) -> Signal:
    hours = "" if one.age_hours is None else f"{one.age_hours:.0f} h after its end"
    advice = {
        Level.WARN: "Readers take it for stale. See why later days were not published: docs/runbooks/features-old.md",
        Level.FAIL: "Its manifest cannot be read. Roll back to another version.",
    }
    value = str(one.partition_date or "unreadable")
    return Signal(one.feature_set, value, hours, one.level, f"/versions/{one.version}", advice.get(one.level, ""))


def _room(one: ServerMemory) -> Signal:
    used = f"{one.used_bytes / 2**20:,.0f} MiB"
    value = used if one.used_share is None else f"{one.used_share:.0%}"
    note = "used, no limit" if one.limit_bytes is None else f"{used} of {one.limit_bytes / 2**20:,.0f} MiB"
    advice = "Retire a version or raise maxmemory: docs/runbooks/store-memory.md" if one.level is Level.WARN else ""
    return Signal("Store memory", value, note, one.level, "/versions", advice)


def _service(parts: Parts) -> tuple[Signal, ...]:
    now = serving_now(parts.sampler.readings().value or ())
    if now is None:
        return ()
    p99 = "–" if now.p99_seconds is None else f"{now.p99_seconds * 1e3:.1f} ms"
    found = "–" if now.hit_share is None else f"{now.hit_share:.1%}"
    budget = "–" if now.budget_used is None else f"{now.budget_used:.1f} ×"
    rate = f"{now.predictions_per_second:,.1f} /s"
    watched = (
        ("Predictions", rate, "of the last minutes", Level.OK, ""),
        ("Latency p99", p99, "of a prediction", now.latency_level, "predictions-slow"),
        ("Error budget", budget, "the failures that are allowed", now.budget_level, "error-budget"),
        ("Customers found", found, "of those looked up", now.hit_level, "hit-share"),
    )
    return tuple(
        Signal(name, value, note, level, "/serving", _unless_fine(level, runbook))
        for name, value, note, level, runbook in watched
    )


def _unless_fine(level: Level, runbook: str) -> str:
    return f"docs/runbooks/{runbook}.md" if level in (Level.WARN, Level.FAIL) else ""


def _drift(parts: Parts) -> tuple[Signal, ...]:
    """Raises what the warehouse raises."""
    found = heat_map(parts.warehouse(), days=1)
    if not found.days:
        return (Signal("Drift", "–", "no day was examined yet", Level.IDLE, "/drift"),)
    moved = found.moved
    has_error = any(cell.verdict is Severity.ERROR for row in moved for cell in row.cells if cell)
    level = Level.FAIL if has_error else Level.WARN if moved else Level.OK
    value = f"{len(moved)} moved" if moved else "stable"
    return (Signal("Drift", value, f"on {found.days[-1]}", level, "/drift", _unless_fine(level, "drift-unresolved")),)


def _experiment(parts: Parts) -> tuple[Signal, ...]:
    """The one that runs, where experiments are kept in the store."""
    if parts.settings.scoring.experiments_file:
        return ()
    with parts.target() as target:
        running = read_definitions(StoreShelf(target.client, target.keyspace)).running
    if running is None:
        return ()
    return (Signal("Experiment", running.name, f"{len(running.shares)} arms", Level.OK, "/experiments"),)


def _newest_acts(parts: Parts) -> tuple[AuditEntry, ...]:
    with parts.target() as target:
        return tuple(audit_trail(target.client, target.keyspace, _ACTS))
