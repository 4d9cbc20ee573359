"""A customer, looked up: what is served, what happened since, what was decided; and erasing one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from bnpl_features.console.figures.customer import LONGEST_ID, Customer, customer
from bnpl_features.console.figures.panel import panel
from bnpl_features.console.figures.population import Standing, population
from bnpl_features.console.figures.scores import Score, recent_scores
from bnpl_features.console.pages.acting import act_page
from bnpl_features.console.visit import Visit
from bnpl_features.errors import BnplFeaturesError, InputError
from bnpl_features.features.catalog import BEHAVIOURAL, SETS
from bnpl_features.store.erasure import erase, readmit

_REASON = "looked up in the console"
_PATH = "/customer"


def customer_page(visit: Visit) -> Response:
    """The search, and with an id what the store serves of one customer; the rest is asked for when the page is there.
    That somebody looks is audited before anything is shown."""
    asked = _asked(visit)
    context: dict[str, Any] = {"asked": asked, "sets": [one.name for one in SETS]}
    if not asked.customer_id:
        return visit.page("customer_search.html", problem="", **context)
    found = panel(lambda: _audited(visit, asked))
    if found.value is None:
        return visit.page("customer_search.html", problem=found.problem, **context)
    return visit.page("customer.html", found=found.value, standings=None, **context)


def customer_features(visit: Visit) -> Response:
    """The features again, among everybody's: of what the warehouse knows."""
    asked = _asked(visit)
    found = panel(lambda: _audited(visit, asked))
    if found.value is None:
        return visit.page("customer_search.html", problem=found.problem, asked=asked, sets=())
    served = found.value
    return visit.page("customer_features.html", found=served, standings=panel(lambda: _standings(visit, served)))


def customer_scores(visit: Visit) -> Response:
    asked = _asked(visit)
    return visit.page("customer_scores.html", scores=panel(lambda: _scores(visit, asked)), asked=asked)


def erase_customer(visit: Visit) -> Response:
    customer_id = _asked(visit).customer_id

    def act(reason: str) -> str:
        with visit.parts.target() as target:
            removals = erase(
                target.client, target.keyspace, target.keys, customer_id, actor=visit.user.name, reason=reason
            )
        held = sum(one.held for one in removals)
        return f"Erased: {held} of {len(removals)} versions held the customer, none does now."

    return _act(visit, customer_id, "erase", act)


def readmit_customer(visit: Visit) -> Response:
    customer_id = _asked(visit).customer_id

    def act(reason: str) -> str:
        with visit.parts.target() as target:
            readmit(target.client, target.keyspace, target.keys, customer_id, actor=visit.user.name, reason=reason)
        return "Readmitted: the next publication serves the customer again."

    return _act(visit, customer_id, "readmit", act)


def _act(visit: Visit, customer_id: str, act: str, run: Callable[[str], str]) -> Response:
    def checked(reason: str) -> str:
        if not customer_id or visit.form.get("confirm", "").strip() != customer_id:
            raise InputError("the id that was typed is not this customer's; type it again")
        return run(reason)

    back = f"{_PATH}?{urlencode({'id': customer_id})}" if customer_id else _PATH
    return act_page(visit, "customer_act.html", back, checked, customer_id=customer_id, act=act, back=back)


@dataclass(frozen=True)
class Asked:
    customer_id: str
    feature_set: str

    @property
    def query(self) -> str:
        return urlencode({"id": self.customer_id, "set": self.feature_set})


def _asked(visit: Visit) -> Asked:
    query = visit.request.query_params
    return Asked(query.get("id", "").strip()[:LONGEST_ID], query.get("set", "") or _newest_set(visit))


def _newest_set(visit: Visit) -> str:
    """The set with segments where one is served, otherwise the one that is published daily."""
    try:
        with visit.parts.target() as target:
            served = [one.name for one in SETS if target.client.exists(target.keyspace.of(one.name).active)]
    except BnplFeaturesError:
        served = []
    return next((one.name for one in SETS if one.segments and one.name in served), BEHAVIOURAL.name)


def _audited(visit: Visit, asked: Asked) -> Customer:
    with visit.parts.target() as target:
        visit.parts.looks.audit(target, asked.customer_id, visit.user.name, _REASON)
        return customer(target, asked.customer_id, asked.feature_set)


def _standings(visit: Visit, served: Customer) -> dict[str, Standing]:
    if served.partition is None:
        return {}
    values = {one.name: one.today for one in served.features}
    return population(visit.parts.warehouse(), served.partition, values, served.segment)


def _scores(visit: Visit, asked: Asked) -> tuple[Score, ...]:
    with visit.parts.target() as target:
        visit.parts.looks.audit(target, asked.customer_id, visit.user.name, _REASON)
        key = target.key
    log, today = visit.parts.settings.scoring.predictions_folder, datetime.now(UTC).date()
    return recent_scores(visit.parts.warehouse(), log, key, asked.customer_id, today)
