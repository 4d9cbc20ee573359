"""Which version a reader serves: resolved once, then kept fresh in the background by notification and by polling."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from datetime import timedelta

import redis

from bnpl_features.errors import BnplFeaturesError, StoreUnavailable
from bnpl_features.store.connection import named_errors, url_of
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.reading.lookup import ServedVersion
from bnpl_features.store.versions import GRACE_SECONDS, active_version, manifest_of

POLL_SECONDS = 1.0
_LOG = logging.getLogger("bnpl_features.store")


class Pointer:
    """Follows the active version; `served` is None until something was published."""

    def __init__(
        self,
        client: redis.Redis,
        keyspace: Keyspace,
        key: CustomerKey,
        stale_after: timedelta,
        on_switch: Callable[[ServedVersion], None] = lambda served: None,
    ) -> None:
        """Raises `StoreUnavailable` or `LayoutMismatch` where the active version cannot be resolved at first."""
        self.served: ServedVersion | None = None
        self._client = client
        self._keyspace = keyspace
        self._key = key
        self._stale_after = stale_after
        self._on_switch = on_switch
        self._confirmed_at = 0.0
        self._closed = False
        with named_errors(url_of(client)):
            self._refresh()
        self._start()
        again = weakref.WeakMethod(self._start)
        os.register_at_fork(after_in_child=lambda: (start := again()) and start())

    @property
    def age_seconds(self) -> float:
        """Since the store last confirmed which version is active."""
        return time.monotonic() - self._confirmed_at

    @property
    def is_trustworthy(self) -> bool:
        """False once the version held may have been retired: then a miss says nothing about the customer."""
        return self.age_seconds < GRACE_SECONDS / 2

    def close(self) -> None:
        self._closed = True
        self._stopped.set()
        self._client.connection_pool.disconnect()  # wakes the thread where it waits for a message
        self._thread.join(timeout=2 * POLL_SECONDS)

    def _start(self) -> None:
        """Follow in a thread of this process: a fork does not take its parent's threads along."""
        if self._closed:
            return
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="feature-version-pointer", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        while not self._stopped.is_set():
            try:
                with named_errors(url_of(self._client)), self._client.pubsub() as events:
                    events.subscribe(self._keyspace.events)
                    while not self._stopped.is_set():
                        events.get_message(timeout=POLL_SECONDS)
                        self._refresh()
            except StoreUnavailable as error:
                _LOG.debug("cannot refresh the active version: %s", error)
            except BnplFeaturesError as error:
                _LOG.error("keep serving the version at hand: %s", error)
            except Exception:
                # A thread that died would hold the reader at this version for good.
                if not self._closed:
                    _LOG.exception("keep serving the version at hand")
            self._stopped.wait(POLL_SECONDS)

    def _refresh(self) -> None:
        version = active_version(self._client, self._keyspace)
        held = self.served.manifest.version if self.served else None
        if version is None:
            self.served = None
        elif version != held:
            manifest = manifest_of(self._client, self._keyspace, version)
            self.served = ServedVersion(manifest, self._keyspace, self._key, self._stale_after)
            self._on_switch(self.served)
        self._confirmed_at = time.monotonic()
