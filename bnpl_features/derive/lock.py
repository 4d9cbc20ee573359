"""The declarations beside `features.lock.toml`, which records what each feature and set meant when it was released.

Compatible: a new feature, a new set, a feature added at a set's end, a date of deprecation. Refused: a feature that
means something else under the same name; a set that loses, reorders or redefines features; a set that vanishes before
the day on which it was said to.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

from bnpl_features.derive.meaning import SQL, Parts, defaults_digest, feature_parts, set_fingerprint
from bnpl_features.errors import DeclarationsChanged
from bnpl_features.features.catalog import GROUPS, SETS, FeatureSet
from bnpl_features.features.feature import FeatureGroup

LOCK_FILE = "features.lock.toml"

_HEAD = """# What every feature and feature set means, as released. Written by `bnpl-features sets lock`, which
# explains what changed; not to be edited. `sql` is a digest of all SQL that a value comes of.
"""


_NEW_VERSION = "models were trained on {name} as it was; declare a new version of the set instead"


@dataclass(frozen=True)
class LockedSet:
    """A set as recorded: its features in order; `deprecated_on` as an ISO date, or empty; a digest of its segments'
    `defaults`, or empty."""

    fingerprint: str
    deprecated_on: str
    defaults: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class Accepted:
    """SQL that was reworded without another meaning, as somebody vouched."""

    feature: str
    on: str
    reason: str


@dataclass(frozen=True)
class Lock:
    """What is recorded, or what is declared: both have this form."""

    features: Mapping[str, Parts]
    sets: Mapping[str, LockedSet]
    accepted: tuple[Accepted, ...] = ()

    def to_toml(self) -> str:
        """One line a feature, so that a change is a line of the diff."""
        lines = [_HEAD, "[features]"]
        lines += [f"{name} = {{{_inline(parts)}}}" for name, parts in self.features.items()]
        for name, one in self.sets.items():
            lines += [f"\n[sets.{_quoted(name)}]", f"fingerprint = {_quoted(one.fingerprint)}"]
            lines += [f"deprecated_on = {_quoted(one.deprecated_on)}", f"defaults = {_quoted(one.defaults)}"]
            lines += ["features = ["]
            lines += [f"  {_quoted(feature)}," for feature in one.features] + ["]"]
        for act in self.accepted:
            lines += ["\n[[accepted]]", *(f"{key} = {_quoted(value)}" for key, value in vars(act).items())]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str) -> Lock:
        """Raises `DeclarationsChanged` where the text is not a lock file."""
        try:
            value: dict[str, Any] = tomllib.loads(text)
            sets = {
                name: LockedSet(one["fingerprint"], one["deprecated_on"], one["defaults"], tuple(one["features"]))
                for name, one in value["sets"].items()
            }
            return cls(value["features"], sets, tuple(Accepted(**one) for one in value.get("accepted", ())))
        except (KeyError, TypeError, tomllib.TOMLDecodeError) as error:
            raise DeclarationsChanged(
                f"{LOCK_FILE} cannot be read ({type(error).__name__}: {error}); restore it from version control"
            ) from error


@dataclass(frozen=True)
class Change:
    """One difference. `why_refused` says why it may not be, and the mend; empty where it is compatible."""

    subject: str
    says: str
    why_refused: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.says}" + (f": {self.why_refused}" if self.why_refused else "")


@dataclass(frozen=True)
class Differences:
    """All differences between what is recorded and what is declared."""

    changes: tuple[Change, ...] = field(default=())

    @property
    def refused(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.why_refused)

    @property
    def text(self) -> str:
        """What is wrong and what to do about it, in a few sentences; empty where nothing is."""
        if self.refused:
            return "; ".join(map(str, self.refused))
        listed = "; ".join(map(str, self.changes))
        return f"{listed}; record it with `bnpl-features sets lock`" if listed else ""


def lock_path() -> Path:
    """Where the lock file is: beside the declarations, so that it is part of a release."""
    return Path(str(resources.files("bnpl_features.features").joinpath(LOCK_FILE)))


def recorded(path: Path | None = None) -> Lock:
    """What the lock file says; nothing where there is none yet."""
    file = path or lock_path()
    return Lock.from_toml(file.read_text(encoding="utf-8")) if file.exists() else Lock({}, {})


def declared(groups: Sequence[FeatureGroup] = GROUPS, sets: Sequence[FeatureSet] = SETS) -> Lock:
    """What the declarations say."""
    return Lock(
        {feature.name: feature_parts(feature, group) for group in groups for feature in group.features},
        {
            one.name: LockedSet(
                set_fingerprint(one),
                one.deprecated_on.isoformat() if one.deprecated_on else "",
                defaults_digest(one),
                tuple(feature.name for feature in one.features),
            )
            for one in sets
        },
    )


def compare(before: Lock, now: Lock, today: date, *, same_meaning: Collection[str] = ()) -> Differences:
    """What changed. Of the features in `same_meaning` a reworded SQL is accepted, and nothing else."""
    return Differences((*_features(before, now, set(same_meaning)), *_sets(before, now, today)))


def _features(before: Lock, now: Lock, same_meaning: set[str]) -> Iterator[Change]:
    for name, parts in before.features.items():
        if name not in now.features:
            served_by = [one for one, locked in before.sets.items() if one in now.sets and name in locked.features]
            why = f"{' and '.join(served_by)} serve it; declare it again, or withdraw those sets first"
            yield Change(name, "is declared no more", why if served_by else "")
            continue
        changed = [part for part in {**parts, **now.features[name]} if parts.get(part) != now.features[name].get(part)]
        if not changed:
            continue
        says = ", ".join(f"{part} was {parts.get(part)}, is {now.features[name].get(part)}" for part in changed)
        if changed == [SQL] and name in same_meaning:
            yield Change(name, f"{says}; the meaning is the same, as was vouched")
            continue
        mend = "it would mean something else to whoever reads it by this name; give it a new name, in a new set version"
        hint = ", or vouch with --same-meaning that the SQL is only worded otherwise" if changed == [SQL] else ""
        yield Change(name, says, mend + hint)
    for name in now.features:
        if name not in before.features:
            yield Change(name, "is new")


def _sets(before: Lock, now: Lock, today: date) -> Iterator[Change]:
    for name, locked in before.sets.items():
        found = now.sets.get(name)
        if found is None:
            is_due = bool(locked.deprecated_on) and date.fromisoformat(locked.deprecated_on) < today
            until = f"it is promised until {locked.deprecated_on}" if locked.deprecated_on else "it is not deprecated"
            why = f"{until}; declare it again with a deprecated_on date, and remove it after that day"
            yield Change(name, "is declared no more", "" if is_due else why)
            continue
        yield from _selection(name, locked.features, found.features)
        if locked.defaults != found.defaults:
            yield Change(name, "serves other values for missing ones", _NEW_VERSION.format(name=name))
        if locked.deprecated_on != found.deprecated_on:
            yield Change(
                name, f"is deprecated on {found.deprecated_on}" if found.deprecated_on else "is kept after all"
            )
    for name, found in now.sets.items():
        if name not in before.sets:
            yield Change(name, f"is new, with {len(found.features)} features")


def _selection(name: str, before: tuple[str, ...], now: tuple[str, ...]) -> Iterator[Change]:
    new_version = _NEW_VERSION.format(name=name)
    lost = [feature for feature in before if feature not in now]
    if lost:
        yield Change(name, f"loses {', '.join(lost)}", new_version)
    elif now[: len(before)] != before:
        yield Change(name, "has its features in another order, or new ones before old ones", new_version)
    elif len(now) > len(before):
        yield Change(name, f"gains {', '.join(now[len(before) :])} at its end")


def _inline(parts: Parts) -> str:
    return ", ".join(f"{key} = {_quoted(value)}" for key, value in parts.items())


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's is one."""
    return json.dumps(text, ensure_ascii=False)
