"""One publisher at a time: a lease that a living publisher renews and a dead one loses within seconds."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import redis

from bnpl_features.errors import PublicationRefused
from bnpl_features.store.connection import text
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.versions import script_text

LEASE_SECONDS = 15.0
_TRY_AGAIN_SECONDS = 0.5


@contextmanager
def publisher_lease(
    client: redis.Redis, keyspace: Keyspace, holder: str, *, wait_seconds: float = LEASE_SECONDS + 5.0
) -> Iterator[Callable[[], None]]:
    """Hold the lease for the block; yields a function that raises `PublicationRefused` once the lease was lost.

    Waits as long as a dead publisher's lease can last, then raises `PublicationRefused` with the holder's name. The
    lease spares work; what keeps two publishers apart is the compare-and-set of the activation.
    """
    token = f"{holder} {secrets.token_hex(8)}"
    _acquire(client, keyspace, token, wait_seconds)
    renew = client.register_script(script_text("lease"))
    stopped, lost = threading.Event(), threading.Event()

    def heartbeat() -> None:
        deadline = time.monotonic() + LEASE_SECONDS
        while not stopped.wait(LEASE_SECONDS / 3):
            with suppress(redis.RedisError):
                if renew(keys=[keyspace.lease], args=[token, int(LEASE_SECONDS * 1000)]) == 0:
                    lost.set()
                deadline = time.monotonic() + LEASE_SECONDS
            if time.monotonic() > deadline:
                lost.set()

    def still_held() -> None:
        if lost.is_set():
            raise PublicationRefused("the publisher's lease was lost, so another may be publishing; run again")

    thread = threading.Thread(target=heartbeat, name="publisher-lease", daemon=True)
    thread.start()
    try:
        yield still_held
    finally:
        stopped.set()
        thread.join()
        with suppress(redis.RedisError):
            renew(keys=[keyspace.lease], args=[token, 0])


def _acquire(client: redis.Redis, keyspace: Keyspace, token: str, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while not client.set(keyspace.lease, token, nx=True, px=int(LEASE_SECONDS * 1000)):
        if time.monotonic() > deadline:
            holder = text(client.get(keyspace.lease) or "unknown ").rpartition(" ")[0]
            raise PublicationRefused(f"another publication is under way ({holder}); run again when it has ended")
        time.sleep(_TRY_AGAIN_SECONDS)
