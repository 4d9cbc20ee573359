"""A small document that services share, beside the control keys: replaced only by whoever has seen its newest text."""

from __future__ import annotations

from bnpl_features.errors import DocumentMoved
from bnpl_features.store.connection import StoreClient
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.versions import run_script


def read_document(client: StoreClient, key: str) -> bytes:
    """Its text; empty where there is none."""
    found = client.get(key)
    return found.encode() if isinstance(found, str) else found or b""


def replace_document(
    client: StoreClient, keyspace: Keyspace, key: str, before: bytes, after: bytes, *, act: str, actor: str, reason: str
) -> None:
    """Raises `DocumentMoved` where it is not `before` any more; the act lands in the audit trail."""
    texts = (before.decode("utf-8"), after.decode("utf-8"))
    verdict, *_ = run_script(client, "replace_document", [key, keyspace.audit], [*texts, act, actor, reason])
    if verdict != b"ok":
        raise DocumentMoved(f"{key} was changed by somebody else meanwhile; look at it, and try again")
