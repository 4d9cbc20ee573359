"""The page of what takes long, and its end."""

from __future__ import annotations

from starlette.responses import Response

from bnpl_features.console.visit import Visit


def job_page(visit: Visit) -> Response:
    """Progress; when the job has ended well, on to where it was started from."""
    job = visit.parts.jobs.named(visit.request.path_params["name"])
    if job is None or job.actor != visit.user.name:
        return visit.refusal(404, "No such job", "It ended before this console was started again, or is another's.")
    if job.said:
        answer = visit.back_to(job.back, job.said)
        if visit.is_fragment:
            return Response(headers={"hx-redirect": job.back})
        return answer
    return visit.page("job.html", job=job)
