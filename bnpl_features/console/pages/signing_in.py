"""What can be reached without signing in: the way in, the way out, and whether the process lives."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from bnpl_features.console.access.configured import Access
from bnpl_features.console.access.guard import is_meant
from bnpl_features.console.access.local_users import signed_in
from bnpl_features.console.access.oidc import Provider, SignInRefused
from bnpl_features.console.access.roles import User
from bnpl_features.console.access.sessions import begin_session, end_session
from bnpl_features.console.rendering import render
from bnpl_features.errors import BnplFeaturesError
from bnpl_features.store.audit import record_act

_LONGEST_PASSWORD = 1_024


async def sign_in(request: Request) -> Response:
    """The form; what it sends."""
    if request.method == "GET":
        return _form(request)
    async with request.form(max_files=0, max_fields=5) as given:
        form = {name: value for name, value in given.items() if isinstance(value, str)}
    if not is_meant(request, form):
        return _form(request, 403, "The form is too old. Try again.")
    return await run_in_threadpool(_signed_in, request, form)


async def sign_in_elsewhere(request: Request) -> Response:
    """To the identity provider."""
    request.session["wanted"] = request.query_params.get("next", "/")
    return await _with_provider(request, lambda provider: provider.redirect(request))


async def come_back(request: Request) -> Response:
    """From the identity provider, with its code."""

    async def welcomed(provider: Provider) -> Response:
        wanted = str(request.session.get("wanted", "/"))
        user = await provider.user(request)
        return await run_in_threadpool(welcome, request, user, "oidc", wanted)

    return await _with_provider(request, welcomed)


async def _with_provider(request: Request, act: Callable[[Provider], Awaitable[Response]]) -> Response:
    provider = request.app.state.access.provider
    if provider is None:
        return _form(request, 404, "No identity provider is configured here.")
    try:
        return await act(provider)
    except SignInRefused as error:
        await run_in_threadpool(_record, request, "refuse sign-in", "somebody", str(error))
        return _form(request, 403, str(error))


async def sign_out(request: Request) -> Response:
    async with request.form(max_files=0, max_fields=5) as given:
        form = {name: value for name, value in given.items() if isinstance(value, str)}
    if is_meant(request, form):
        end_session(request)
    return RedirectResponse("/sign-in", 303)


async def health(request: Request) -> Response:
    return PlainTextResponse("ok\n")


def _signed_in(request: Request, form: dict[str, str]) -> Response:
    access: Access = request.app.state.access
    name, password = form.get("name", "")[:64], form.get("password", "")
    address = request.client.host if request.client else ""
    wait = access.attempts.wait_seconds(name, address)
    if wait > 0:
        return _form(request, 429, f"Signing in failed too often. Try again in {wait / 60:.0f} min.")
    try:
        user = signed_in(access.local_users(), name, password) if len(password) <= _LONGEST_PASSWORD else None
    except BnplFeaturesError as error:
        return _form(request, 503, str(error))
    if user is None:
        access.attempts.failed(name, address)
        _record(request, "refuse sign-in", name or "nobody", "wrong name or password")
        return _form(request, 403, "There is no such user with this password.")
    access.attempts.succeeded(name, address)
    return welcome(request, user, "local", form.get("next", "/"))


def welcome(request: Request, user: User, source: str, wanted: str) -> Response:
    """A session begins; to the page that was wanted, of this console only."""
    begin_session(request, user, source)
    _record(request, "sign in", user.name, f"as {user.role.word}, {source}")
    is_own = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return RedirectResponse(wanted if is_own else "/", 303)


def _record(request: Request, act: str, actor: str, reason: str) -> None:
    """Somebody may sign in while the store is down: that is when the console is needed most."""
    try:
        with request.app.state.parts.target() as target:
            record_act(target.client, target.keyspace, act=act, actor=actor, reason=reason)
    except BnplFeaturesError:
        pass


def _form(request: Request, status: int = 200, problem: str = "") -> Response:
    if not request.session.get("csrf"):
        request.session["csrf"] = secrets.token_urlsafe(32)
    access: Access = request.app.state.access
    context = {
        "csrf": request.session["csrf"],
        "problem": problem,
        "next": request.query_params.get("next", "/"),
        "oidc": access.provider is not None,
        "local": access.users_file is not None or bool(access.development_users),
    }
    return Response(render("sign_in.html", context), status, media_type="text/html")
