"""Commands of the event stream: `bnpl-features stream ...`."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click

from bnpl_features.cli.output import console, moment, named_exit, print_json, print_table
from bnpl_features.connect.data import open_target, open_warehouse
from bnpl_features.connect.streaming import open_source, redis_producer
from bnpl_features.errors import StreamFull
from bnpl_features.features.velocity import KEPT
from bnpl_features.settings import Settings, load_settings
from bnpl_features.store.connection import named_errors, url_of
from bnpl_features.store.target import Target
from bnpl_features.store.velocity import letters
from bnpl_features.streaming.source import Source

_AT_ONCE = 500


@click.group()
def stream() -> None:
    """Purchase events -> velocity features, within milliseconds (docs/streaming.md).

    Example: bnpl-features stream work
    """


@stream.command()
@click.option("--until-idle", is_flag=True, help="End when no event is waiting.")
def work(until_idle: bool) -> None:
    """Take events until told to stop (SIGTERM, Ctrl-C); start as many as are needed.

    Example: bnpl-features stream work
    """
    with _opened() as (settings, target, source):
        from bnpl_features.streaming.worker import Worker

        logging.getLogger("bnpl_features").setLevel(logging.WARNING)
        worker = Worker(source, target, settings.streaming.batch)
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda number, frame: worker.stop())
        chosen = settings.streaming
        if chosen.metrics_port:
            from bnpl_features.streaming.metrics import serve_metrics

            serve_metrics(worker, chosen.metrics_port, chosen.metrics_certificate_file, chosen.metrics_key_file)
        console.print(f"taking events from {source.name}", soft_wrap=True)
        if until_idle:
            while worker.turn():
                pass
        else:
            worker.run()
        console.print(f"stopped: {_counted(worker.measures.events)}")


@stream.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def lag(as_json: bool) -> None:
    """How many events are waiting, and how old the oldest is.

    Example: bnpl-features stream lag
    """
    with _opened() as (_, target, source):
        found = source.lag()
        until = float(target.client.get(target.keyspace.caught_up) or 0)
    caught_up = moment(until) if until else None
    if as_json:
        print_json({"waiting": found.waiting, "oldest_seconds": found.oldest_seconds, "caught_up_until": caught_up})
        return
    waiting = "an unknown number of" if found.waiting is None else f"{found.waiting:,}"
    console.print(f"{waiting} events waiting, the oldest for {found.oldest_seconds:.1f} s")
    console.print(f"applied until {caught_up} UTC" if caught_up else "no worker has reported yet")


@stream.command(name="dead-letters")
@click.option("--count", default=50, show_default=True, help="How many, the newest first.")
@click.option("--retry", is_flag=True, help="Send them again, and remove them here (redis only).")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, with what was sent.")
def dead_letters(count: int, retry: bool, as_json: bool) -> None:
    """Events that no worker could take, and why.

    Example: bnpl-features stream dead-letters --json
    """
    with named_exit():
        settings = load_settings()
    with named_exit(), open_target(settings.store) as target, named_errors(url_of(target.client)):
        found = letters.newest(target.client, target.keyspace, count)
        if retry:
            redis_producer(settings.streaming, target).append([letter.payload for letter in found])
            letters.remove(target.client, target.keyspace, found)
    if as_json:
        print_json([letter.__dict__ | {"payload": letter.payload.decode(errors="replace")} for letter in found])
        return
    rows = [(moment(letter.at), letter.message, letter.reason) for letter in found]
    print_table("Dead letters" + (", sent again" if retry else ""), ("at (UTC)", "message", "reason"), rows)


@stream.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def replay(path: Path) -> None:
    """Send a file's purchases as events, NDJSON or Parquet in the columns of the source contract; redis only.

    What was applied before is without effect. Waits where workers are behind.

    Example: bnpl-features stream replay events.ndjson
    """
    with named_exit():
        settings = load_settings()
    with named_exit(), open_target(settings.store) as target, named_errors(url_of(target.client)):
        producer = redis_producer(settings.streaming, target)
        sent = 0
        payloads = _payloads(path)
        while chunk := list(islice(payloads, _AT_ONCE)):
            while True:
                try:
                    producer.append(chunk)
                    break
                except StreamFull:
                    time.sleep(0.1)
            sent += len(chunk)
    console.print(f"sent {sent:,} events")


@stream.command()
@click.option("--without-log", is_flag=True, help="Leave out what the broker still has.")
def rebuild(without_log: bool) -> None:
    """Make velocity again, after a loss of the store: from the warehouse and the broker's log. Serving goes on.

    Example: bnpl-features stream rebuild
    """
    with _opened() as (settings, target, source):
        from bnpl_features.streaming.rebuild import rebuild as make_again

        now_ms = int(time.time() * 1000)
        log = () if without_log else source.log(now_ms - KEPT.span_seconds * 1000)
        warehouse = open_warehouse(settings.warehouse)
        started = time.monotonic()
        rebuilt = make_again(target, warehouse, settings.source.sql(), log)
    console.print(
        f"{rebuilt.customers:,} customers from {rebuilt.from_warehouse:,} purchases of the warehouse and "
        f"{rebuilt.from_log:,} events of the log, in {time.monotonic() - started:.1f} s: {_counted(rebuilt.events)}"
    )


@contextmanager
def _opened() -> Iterator[tuple[Settings, Target, Source]]:
    """What is configured, the store and the stream; errors end the command."""
    with named_exit():
        settings = load_settings()
        with (
            open_target(settings.store) as target,
            named_errors(url_of(target.client)),
            open_source(settings.streaming, target) as source,
        ):
            yield settings, target, source


def _payloads(path: Path) -> Iterator[bytes]:
    from bnpl_features.streaming.event import encode

    if path.suffix != ".parquet":
        with path.open("rb") as lines:
            yield from (line.strip() for line in lines if line.strip())
        return
    from pyarrow.parquet import ParquetFile

    for batch in ParquetFile(path).iter_batches():
        for row in batch.to_pylist():
            yield encode({name: _zoned(value) for name, value in row.items()})


def _zoned(value: Any) -> Any:
    """Parquet's timestamps without a zone are UTC."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _counted(counts: Any) -> str:
    told = ", ".join(f"{count:,} {getattr(name, 'name', name).lower()}" for name, count in sorted(counts.items()))
    return told or "no events"
