"""Acts beside those that a change of the store records itself: who signed in, who looked at a customer."""

from __future__ import annotations

import time

from bnpl_features.store.connection import StoreClient
from bnpl_features.store.keyspace import Keyspace

_MOST_ACTS = 100_000
"""As the scripts trim the trail that they write to as well."""

_LONGEST_REASON = 500


def record_act(
    client: StoreClient, keyspace: Keyspace, *, act: str, actor: str, reason: str, subject: str = "", version: int = 0
) -> None:
    """One more entry of the audit trail. `subject` is what was acted on: of a customer the digest, never the id."""
    entry = {
        "act": act,
        "version": version,
        "previous": subject,
        "actor": actor,
        "reason": reason[:_LONGEST_REASON],
        "at": f"{time.time():.3f}",
    }
    client.xadd(keyspace.audit, entry, maxlen=_MOST_ACTS, approximate=True)  # type: ignore[arg-type]
