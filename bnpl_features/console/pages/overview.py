"""The first page: is everything fresh, fast, and within its limits."""

from __future__ import annotations

from starlette.responses import Response

from bnpl_features.console.figures.overview import overview
from bnpl_features.console.visit import Visit


def overview_page(visit: Visit) -> Response:
    return visit.page("overview.html", found=overview(visit.parts))
