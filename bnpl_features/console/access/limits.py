"""What is read of a request's body: forms are small, and whatever is not is refused before it takes memory."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MOST_BODY_BYTES = 65_536


def with_small_bodies(app: ASGIApp) -> ASGIApp:
    """`app`, which never sees a body that is larger, or that does not say how large it is."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            length = headers.get("content-length", "0")
            if "transfer-encoding" in headers:
                await PlainTextResponse("say how long the body is\n", 411)(scope, receive, send)
                return
            if not length.isdecimal() or int(length) > MOST_BODY_BYTES:
                await PlainTextResponse(f"at most {MOST_BODY_BYTES:,} bytes\n", 413)(scope, receive, send)
                return
        await app(scope, receive, send)

    return answer
