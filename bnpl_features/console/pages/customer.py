"""A customer, looked up: what is served, what happened since, what was decided; and erasing one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from bnpl_features.console.figures.customer import LONGEST_ID, Customer, customer
from bnpl_features.console.figures.panel import Panel, panel
from bnpl_features.console.figures.population import population
from bnpl_features.console.figures.scores import recent_scores
from bnpl_features.console.pages.acting import act_page
from bnpl_features.console.visit import Visit
from bnpl_features.errors import BnplFeaturesError, InputError
from bnpl_features.features.catalog import BEHAVIOURAL, SETS
from bnpl_features.store.erasure import erase, readmit

_REASON = "looked up in the console"
_PATH = "/customer"


def customer_page(visit: Visit) -> Response:
    """The search, and with an id everything about one customer; that somebody looked is audited first."""
    customer_id, feature_set = _asked(visit)
    asked: dict[str, Any] = {"customer_id": customer_id, "feature_set": feature_set, "sets": [one.name for one in SETS]}
    if not customer_id:
        return visit.page("customer_search.html", **asked)
    found = panel(lambda: _audited(visit, customer_id, feature_set))
    if found.value is None:
        return visit.page("customer_search.html", problem=found.problem, **asked)
    served = found.value
    standings = None
    if not visit.is_fragment and served.partition:
        values, day = {one.name: one.today for one in served.features}, served.partition
        standings = panel(lambda: population(visit.parts.warehouse(), day, values, served.segment))
    scores = panel(lambda: _scores(visit, customer_id))
    return visit.page("customer.html", found=served, scores=scores, standings=standings or Panel({}), **asked)


def erase_customer(visit: Visit) -> Response:
    customer_id, _ = _asked(visit)

    def act(reason: str) -> str:
        with visit.parts.target() as target:
            removals = erase(
                target.client, target.keyspace, target.keys, customer_id, actor=visit.user.name, reason=reason
            )
        held = sum(one.held for one in removals)
        return f"Erased: {held} of {len(removals)} versions held the customer, none does now."

    return _act(visit, customer_id, "erase", act)


def readmit_customer(visit: Visit) -> Response:
    customer_id, _ = _asked(visit)

    def act(reason: str) -> str:
        with visit.parts.target() as target:
            readmit(target.client, target.keyspace, target.keys, customer_id, actor=visit.user.name, reason=reason)
        return "Readmitted: the next publication serves the customer again."

    return _act(visit, customer_id, "readmit", act)


def _act(visit: Visit, customer_id: str, act: str, run: Callable[[str], str]) -> Response:
    def checked(reason: str) -> str:
        if visit.form.get("confirm", "").strip() != customer_id:
            raise InputError("the id that was typed is not this customer's; type it again")
        return run(reason)

    back = f"{_PATH}?{urlencode({'id': customer_id})}" if customer_id else _PATH
    return act_page(visit, "customer_act.html", back, checked, customer_id=customer_id, act=act, back=back)


def _asked(visit: Visit) -> tuple[str, str]:
    query = visit.request.query_params
    customer_id = query.get("id", "").strip()[:LONGEST_ID]
    return customer_id, query.get("set", "") or _newest_set(visit)


def _newest_set(visit: Visit) -> str:
    """The set with segments where one is served, otherwise the one that is published daily."""
    try:
        with visit.parts.target() as target:
            served = [one.name for one in SETS if target.client.exists(target.keyspace.of(one.name).active)]
    except BnplFeaturesError:
        served = []
    return next((one.name for one in SETS if one.segments and one.name in served), BEHAVIOURAL.name)


def _audited(visit: Visit, customer_id: str, feature_set: str) -> Customer:
    with visit.parts.target() as target:
        visit.parts.looks.audit(target, customer_id, visit.user.name, _REASON)
        return customer(target, customer_id, feature_set)


def _scores(visit: Visit, customer_id: str) -> tuple[object, ...]:
    settings = visit.parts.settings
    with visit.parts.target() as target:
        key = target.key
    today = datetime.now(UTC).date()
    return recent_scores(visit.parts.warehouse(), settings.scoring.predictions_folder, key, customer_id, today)
