"""The load proof's judgement: right answers pass, each kind of wrong one is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.proof.answers import DECISIONS, MODELS, ROW, STATUSES, Rows
from benchmarks.proof.checking import GRACE_SECONDS, PATIENCE_SECONDS, Verdict, check
from benchmarks.proof.events import Activation, Course
from benchmarks.proof.generating import customer_of
from benchmarks.proof.known import Known, write_vectors
from bnpl_features.scoring.decision import Bands
from bnpl_features.scoring.served import put
from bnpl_features.store.reading.lookup import Status
from tests.bnpl_features.scoring.checkout import model

CUSTOMERS, REQUESTS = 40, 60
BANDS = Bands(0.2, 0.5)
SWITCHED = 100.0
"""When version 2 of the features, and of the models, took the place of version 1; a request is due every 10 ms."""

COURSE = Course([], *[[Activation(1, 0.0, 0.0), Activation(2, SWITCHED, SWITCHED)]] * 2)
BEHAVIOURAL, TRANSACTION_ONLY = MODELS.index("behavioural"), MODELS.index("transaction_only")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    folder = tmp_path_factory.mktemp("known")
    for version in (1, 2):
        put(folder / "served", model(version=version))
        put(folder / "served", model("transaction_only", version))
    vectors = {version: write_vectors(folder, CUSTOMERS, version) for version in (1, 2)}
    return Known(CUSTOMERS, folder / "served", vectors)


@pytest.fixture
def rows(known: Known) -> Rows:
    """Answers of version 1 that are right, each after 2 ms; computed one by one, as the service does."""
    found = np.zeros(REQUESTS, dtype=ROW)
    found["due"] = found["sent"] = 1.0 + np.arange(REQUESTS) / 100
    found["ended"] = found["due"] + 0.002
    found["status"], found["is_own"] = 200, True
    found["model"], found["model_version"], found["feature_version"] = BEHAVIOURAL, 1, 1
    found["feature_status"] = STATUSES.index(Status.FRESH)
    for number in range(REQUESTS):
        vector = known.features(1)[customer_of(number, CUSTOMERS)]
        found["probability"][number] = known.model("behavioural", 1).score_one(known.purchase(number), vector)
        found["decision"][number] = DECISIONS.index(BANDS.decision(found["probability"][number]))
    return found


def judged(rows: Rows, known: Known) -> Verdict:
    return check(rows, COURSE, known, BANDS, {})


def test_right_answers_are_right(rows: Rows, known: Known) -> None:
    verdict = judged(rows, known)

    assert dict(verdict.why) == {}
    assert not (verdict.wrong | verdict.failed | verdict.fallback).any()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"probability": 0.123}, "another probability than the versions that it names give"),
        ({"decision": DECISIONS.index("")}, "another decision than its probability gives"),
        ({"is_own": False}, "not the answer to its request"),
        ({"feature_version": 2}, "a version of the features that was not to be served then"),
        ({"feature_version": 3}, "a version of the features that was not to be served then"),
        ({"model_version": 2}, "a version of the model that was not to be served then"),
        ({"feature_status": STATUSES.index(Status.STALE)}, "neither fresh features nor a fallback that says so"),
        ({"model": TRANSACTION_ONLY}, "neither fresh features nor a fallback that says so"),
    ],
    ids=lambda one: str(one),
)
def test_each_kind_of_wrong_answer_is_found(rows: Rows, known: Known, changes: dict[str, Any], says: str) -> None:
    for column, value in changes.items():
        rows[column][7] = value

    verdict = judged(rows, known)

    assert np.flatnonzero(verdict.wrong).tolist() == [7]
    assert verdict.why[says] == 1


def test_the_probability_of_another_customer_is_wrong(rows: Rows, known: Known) -> None:
    rows["probability"] = np.roll(rows["probability"], 1)

    assert judged(rows, known).wrong.mean() > 0.9


@pytest.mark.parametrize(("after", "is_wrong"), [(GRACE_SECONDS - 0.1, False), (GRACE_SECONDS + 0.1, True)])
def test_the_version_before_is_right_for_a_grace_after_the_switch(
    rows: Rows, known: Known, after: float, is_wrong: bool
) -> None:
    for column in ("due", "sent", "ended"):
        rows[column][7] += SWITCHED + after - rows["sent"][7]

    assert judged(rows, known).wrong[7] == is_wrong


def test_a_fallback_that_says_so_is_right_and_counted(rows: Rows, known: Known) -> None:
    probability = known.model("transaction_only", 1).score_one(known.purchase(7))
    rows["model"][7], rows["has_fallback"][7] = TRANSACTION_ONLY, True
    rows["feature_status"][7] = STATUSES.index(Status.UNAVAILABLE)
    rows["probability"][7], rows["decision"][7] = probability, DECISIONS.index(BANDS.decision(probability))

    verdict = judged(rows, known)

    assert not verdict.wrong.any()
    assert np.flatnonzero(verdict.fallback).tolist() == [7]


def test_an_answer_that_is_late_or_none_has_failed(rows: Rows, known: Known) -> None:
    rows["ended"][7] = rows["due"][7] + PATIENCE_SECONDS + 0.1
    rows["status"][8], rows["status"][9] = 503, 0

    verdict = judged(rows, known)

    assert np.flatnonzero(verdict.failed).tolist() == [7, 8, 9]
    assert not verdict.wrong.any()
