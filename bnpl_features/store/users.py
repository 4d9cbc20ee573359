"""The store's users: each one's work, and the commands and keys that it takes; the server's ACL file is made of that.

Needs Redis 7 or Valkey: a grant beside the first is a selector, which ties commands to the keys that they are for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bnpl_features.errors import SettingsError
from bnpl_features.store.keyspace import Keyspace

OF_A_CLUSTER = ("asking", "cluster|slots", "command", "readonly")

_GLOB = re.compile(r"[*?\[\]\\]")


@dataclass(frozen=True)
class Grant:
    """Commands on keys: attributes of `Keyspace`, or kinds of its `patterns`. Those without a key need none named."""

    commands: tuple[str, ...]
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoreUser:
    """`does` is for the documentation; commands without keys stand in the first grant."""

    name: str
    does: str
    grants: tuple[Grant, ...]

    @property
    def commands(self) -> frozenset[str]:
        """Of all grants, but for those of a cluster."""
        return frozenset(command for grant in self.grants for command in grant.commands)


_CONTROL = ("pointers", "counter", "versions", "states", "audit", "erased", "erasures", "experiments", "readers")
_OF_SCRIPTS = ("eval", "get", "hdel", "hget", "hset", "incr", "publish", "set", "time", "xadd")
"""A script may do no more than its user."""

_ERASING = ("evalsha", "hdel", "hget", "hset", "pexpire")
_LAG = ("xgroup|create", "xgroup|delconsumer", "xinfo|groups", "xpending", "xrange")

PUBLISHER = StoreUser(
    "publisher",
    "the daily job: publishes, checks what is served, compares velocity, stops an experiment that does harm",
    (
        Grant(
            (
                *_OF_SCRIPTS,
                *("config|get", "del", "exec", "expire", "hgetall", "hmget", "info", "mget", "multi"),
                *("ping", "subscribe", "wait", "zadd", "zrange", "zrem", "zrevrange"),
            ),
            (*_CONTROL, "manifests", "lease", "caught_up"),
            (*_CONTROL, "manifests", "lease"),
            ("events",),
        ),
        Grant(
            (
                *("exists", "expire", "expireat", "hdel", "hget", "hgetall", "hmget", "hset"),
                *("object|encoding", "persist", "unlink"),
            ),
            ("buckets",),
            ("buckets",),
        ),
        Grant(("hgetall",), ("velocity",)),
        Grant(_LAG, ("purchases",), ("purchases",)),
        Grant(("xlen",), ("dead_letters",)),
    ),
)

READER = StoreUser(
    "reader",
    "looks customers up, as the prediction service does",
    (
        Grant(
            ("get", "hget", "ping", "subscribe"),
            ("pointers", "manifests", "caught_up", "experiments", "buckets", "velocity"),
            hears=("events",),
        ),
        # Says which feature set it reads; without this it is served, but not seen.
        Grant(("expire", "hset"), writes=("readers",)),
    ),
)

WORKER = StoreUser(
    "worker",
    "takes purchase events from the stream into velocity, and rebuilds it",
    (
        Grant(("info", "ping", "script|load", "wait")),
        Grant((*_LAG, "xack", "xautoclaim", "xreadgroup"), ("purchases",), ("purchases",)),
        Grant((*_ERASING, "hrandfield"), ("velocity",), ("velocity",)),
        Grant(("get", "hgetall"), ("erased", "erasures")),
        Grant(("set",), writes=("caught_up",)),
        Grant(("xadd",), writes=("dead_letters",)),
    ),
)

PRODUCER = StoreUser(
    "producer",
    "appends purchase events to the stream, and can read none",
    (
        Grant(("ping", "xadd", "xtrim"), writes=("purchases",)),
        Grant(("xinfo|groups", "xlen"), ("purchases",)),
    ),
)

CONSOLE = StoreUser(
    "console",
    "what an operator does, in the console or by command: looks, switches, retires, erases, steers experiments",
    (
        Grant(
            (
                *_OF_SCRIPTS,
                *("config|get", "del", "exec", "expire", "hgetall", "hmget", "info", "mget", "multi", "ping"),
                *("script|load", "subscribe", "wait", "xrevrange", "zrange", "zrem"),
            ),
            (*_CONTROL, "manifests", "lease", "caught_up"),
            (*_CONTROL, "manifests"),
            ("events",),
        ),
        # Takes records out, and cannot write any.
        Grant(("hdel", "hget", "hmget", "unlink"), ("buckets",), ("buckets",)),
        Grant(_ERASING, ("velocity",), ("velocity",)),
        Grant(
            (*_LAG, "xadd", "xdel", "xlen", "xrevrange", "xtrim"),
            ("purchases", "dead_letters"),
            ("purchases", "dead_letters"),
        ),
    ),
)

USERS = (PUBLISHER, READER, WORKER, PRODUCER, CONSOLE)


def rules_of(user: StoreUser, keyspace: Keyspace, *, of_cluster: bool = True) -> str:
    """What may be done, as ACL SETUSER and an ACL file take it; raises `SettingsError` for a namespace with a glob."""
    if _GLOB.search(keyspace.namespace):
        raise SettingsError(
            f"namespace {keyspace.namespace!r} has a character with which a pattern of keys would match others; choose "
            "one of letters, digits, - and _"
        )
    first, *others = user.grants
    if of_cluster:
        first = replace(first, commands=(*first.commands, *OF_A_CLUSTER))
    selectors = [f"({' '.join(_words(grant, keyspace))})" for grant in others]
    return " ".join(["resetkeys", "resetchannels", "-@all", *_words(first, keyspace), *selectors])


def acl_file(keyspace: Keyspace, passwords: Mapping[str, Sequence[str]], administrator: Sequence[str] = ()) -> str:
    """The server's ACL file (`aclfile`): users by name with their passwords, of which only digests are written.

    More than one password of a user are valid at once, so that one can be changed without an outage. A user without
    any is left out. The server's `default` user is off, unless `administrator` has its passwords.
    """
    allowed = "~* &* +@all" if administrator else "resetkeys resetchannels -@all"
    lines = [f"user default {_login(administrator)} {allowed}"]
    lines += [
        f"user {user.name} {_login(passwords[user.name])} {rules_of(user, keyspace)}"
        for user in USERS
        if passwords.get(user.name)
    ]
    return "\n".join(lines) + "\n"


def _login(passwords: Sequence[str]) -> str:
    hashed = " ".join(f"#{hashlib.sha256(password.encode()).hexdigest()}" for password in passwords)
    return f"on {hashed}" if hashed else "off"


def _words(grant: Grant, keyspace: Keyspace) -> list[str]:
    both = [name for name in grant.reads if name in grant.writes]
    keys = [f"~{_pattern(name, keyspace)}" for name in both]
    keys += [f"%R~{_pattern(name, keyspace)}" for name in grant.reads if name not in both]
    keys += [f"%W~{_pattern(name, keyspace)}" for name in grant.writes if name not in both]
    channels = [f"&{_pattern(name, keyspace)}" for name in grant.hears]
    return [*keys, *channels, *[f"+{command}" for command in sorted(grant.commands)]]


def _pattern(name: str, keyspace: Keyspace) -> str:
    return keyspace.patterns.get(name) or str(getattr(keyspace, name))


def users_section() -> str:
    """The users as the documentation shows them, for the namespace `bnpl`."""
    rows = "\n".join(f"| `{user.name}` | {user.does} |" for user in USERS)
    rules = "\n".join(f"ACL SETUSER {user.name} on >password {rules_of(user, Keyspace())}" for user in USERS)
    return f"| user | |\n|---|---|\n{rows}\n\n```text\n{rules}\n```\n"
