"""The pages on which something is done: a form that asks why, then the act, then back with a word on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from bnpl_features.console.visit import Visit
from bnpl_features.errors import BnplFeaturesError, InputError
from bnpl_features.store.audit import LONGEST_REASON


def act_page(visit: Visit, template: str, back: str, act: Callable[[str], str], /, **context: Any) -> Response:
    """GET shows the form, POST acts: `act` is given the reason and says what it did. What is refused stands above the
    form, which keeps what was filled in."""
    if visit.request.method == "GET":
        return visit.page(template, problem="", given=dict(visit.request.query_params), **context)
    try:
        said = act(reason_of(visit))
    except BnplFeaturesError as error:
        return visit.page(template, 409, problem=str(error), given=visit.form, **context)
    return visit.back_to(back, said)


def reason_of(visit: Visit) -> str:
    """Raises `InputError` without one."""
    reason = visit.form.get("reason", "").strip()
    if not reason:
        raise InputError("say why: the reason lands in the audit trail")
    return reason[:LONGEST_REASON]
