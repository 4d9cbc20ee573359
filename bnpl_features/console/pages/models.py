"""The risk models: who is champion, how everybody was judged, and making another version the champion."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from bnpl_features.connect.models import training_set_behind
from bnpl_features.console.figures.models import models
from bnpl_features.console.figures.panel import panel
from bnpl_features.console.pages.acting import reason_of
from bnpl_features.console.visit import Visit
from bnpl_features.errors import BnplFeaturesError
from bnpl_features.risk_model.promotion import Promotion, promote, try_gate

PROMOTION = "promotion"
"""The kind of job; one at a time."""


def models_page(visit: Visit) -> Response:
    job = visit.parts.jobs.newest(PROMOTION)
    return visit.page("models.html", found=panel(lambda: models(visit.parts.registry())), job=job)


def promote_model(visit: Visit) -> Response:
    """GET: the figures of both, and a form; POST: the gate is asked, or the version promoted, in the background."""
    given = visit.form or visit.request.query_params
    name, which = given.get("name", ""), given.get("version", "")
    context = {"name": name, "version": which, "found": panel(lambda: models(visit.parts.registry()))}
    if visit.request.method == "GET":
        return visit.page("promote.html", problem="", given={}, **context)  # type: ignore[arg-type]
    try:
        _start(visit, name, which)
    except BnplFeaturesError as error:
        return visit.page("promote.html", 409, problem=str(error), given=visit.form, **context)
    return visit.back_to("/models", "Begun. What comes of it is shown here.")


def _start(visit: Visit, name: str, which: str) -> None:
    only_check, force = visit.form.get("do") == "check", "force" in visit.form
    reason = "" if only_check else reason_of(visit)
    title = f"{'Asking the gate about' if only_check else 'Promotion of'} {name} {which}"
    run = _gate(visit, name, which) if only_check else _promotion(visit, name, which, reason, force)
    visit.parts.jobs.start(PROMOTION, title, visit.user.name, run)


def _gate(visit: Visit, name: str, which: str) -> Callable[[], str]:
    parts, chosen = visit.parts, visit.parts.settings.model

    def run() -> str:
        registry = parts.registry()
        training = training_set_behind(chosen, registry, name, which)
        findings, objections = try_gate(
            registry, name, training, which=which, resamples=chosen.resamples, threads=chosen.threads
        )
        verdict = "The gate would refuse it." if objections else "The gate would let it pass."
        return "\n".join((verdict, *dict.fromkeys((*map(str, findings), *objections))))

    return run


def _promotion(visit: Visit, name: str, which: str, reason: str, force: bool) -> Callable[[], str]:
    parts, chosen, actor = visit.parts, visit.parts.settings.model, visit.user.name

    def run() -> str:
        registry = parts.registry()
        made = promote(
            registry,
            name,
            training_set_behind(chosen, registry, name, which),
            which=which,
            actor=actor,
            reason=reason,
            force=force,
            resamples=chosen.resamples,
            threads=chosen.threads,
        )
        return _said(made)

    return run


def _said(made: Promotion) -> str:
    before = f", {made.previous} was it before" if made.previous else ""
    figures = (str(one) for one in made.findings)
    return "\n".join((f"Version {made.version} of {made.name} is the champion ({made.outcome}){before}.", *figures))
