"""The audit trail, to look through."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from bnpl_features.console.figures.audit import audit_figures
from bnpl_features.console.figures.panel import panel
from bnpl_features.console.visit import Visit
from bnpl_features.store.audit import ActFilter


def audit_page(visit: Visit) -> Response:
    asked = visit.request.query_params
    version = asked.get("version", "")
    wanted = ActFilter(
        asked.get("act", ""),
        asked.get("actor", ""),
        int(version) if version.isascii() and version.isdecimal() else 0,
        asked.get("words", ""),
    )
    before = asked.get("before", "")
    found = panel(lambda: audit_figures(visit.parts, wanted, before))
    given = {name: value for name, value in asked.items() if name != "before" and value}
    older = urlencode({**given, "before": found.value.older}) if found.value and found.value.older else ""
    return visit.page("audit.html", found=found, wanted=wanted, before=before, older=older)
