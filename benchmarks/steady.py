"""A steady rate of requests, each timed from when it was due: a server that stalls cannot hide what it delayed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

CONNECTIONS = 32


@dataclass
class Steady:
    """Seconds from due to answered, and answers other than 200."""

    seconds: list[float] = field(default_factory=list)
    failures: int = 0


def steady(port: int, path: str, body: str, customers: int, a_second: int, seconds: int) -> Steady:
    """`body` takes four numbers, as benchmarks.scoring's does."""
    import uvloop

    return uvloop.run(_steady(port, path, body, customers, a_second, seconds))


async def _steady(port: int, path: str, body: str, customers: int, a_second: int, seconds: int) -> Steady:
    found = Steady()
    due: asyncio.Queue[tuple[int, float]] = asyncio.Queue()
    askers = [asyncio.create_task(_ask(port, path, body, customers, due, found)) for _ in range(CONNECTIONS)]
    started = time.perf_counter()
    for number in range(a_second * seconds):
        moment = started + number / a_second
        wait = moment - time.perf_counter()
        if wait > 0.0005:
            await asyncio.sleep(wait)
        due.put_nowait((number, moment))
        if number % 64 == 0:
            await asyncio.sleep(0)
    await due.join()
    for asker in askers:
        asker.cancel()
    return found


async def _ask(
    port: int, path: str, body: str, customers: int, due: asyncio.Queue[tuple[int, float]], found: Steady
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            number, moment = await due.get()
            customer = number * 7_919 % customers
            content = (body % (customer, customer, customer % 900 + 5, customer % 97)).encode()
            head = f"POST {path} HTTP/1.1\r\nhost: b\r\ncontent-type: application/json\r\n"
            writer.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            found.seconds.append(time.perf_counter() - moment)
            found.failures += not answer.startswith(b"HTTP/1.1 200")
            due.task_done()
    finally:
        writer.close()
