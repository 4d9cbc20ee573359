"""Versions: their timeline, one of them, two side by side; switching to one, and retiring one."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from bnpl_features.console.figures.panel import panel
from bnpl_features.console.figures.version_diff import feature_shifts, version_diff
from bnpl_features.console.figures.versions import VersionFigures, version_story, version_timeline
from bnpl_features.console.jobs import Report
from bnpl_features.console.visit import Visit
from bnpl_features.errors import BnplFeaturesError
from bnpl_features.store.retirement import retire
from bnpl_features.store.switching import switch_to

_SHOWN = 60


def versions_page(visit: Visit) -> Response:
    return visit.page("versions.html", versions=panel(lambda: version_timeline(visit.parts)[:_SHOWN]))


def version_page(visit: Visit) -> Response:
    return visit.page(
        "version.html", number=_number(visit), story=panel(lambda: version_story(visit.parts, _number(visit)))
    )


def version_diff_page(visit: Visit) -> Response:
    before, after = _pair(visit)
    found = panel(lambda: version_diff(visit.parts, before, after))
    return visit.page("version_diff.html", before=before, after=after, diff=found)


def version_shifts_fragment(visit: Visit) -> Response:
    before, after = _pair(visit)
    return visit.page("version_shifts.html", shifts=panel(lambda: feature_shifts(visit.parts, before, after)))


def activate_page(visit: Visit) -> Response:
    """Asks for the reason, and shows what would change; posted, it switches."""
    number, problem = _number(visit), ""
    if visit.request.method == "POST":
        try:
            with visit.parts.target() as target:
                switch_to(target.client, target.keyspace, number, actor=visit.user.name, reason=visit.reason)
            return visit.back_to("/versions", f"Version {number} is active.")
        except BnplFeaturesError as error:
            problem = str(error)
    return visit.page(
        "activate.html",
        status=409 if problem else 200,
        number=number,
        problem=problem,
        change=panel(lambda: _change(visit, number)),
    )


def retire_page(visit: Visit) -> Response:
    """Asks for the reason; posted, it starts the removal, whose progress has a page."""
    number, problem = _number(visit), ""
    if visit.request.method == "POST":
        try:
            story = version_story(visit.parts, number)
            if not story.version.may_be_retired:
                problem = f"Version {number} is {story.version.state}, so it cannot be retired."
            else:
                return _start_retirement(visit, number)
        except BnplFeaturesError as error:
            problem = str(error)
    found = panel(lambda: version_story(visit.parts, number))
    return visit.page("retire.html", status=409 if problem else 200, number=number, problem=problem, story=found)


def _start_retirement(visit: Visit, number: int) -> Response:
    reason, parts, actor = visit.reason, visit.parts, visit.user.name

    def work(report: Report) -> str:
        with parts.target() as target:
            retire(target.client, target.keyspace, number, actor=actor, reason=reason, report=report)
        return f"Version {number} is retired."

    job = parts.jobs.start(f"Retiring version {number}", actor, "/versions", work)
    return RedirectResponse(f"/jobs/{job.name}", 303)


def _change(visit: Visit, number: int) -> tuple[VersionFigures | None, VersionFigures]:
    """The version that is active now in the set of the one to be activated, and that one."""
    timeline = version_timeline(visit.parts)
    wanted = version_story(visit.parts, number).version
    same = (one for one in timeline if one.feature_set == wanted.feature_set and one.state == "active")
    return next(same, None), wanted


def _number(visit: Visit) -> int:
    return int(visit.request.path_params["number"])


def _pair(visit: Visit) -> tuple[int, int]:
    return int(visit.request.path_params["before"]), int(visit.request.path_params["after"])
