"""The demonstration's second half: risk models, and purchases that a running service scores with them."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click
from rich.markup import escape

from bnpl_features.cli.models import train_and_register
from bnpl_features.cli.output import acting_user, console, print_table
from bnpl_features.cli.pipeline import BACKFILL_JOB, environment, launch
from bnpl_features.cli.purchases import yesterday
from bnpl_features.connect.data import open_warehouse
from bnpl_features.connect.models import model_registry
from bnpl_features.errors import PromotionRefused
from bnpl_features.settings import Settings

TRAINING_DAYS = 21
PURCHASES = 300
_SHOWN_EACH_WAY = 3
_READY_SECONDS = 60.0
_NOBODY = "cust_nobody"
_SCORING = {"behavioural", "transaction_only"}
_FIGURES = {
    "discrimination_ratio": "default rate, riskiest third / safest third",
    "high_risk_precision": "default rate of the riskiest tenth",
    "roc_auc": "ROC-AUC",
}


@dataclass(frozen=True)
class Answered:
    """A purchase, its probability by what the checkout alone knows, and the service's answer."""

    purchase: Mapping[str, Any]
    by_checkout: float
    answer: Mapping[str, Any]

    @property
    def moved(self) -> float:
        """The odds that the customer's history changed, as a logarithm of their ratio."""
        return _log_odds(self.answer["probability"]) - _log_odds(self.by_checkout)


def train_and_promote(settings: Settings) -> None:
    """Features of the days that train, the models, their comparison, and their promotion through the gate."""
    as_of = yesterday()
    last = as_of - timedelta(days=settings.model.maturity_days)
    # A purchase reads the partition of the day before it.
    days = [f"{last - timedelta(days=back)}" for back in reversed(range(TRAINING_DAYS + 1))]
    if code := launch(BACKFILL_JOB, days, {"user": "demo"}):
        sys.exit(code)
    training, evaluation, registered = train_and_register(settings, as_of, TRAINING_DAYS)
    first, last_day = evaluation.days
    print_table(
        f"{evaluation.purchases:,} purchases of {first} to {last_day}, after those that trained; 95 % intervals",
        ("figure", *evaluation.figures),
        [(says, *(str(by[name]) for by in evaluation.figures.values())) for name, says in _FIGURES.items()],
    )
    from bnpl_features.risk_model.promotion import promote

    registry = model_registry(settings.model)
    for one in registered:
        asked: dict[str, Any] = {
            "which": str(one.number),
            "actor": acting_user(),
            "resamples": settings.model.resamples,
        }
        try:
            promote(registry, one.name, training, reason="demonstration", **asked)
        except PromotionRefused as refused:
            console.print(f"The gate refused, as it should of so few purchases: {escape(str(refused))}")
            promote(registry, one.name, training, reason="demonstration, too small for the gate", force=True, **asked)
        console.print(f"{one.name} {one.number} is the champion")


def score_purchases(settings: Settings, url: str) -> None:
    """A service of its own process scores purchases like yesterday's; those that history moved most are shown."""
    from bnpl_features.risk_model.registry import CHAMPION, load_model

    purchases = _purchases(settings, yesterday())
    by_checkout = load_model(model_registry(settings.model), "transaction_only", CHAMPION)
    with _service(url) as address:
        started = time.perf_counter()
        answers = post(f"{address}/v1/score/batch?reasons=all", {"purchases": purchases})["predictions"]
        seconds = time.perf_counter() - started
        single = [_timed_post(f"{address}/v1/score", purchase) for purchase in purchases]
    answered = [
        Answered(purchase, by_checkout.score_one({**purchase, "transaction_timestamp": datetime.now(UTC)}), answer)
        for purchase, answer in zip(purchases, answers, strict=True)
    ]
    *known, nobody = answered
    known.sort(key=lambda one: one.moved)
    shown = [*reversed(known[-_SHOWN_EACH_WAY:]), *known[:_SHOWN_EACH_WAY], nobody]
    print_table(
        f"Of {len(answered)} purchases, those whose score the customer's history moved most",
        ("customer", "amount", "checkout alone", "scored", "by", "features", "decision", "first reason"),
        [_row(one) for one in shown],
    )
    p50, p99 = (sorted(single)[int(len(single) * share)] * 1_000 for share in (0.5, 0.99))
    console.print(
        f"POST /v1/score: p50 {p50:.1f} ms, p99 {p99:.1f} ms over HTTP, one connection a call; "
        f"{len(purchases)} in one batch with all reasons: {seconds * 1_000:.0f} ms"
    )


def _row(one: Answered) -> tuple[object, ...]:
    answer = one.answer
    reasons = answer["reasons"]
    return (
        one.purchase["customer_id"],
        f"{one.purchase['amount']:.2f}",
        f"{one.by_checkout:.1%}",
        f"{answer['probability']:.1%}",
        answer["model"],
        answer["feature_status"],
        answer["decision"],
        reasons[0]["text"] if reasons else "",
    )


def _purchases(settings: Settings, day: date) -> list[dict[str, Any]]:
    """Purchases like those of a day, made now; the last one by a customer of whom nothing is known."""
    from bnpl_features.derive.query import Query
    from bnpl_features.scoring.purchase import Purchase

    names = [name for name in Purchase.__struct_fields__ if name != "transaction_timestamp"]
    query = Query(
        f"SELECT {', '.join(names)}\nFROM transactions\nWHERE DATE(transaction_timestamp) = @day\n"
        "ORDER BY transaction_id\nLIMIT @purchases",
        {"day": day, "purchases": PURCHASES},
    )
    rows = [row for batch in open_warehouse(settings.warehouse).read(query, {}) for row in batch.to_pylist()]
    made = [{**row, "transaction_timestamp": datetime.now(UTC).isoformat()} for row in rows]
    return [*made, {**made[0], "customer_id": _NOBODY}]


@contextmanager
def _service(url: str) -> Iterator[str]:
    """`bnpl-features serve` on a free port, ready to score; stopped when the block ends."""
    words = [sys.argv[0], "serve", "--port", "0"]
    variables = environment() | {"REDIS_URL": url, "BNPL_SCORING_REGISTRY_SECONDS": "0.5"}
    process = subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        port = process.stdout.readline().rpartition(" ")[2].strip()
        address = f"http://127.0.0.1:{port}"
        _wait_until_ready(f"{address}/readyz")
        yield address
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _wait_until_ready(url: str) -> None:
    """Ready once the champions that score here have been fetched from the registry."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as found:
                if json.load(found)["models"].keys() >= _SCORING:
                    return
        except (OSError, ValueError):
            pass
        time.sleep(0.2)
    raise click.ClickException(
        f"the prediction service at {url} was not ready within {_READY_SECONDS:.0f} s; start it with "
        "`bnpl-features serve`, whose log says why"
    )


def post(url: str, content: Mapping[str, Any]) -> Any:
    """The answer; raises OSError where nobody answers, and `ClickException` for a refusal."""
    body = json.dumps(content).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as found:
            return json.load(found)
    except urllib.error.HTTPError as error:
        raise click.ClickException(f"{url} answered {error.code}: {error.read().decode()}") from error


def _timed_post(url: str, content: Mapping[str, Any]) -> float:
    started = time.perf_counter()
    post(url, content)
    return time.perf_counter() - started


def _log_odds(probability: float) -> float:
    return math.log(probability / (1.0 - probability))
