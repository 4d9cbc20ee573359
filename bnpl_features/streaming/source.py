"""Where events come from, whichever broker holds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """What a broker delivers; `deliveries` is how often it has, where the broker counts."""

    id: str
    payload: bytes
    deliveries: int = 1


@dataclass(frozen=True, slots=True)
class Lag:
    """What the workers of a group have not applied yet: messages (None: the broker does not say), and how old the
    oldest is."""

    waiting: int | None
    oldest_seconds: float


class Source(Protocol):
    """A subscription that several workers share. At least once: what was not acknowledged comes again, to any of them.

    Methods raise `StreamUnavailable` where the broker does not answer.
    """

    @property
    def name(self) -> str:
        """The broker and the stream, for people."""
        ...

    def poll(self, most: int, wait_seconds: float) -> Sequence[Message]:
        """Up to `most` messages; none after `wait_seconds` without any."""
        ...

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Never again deliver these: the oldest that were polled and are not acknowledged, in the order of `poll`."""
        ...

    def lag(self) -> Lag: ...

    def log(self, since_ms: int) -> Iterator[bytes]:
        """The payloads that the broker still has of events that came since a moment, acknowledged or not."""
        ...

    def close(self) -> None: ...
