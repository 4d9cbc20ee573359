"""Where definitions of experiments are kept: in the online store, or in a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bnpl_features.errors import DocumentMoved
from bnpl_features.scoring.experiments.definition import Definitions, from_json, to_json
from bnpl_features.store.address import parse_address
from bnpl_features.store.connection import StoreClient, client_of, named_errors, url_of
from bnpl_features.store.documents import read_document, replace_document
from bnpl_features.store.keyspace import Keyspace

_TIMEOUT_SECONDS = 2.0


class Shelf(Protocol):
    def read(self) -> bytes:
        """The text of the definitions; empty where there are none."""
        ...

    def replace(self, before: bytes, after: bytes, *, act: str, actor: str, reason: str) -> None:
        """Raises `DocumentMoved` where the text is not `before` any more."""
        ...


class StoreShelf:
    """A control key of the online store: all services see a change within their interval."""

    def __init__(self, client: StoreClient, keyspace: Keyspace) -> None:
        self._client = client
        self._keyspace = keyspace

    def read(self) -> bytes:
        with named_errors(url_of(self._client)):
            return read_document(self._client, self._keyspace.experiments)

    def replace(self, before: bytes, after: bytes, *, act: str, actor: str, reason: str) -> None:
        with named_errors(url_of(self._client)):
            replace_document(
                self._client,
                self._keyspace,
                self._keyspace.experiments,
                before,
                after,
                act=act,
                actor=actor,
                reason=reason,
            )


class FileShelf:
    """A file, for one machine or a shared folder; the last writer of two at once is told."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return b""

    def replace(self, before: bytes, after: bytes, *, act: str, actor: str, reason: str) -> None:
        if self.read() != before:
            raise DocumentMoved(f"{self._path} was changed by somebody else meanwhile; look at it, and try again")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = self._path.with_name(f".{self._path.name}-{os.getpid()}")
        written.write_bytes(after)
        written.rename(self._path)


def lazy_store_shelf(url: str, keyspace: Keyspace) -> Shelf:
    """A shelf in a store that need not be there yet."""
    return _LazyStoreShelf(url, keyspace)


class _LazyStoreShelf:
    def __init__(self, url: str, keyspace: Keyspace) -> None:
        self._url = url
        self._keyspace = keyspace
        self._shelf: StoreShelf | None = None

    def read(self) -> bytes:
        return self._connected().read()

    def replace(self, before: bytes, after: bytes, *, act: str, actor: str, reason: str) -> None:
        self._connected().replace(before, after, act=act, actor=actor, reason=reason)

    def _connected(self) -> StoreShelf:
        if self._shelf is None:
            address = parse_address(self._url)
            with named_errors(str(address)):
                self._shelf = StoreShelf(client_of(address, _TIMEOUT_SECONDS), self._keyspace)
        return self._shelf


def read_definitions(shelf: Shelf) -> Definitions:
    text = shelf.read()
    return from_json(text) if text else Definitions()


def change(
    shelf: Shelf, changed: Callable[[Definitions], Definitions], *, act: str, actor: str, reason: str
) -> Definitions:
    """Read, change, write back; raises `DocumentMoved` where somebody else did so in between."""
    before = shelf.read()
    after = changed(from_json(before) if before else Definitions())
    shelf.replace(before, to_json(after), act=act, actor=actor, reason=reason)
    return after


def watch_definitions(shelf: Shelf, kept: Path | None = None) -> Callable[[], Definitions | None]:
    """A function that returns the definitions when they are not what they were when called last, otherwise None.

    What was read is kept in the file `kept`, so that a service that starts while the store is down knows it.
    """
    seen: list[bytes] = [b""]

    def look() -> Definitions | None:
        text = shelf.read()
        if text == seen[0]:
            return None
        definitions = from_json(text) if text else Definitions()
        seen[0] = text
        if kept is not None:
            FileShelf(kept).replace(FileShelf(kept).read(), text, act="", actor="", reason="")
        return definitions

    return look


def kept_definitions(kept: Path) -> Definitions:
    """What was read last; nothing where that cannot be told."""
    text = FileShelf(kept).read()
    return from_json(text) if text else Definitions()
