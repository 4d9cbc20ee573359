"""Commands of the web console."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from bnpl_features.cli.output import console, named_exit
from bnpl_features.connect.extras import extra
from bnpl_features.errors import SettingsError
from bnpl_features.settings import load_settings

_ROLES = ("viewer", "operator", "admin")


@click.command(name="console")
@click.option("--host", help="Address to listen on (default: console.host).")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port to listen on (default: console.port).")
@click.option("--development", is_flag=True, help="Let viewer, operator and admin in, with a password that is shown.")
def console_command(host: str | None, port: int | None, development: bool) -> None:
    """Serve the web console until told to stop (SIGTERM, Ctrl-C).

    Who may sign in is configured (docs/console.md). With --development, which listens on this machine only, three
    local users may, with a password that is made anew each time.

    Example: bnpl-features console --development
    """
    given = {"BNPL_CONSOLE_HOST": host or "", "BNPL_CONSOLE_PORT": str(port or "")}
    with named_exit():
        settings = load_settings(overrides={name: value for name, value in given.items() if value})
        with extra("console"):
            from bnpl_features.console.access.configured import LOOPBACK, access_of
            from bnpl_features.console.access.local_users import LocalUser, read_line, user_line
            from bnpl_features.console.access.roles import role_named
            from bnpl_features.console.app import create_app
            from bnpl_features.console.parts import open_parts
            from bnpl_features.console.serving import serve

        if development and settings.console.host not in LOOPBACK:
            raise SettingsError("--development lets everybody in who sees the password; use it with --host 127.0.0.1")
        users: dict[str, LocalUser] = {}
        if development:
            password = secrets.token_urlsafe(12)
            users = {name: read_line(user_line(name, role_named(name), password)) for name in _ROLES}
        access = access_of(settings.console, users)
        with open_parts(settings, watch=True) as parts:
            console.print(f"console at {access.public_url} (Ctrl-C stops it)", highlight=False)
            if development:
                console.print(f"sign in as {', '.join(users)} with the password {password}", highlight=False)
            serve(create_app(parts, access), settings.console.host, settings.console.port)


@click.command(name="console-user")
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), default="viewer", show_default=True, help="What the user may do.")
@click.option("--file", "path", type=click.Path(path_type=Path), help="Add the user's line to this file.")
@click.password_option(help="Asked for where it is not given.")
def console_user(name: str, role: str, path: Path | None, password: str) -> None:
    """Make a local user of the console; the file keeps a hash of the password.

    A running console sees the file's changes at once: a line removed ends the user's session.

    Example: bnpl-features console-user ana --role operator --file console-users
    """
    with named_exit():
        with extra("console"):
            from bnpl_features.console.access.local_users import user_line
            from bnpl_features.console.access.roles import role_named

        line = user_line(name, role_named(role), password)
    if path is None:
        console.print(line, highlight=False, soft_wrap=True)
        return
    path.touch(mode=0o600)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    console.print(f"{name} may sign in as {role}", highlight=False)
