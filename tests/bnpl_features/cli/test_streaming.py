"""The event stream from the command line: replay, work, lag, dead letters, rebuild."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bnpl_features.store.velocity import letters
from bnpl_features.streaming.event import encode
from tests.bnpl_features.cli.conftest import CommandLine


def events(count: int = 20) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    return [
        {
            "transaction_id": f"txn-{number}",
            "customer_id": f"customer-{number % 4}",
            "transaction_timestamp": now - timedelta(seconds=count - number),
            "amount": 12.5,
            "status": "completed",
            "device_id": "phone",
            "product_category": "home",
        }
        for number in range(count)
    ]


def test_a_file_is_replayed_worked_off_and_replayed_without_effect(cli: CommandLine) -> None:
    file = cli.folder / "events.ndjson"
    file.write_bytes(b"\n".join(encode(event) for event in events()) + b"\n\n")

    sent = cli.done("stream", "replay", str(file))
    waiting = cli.json("stream", "lag")
    first = cli.done("stream", "work", "--until-idle")
    cli.done("stream", "replay", str(file))
    again = cli.done("stream", "work", "--until-idle")
    after = cli.json("stream", "lag")

    assert "sent 20 events" in sent
    assert (waiting["waiting"], waiting["caught_up_until"]) == (20, None)
    assert "stopped: 20 applied" in first
    assert "stopped: 20 duplicate" in again
    assert (after["waiting"], after["oldest_seconds"]) == (0, 0.0)
    assert after["caught_up_until"]


def test_parquet_is_replayed_with_its_own_columns(cli: CommandLine) -> None:
    file = cli.folder / "events.parquet"
    pq.write_table(pa.Table.from_pylist([event | {"risk_score": 0.1} for event in events()]), file)

    cli.done("stream", "replay", str(file))

    assert "20 applied" in cli.done("stream", "work", "--until-idle")


def test_dead_letters_are_listed_and_sent_again(cli: CommandLine) -> None:
    file = cli.folder / "events.ndjson"
    file.write_bytes(b'{"transaction_id": "t"}\n')
    cli.done("stream", "replay", str(file))
    cli.done("stream", "work", "--until-idle")

    listed = cli.done("stream", "dead-letters")
    [letter] = cli.json("stream", "dead-letters")
    retried = cli.done("stream", "dead-letters", "--retry")

    assert "missing required field" in listed
    assert letter["payload"] == '{"transaction_id": "t"}'
    assert "sent again" in retried
    assert letters.newest(cli.shop.client, cli.shop.keyspace) == []
    assert cli.json("stream", "lag")["waiting"] == 1


def test_velocity_is_rebuilt_from_the_log(cli: CommandLine) -> None:
    file = cli.folder / "events.ndjson"
    file.write_bytes(b"\n".join(encode(event) for event in events()))
    cli.done("simulate", "--customers", "50", "--days", "2")
    cli.done("stream", "replay", str(file))
    cli.done("stream", "work", "--until-idle")
    before = states(cli)
    cli.shop.client.delete(*cli.shop.client.keys(f"{cli.shop.namespace}:w:*"))

    told = cli.done("stream", "rebuild")

    assert "20 events of the log" in told
    assert set(before) <= set(states(cli))


def states(cli: CommandLine) -> dict[bytes, bytes]:
    return {
        field: value
        for key in cli.shop.client.keys(f"{cli.shop.namespace}:w:*")
        for field, value in cli.shop.client.hgetall(key).items()
    }


def test_a_broker_of_another_kind_is_no_place_to_replay_to(cli: CommandLine, monkeypatch: Any) -> None:
    monkeypatch.setenv("BNPL_STREAMING_SOURCE", "kafka")
    (cli.folder / "events.ndjson").write_bytes(b"{}")

    assert "the broker's own tools" in cli.refused("stream", "replay", str(cli.folder / "events.ndjson"))
    monkeypatch.setenv("BNPL_STREAMING_SOURCE", "rabbit")
    assert "choose one of redis, kafka, pubsub" in cli.refused("stream", "lag")
