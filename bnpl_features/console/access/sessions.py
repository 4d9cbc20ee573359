"""Sessions in a signed cookie: who signed in and when. What is in it can be read by its owner, but not changed."""

from __future__ import annotations

import secrets
import time

from starlette.requests import Request

from bnpl_features.console.access.roles import User, role_named
from bnpl_features.errors import SettingsError

COOKIE = "bnpl_console"


def begin_session(request: Request, user: User, source: str) -> None:
    """Whatever the session held before is gone, its CSRF token too. `source` is `local` or `oidc`."""
    request.session.clear()
    request.session.update(
        user=user.name, role=user.role.word, source=source, since=int(time.time()), csrf=secrets.token_urlsafe(32)
    )


def end_session(request: Request) -> None:
    request.session.clear()


def session_user(request: Request) -> User | None:
    """Who is signed in. A local user has the role that the file gives now, so that a line removed ends the session."""
    session = request.session
    access = request.app.state.access
    if "user" not in session or time.time() - session.get("since", 0) > access.session_seconds:
        return None
    name = str(session["user"])
    if session.get("source") == "local":
        try:
            user = access.local_users().get(name)
        except SettingsError:
            return None
        return User(name, user.role) if user else None
    return User(name, role_named(str(session["role"]))) if access.provider else None
