"""The console as an ASGI application: one table of pages, each with the least role that it needs."""

from __future__ import annotations

from importlib.resources import files

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from bnpl_features.console.access.configured import Access
from bnpl_features.console.access.guard import Page, guarded
from bnpl_features.console.access.headers import with_security_headers
from bnpl_features.console.access.limits import with_small_bodies
from bnpl_features.console.access.oidc import CALLBACK
from bnpl_features.console.access.roles import Role
from bnpl_features.console.access.sessions import COOKIE
from bnpl_features.console.pages import (
    audit,
    catalogue,
    customer,
    drift,
    experiments,
    jobs,
    models,
    overview,
    serving,
    signing_in,
    versions,
)
from bnpl_features.console.parts import Parts
from bnpl_features.console.rendering import render

_BOTH = ("GET", "POST")

PAGES = (
    Page("/", overview.overview_page, Role.VIEWER),
    Page("/versions", versions.versions_page, Role.VIEWER),
    Page("/versions/{number:int}", versions.version_page, Role.VIEWER),
    Page("/versions/{number:int}/activate", versions.activate_page, Role.OPERATOR, _BOTH),
    Page("/versions/{number:int}/retire", versions.retire_page, Role.ADMIN, _BOTH),
    Page("/versions/{before:int}/{after:int}", versions.version_diff_page, Role.VIEWER),
    Page("/versions/{before:int}/{after:int}/features", versions.version_shifts_fragment, Role.VIEWER),
    Page("/customer", customer.customer_page, Role.OPERATOR),
    Page("/customer/features", customer.customer_features, Role.OPERATOR),
    Page("/customer/scores", customer.customer_scores, Role.OPERATOR),
    Page("/customer/erase", customer.erase_customer, Role.ADMIN, _BOTH),
    Page("/customer/readmit", customer.readmit_customer, Role.ADMIN, _BOTH),
    Page("/drift", drift.drift_page, Role.VIEWER),
    Page("/drift/distribution", drift.distribution_page, Role.VIEWER),
    Page("/models", models.models_page, Role.VIEWER),
    Page("/models/promote", models.promote_model, Role.ADMIN, _BOTH),
    Page("/experiments", experiments.experiments_page, Role.VIEWER),
    Page("/experiments/outcome", experiments.outcome_page, Role.VIEWER),
    Page("/experiments/start", experiments.start_page, Role.OPERATOR, _BOTH),
    Page("/experiments/shares", experiments.shares_page, Role.OPERATOR, _BOTH),
    Page("/experiments/stop", experiments.stop_page, Role.OPERATOR, _BOTH),
    Page("/serving", serving.serving_page, Role.VIEWER),
    Page("/catalogue", catalogue.catalogue_page, Role.VIEWER),
    Page("/catalogue/{name}", catalogue.feature_page, Role.VIEWER),
    Page("/audit", audit.audit_page, Role.VIEWER),
    Page("/jobs/{kind:path}", jobs.job_page, Role.OPERATOR),
)
"""All that needs somebody to be signed in."""


def create_app(parts: Parts, access: Access) -> ASGIApp:
    """The application; `parts` must stay open while it runs."""
    public = [
        Route("/sign-in", signing_in.sign_in, methods=["GET", "POST"]),
        Route("/sign-in/oidc", signing_in.sign_in_elsewhere),
        Route(CALLBACK, signing_in.come_back),
        Route("/sign-out", signing_in.sign_out, methods=["POST"]),
        Route("/health", signing_in.health),
        Mount("/static", StaticFiles(directory=str(files("bnpl_features.console") / "static"))),
    ]
    app = Starlette(
        routes=public + [Route(one.path, guarded(one), methods=list(one.methods), name=one.name) for one in PAGES],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=list(access.host_names), www_redirect=False),
            Middleware(
                SessionMiddleware,
                secret_key=access.session_key,
                session_cookie=COOKIE,
                max_age=int(access.session_seconds),
                https_only=access.encrypted,
            ),
        ],
    )
    app.add_exception_handler(404, _missing)
    app.add_exception_handler(500, _failed)
    app.state.parts, app.state.access = parts, access
    return with_security_headers(with_small_bodies(app), access.encrypted)


async def _missing(request: Request, error: Exception) -> Response:
    return _broken(404, "No such page", "There is nothing at this address.")


async def _failed(request: Request, error: Exception) -> Response:
    """Starlette logs the error and where it was raised."""
    return _broken(500, "This failed", "It failed in a way that nobody foresaw; the console's log has the details.")


def _broken(status: int, title: str, sentence: str) -> Response:
    return Response(render("broken.html", {"title": title, "sentence": sentence}), status, media_type="text/html")
