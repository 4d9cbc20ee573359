"""The load generator, a process of its own: python -m benchmarks.proof.generating PORTS CUSTOMERS RATE SECONDS FOLDER.

Prints when the first request is due; leaves a row for each answer, and some answers whole.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.proof.answers import ROW, Told, row_of
from benchmarks.scoring import BODY, STRIDE
from benchmarks.steady import Exchange, post, steady

WHOLE_EVERY = 200
"""Every so many answers one is kept whole, to compare its reasons and all its fields."""

CONNECTIONS = 128
"""As many requests are in flight at most: what becomes due in a stall of 75 ms."""

ROWS_FILE, WHOLE_FILE = "rows.npy", "whole.msgpack"


def content_of(number: int, customers: int) -> str:
    """The purchase of request `number`: a customer's is always the same, but for its transaction."""
    customer = customer_of(number, customers)
    return BODY % (number, customer, customer % 900 + 5, customer % 97)


def customer_of(number: int, customers: int) -> int:
    return number * STRIDE % customers


def main(ports: str, customers: str, rate: str, seconds: str, folder: str) -> None:
    count, of = round(int(rate) * float(seconds)), int(customers)
    rows = np.zeros(count, dtype=ROW)
    whole: dict[int, bytes] = {}
    decode = msgspec.json.Decoder(Told)

    def request(number: int) -> bytes:
        return post("/v1/score", content_of(number, of).encode())

    def note(exchange: Exchange) -> None:
        rows[exchange.number] = row_of(exchange, decode)
        if exchange.number % WHOLE_EVERY == 0:
            whole[exchange.number] = exchange.content

    gc.collect()
    gc.disable()
    steady([int(port) for port in ports.split(",")], request, note, int(rate), float(seconds), _say, CONNECTIONS)
    np.save(Path(folder) / ROWS_FILE, rows)
    (Path(folder) / WHOLE_FILE).write_bytes(msgspec.msgpack.encode(whole))


def _say(started: float) -> None:
    sys.stdout.write(f"{started}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
