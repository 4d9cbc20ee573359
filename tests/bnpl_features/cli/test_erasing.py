"""`bnpl-features erase`, `readmit` and `erasures`, on a store with two versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.bnpl_features.cli.conftest import CommandLine

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
