"""Which versions a reader serves, one a feature set, and where their buckets are: by notification and polling."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Sequence
from datetime import timedelta

import redis

from bnpl_features.errors import BnplFeaturesError, StoreUnavailable
from bnpl_features.store.address import Address
from bnpl_features.store.connection import StoreClient, client_of, named_errors
from bnpl_features.store.keyspace import FIRST_SET, CustomerKey, Keyspace
from bnpl_features.store.manifest import Manifest
from bnpl_features.store.readers import Announcer
from bnpl_features.store.reading.lookup import ServedVersion
from bnpl_features.store.reading.routes import Routes, discover
from bnpl_features.store.velocity.answer import VelocityStatus
from bnpl_features.store.versions import GRACE_SECONDS, active_version, manifest_of

POLL_SECONDS = 1.0
_LISTEN_SECONDS = 0.1
_ROUTES_SECONDS = 10.0
"""How old routes, and a version's manifest, may be that nobody complained about."""

CAUGHT_UP_SECONDS = 60.0
"""How far behind the stream's workers may be before velocity counts as stale."""

_CLIENT_TIMEOUT_SECONDS = 2.0
_CLOCKS_APART_SECONDS = 5.0
"""How far this clock may be behind the publisher's and the store's, whose clock lets records expire."""

_LOG = logging.getLogger("bnpl_features.store")


class Follower:
    """Follows the active version of feature sets: that of the keyspace from the first moment, others on request."""

    def __init__(
        self,
        address: Address,
        keyspace: Keyspace,
        keys: Sequence[CustomerKey],
        stale_after: timedelta,
        *,
        must_answer: bool,
        with_velocity: bool = False,
        announces: bool = True,
    ) -> None:
        """Raises `StoreUnavailable` or `LayoutMismatch` where the active version cannot be resolved at first.

        Without `must_answer` a store that is down is not an error: following begins once it is there.
        """
        self.routes = Routes(())
        self._served: dict[str, ServedVersion] = {}
        self._sets: tuple[str, ...] = (keyspace.feature_set,)
        self._why_nothing = "the store was not reached yet"
        self._damaged: dict[str, str] = {}
        self._announcer = Announcer(keyspace) if announces else None
        self._address = address
        self._keyspace = keyspace
        self._keys = keys
        self._stale_after = stale_after
        self._with_velocity = with_velocity
        self._caught_up_at = 0.0
        self._client: StoreClient | None = None
        self._confirmed_at: dict[str, float] = {}
        self._routes_at = -_ROUTES_SECONDS
        self._hurried = False
        self._doubts = self._doubts_settled = 0
        self._closed = False
        self._refreshing = threading.Lock()
        try:
            with named_errors(str(address)):
                self._refresh()
        except StoreUnavailable as error:
            if must_answer:
                raise
            self._why_nothing = str(error)
        self._start()
        again = weakref.WeakMethod(self._start)
        os.register_at_fork(after_in_child=lambda: (start := again()) and start())

    @property
    def feature_set(self) -> str:
        """The set that is read where no other is asked for."""
        return self._keyspace.feature_set

    @property
    def served(self) -> ServedVersion | None:
        """The default set's version; None until something was published and the store was reached once."""
        return self._served.get(self._keyspace.feature_set)

    def served_of(self, feature_set: str) -> ServedVersion | None:
        """The version of a set that is followed; None where nothing of it was published."""
        return self._served.get(feature_set)

    @property
    def all_served(self) -> tuple[ServedVersion, ...]:
        """The versions of all sets that are followed."""
        return tuple(dict(self._served).values())

    def follow(self, feature_set: str) -> ServedVersion | None:
        """Follow one more set from now on; returns its version. Blocks for an exchange with the store the first time.

        Raises `StoreUnavailable` or `LayoutMismatch` where it cannot be resolved yet; it is followed all the same.
        """
        with self._refreshing:
            is_new = feature_set not in self._sets
            self._sets = tuple(dict.fromkeys((*self._sets, feature_set)))
        if is_new:
            try:
                with named_errors(str(self._address)):
                    self._refresh()
            except BnplFeaturesError as error:
                # What is wrong with another set is for its own readers to hear.
                if isinstance(error, StoreUnavailable) or feature_set in self._damaged:
                    raise
        return self._served.get(feature_set)

    def why_nothing(self, feature_set: str) -> str:
        """Why `served_of` has nothing."""
        if self._why_nothing or feature_set in self._damaged:
            return self._why_nothing or self._damaged[feature_set]
        if feature_set not in self._sets:
            return f"feature set {feature_set} is not followed by this reader; call follow({feature_set!r}) first"
        if feature_set == FIRST_SET:
            return "nothing was published to this namespace yet"
        return f"nothing was published of feature set {feature_set} to this namespace yet"

    @property
    def age_seconds(self) -> float:
        """Since the store last confirmed which version of the default set is active."""
        return self._age_seconds(self._keyspace.feature_set)

    def _age_seconds(self, feature_set: str) -> float:
        return time.monotonic() - self._confirmed_at.get(feature_set, -GRACE_SECONDS)

    def why_not_known(self, served: ServedVersion, now: float) -> str:
        """Why a miss says nothing about the customer: the version held may have been retired, or have expired."""
        name = served.manifest.layout.feature_set
        is_old = self._age_seconds(name) > GRACE_SECONDS / 2
        if is_old or self._doubts != self._doubts_settled or name not in self._served:
            return "the active version is not confirmed"
        expires_at = served.manifest.expires_at
        if expires_at is not None and now > expires_at - _CLOCKS_APART_SECONDS:
            return f"version {served.manifest.version} has expired, or is about to"
        return ""

    def velocity_status(self, now: float) -> VelocityStatus:
        """`now` is seconds since the epoch."""
        is_late = now - self._caught_up_at > CAUGHT_UP_SECONDS
        return VelocityStatus.STALE if is_late else VelocityStatus.FRESH

    def hurry(self, *, is_in_doubt: bool = False) -> None:
        """Look at the topology again, soon; it `is_in_doubt` whether what answers then is the store of before."""
        self._hurried = True
        self._doubts += is_in_doubt

    def close(self) -> None:
        self._closed = True
        self._stopped.set()
        self._disconnect()  # wakes the thread where it waits for a message
        self._thread.join(timeout=2 * POLL_SECONDS)

    def _start(self) -> None:
        """Follow in a thread of this process: a fork does not take its parent's threads along."""
        if self._closed:
            return
        self._stopped = threading.Event()
        self._refreshing = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name="feature-version-follower", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        while not self._stopped.is_set():
            try:
                with named_errors(str(self._address)):
                    self._listen()
            except StoreUnavailable as error:
                self.hurry(is_in_doubt=True)
                if not self._served:
                    self._why_nothing = str(error)
                _LOG.debug("cannot refresh the active version: %s", error)
            except BnplFeaturesError as error:
                _LOG.error("keep serving the version at hand: %s", error)
            except Exception:
                # A thread that died would hold the reader at this version for good.
                if not self._closed:
                    _LOG.exception("keep serving the version at hand")
            self._stopped.wait(POLL_SECONDS / 4)

    def _listen(self) -> None:
        self._refresh()
        with self._connected().pubsub() as events:  # type: ignore[no-untyped-call]
            events.subscribe(self._keyspace.events)
            polled_at = 0.0
            while not self._stopped.is_set():
                heard = events.get_message(timeout=_LISTEN_SECONDS)
                if heard or self._hurried or time.monotonic() - polled_at > POLL_SECONDS:
                    self._refresh()
                    polled_at = time.monotonic()

    def _refresh(self) -> None:
        with self._refreshing:
            client = self._connected()
            now, doubts = time.monotonic(), self._doubts
            is_due = self._hurried or now - self._routes_at > _ROUTES_SECONDS
            if is_due:
                self._hurried = False
                self.routes = discover(client, self._address)
                self._routes_at = now
            keyspaces = [self._keyspace.of(name) for name in self._sets]
            damaged = [error for one in keyspaces if (error := self._refresh_set(client, one, is_due))]
            self._why_nothing = ""
            self._doubts_settled = doubts
            if self._with_velocity:
                self._caught_up_at = float(client.get(self._keyspace.caught_up) or 0)
            if self._announcer:
                self._announcer.tell(client, self._served)
        if damaged:
            raise damaged[0]

    def _refresh_set(self, client: StoreClient, keyspace: Keyspace, is_due: bool) -> BnplFeaturesError | None:
        """Why the set's newest version cannot be served: that must not hold up the other sets.

        What is due is read also under the number at hand: a store that lost its data numbers versions from 1 again.
        """
        name = keyspace.feature_set
        version = active_version(client, keyspace)
        held = self._served.get(name)
        if version is None:
            self._served.pop(name, None)
        elif held is None or version != held.manifest.version or is_due:
            try:
                manifest = manifest_of(client, keyspace, version)
                if held is None or manifest != held.manifest:
                    self._served[name] = self._new(manifest, keyspace, held)
            except BnplFeaturesError as error:
                if held is None or version != held.manifest.version:
                    self._damaged[name] = str(error)
                    return error
        self._damaged.pop(name, None)
        self._confirmed_at[name] = time.monotonic()
        return None

    def _new(self, manifest: Manifest, keyspace: Keyspace, held: ServedVersion | None) -> ServedVersion:
        served = ServedVersion(manifest, keyspace, self._keys, self._stale_after)
        if served.deprecation and not (held and held.deprecation):
            _LOG.warning("%s", served.deprecation)
        return served

    def _connected(self) -> StoreClient:
        if self._client is None:
            self._client = client_of(self._address, _CLIENT_TIMEOUT_SECONDS)
        return self._client

    def _disconnect(self) -> None:
        if isinstance(self._client, redis.RedisCluster):
            for node in self._client.get_nodes():
                if node.redis_connection is not None:
                    node.redis_connection.connection_pool.disconnect()
        elif self._client is not None:
            self._client.connection_pool.disconnect()
