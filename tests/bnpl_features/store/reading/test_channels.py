"""One connection for all lookups of an event loop: each has its own deadline, on whichever loop runs."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import pytest
import uvloop

from bnpl_features.store.address import parse_address
from bnpl_features.store.reading.channels import Channels
from bnpl_features.store.reading.routes import Server
from bnpl_features.store.reading.steps import Ask, Outcome, OverBudget
from bnpl_features.store.wire import command
from tests.bnpl_features.store.shop import Shop

PING = command(b"PING")
Asking = Callable[[float], Awaitable[Outcome]]
"""A ping with a deadline so many seconds from now."""

each_loop = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


def asking(
    shop: Shop, loop: Callable[[], asyncio.AbstractEventLoop], use: Callable[[Asking], Awaitable[list[Outcome]]]
) -> list[Outcome]:
    address = urlsplit(shop.url)
    server = Server("localhost", address.port or 0, "127.0.0.1")

    async def run() -> list[Outcome]:
        channels = Channels(parse_address(shop.url))

        async def ask(seconds: float) -> Outcome:
            return await channels.perform(Ask(server, False, PING, 1, time.monotonic() + seconds))

        try:
            assert await ask(5.0) == [b"PONG"]
            return await use(ask)
        finally:
            channels.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(run())


@each_loop
def test_lookups_whose_time_is_over_when_they_are_sent_are_over_budget_and_the_next_is_answered(
    shop: Shop, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """As after an event loop was busy for longer than the budget."""

    async def use(ask: Asking) -> list[Outcome]:
        late = await asyncio.gather(*[ask(-0.001) for _ in range(3)])
        return [*late, await ask(5.0)]

    *late, last = asking(shop, loop, use)

    assert [type(one) for one in late] == [OverBudget] * 3
    assert last == [b"PONG"]


@each_loop
def test_earlier_deadline_that_comes_later_is_kept(
    mortal: tuple[Shop, int, int], loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    shop, process, _ = mortal
    seconds: list[float] = []

    async def timed(ask: Asking, budget: float) -> Outcome:
        started = time.monotonic()
        outcome = await ask(budget)
        seconds.append(time.monotonic() - started)
        return outcome

    async def use(ask: Asking) -> list[Outcome]:
        os.kill(process, signal.SIGSTOP)
        return list(await asyncio.gather(timed(ask, 0.4), timed(ask, 0.05)))

    outcomes = asking(shop, loop, use)

    assert [type(one) for one in outcomes] == [OverBudget] * 2
    assert 0.05 <= seconds[0] < 0.3
    assert 0.4 <= seconds[1] < 0.8


@each_loop
def test_reply_that_came_while_the_event_loop_was_busy_is_read_before_the_time_is_said_to_be_over(
    shop: Shop, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Busy with what another connection brought: then uvloop looks at its timers before it reads again."""

    async def use(ask: Asking) -> list[Outcome]:
        here, there = socket.socketpair()

        def work() -> None:
            here.recv(1)
            time.sleep(0.1)

        with here, there:
            asyncio.get_running_loop().add_reader(here, work)
            waiting = [asyncio.ensure_future(ask(0.02)) for _ in range(3)]
            await asyncio.sleep(0.0)
            there.send(b"!")
            outcomes = await asyncio.gather(*waiting)
            asyncio.get_running_loop().remove_reader(here)
        return list(outcomes)

    assert asking(shop, loop, use) == [[b"PONG"]] * 3
