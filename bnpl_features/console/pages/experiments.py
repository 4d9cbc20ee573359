"""Experiments on live purchases: who is in which arm, what came of it; starting one, other shares, stopping it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from starlette.responses import Response

from bnpl_features.connect.serving import guardrails_of, open_shelf
from bnpl_features.console.figures.experiments import ExperimentFigure, Outcome, experiments, outcome
from bnpl_features.console.figures.models import model_names, models
from bnpl_features.console.figures.panel import panel
from bnpl_features.console.pages.acting import act_page
from bnpl_features.console.visit import Visit
from bnpl_features.errors import ExperimentRefused
from bnpl_features.risk_model.registry import version_of
from bnpl_features.scoring.experiments.definition import CONTROL, Arm, Request
from bnpl_features.scoring.experiments.operating import adjust_shares, start_experiment, stop_experiment
from bnpl_features.scoring.experiments.shelf import Shelf
from bnpl_features.store.audit import record_act

_PATH = "/experiments"
ARM_ROWS = 3
"""How many arms beside the control the form offers."""


def experiments_page(visit: Visit) -> Response:
    return visit.page("experiments.html", found=panel(lambda: _all(visit)), outcome_of=_outcome_address)


def outcome_page(visit: Visit) -> Response:
    """What came of one, from the warehouse: asked for after the page is there."""
    name = visit.request.query_params.get("name", "")
    return visit.page("experiment_outcome.html", name=name, found=panel(lambda: _outcome(visit, name)))


def start_page(visit: Visit) -> Response:
    def act(reason: str) -> str:
        request = requested(visit)
        with _shelf(visit) as shelf:
            start_experiment(shelf, request, actor=visit.user.name, reason=reason)
        _record_beside_a_file(visit, f"start experiment {request.name}", reason)
        return f"Experiment {request.name} is running; services pick it up within a second or two."

    versions = panel(lambda: models(visit.parts.registry()).versions)
    return act_page(visit, "experiment_start.html", _PATH, act, versions=versions, rows=ARM_ROWS, control=CONTROL)


def shares_page(visit: Visit) -> Response:
    def act(reason: str) -> str:
        shares = {
            field.removeprefix("share:"): _share(text)
            for field, text in visit.form.items()
            if field.startswith("share:")
        }
        with _shelf(visit) as shelf:
            adjust_shares(shelf, name, shares, actor=visit.user.name, reason=reason)
        _record_beside_a_file(visit, f"change shares of experiment {name}", reason)
        return f"Experiment {name} has its new shares."

    name = _name(visit)
    return act_page(visit, "experiment_shares.html", _PATH, act, found=panel(lambda: _named(visit, name)), name=name)


def stop_page(visit: Visit) -> Response:
    def act(reason: str) -> str:
        with _shelf(visit) as shelf:
            stop_experiment(shelf, name, actor=visit.user.name, reason=reason)
        _record_beside_a_file(visit, f"stop experiment {name}", reason)
        return f"Experiment {name} is stopped: the champion scores everybody."

    name = _name(visit)
    return act_page(visit, "experiment_stop.html", _PATH, act, name=name)


def requested(visit: Visit) -> Request:
    """What the form asks for; rows without a name are left out. Raises `ExperimentRefused`, `ModelMissing`."""
    form = visit.form
    arms = [(Arm(CONTROL), _share(form.get("control", "")))] if form.get("control", "").strip() else []
    shadows = []
    for row in range(1, ARM_ROWS + 1):
        name = form.get(f"name{row}", "").strip()
        if not name:
            continue
        arm = _arm(visit, name, form.get(f"model{row}", ""))
        if form.get(f"kind{row}") == "shadow":
            shadows.append(arm)
        else:
            arms.append((arm, _share(form.get(f"share{row}", ""))))
    return Request(form.get("experiment", "").strip(), tuple(arms), tuple(shadows))


def _arm(visit: Visit, name: str, model: str) -> Arm:
    registered, at, which = model.partition("@")
    if not at or registered not in model_names():
        raise ExperimentRefused(f"arm {name} has no model; choose one")
    found = version_of(visit.parts.registry(), registered, which)
    return Arm(name, found.name, found.number)


def _share(text: str) -> float:
    """Percent, as people write it, to a share."""
    try:
        return float(text.strip().rstrip("%").replace(",", ".")) / 100.0
    except ValueError as error:
        raise ExperimentRefused(f"{text!r} is no share; write percent, such as 10") from error


@contextmanager
def _shelf(visit: Visit) -> Iterator[Shelf]:
    """Of the store that the console is connected to: an embedded one is started once."""
    store = replace(visit.parts.settings.store, url=visit.parts.store_url)
    with open_shelf(visit.parts.settings.scoring, store) as shelf:
        yield shelf


def _record_beside_a_file(visit: Visit, act: str, reason: str) -> None:
    """The store audits what it keeps; of definitions in a file somebody has to say so."""
    if visit.parts.settings.scoring.experiments_file:
        with visit.parts.target() as target:
            record_act(target.client, target.keyspace, act=act, actor=visit.user.name, reason=reason)


def _all(visit: Visit) -> tuple[ExperimentFigure, ...]:
    with _shelf(visit) as shelf:
        return experiments(shelf)


def _named(visit: Visit, name: str) -> ExperimentFigure:
    found = next((one for one in _all(visit) if one.name == name), None)
    if found is None:
        raise ExperimentRefused(f"there is no experiment {name!r}")
    return found


def _outcome(visit: Visit, name: str) -> Outcome:
    settings = visit.parts.settings
    with _shelf(visit) as shelf:
        return outcome(
            shelf,
            visit.parts.warehouse(),
            settings.source,
            name,
            as_of=datetime.now(UTC).date() - timedelta(days=1),
            maturity_days=settings.model.maturity_days,
            guardrails=guardrails_of(settings.scoring),
        )


def _name(visit: Visit) -> str:
    return visit.request.query_params.get("name", "")


def _outcome_address(name: str) -> str:
    return f"{_PATH}/outcome?{urlencode({'name': name})}"
