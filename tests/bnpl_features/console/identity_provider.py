"""An OpenID Connect provider of the test's own: discovery, authorization, token and keys, with PKCE checked."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey


@dataclass
class Provider:
    """`claims` are those of whoever signs in next; `key` signs."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1", "alg": "RS256", "use": "sig"}))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    verified: list[str] = field(default_factory=list)

    def authorized(self, asked: dict[str, str]) -> str:
        """Where the browser is sent back to."""
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, asked: dict[str, str]) -> dict[str, Any] | None:
        """None where the verifier does not fit the challenge."""
        begun = self.codes.pop(asked["code"])
        digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != begun["code_challenge"]:
            return None
        self.verified.append(asked["code_verifier"])
        now = int(time.time())
        given = {"iss": self.url, "aud": begun["client_id"], "iat": now, "exp": now + 60, "nonce": begun["nonce"]}
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, given | self.claims, self.key)
        return {"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": signed}


@contextmanager
def running_provider() -> Iterator[Provider]:
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                self.send_response(302)
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_header("location", provider.authorized(asked))
                self.end_headers()
            elif parts.path == "/keys":
                self._json({"keys": [provider.key.as_dict(private=False)]})
            else:
                names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
                said = {name: f"{provider.url}/{path}" for name, path in names.items()}
                self._json({"issuer": provider.url, "id_token_signing_alg_values_supported": ["RS256"], **said})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            found = provider.token({name: values[0] for name, values in parse_qs(body).items()})
            self._json(found or {"error": "invalid_grant"}, 200 if found else 400)

        def _json(self, value: dict[str, Any], status: int = 200) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def log_message(self, *given: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
