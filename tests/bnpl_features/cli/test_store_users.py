"""`bnpl-features store-users`: passwords are made, and the ACL file printed."""

from __future__ import annotations

import stat
from pathlib import Path

from bnpl_features.store.users import USERS
from tests.bnpl_features.cli.conftest import CommandLine


def test_passwords_are_made_once_and_for_their_owner_only(cli: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"

    first = cli.done("store-users", "--passwords", str(folder), "--make")
    again = cli.done("store-users", "--passwords", str(folder), "--make")

    names = {file.name for file in folder.iterdir()}
    assert again == first
    assert names == {user.name for user in USERS} | {"administrator"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert not [file for file in folder.iterdir() if file.read_text().strip() in first]
    assert first.startswith("user default on #")


def test_every_line_of_a_users_file_is_a_password(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "reader").write_text("old\nnew\n")

    printed = cli.done("store-users", "--passwords", str(tmp_path))

    assert printed.count("#") == 2
    assert "user publisher" not in printed


def test_the_users_are_of_the_namespace_of_the_settings(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "reader").write_text("secret")

    printed = cli.done("store-users", "--passwords", str(tmp_path))

    assert f"{{{cli.shop.namespace}}}:active*" in printed


def test_a_folder_without_passwords_is_refused_with_the_names(cli: CommandLine, tmp_path: Path) -> None:
    assert "publisher, reader, worker" in cli.refused("store-users", "--passwords", str(tmp_path / "none"))
    assert "--passwords FOLDER" in cli.refused("store-users")
