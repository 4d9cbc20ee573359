"""Versions: their timeline, one of them, two side by side; switching to one, and retiring one."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from bnpl_features.console.figures.panel import panel
from bnpl_features.console.figures.version_diff import feature_shifts, version_diff
from bnpl_features.console.figures.versions import VersionFigures, version_story, version_timeline
from bnpl_features.console.pages.acting import act_page
from bnpl_features.console.visit import Visit
from bnpl_features.errors import VersionMissing
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
    number = _number(visit)

    def act(reason: str) -> str:
        with visit.parts.target() as target:
            switch_to(target.client, target.keyspace, number, actor=visit.user.name, reason=reason)
        return f"Version {number} is active."

    change = panel(lambda: _change(visit, number))
    return act_page(visit, "activate.html", "/versions", act, number=number, change=change)


def retire_page(visit: Visit) -> Response:
    """Asks for the reason; posted, it starts the removal, whose progress has a page."""
    number, parts, actor = _number(visit), visit.parts, visit.user.name
    kind = f"versions/{number}"

    def act(reason: str) -> str:
        version = version_story(parts, number).version
        if not version.may_be_retired:
            raise VersionMissing(f"version {number} is {version.state}, so it cannot be retired")

        def run() -> str:
            report = partial(parts.jobs.progress, kind)
            with parts.target() as target:
                retire(target.client, target.keyspace, number, actor=actor, reason=reason, report=report)
            return f"Version {number} is retired."

        parts.jobs.start(kind, f"Retiring version {number}", actor, run)
        return ""

    story = panel(lambda: version_story(parts, number))
    return act_page(visit, "retire.html", f"/jobs/{kind}", act, number=number, story=story)


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
