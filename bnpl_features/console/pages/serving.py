"""The prediction service: how fast, how often it fell back, whether it finds its customers."""

from __future__ import annotations

from starlette.responses import Response

from bnpl_features.console.figures.serving import serving_charts, serving_now
from bnpl_features.console.visit import Visit


def serving_page(visit: Visit) -> Response:
    found = visit.parts.sampler.readings()
    readings = found.value or ()
    return visit.page(
        "serving.html",
        problem=found.problem,
        url=visit.parts.sampler.url,
        now=serving_now(readings),
        charts=serving_charts(readings),
        last=readings[-1] if readings else None,
    )
