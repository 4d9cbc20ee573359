"""The server's protocol (RESP 2) as bytes: requests out, replies in. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from bnpl_features.store.address import Address

_LONGEST_LENGTH = 9
"""Digits: a value has at most 512 MiB."""

ASKING = b"*1\r\n$6\r\nASKING\r\n"


@dataclass(frozen=True, slots=True)
class ServerError:
    """A reply that is a refusal, such as `MOVED 3999 10.0.0.7:6379`."""

    text: str

    @property
    def code(self) -> str:
        return self.text.partition(" ")[0]


Reply = bytes | ServerError | None
"""A value, a refusal, or nothing there."""


class ProtocolViolation(ConnectionError):
    """What answers does not speak the protocol."""


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


def hget(key: bytes, field: bytes) -> bytes:
    return b"*3\r\n$4\r\nHGET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(key), key, len(field), field)


def greeting(address: Address, *, replica: bool) -> list[bytes]:
    """What a new connection says before anything else; may ask for an access token, see `Login.secret`."""
    words: list[bytes] = []
    username, secret = address.login.username, address.login.secret()
    if username or secret:
        names = (username.encode(),) if username else ()
        words.append(command(b"AUTH", *names, secret.encode()))
    if address.database:
        words.append(command(b"SELECT", b"%d" % address.database))
    if replica:
        words.append(command(b"READONLY"))
    return words


def parse(buffer: bytes, wanted: int, replies: list[Reply]) -> int:
    """Append up to `wanted` complete replies; returns how many bytes they took.

    Raises `ProtocolViolation` for bytes that are no reply to a command of this module.
    """
    position = 0
    end = buffer.find(b"\r\n")
    while wanted and end >= 0:
        kind = buffer[position]
        if kind == 0x24:  # $: a value with its length, -1 for none
            size = _length(buffer[position + 1 : end])
            if size < 0:
                replies.append(None)
                position = end + 2
            else:
                after = end + 2 + size
                if len(buffer) < after + 2:
                    break
                if buffer[after : after + 2] != b"\r\n":
                    raise ProtocolViolation(f"a value is longer than its length of {size}: not a Redis server")
                replies.append(buffer[end + 2 : after])
                position = after + 2
        elif kind == 0x2D:  # -: a refusal
            replies.append(ServerError(buffer[position + 1 : end].decode(errors="replace")))
            position = end + 2
        elif kind == 0x2B:  # +: a status, such as OK
            replies.append(buffer[position + 1 : end])
            position = end + 2
        else:
            raise ProtocolViolation(f"a reply begins with {buffer[position : position + 1]!r}: not a Redis server")
        wanted -= 1
        end = buffer.find(b"\r\n", position)
    return position


def _length(digits: bytes) -> int:
    """Of a value; -1 for none."""
    if digits == b"-1":
        return -1
    if not digits.isdigit() or len(digits) > _LONGEST_LENGTH:
        raise ProtocolViolation(f"a reply of length {digits[:20]!r}: not a Redis server")
    return int(digits)
