"""Headers that every answer bears: what the browser may load, and who may frame or cache the console."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
_HEADERS = {
    "content-security-policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_STATIC_SECONDS = 86_400


def with_security_headers(app: ASGIApp, encrypted: bool) -> ASGIApp:
    """`app` with the headers; where it is served encrypted, browsers are told never to ask for it otherwise."""
    fixed = _HEADERS | ({"strict-transport-security": "max-age=31536000"} if encrypted else {})

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(fixed)
                is_static = scope["path"].startswith("/static/")
                headers["cache-control"] = f"public, max-age={_STATIC_SECONDS}" if is_static else "no-store"
            await send(message)

        await app(scope, receive, send_with_headers)

    return answer
