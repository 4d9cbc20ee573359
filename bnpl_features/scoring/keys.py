"""API keys: who may ask. The file holds digests, one line a key; a key itself is shown once, when it is made.

    # name  SHA-256 of the key, in hexadecimal
    checkout-web 5e88...

A key has 256 random bits, so a fast digest is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from bnpl_features.errors import SettingsError

_LINE = re.compile(r"([A-Za-z0-9._-]{1,64})\s+([0-9a-f]{64})")
_PREFIX = "bnpl_"

Keys = Mapping[str, str]
"""Digest -> name."""


def new_key(name: str) -> tuple[str, str]:
    """A key, and its line for the file."""
    key = _PREFIX + secrets.token_urlsafe(32)
    line = f"{name} {digest_of(key)}"
    if not _LINE.fullmatch(line):
        raise SettingsError(f"{name!r} is no name of a key; use letters, digits, dots, - and _, at most 64")
    return key, line


def name_of(keys: Keys, authorization: str) -> str | None:
    """Whose the header `Bearer KEY` is; None where nobody's. The comparison is of digests, whose timing tells
    nothing."""
    scheme, _, key = authorization.partition(" ")
    return keys.get(digest_of(key)) if scheme.lower() == "bearer" else None


def digest_of(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def read_keys(path: Path) -> dict[str, str]:
    """The file's keys; raises `SettingsError` naming the line that is wrong, never showing it."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the file of API keys {path} cannot be read ({error}); correct scoring.keys_file, or make it with "
            "`bnpl-features api-key NAME`"
        ) from error
    keys = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise SettingsError(
                f"line {number} of {path} is no API key; write a name and 64 hexadecimal digits, as "
                "`bnpl-features api-key NAME` prints them"
            )
        keys[found[2]] = found[1]
    if not keys:
        raise SettingsError(f"{path} holds no API key; add one with `bnpl-features api-key NAME`")
    return keys


def watch_keys(path: Path) -> Callable[[], dict[str, str] | None]:
    """A function that returns the keys when the file is not what it was when called last, otherwise None."""
    seen: list[tuple[int, int, int]] = [(0, 0, 0)]

    def look() -> dict[str, str] | None:
        stamp = _stamp(path)
        if stamp == seen[0]:
            return None
        keys = read_keys(path)
        seen[0] = stamp
        return keys

    return look


def _stamp(path: Path) -> tuple[int, int, int]:
    """What a file that was replaced or written to differs in; zeros where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return -1, 0, 0
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
