"""Who looked at which customer: one entry of the audit trail for each, however often the page asks again."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from bnpl_features.store.audit import record_act
from bnpl_features.store.target import Target

ACT = "look at customer"
AGAIN_SECONDS = 600.0
"""A look that goes on longer is audited again."""

_MOST_REMEMBERED = 10_000


def record_look(target: Target, customer_id: str, actor: str, reason: str) -> None:
    """The trail has the digest, not the id, as it has of an erasure. Raises what the store raises."""
    subject = f"{target.key.check}:{target.key.digest(customer_id).hex()}"
    record_act(target.client, target.keyspace, act=ACT, actor=actor, reason=reason, subject=subject)


class Looks:
    """In the memory of this process: a restart audits once more."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[tuple[str, bytes], float] = OrderedDict()
        self._lock = Lock()

    def audit(self, target: Target, customer_id: str, actor: str, reason: str) -> None:
        """Before anything is shown. Raises what the store raises."""
        look = actor, target.key.digest(customer_id)
        now = self._clock()
        with self._lock:
            before = self._seen.get(look)
        if before is not None and now - before < AGAIN_SECONDS:
            return
        record_look(target, customer_id, actor, reason)
        with self._lock:
            self._seen[look] = now
            self._seen.move_to_end(look)
            while len(self._seen) > _MOST_REMEMBERED:
                self._seen.popitem(last=False)
