"""A request by somebody who may make it, and how it is answered: a page, a piece of one, a way back with a word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bnpl_features.console.access.roles import Role, User
from bnpl_features.console.parts import Parts
from bnpl_features.console.rendering import render


@dataclass(frozen=True)
class Visit:
    """`form` is what was posted, text by name."""

    request: Request
    parts: Parts
    user: User
    form: Mapping[str, str] = field(default_factory=dict)

    def may(self, role: Role) -> bool:
        return self.user.role >= role

    @property
    def sees_personal_data(self) -> bool:
        return self.may(Role.OPERATOR)

    @property
    def is_fragment(self) -> bool:
        """Whether only the page's live piece is asked for."""
        return self.request.headers.get("hx-request") == "true"

    def page(self, template: str, status: int = 200, **context: Any) -> Response:
        """The template with the context, and with what every page shows."""
        session = self.request.session
        given = {
            "visit": self,
            "user": self.user,
            "csrf": session.get("csrf", ""),
            "path": self.request.url.path,
            "layout": "fragment.html" if self.is_fragment else "layout.html",
            "said": None if self.is_fragment else session.pop("said", None),
            "dagster_url": self.parts.dagster_url,
        }
        return Response(render(template, given | context), status, media_type="text/html")

    def refusal(self, status: int, title: str, sentence: str) -> Response:
        return self.page("refusal.html", status, title=title, sentence=sentence)

    def back_to(self, path: str, said: str) -> Response:
        """To another page, which says what was done."""
        self.request.session["said"] = said
        return RedirectResponse(path, 303)
