"""`bnpl-features sets`, and the commands that take a set."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bnpl_features.derive import lock as locking
from bnpl_features.derive.layout import Layout
from bnpl_features.derive.lock import Lock, declared, recorded
from tests.bnpl_features.cli.conftest import CommandLine
from tests.bnpl_features.store.shop import LAYOUT, wait_until

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
NEWER = Layout("behavioural@2", LAYOUT.fields)
WHY = ("--reason", "drill")


@pytest.fixture
def lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the lock file, to change."""
    copy = tmp_path / "features.lock.toml"
    copy.write_text(locking.lock_path().read_text())
    monkeypatch.setattr("bnpl_features.derive.lock.lock_path", lambda: copy)
    monkeypatch.setattr("bnpl_features.cli.sets.lock_path", lambda: copy)
    return copy


def publish_both(cli: CommandLine) -> None:
    cli.shop.publish(day=YESTERDAY, mark=1)
    cli.shop.publish(day=YESTERDAY, mark=2, layout=NEWER)


def test_sets_are_listed_with_what_is_served_of_them(cli: CommandLine) -> None:
    publish_both(cli)

    found = {one["set"]: one for one in cli.json("sets", "list")}

    assert [found[name]["version"] for name in ("behavioural@1", "behavioural@2")] == [1, 2]
    assert found["behavioural@1"]["features"] == 38
    assert "behavioural@1 (current)" in cli.done("sets", "list")


def test_a_customer_is_read_from_the_set_that_is_named(cli: CommandLine) -> None:
    publish_both(cli)

    counts = [
        cli.json("get", "customer-0", "--set", name)["features"]["txn_count_7d"]
        for name in ("behavioural@1", "behavioural@2")
    ]

    assert counts == [1, 2]


def test_a_rollback_is_of_one_set(cli: CommandLine) -> None:
    publish_both(cli)
    cli.shop.publish(day=YESTERDAY, mark=3, layout=NEWER)

    cli.done("rollback", "--set", "behavioural@2", *WHY)

    assert [(one["version"], one["set"], one["state"]) for one in cli.json("versions")["versions"]] == [
        (3, "behavioural@2", "retained"),
        (2, "behavioural@2", "active"),
        (1, "behavioural@1", "active"),
    ]
    cli.done("activate", "3", *WHY)
    assert cli.json("get", "customer-0", "--set", "behavioural@2")["features"]["txn_count_7d"] == 3


def test_a_set_that_is_read_is_not_withdrawn_by_mistake(cli: CommandLine) -> None:
    publish_both(cli)
    with cli.shop.reader(feature_set="behavioural@2") as reader:
        reader.get("customer-0")
        wait_until(lambda: bool(cli.json("sets", "readers", "behavioural@2")), "the reader announces itself")

    assert "1 readers read behavioural@2 within a day" in cli.refused("sets", "withdraw", "behavioural@2", *WHY, code=5)

    cli.done("sets", "withdraw", "behavioural@2", "--even-if-read", *WHY)

    assert cli("get", "customer-0", "--set", "behavioural@2").exit_code == 4
    assert cli.json("versions", "--audit")["audit"][0]["act"] == "withdraw"


def test_declarations_that_are_recorded_need_nothing(cli: CommandLine, lock_file: Path) -> None:
    before = lock_file.read_text()

    assert "as recorded" in cli.done("sets", "lock")
    assert lock_file.read_text() == before


def test_a_new_feature_is_recorded_and_explained(cli: CommandLine, lock_file: Path) -> None:
    lines = lock_file.read_text().splitlines(keepends=True)
    lock_file.write_text("".join(line for line in lines if not re.match(r'segment = |  "segment"', line)))

    assert cli("sets", "lock", "--check").exit_code == 5
    said = cli.done("sets", "lock")

    assert "compatible segment: is new" in said
    assert "compatible behavioural@2: gains segment at its end" in said
    assert lock_file.read_text() == "".join(lines)


def test_a_redefinition_is_refused_unless_somebody_vouches_for_the_sql(cli: CommandLine, lock_file: Path) -> None:
    was = recorded().features["amount_cv_30d"]["sql"]
    lock_file.write_text(lock_file.read_text().replace(was, "000000000000"))

    refused = cli("sets", "lock")

    assert refused.exit_code == 5
    assert f"refused amount_cv_30d: sql was 000000000000, is {was}" in refused.output
    assert "000000000000" in lock_file.read_text()

    cli.done("sets", "lock", "--same-meaning", "amount_cv_30d", "--reason", "NULLIF in place of IF")

    lock = Lock.from_toml(lock_file.read_text())
    assert lock.features == declared().features
    accepted = [(one.feature, one.reason) for one in lock.accepted if one.feature == "amount_cv_30d"]
    assert accepted == [("amount_cv_30d", "NULLIF in place of IF")]
    assert date.fromisoformat(lock.accepted[0].on) <= datetime.now(UTC).date()


def test_vouching_needs_a_reason(cli: CommandLine) -> None:
    assert "needs --reason" in cli.refused("sets", "lock", "--same-meaning", "amount_cv_30d")
