"""The three roles, each of which may all that the one before it may."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from bnpl_features.errors import SettingsError


class Role(IntEnum):
    VIEWER = 1
    """Looks at everything that is not about a single person."""

    OPERATOR = 2
    """Also looks customers up, switches versions, steers experiments."""

    ADMIN = 3
    """Also does what cannot be undone: retires versions, erases customers, promotes models."""

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class User:
    """Who is signed in; `name` is what the audit trail says."""

    name: str
    role: Role


def role_named(word: str) -> Role:
    """Raises `SettingsError` where there is no such role."""
    try:
        return Role[word.upper()]
    except KeyError:
        raise SettingsError(f"{word!r} is no role; choose viewer, operator or admin") from None
