"""Connections for lookups from asyncio: one a server, over which all lookups travel, those of one moment together."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from typing import cast

from bnpl_features.store.address import Address
from bnpl_features.store.reading.routes import Server
from bnpl_features.store.reading.steps import Ask, Outcome, OverBudget, refused
from bnpl_features.store.wire import ProtocolViolation, Reply, ServerError, greeting, parse

OPEN_SECONDS = 1.0
_STUCK_SECONDS = 1.0
"""Replies that are this late will not come: the connection is given up."""

_LATE_SECONDS = 0.002
"""An alarm that rings so late found the event loop busy: replies may be here that nobody has read yet. uvloop looks at
its timers first."""

_READING_SECONDS = 0.001


class _Awaited:
    """An exchange whose replies are on their way; `answer` may be done before they come, when the time is up."""

    __slots__ = ("answer", "count", "deadline", "replies")

    def __init__(self, answer: asyncio.Future[list[Reply]], count: int, deadline: float) -> None:
        self.answer = answer
        self.count = count
        self.deadline = deadline
        self.replies: list[Reply] = []


class Channel(asyncio.Protocol):
    """One connection. Requests made in one turn of the event loop are sent as one; replies come in their order."""

    def __init__(self) -> None:
        self.is_open = False
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[bytes] = []
        self._awaited: deque[_Awaited] = deque()
        self._rest = b""
        self._alarm: asyncio.Handle | None = None
        self._alarm_at = self._rings_at = math.inf

    def ask(self, payload: bytes, count: int, deadline: float) -> asyncio.Future[list[Reply]]:
        """`count` replies to `payload`; the future fails with `OverBudget`, or ConnectionError."""
        answer: asyncio.Future[list[Reply]] = self._loop.create_future()
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(payload)
        self._awaited.append(_Awaited(answer, count, deadline))
        if deadline < self._alarm_at:
            self._set_alarm(deadline)
        return answer

    def close(self) -> None:
        self._fail(ConnectionResetError("the connection was closed"))
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc if isinstance(exc, OSError) else ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        buffer = self._rest + data if self._rest else data
        replies: list[Reply] = []
        try:
            used = parse(buffer, -1, replies)
        except ProtocolViolation as error:
            self._fail(error)
            if self._transport is not None:
                self._transport.abort()
            return
        self._rest = buffer[used:]
        for reply in replies:
            if not self._awaited:  # such as a farewell: the server takes no more connections
                self.close()
                return
            first = self._awaited[0]
            first.replies.append(reply)
            if len(first.replies) == first.count:
                self._awaited.popleft()
                if not first.answer.done():
                    first.answer.set_result(first.replies)

    def _flush(self) -> None:
        payload, self._outgoing = b"".join(self._outgoing), []
        if self._transport is not None and self.is_open:
            self._transport.write(payload)

    def _ring(self) -> None:
        """One alarm serves all: it rings at the first deadline, and is set to the next that still matters."""
        now, was_due = time.monotonic(), self._rings_at
        self._unset_alarm()
        if now - was_due > _LATE_SECONDS:
            self._set_alarm(now + _READING_SECONDS)
            self._rings_at = math.inf  # whatever the time is then
            return
        pending = [awaited for awaited in self._awaited if not awaited.answer.done()]
        for awaited in pending:
            if awaited.deadline <= now:
                awaited.answer.set_exception(OverBudget())
        later = [awaited.deadline for awaited in pending if awaited.deadline > now]
        if later:
            self._set_alarm(min(later))
        if self._awaited and self._awaited[0].deadline + _STUCK_SECONDS < now:
            self.close()

    def _set_alarm(self, deadline: float) -> None:
        self._unset_alarm()
        # The handle cannot be asked for its time: uvloop gives one without a time where the deadline is over already.
        self._alarm, self._alarm_at = self._loop.call_at(deadline, self._ring), deadline
        self._rings_at = max(deadline, time.monotonic())

    def _unset_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_at = None, math.inf

    def _fail(self, error: OSError) -> None:
        self.is_open = False
        self._unset_alarm()
        while self._awaited:
            awaited = self._awaited.popleft()
            if not awaited.answer.done():
                awaited.answer.set_exception(error)


class Channels:
    """The channels of one event loop to all servers."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._open: dict[tuple[Server, bool], Channel] = {}
        self._opening: dict[tuple[Server, bool], asyncio.Task[Channel]] = {}

    async def perform(self, ask: Ask) -> Outcome:
        """The replies, or the exception that came instead."""
        channel = self._open.get((ask.server, ask.replica))
        try:
            if channel is None or not channel.is_open:
                channel = await self._opened((ask.server, ask.replica), ask.deadline)
            return await channel.ask(ask.payload, ask.replies, ask.deadline)
        except OSError as error:
            return error

    def close(self) -> None:
        for task in self._opening.values():
            task.cancel()
        for channel in self._open.values():
            channel.close()

    async def _opened(self, place: tuple[Server, bool], deadline: float) -> Channel:
        """Opening takes the time that it takes; a lookup waits for it until its own deadline."""
        task = self._opening.get(place)
        if task is None:
            task = self._opening[place] = asyncio.create_task(self._connect(place))
            task.add_done_callback(lambda done: self._keep(place, done))
        done, _ = await asyncio.wait((task,), timeout=max(deadline - time.monotonic(), 0.0))
        if not done:
            raise OverBudget
        return task.result()

    def _keep(self, place: tuple[Server, bool], done: asyncio.Task[Channel]) -> None:
        self._opening.pop(place, None)
        if not done.cancelled() and done.exception() is None:
            self._open[place] = done.result()

    async def _connect(self, place: tuple[Server, bool]) -> Channel:
        """Raises OSError where the server cannot be reached, or refuses the login."""
        server, replica = place
        async with asyncio.timeout(OPEN_SECONDS):
            loop = asyncio.get_running_loop()
            if server.port:
                tls = self._address.tls
                _, channel = await loop.create_connection(
                    Channel, server.ip, server.port, ssl=tls, server_hostname=server.host if tls else None
                )
            else:
                _, channel = await loop.create_unix_connection(Channel, server.host)
            if self._address.login.token_url:
                await asyncio.to_thread(self._address.login.secret)  # asked for beside the loop, then at hand
            words = greeting(self._address, replica=replica)
            if words:
                for reply in await channel.ask(b"".join(words), len(words), loop.time() + OPEN_SECONDS):
                    if isinstance(reply, ServerError):
                        channel.close()
                        raise refused(reply)
        return channel
