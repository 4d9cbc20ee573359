"""The command that writes the store's users as the server's ACL file."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import click

from bnpl_features.cli.output import named_exit
from bnpl_features.cli.page_section import renew_section
from bnpl_features.errors import InputError
from bnpl_features.settings import load_settings
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.users import USERS, acl_file, users_section

_ADMINISTRATOR = "administrator"
_BEGIN, _END = "<!-- store users: written by `make docs` -->", "<!-- end of store users -->"


@click.command(name="store-users")
@click.option(
    "--passwords",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder with a file for each user, named like the user: a password a line, all of which are valid.",
)
@click.option("--make", is_flag=True, help="Make a password, and its file, for users that have none.")
@click.option(
    "--write-reference",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Renew the section of users on this page.",
)
def store_users(passwords: Path | None, make: bool, write_reference: Path | None) -> None:
    """Print the store's users as an ACL file: who may run which commands on which keys of the namespace.

    It holds digests of the passwords. The file `administrator` is for the server's default user, which is off without
    it. To change a password, add a line, load the file, give the new one to its user, and remove the old line.

    Example: bnpl-features store-users --passwords secrets/store --make > users.acl
    """
    if write_reference:
        with named_exit():
            renew_section(write_reference, _BEGIN, _END, users_section())
        return
    with named_exit():
        if passwords is None:
            raise InputError("name the folder of passwords: --passwords FOLDER, with --make to begin with")
        names = [user.name for user in USERS]
        if make:
            _make(passwords, [*names, _ADMINISTRATOR])
        found = {name: _passwords(passwords / name) for name in [*names, _ADMINISTRATOR]}
        if not any(found[name] for name in names):
            raise InputError(f"{passwords} holds no file named like a user ({', '.join(names)}); --make makes them")
        namespace = load_settings().store.namespace
        sys.stdout.write(acl_file(Keyspace(namespace), found, found[_ADMINISTRATOR]))


def _make(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if not (folder / name).exists():
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(secrets.token_urlsafe(32) + "\n")


def _passwords(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({type(error).__name__}); correct its permissions") from error
