"""Settings -> who may sign in, for how long, and how the cookie is signed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bnpl_features.console.access.attempts import Attempts
from bnpl_features.console.access.local_users import LocalUser, read_users
from bnpl_features.console.access.oidc import Provider
from bnpl_features.errors import SettingsError
from bnpl_features.sections import ConsoleSettings

LEAST_KEY_BYTES = 32
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Access:
    """`development_users` are those of this process alone; `provider` vouches for users of its own."""

    session_key: str = field(repr=False)
    session_seconds: float
    public_url: str
    users_file: Path | None = None
    provider: Provider | None = field(default=None, repr=False)
    development_users: Mapping[str, LocalUser] = field(default_factory=dict, repr=False)
    attempts: Attempts = field(default_factory=Attempts)

    @property
    def encrypted(self) -> bool:
        return self.public_url.startswith("https:")

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names under which the console answers, so that no other site's name can be pointed at it."""
        return (urlsplit(self.public_url).hostname or "localhost", "localhost", "127.0.0.1")

    def local_users(self) -> Mapping[str, LocalUser]:
        """As the file says now; raises `SettingsError`."""
        return self.development_users if self.users_file is None else read_users(self.users_file)


def access_of(settings: ConsoleSettings, development_users: Mapping[str, LocalUser] | None = None) -> Access:
    """Raises `SettingsError` where nobody could sign in, or where sessions would not be safe."""
    key = settings.session_key.decode()
    if key and len(key) < LEAST_KEY_BYTES:
        raise SettingsError(
            f"console.session_key has {len(key)} bytes; set BNPL_CONSOLE_SESSION_KEY to {LEAST_KEY_BYTES} random ones"
        )
    if not (settings.users_file or settings.oidc_issuer or development_users):
        raise SettingsError(
            "nobody could sign in to the console: set console.oidc_issuer, or console.users_file, or try it with "
            "`bnpl-features console --development` (docs/console.md)"
        )
    users_file = Path(settings.users_file).expanduser() if settings.users_file else None
    if users_file is not None:
        read_users(users_file)
    public_url = (settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
    if not public_url.startswith("https://") and urlsplit(public_url).hostname not in LOOPBACK:
        raise SettingsError(
            f"at {public_url} passwords and sessions could be read on the way; set console.public_url to the https "
            "address under which a proxy serves the console"
        )
    return Access(
        session_key=key or secrets.token_urlsafe(LEAST_KEY_BYTES),
        session_seconds=settings.session_hours * 3_600,
        public_url=public_url,
        users_file=users_file,
        provider=Provider(settings, public_url) if settings.oidc_issuer else None,
        development_users=development_users or {},
    )
