"""`bnpl-features get`, `versions`, `activate`, `rollback` and `retire`, on a store with versions."""

from __future__ import annotations

import pwd
from datetime import UTC, datetime, timedelta

import pytest

from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.store.versions import State, list_versions
from tests.bnpl_features.cli.conftest import CommandLine

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
WHY = ("--reason", "[bug] 42")


@pytest.fixture
def published(cli: CommandLine) -> CommandLine:
    """Two versions: the first retained, the second active."""
    cli.shop.publish(day=YESTERDAY, mark=1)
    cli.shop.publish(day=YESTERDAY, mark=2)
    return cli


def states(cli: CommandLine) -> dict[int, State]:
    return {version.number: version.state for version in list_versions(cli.shop.client, cli.shop.keyspace)}


def test_get_prints_a_customers_features(published: CommandLine) -> None:
    printed = published.done("get", "customer-3")

    assert f"status fresh, version 2, partition {YESTERDAY}" in printed
    assert all(feature.name in printed for feature in BEHAVIOURAL.features)


def test_get_as_json_has_values_of_their_types(published: CommandLine) -> None:
    found = published.json("get", "customer-7")

    assert (found["status"], found["version"], found["partition_date"]) == ("fresh", 2, YESTERDAY.isoformat())
    assert list(found["features"]) == [feature.name for feature in BEHAVIOURAL.features]
    assert found["features"]["txn_count_7d"] == 2
    assert found["features"]["risk_score_mean_30d"] is None
    assert isinstance(found["features"]["lifecycle_stage"], str)


def test_get_answers_an_unknown_customer_with_the_defaults(published: CommandLine) -> None:
    found = published.json("get", "nobody")

    assert found["status"] == "unknown_customer"
    assert found["features"]["txn_count_7d"] == 0
    assert found["features"]["lifecycle_stage"] == "new"


def test_get_ends_with_4_where_nothing_was_published(cli: CommandLine) -> None:
    result = cli("get", "customer-1", "--json")

    assert result.exit_code == 4
    assert '"status": "unavailable"' in result.stdout
    assert "nothing was published" in cli("get", "customer-1").stdout


def test_get_with_another_customer_key_names_it(published: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNPL_CUSTOMER_KEY", "another secret")

    assert "set BNPL_CUSTOMER_KEY to the publisher's" in published.refused("get", "customer-1", code=5)


@pytest.mark.parametrize(
    "words", [("get", "x"), ("versions",), ("activate", "1", *WHY), ("rollback", *WHY), ("retire", "1", *WHY)]
)
def test_a_store_that_is_down_ends_with_4(
    words: tuple[str, ...], cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:secret@127.0.0.1:1/0")

    said = cli.refused(*words, code=4)

    assert "cannot reach the store at redis://:***@127.0.0.1:1/0" in said
    assert "start it, or correct REDIS_URL" in said


def test_versions_as_json(published: CommandLine) -> None:
    found = published.json("versions")

    assert [(v["version"], v["state"], v["customers"]) for v in found["versions"]] == [
        (2, "active", 300),
        (1, "retained", 300),
    ]
    assert found["audit"] == []


def test_versions_with_the_audit_trail(published: CommandLine) -> None:
    published.done("rollback", *WHY)

    newest = published.json("versions", "--audit")["audit"][0]
    printed = published.done("versions", "--audit")

    told = [newest[key] for key in ("act", "version", "previous", "reason")]
    assert told == ["roll back", 1, "2", "[bug] 42"]
    assert "[bug] 42" in printed
    assert "Audit" in printed


def test_versions_of_an_empty_store(cli: CommandLine) -> None:
    assert cli.json("versions", "--audit") == {"versions": [], "audit": []}


def test_rollback_switches_to_the_retained_version_and_back(published: CommandLine) -> None:
    assert "version 1 is active again, 2 is retained" in published.done("rollback", *WHY)
    assert published.json("get", "customer-3")["features"]["txn_count_7d"] == 1

    assert "version 2 is active again, 1 is retained" in published.done("rollback", "--to", "2", *WHY)
    assert published.shop.active() == 2


def test_rollback_with_nothing_retained_is_refused(cli: CommandLine) -> None:
    cli.shop.publish(day=YESTERDAY)

    assert "no retained version to roll back to; publish a corrected one" in cli.refused("rollback", *WHY)
    assert cli.shop.active() == 1


def test_rollback_to_a_version_that_is_not_retained_is_refused(published: CommandLine) -> None:
    assert "version 9 is not retained (retained: 1)" in published.refused("rollback", "--to", "9", *WHY)


def test_rollback_of_an_empty_store_is_refused(cli: CommandLine) -> None:
    assert "nothing is active" in cli.refused("rollback", *WHY)


def test_activate_switches_to_a_retained_version(published: CommandLine) -> None:
    assert "version 1 is active" in published.done("activate", "1", *WHY)
    assert published.shop.active() == 1


@pytest.mark.parametrize(("version", "says"), [("2", "version 2 is not retained"), ("7", "there is no version 7")])
def test_activate_refuses_other_versions(version: str, says: str, published: CommandLine) -> None:
    assert says in published.refused("activate", version, *WHY)
    assert published.shop.active() == 2


def test_retire_refuses_the_active_version(published: CommandLine) -> None:
    assert "version 2 is the active one and is never retired" in published.refused("retire", "2", *WHY)


def test_retire_refuses_a_version_in_its_grace(published: CommandLine) -> None:
    assert "readers may still use it: retire it after 60 s" in published.refused("retire", "1", *WHY)
    assert states(published)[1] is State.RETAINED


def test_retire_removes_a_version_past_its_grace(published: CommandLine) -> None:
    assert "version 1 is retired" in published.done("retire", "1", *WHY, "--grace-seconds", "0")
    assert states(published) == {2: State.ACTIVE}
    assert published.shop.bucket_keys(1) == []


def test_retire_of_what_does_not_exist_is_refused(published: CommandLine) -> None:
    assert "there is no version 9" in published.refused("retire", "9", *WHY)


@pytest.mark.parametrize("words", [("activate", "1"), ("rollback",), ("retire", "1")])
def test_who_steers_gives_a_reason(words: tuple[str, ...], published: CommandLine) -> None:
    assert "Missing option '--reason'" in published.refused(*words)


def test_a_user_without_a_name_is_an_operator(published: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under a number."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)

    published.done("rollback", *WHY)

    assert published.json("versions", "--audit")["audit"][0]["actor"] == "operator"
