"""Access tokens as passwords: fetched where the machine's own account gets them, kept until shortly before they end.

Managed stores that log in by cloud identity, such as Memorystore for Redis Cluster, take nothing else. The address
answers as Google's metadata server and OAuth's token endpoints do: {"access_token": "...", "expires_in": seconds}.
"""

from __future__ import annotations

import json
import threading
import time
from functools import cache

GOOGLE = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
_HEADERS = {"Metadata-Flavor": "Google"}
_ANSWER_SECONDS = 2.0
_SPARE_SECONDS = 240.0
"""The metadata server hands out a new token at least five minutes before the present one ends."""


class Tokens:
    """The token of one address, for all threads; the lock makes one of them ask and the others wait for it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._token, self._asked_again_at = "", 0.0

    def current(self) -> str:
        """Raises `ConnectionError` where a new one is needed and not to be had."""
        with self._lock:
            if time.monotonic() >= self._asked_again_at:
                self._token, seconds = self._fetched()
                self._asked_again_at = time.monotonic() + max(seconds - _SPARE_SECONDS, 0.0)
            return self._token

    def _fetched(self) -> tuple[str, float]:
        # Not at the top: readers without tokens would pay for an HTTP client at their start.
        import urllib.request

        try:
            asked = urllib.request.Request(self._url, headers=_HEADERS)
            with urllib.request.urlopen(asked, timeout=_ANSWER_SECONDS) as answer:
                told = json.load(answer)
            return str(told["access_token"]), float(told["expires_in"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConnectionError(f"no access token from {self._url} ({type(error).__name__}: {error})") from error


@cache
def tokens_of(url: str) -> Tokens:
    """One for each address: connections of all clients share it."""
    return Tokens(url)
