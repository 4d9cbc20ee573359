"""Requests are what a server understands; replies are read however they arrive, and garbage is told from them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from bnpl_features.store.address import parse_address
from bnpl_features.store.wire import ProtocolViolation, Reply, ServerError, command, greeting, hget, parse
from tests.bnpl_features.store.shop import Shop

LINE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)
REPLY: st.SearchStrategy[tuple[Reply, bytes]] = st.one_of(
    st.binary(max_size=40).map(lambda value: (value, b"$%d\r\n%b\r\n" % (len(value), value))),
    st.just((None, b"$-1\r\n")),
    LINE.map(lambda line: (ServerError(line), b"-%b\r\n" % line.encode())),
    LINE.map(lambda line: (line.encode(), b"+%b\r\n" % line.encode())),
)


def arriving(pieces: Sequence[bytes], wanted: int) -> tuple[list[Reply], bytes]:
    """What is read of replies that arrive in pieces, and what is left over."""
    replies: list[Reply] = []
    rest = b""
    for piece in pieces:
        rest += piece
        rest = rest[parse(rest, wanted - len(replies), replies) :]
    return replies, rest


@given(st.lists(REPLY, min_size=1, max_size=5))
def test_replies_cut_at_any_byte_are_read_as_they_were_sent(sent: list[tuple[Reply, bytes]]) -> None:
    stream = b"".join(raw for _, raw in sent)
    expected = [reply for reply, _ in sent]

    for cut in range(len(stream) + 1):
        assert arriving([stream[:cut], stream[cut:]], len(sent)) == (expected, b"")


@given(st.lists(REPLY, min_size=1, max_size=8))
def test_replies_that_arrive_byte_by_byte_are_read_as_they_were_sent(sent: list[tuple[Reply, bytes]]) -> None:
    stream = b"".join(raw for _, raw in sent)

    replies, rest = arriving([stream[at : at + 1] for at in range(len(stream))], len(sent))

    assert (replies, rest) == ([reply for reply, _ in sent], b"")


@given(st.lists(REPLY, min_size=2, max_size=6), st.data())
def test_no_more_replies_are_taken_than_are_wanted(sent: list[tuple[Reply, bytes]], data: st.DataObject) -> None:
    wanted = data.draw(st.integers(0, len(sent) - 1))
    replies: list[Reply] = []

    used = parse(b"".join(raw for _, raw in sent), wanted, replies)

    assert replies == [reply for reply, _ in sent[:wanted]]
    assert used == sum(len(raw) for _, raw in sent[:wanted])


@given(st.binary(), st.integers(-1, 4))
def test_garbage_is_a_violation_or_waited_for_and_never_another_error(garbage: bytes, wanted: int) -> None:
    try:
        used = parse(garbage, wanted, [])
    except ProtocolViolation:
        return
    assert 0 <= used <= len(garbage)


@given(st.sampled_from([b"$", b"-", b"+", b":", b"*", b"H"]), st.binary(max_size=12), st.binary(max_size=12))
def test_garbage_that_begins_like_a_reply_raises_nothing_else(kind: bytes, line: bytes, after: bytes) -> None:
    replies: list[Reply] = []
    try:
        parse(kind + line + b"\r\n" + after, -1, replies)
    except ProtocolViolation:
        return
    assert all(reply is None or isinstance(reply, bytes | ServerError) for reply in replies)


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\r\n",
        b":1\r\n",
        b"*1\r\n",
        b"$\r\n",
        b"$abc\r\n",
        b"$1_0\r\n0123456789\r\n",
        b"$+3\r\nabc\r\n",
        b"$ 3\r\nabc\r\n",
        b"$-2\r\n",
        b"$-0\r\n\r\n",
        b"$3\r\nabcde$1\r\n",
        b"$" + b"9" * 5_000 + b"\r\n",
        b"$\xd9\xa3\r\nabc\r\n",
    ],
)
def test_what_no_server_sends_is_a_violation(garbage: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="not a Redis server"):
        parse(garbage, 1, [])


def test_replies_before_the_garbage_are_kept() -> None:
    replies: list[Reply] = []

    with pytest.raises(ProtocolViolation):
        parse(b"$1\r\na\r\nX\r\n", 2, replies)

    assert replies == [b"a"]


@pytest.mark.parametrize(
    ("text", "code"), [("MOVED 3999 10.0.0.7:6379", "MOVED"), ("NOAUTH", "NOAUTH"), ("", ""), ("ERR a b", "ERR")]
)
def test_an_error_has_a_code(text: str, code: str) -> None:
    assert ServerError(text).code == code


def test_an_error_that_is_not_text_is_an_error_all_the_same() -> None:
    replies: list[Reply] = []

    parse(b"-ERR \xff\xfe\r\n", 1, replies)

    assert isinstance(replies[0], ServerError)
    assert replies[0].code == "ERR"


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_a_lookup_is_the_same_command_as_any(key: bytes, field: bytes) -> None:
    assert hget(key, field) == command(b"HGET", key, field)


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5))
def test_a_command_is_what_redis_py_would_send(words: list[bytes]) -> None:
    packed = b"".join(redis.Connection().pack_command(*words))

    assert command(*words) == packed if b" " not in words[0] else True


def test_a_server_answers_the_bytes_of_a_lookup(any_shop: Shop) -> None:
    any_shop.client.hset(any_shop.namespace, b"\r\n$1", b"\x00\r\n")
    connection = any_shop.client.connection_pool.get_connection()

    connection.send_packed_command([hget(any_shop.namespace.encode(), b"\r\n$1")])

    assert connection.read_response(disable_decoding=True) == b"\x00\r\n"


@pytest.mark.parametrize(
    ("url", "replica", "said"),
    [
        ("redis://h", False, []),
        ("redis://:word@h", False, [[b"AUTH", b"word"]]),
        ("redis://me:word@h", False, [[b"AUTH", b"me", b"word"]]),
        ("redis://me@h", False, [[b"AUTH", b"me", b""]]),
        ("redis://:w%C3%B6rd@h", False, [[b"AUTH", "w\N{LATIN SMALL LETTER O WITH DIAERESIS}rd".encode()]]),
        ("redis://h/3", False, [[b"SELECT", b"3"]]),
        ("redis://me:word@h/3", False, [[b"AUTH", b"me", b"word"], [b"SELECT", b"3"]]),
        ("redis+cluster://:word@h", True, [[b"AUTH", b"word"], [b"READONLY"]]),
    ],
)
def test_a_new_connection_logs_in_chooses_and_says_what_it_wants(
    url: str, replica: bool, said: list[list[bytes]]
) -> None:
    assert greeting(parse_address(url), replica=replica) == [command(*words) for words in said]
