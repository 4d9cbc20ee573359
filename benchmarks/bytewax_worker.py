"""Bytewax on a file of events: count and sum of windows of an hour that begin every five minutes; prints seconds."""

import json
import sys
import time
from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, run_main

with open(sys.argv[1], "rb") as file:
    LINES = file.read().splitlines()


def keyed(line: bytes) -> tuple[str, tuple[datetime, int]]:
    event = json.loads(line)
    return event["customer_id"], (datetime.fromisoformat(event["transaction_timestamp"]), int(event["amount"] * 100))


def add(total: tuple[int, int], event: tuple[datetime, int]) -> tuple[int, int]:
    return total[0] + 1, total[1] + event[1]


flow = Dataflow("velocity")
events = op.map("keyed", op.input("events", flow, TestingSource(LINES, batch_size=1_000)), keyed)
windows = win.fold_window(
    "windows",
    events,
    win.EventClock(lambda event: event[0], wait_for_system_duration=timedelta(minutes=10)),
    win.SlidingWindower(timedelta(hours=1), timedelta(minutes=5), datetime(2024, 1, 1, tzinfo=UTC)),
    lambda: (0, 0),
    add,
    lambda one, other: (one[0] + other[0], one[1] + other[1]),
)
op.output("out", windows.down, TestingSink([]))

started, worked = time.perf_counter(), time.process_time()
run_main(flow)
print(json.dumps({"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - worked}))
