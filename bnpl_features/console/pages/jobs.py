"""The page of what takes long, until it has ended."""

from __future__ import annotations

from starlette.responses import Response

from bnpl_features.console.jobs import JobState
from bnpl_features.console.visit import Visit

_ASK_NO_MORE = 286
"""The status that ends htmx's polling."""


def job_page(visit: Visit) -> Response:
    """The newest job of a kind, such as `versions/12`: what it is about lies at the address of that name."""
    kind = visit.request.path_params["kind"]
    job = visit.parts.jobs.newest(kind)
    if job is None:
        return visit.refusal(404, "No such job", "None was started since the console was; the audit has what was done.")
    ended = job.state is not JobState.RUNNING
    return visit.page("job.html", _ASK_NO_MORE if ended and visit.is_fragment else 200, job=job, back=f"/{kind}")
