"""`bnpl-features erase`, `readmit` and `erasures`, on a store with two versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bnpl_features.store.keyspace import CustomerKey
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.target import Target
from tests.bnpl_features.cli.conftest import CommandLine
from tests.bnpl_features.store.shop import LAYOUT, batches

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
WHY = ("--reason", "request 8812")


def test_an_erased_customer_is_gone_from_every_version_and_stays_away(cli: CommandLine) -> None:
    cli.shop.publish(day=YESTERDAY)
    cli.shop.publish(day=YESTERDAY)

    found = cli.json("erase", "customer-3", *WHY)

    assert [(one["version"], one["held"]) for one in found["versions"]] == [(2, True), (1, True)]
    assert cli.json("get", "customer-3")["status"] == "unknown_customer"
    cli.shop.publish(day=YESTERDAY)
    assert cli.json("get", "customer-3")["status"] == "unknown_customer"
    assert cli.json("get", "customer-4")["status"] == "fresh"


def test_tombstones_are_listed_without_customer_ids(cli: CommandLine) -> None:
    cli.shop.publish(day=YESTERDAY)
    cli.done("erase", "customer-3", *WHY)

    [stone] = cli.json("erasures")

    assert stone["reason"] == "request 8812"
    assert "customer-3" not in cli.done("erasures")


def test_a_readmitted_customer_is_served_by_the_next_publication(cli: CommandLine) -> None:
    cli.shop.publish(day=YESTERDAY)
    cli.done("erase", "customer-3", *WHY)

    cli.done("readmit", "customer-3", *WHY)
    cli.shop.publish(day=YESTERDAY)

    assert cli.json("get", "customer-3")["status"] == "fresh"


def test_readmitting_someone_who_was_not_erased_is_refused(cli: CommandLine) -> None:
    assert "no tombstone" in cli.refused("readmit", "customer-3", *WHY)


def test_each_version_is_listed_with_what_it_held(cli: CommandLine) -> None:
    cli.shop.publish(day=YESTERDAY)
    cli.shop.publish(day=YESTERDAY)

    printed = cli.done("erase", "customer-3", *WHY)

    assert "read back afterwards" in printed
    assert "erased; a version that is being published now leaves the customer out" in printed
    assert "customer-3" not in printed


def test_erasing_in_an_empty_store_leaves_a_tombstone(cli: CommandLine) -> None:
    assert cli.json("erase", "customer-3", *WHY) == {"versions": []}
    assert len(cli.json("erasures")) == 1


def test_no_tombstones_are_an_empty_list(cli: CommandLine) -> None:
    assert cli.json("erasures") == []


def test_acts_of_erasure_stand_in_the_audit_trail(cli: CommandLine) -> None:
    cli.done("erase", "customer-3", *WHY)
    cli.done("readmit", "customer-3", *WHY)

    trail = cli.json("versions", "--audit")["audit"]

    assert [(entry["act"], entry["reason"]) for entry in trail] == [("readmit", WHY[1]), ("erase", WHY[1])]
    assert "customer-3" not in str(trail)


@pytest.mark.parametrize("words", [("erase", "customer-3"), ("readmit", "customer-3")])
def test_whoever_erases_or_readmits_gives_a_reason(words: tuple[str, ...], cli: CommandLine) -> None:
    assert "Missing option '--reason'" in cli.refused(*words)


@pytest.mark.parametrize("words", [("erase", "x", *WHY), ("readmit", "x", *WHY), ("erasures",)])
def test_a_store_that_is_down_ends_with_4(
    words: tuple[str, ...], cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:secret@127.0.0.1:1/0")

    assert "cannot reach the store at redis://:***@127.0.0.1:1/0" in cli.refused(*words, code=4)


def test_after_a_change_of_the_key_both_are_needed_until_no_version_has_the_old_one(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Target(cli.shop.client, cli.shop.keyspace, CustomerKey(b"old-key"))
    publish(target, LAYOUT, batches(9), partition=YESTERDAY, customers=9, provenance=Provenance())
    monkeypatch.setenv("BNPL_CUSTOMER_KEY", "new-key")
    refused = cli.refused("erase", "customer-3", *WHY, code=5)
    monkeypatch.setenv("BNPL_PREVIOUS_CUSTOMER_KEYS", "older-key old-key")

    found = cli.json("erase", "customer-3", *WHY)

    assert "set BNPL_PREVIOUS_CUSTOMER_KEYS, or retire the version, and erase again" in refused
    assert "customer-3" not in refused
    assert found["versions"] == [{"version": 1, "state": "active", "held": True}]
    assert {stone["key_check"] == target.key.check for stone in cli.json("erasures")} == {True, False}
    assert "previous" in cli.done("erasures")


def test_tombstones_are_copied_and_restored(cli: CommandLine) -> None:
    cli.shop.publish(9)
    cli.done("erase", "customer-3", *WHY)
    copy = cli.folder / "erasures.json"
    copy.write_text(cli.done("erasures", "--json"))
    cli.shop.client.delete(cli.shop.keyspace.erased)

    restored = cli.done("erasures", "--restore", str(copy))

    assert "1 tombstones in the copy, 1 were missing and are restored" in restored
    assert len(cli.json("erasures")) == 1


@pytest.mark.parametrize("content", ["", "[1]", '[{"digest": "xyz"}]', '[{"digest": "00"}]'])
def test_what_is_no_copy_is_refused(content: str, cli: CommandLine) -> None:
    copy = cli.folder / "erasures.json"
    copy.write_text(content or "not JSON")

    assert "is no copy of tombstones" in cli.refused("erasures", "--restore", str(copy))
