"""Before every page: who asks, whether the role allows it, and whether a change was meant by the one who is signed in.

A route is declared with the least role that it needs; there is no other way to a page (`app.py` has the table).
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bnpl_features.console.access.roles import Role
from bnpl_features.console.access.sessions import session_user
from bnpl_features.console.visit import Visit

CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
_MOST_FIELDS = 50
_log = logging.getLogger(__name__)

Handler = Callable[[Visit], Response]


@dataclass(frozen=True)
class Page:
    """A route: the handler runs in a thread, for whoever has at least the role."""

    path: str
    handler: Handler
    role: Role
    methods: tuple[str, ...] = ("GET",)

    @property
    def name(self) -> str:
        return self.handler.__name__


def guarded(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """The page as Starlette calls it."""

    async def answer(request: Request) -> Response:
        user = session_user(request)
        if user is None:
            return _to_sign_in(request)
        form = {}
        if request.method == "POST":
            async with request.form(max_files=0, max_fields=_MOST_FIELDS) as given:
                form = {name: value for name, value in given.items() if isinstance(value, str)}
        visit = Visit(request, request.app.state.parts, user, form)
        if user.role < page.role:
            sentence = f"This needs the role {page.role.word}; {user.name} is {user.role.word}."
            return visit.refusal(403, "Not allowed", f"{sentence} Ask an admin for the role.")
        if request.method == "POST" and not is_meant(request, form):
            return visit.refusal(403, "Not accepted", "The form is not from this session. Open the page again.")
        started = time.perf_counter()
        response = await run_in_threadpool(page.handler, visit)
        response.headers["server-timing"] = f"page;dur={(time.perf_counter() - started) * 1e3:.1f}"
        return response

    return answer


def is_meant(request: Request, form: dict[str, str]) -> bool:
    """Whether the session's own page sent the form, by its token; and from this origin, where the browser says."""
    expected = request.session.get("csrf", "")
    given = request.headers.get(CSRF_HEADER) or form.get(CSRF_FIELD, "")
    origin = request.headers.get("origin")
    same_origin = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    return bool(expected) and same_origin and hmac.compare_digest(expected.encode(), given.encode())


def _to_sign_in(request: Request) -> Response:
    """To the sign-in page; a fragment's request brings the whole window there."""
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"hx-redirect": "/sign-in"})
    wanted = request.url.path if request.method == "GET" else "/"
    return RedirectResponse(f"/sign-in?next={quote(wanted)}", 303)
