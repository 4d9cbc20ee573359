"""What a lookup asks of whoever does its I/O: the vocabulary that threads and asyncio share."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from bnpl_features.store.reading.routes import Server
from bnpl_features.store.wire import Reply, ServerError

Result = TypeVar("Result")


@dataclass(slots=True)
class Ask:
    """Send `payload`, which has `replies` replies, until `deadline` (seconds of the monotonic clock)."""

    server: Server
    replica: bool
    payload: bytes
    replies: int
    deadline: float


Outcome = list[Reply] | Exception
"""The replies to one `Ask`, or why there are none."""

Step = tuple[Ask, ...] | float
"""Exchanges to be made at once, or seconds to wait."""

Steps = Generator[Step, list[Outcome], Result]


class OverBudget(TimeoutError):
    """The deadline passed."""


def refused(reply: ServerError) -> ConnectionError:
    """Why a server that greets with a refusal is as good as none."""
    return ConnectionRefusedError(reply.text)
