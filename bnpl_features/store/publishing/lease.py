"""One publisher at a time: a lease that a living publisher renews and a dead one loses within seconds."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import redis

from bnpl_features.errors import PublicationRefused
from bnpl_features.store.connection import StoreClient, text
from bnpl_features.store.failover import patience_seconds
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.versions import run_script

LEASE_SECONDS = 15.0
_TRY_AGAIN_SECONDS = 0.5


class Lease:
    """A lease that was taken; whoever knows its token may keep it alive."""

    def __init__(self, client: StoreClient, keyspace: Keyspace, token: str) -> None:
        self.token = token
        self._client, self._keyspace = client, keyspace
        self._stopped, self._lost = threading.Event(), threading.Event()

    def require(self) -> None:
        """Raises `PublicationRefused` once the lease was lost."""
        if self._lost.is_set() or not self._renew(int(LEASE_SECONDS * 1000)):
            raise PublicationRefused("the publisher's lease was lost, so another may be publishing; run again")

    @contextmanager
    def kept(self) -> Iterator[Lease]:
        """Renewed for as long as the block runs."""
        thread = threading.Thread(target=self._renew_until_stopped, name="publisher-lease", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stopped.set()
            thread.join()

    def give_back(self) -> None:
        with suppress(redis.RedisError):
            self._renew(0)

    def _renew_until_stopped(self) -> None:
        deadline = time.monotonic() + LEASE_SECONDS + patience_seconds(self._client)
        while not self._stopped.wait(LEASE_SECONDS / 3):
            with suppress(redis.RedisError):
                if not self._renew(int(LEASE_SECONDS * 1000)):
                    self._lost.set()
                deadline = time.monotonic() + LEASE_SECONDS + patience_seconds(self._client)
            if time.monotonic() > deadline:
                self._lost.set()

    def _renew(self, milliseconds: int) -> bool:
        return bool(run_script(self._client, "lease", [self._keyspace.lease], [self.token, milliseconds]))


@contextmanager
def publisher_lease(
    client: StoreClient, keyspace: Keyspace, holder: str, *, wait_seconds: float = LEASE_SECONDS + 5.0
) -> Iterator[Lease]:
    """Hold the lease for the block.

    Waits as long as a dead publisher's lease can last, then raises `PublicationRefused` with the holder's name. The
    lease spares work; what keeps two publishers apart is the compare-and-set of the activation.
    """
    lease = take_lease(client, keyspace, holder, wait_seconds=wait_seconds)
    try:
        with lease.kept():
            yield lease
    finally:
        lease.give_back()


def take_lease(
    client: StoreClient, keyspace: Keyspace, holder: str, *, wait_seconds: float = LEASE_SECONDS + 5.0
) -> Lease:
    token = f"{holder} {secrets.token_hex(8)}"
    deadline = time.monotonic() + wait_seconds
    while not client.set(keyspace.lease, token, nx=True, px=int(LEASE_SECONDS * 1000)):
        if time.monotonic() > deadline:
            found = text(client.get(keyspace.lease) or "unknown ").rpartition(" ")[0]
            raise PublicationRefused(f"another publication is under way ({found}); run again when it has ended")
        time.sleep(_TRY_AGAIN_SECONDS)
    return Lease(client, keyspace, token)
