"""Local users: names, roles and hashed passwords in a file, for development and for small installations.

    # name  role  scrypt of the password
    ana operator scrypt$c2FsdA==$aGFzaA==

The cost of a hash is OWASP's least for scrypt (N=2^15, r=8, p=3): about a tenth of a second.
Source: OWASP Password Storage Cheat Sheet, 2024.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bnpl_features.console.access.roles import Role, User, role_named
from bnpl_features.errors import SettingsError

LEAST_PASSWORD_CHARACTERS = 12
_LINE = re.compile(r"([A-Za-z0-9._@-]{1,64})\s+(viewer|operator|admin)\s+(scrypt\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+)")
_COST, _BLOCK, _PARALLEL = 2**15, 8, 3
_MOST_BYTES = 128 * _COST * _BLOCK + 2**20


@dataclass(frozen=True)
class LocalUser:
    name: str
    role: Role
    password_hash: str


def user_line(name: str, role: Role, password: str) -> str:
    """The file's line for a user; raises `SettingsError` for a name or password that cannot be used."""
    if len(password) < LEAST_PASSWORD_CHARACTERS:
        raise SettingsError(f"the password is too short; use at least {LEAST_PASSWORD_CHARACTERS} characters")
    line = f"{name} {role.word} {_hashed(password, secrets.token_bytes(16))}"
    if not _LINE.fullmatch(line):
        raise SettingsError(f"{name!r} is no name of a user; use letters, digits, dots, @, - and _, at most 64")
    return line


def read_users(path: Path) -> dict[str, LocalUser]:
    """Raises `SettingsError` naming the line that is wrong, never showing it."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the file of users {path} cannot be read ({error}); correct console.users_file, or make it with "
            "`bnpl-features console-user NAME`"
        ) from error
    users = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            user = read_line(line)
        except ValueError:
            raise SettingsError(
                f"line {number} of {path} is no user; write it with `bnpl-features console-user NAME --file {path}`"
            ) from None
        users[user.name] = user
    return users


def read_line(line: str) -> LocalUser:
    """Raises ValueError."""
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise ValueError("not a name, a role and a hash")
    return LocalUser(found[1], role_named(found[2]), found[3])


def signed_in(users: Mapping[str, LocalUser], name: str, password: str) -> User | None:
    """The user of that name and password. An unknown name takes as long as a wrong password."""
    user = users.get(name)
    salt = base64.b64decode(user.password_hash.split("$")[1]) if user else b"nobody"
    given = _hashed(password, salt)
    return User(user.name, user.role) if user and hmac.compare_digest(given, user.password_hash) else None


def _hashed(password: str, salt: bytes) -> str:
    given = password.encode(errors="surrogatepass")
    hashed = hashlib.scrypt(given, salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL, maxmem=_MOST_BYTES)
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(hashed).decode()}"
