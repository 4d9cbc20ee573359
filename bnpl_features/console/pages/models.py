"""The risk models: who is champion, how everybody was judged, and making another version the champion."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.responses import Response

from bnpl_features.connect.models import training_set_behind
from bnpl_features.connect.promoting import promote_on_record
from bnpl_features.console.access.roles import Role
from bnpl_features.console.figures.models import model_names, models
from bnpl_features.console.figures.panel import panel
from bnpl_features.console.pages.acting import act_page
from bnpl_features.console.parts import Parts
from bnpl_features.console.visit import Visit
from bnpl_features.errors import InputError
from bnpl_features.risk_model.promotion import Promotion, try_gate

JOB = "models"
"""Of this kind is one at a time; its page leads back to the models'."""


def models_page(visit: Visit) -> Response:
    job = visit.parts.jobs.newest(JOB) if visit.may(Role.OPERATOR) else None
    return visit.page("models.html", found=panel(lambda: models(visit.parts.registry())), job=job)


def promote_model(visit: Visit) -> Response:
    """GET: the figures of both, and a form; POST: the gate is asked, or the version promoted, in the background."""
    query = visit.request.query_params
    name, which = query.get("name", ""), query.get("version", "")

    def act(reason: str) -> str:
        run = _promotion(visit, name, which, reason, "force" in visit.form)
        visit.parts.jobs.start(JOB, f"Promotion of {name} {which}", visit.user.name, run)
        return ""

    if name not in model_names():
        return visit.refusal(404, "No such model", f"There are {', '.join(model_names())}.")
    if visit.form.get("do") == "check":
        return _check(visit, name, which)
    found = panel(lambda: models(visit.parts.registry()))
    return act_page(visit, "promote.html", f"/jobs/{JOB}", act, name=name, version=which, found=found)


def _check(visit: Visit, name: str, which: str) -> Response:
    try:
        visit.parts.jobs.start(JOB, f"Asking the gate about {name} {which}", visit.user.name, _gate(visit, name, which))
    except InputError as error:
        return visit.back_to("/models", str(error))
    return visit.back_to(f"/jobs/{JOB}", "")


def _gate(visit: Visit, name: str, which: str) -> Callable[[], str]:
    parts, chosen = visit.parts, visit.parts.settings.model

    def run() -> str:
        registry = parts.registry()
        training = training_set_behind(chosen, registry, name, which)
        findings, objections = try_gate(registry, name, training, which=which, **_measured(parts))
        verdict = "The gate would refuse it." if objections else "The gate would let it pass."
        return "\n".join((verdict, *dict.fromkeys((*map(str, findings), *objections))))

    return run


def _promotion(visit: Visit, name: str, which: str, reason: str, force: bool) -> Callable[[], str]:
    parts, chosen, actor = visit.parts, visit.parts.settings.model, visit.user.name

    def run() -> str:
        registry = parts.registry()
        training = training_set_behind(chosen, registry, name, which)
        asked: dict[str, Any] = {"which": which, "actor": actor, "reason": reason, "force": force}
        made = promote_on_record(parts.target, registry, name, training, **asked, **_measured(parts))
        return _said(made)

    return run


def _measured(parts: Parts) -> dict[str, Any]:
    chosen = parts.settings.model
    return {"resamples": chosen.resamples, "threads": chosen.threads, "report": partial(parts.jobs.progress, JOB)}


def _said(made: Promotion) -> str:
    before = f", {made.previous} was it before" if made.previous else ""
    figures = (str(one) for one in made.findings)
    return "\n".join((f"Version {made.version} of {made.name} is the champion ({made.outcome}){before}.", *figures))
