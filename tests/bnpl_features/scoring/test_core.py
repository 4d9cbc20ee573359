"""The decision, without a server: every status under every policy."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from bnpl_features.features.velocity import VELOCITY
from bnpl_features.risk_model.purchase_inputs import PURCHASE_INPUTS
from bnpl_features.scoring.core import NoModel, Reasons, Rules, explained, reasons_are_due, score
from bnpl_features.scoring.decision import Bands
from bnpl_features.scoring.experiments.assignment import Assigned
from bnpl_features.scoring.fallback import Action, Policy
from bnpl_features.scoring.purchase import parse_purchase
from bnpl_features.scoring.reasons import SUBJECTS
from bnpl_features.store.codec import Codec
from bnpl_features.store.reading.lookup import Answer, Status, without_version
from bnpl_features.store.velocity.answer import VelocityAnswer, VelocityStatus
from tests.bnpl_features.scoring.checkout import LAYOUT, active, body, model
from tests.bnpl_features.store.shop import batches, renamed

PURCHASE = parse_purchase(body())
ALL_MODELS = (model("velocity"), model("behavioural"), model("transaction_only"))
RECORD = bytes(Codec(LAYOUT).encode(next(batches(1)).columns).records[0])


def answer(status: Status, layout: object = LAYOUT) -> Answer:
    has_record = status in (Status.FRESH, Status.STALE)
    return Answer(status, Codec(LAYOUT).whole, RECORD if has_record else None, 7, date(2026, 11, 24))


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.FRESH])
@pytest.mark.parametrize("action", list(Action))
def test_policy_of_each_status_is_followed(status: Status, action: Action) -> None:
    rules = Rules(policy=Policy(**{status.value: action}))

    prediction = score("r", PURCHASE, answer(status), LAYOUT, active(), rules).prediction

    expected = {
        Action.TRANSACTION_ONLY: ("transaction_only", status.value),
        Action.BEHAVIOURAL: ("behavioural", None),
        Action.REFUSE: (None, "refused"),
    }[action]
    assert (prediction.model, prediction.fallback) == expected
    assert prediction.feature_status == status.value


def test_fresh_features_are_what_the_model_scores() -> None:
    prediction = score("r", PURCHASE, answer(Status.FRESH), LAYOUT, active(), Rules()).prediction

    found = answer(Status.FRESH)
    expected = model().score_one(_columns(), model().reading(LAYOUT)(found.values))
    assert prediction.probability == expected


def test_layout_without_a_feature_falls_back_instead_of_guessing() -> None:
    other = renamed(LAYOUT, "txn_count_7d", "something_else")
    found = Answer(Status.FRESH, Codec(other).whole, RECORD, 7, date(2026, 11, 24))
    models = active()

    prediction = score("r", PURCHASE, found, other, models, Rules()).prediction

    assert (prediction.model, prediction.fallback) == ("transaction_only", "layout")
    assert "txn_count_7d" in models.mismatches[0]


def test_store_that_was_never_reached_falls_back() -> None:
    prediction = score("r", PURCHASE, without_version(None, "down"), None, active(), Rules()).prediction

    assert (prediction.model, prediction.fallback, prediction.feature_version) == (
        "transaction_only",
        "unavailable",
        None,
    )


def test_arm_scores_with_its_own_version_and_with_the_champion_where_that_is_missing() -> None:
    models = active(model(version=1), model(version=2), model("transaction_only"))
    found = answer(Status.FRESH)

    challenger = score("r", PURCHASE, found, LAYOUT, models, Rules(), Assigned("e", "new", ("behavioural", 2)))
    missing = score("r", PURCHASE, found, LAYOUT, models, Rules(), Assigned("e", "new", ("behavioural", 9)))

    assert (challenger.prediction.model_version, challenger.prediction.arm) == (2, "new")
    assert (missing.prediction.model_version, missing.prediction.fallback) == (1, "model_missing")


def test_velocity_is_scored_with_where_it_is_fresh() -> None:
    found = answer(Status.FRESH)
    found.velocity = VelocityAnswer(VelocityStatus.FRESH, 0)

    scored = score("r", PURCHASE, found, LAYOUT, active(*ALL_MODELS), Rules())

    ratio = np.float32(PURCHASE.amount / found["amount_mean_30d"])
    assert (scored.prediction.model, scored.prediction.fallback) == ("velocity", None)
    assert scored.prediction.velocity_status == "fresh"
    assert scored.vector is not None
    expected = [0, 0, 0, 0, 0, 0, 0, np.nan, 0, ratio]
    np.testing.assert_array_equal(scored.vector[-len(VELOCITY.names) :], np.array(expected, dtype=np.float32))


@pytest.mark.parametrize("velocity", [VelocityStatus.STALE, VelocityStatus.UNAVAILABLE])
def test_without_velocity_the_daily_features_score_and_without_them_the_transaction(velocity: VelocityStatus) -> None:
    fresh, unknown = answer(Status.FRESH), answer(Status.UNKNOWN_CUSTOMER)
    fresh.velocity = unknown.velocity = VelocityAnswer(velocity, 0)

    batch = score("r", PURCHASE, fresh, LAYOUT, active(*ALL_MODELS), Rules()).prediction
    only = score("r", PURCHASE, unknown, LAYOUT, active(*ALL_MODELS), Rules()).prediction
    no_batch_model = score("r", PURCHASE, fresh, LAYOUT, active(ALL_MODELS[0], ALL_MODELS[2]), Rules()).prediction

    assert (batch.model, batch.fallback) == ("behavioural", f"velocity_{velocity.value}")
    assert (only.model, only.fallback) == ("transaction_only", "unknown_customer")
    assert (no_batch_model.model, no_batch_model.fallback) == ("transaction_only", f"velocity_{velocity.value}")


def test_no_model_at_all_is_no_score() -> None:
    with pytest.raises(NoModel):
        score("r", PURCHASE, answer(Status.UNKNOWN_CUSTOMER), LAYOUT, active(model()), Rules())


def test_reasons_are_those_that_moved_the_score_most() -> None:
    scored = score("r", parse_purchase(body(risk_score=1.0)), answer(Status.FRESH), LAYOUT, active(), Rules())

    reasons = explained(scored).reasons

    assert reasons_are_due(scored, Reasons.NOT_APPROVED)
    assert "R04" in [reason.code for reason in reasons]
    assert len(reasons) <= 4


def test_every_input_of_both_models_has_a_reason() -> None:
    named = [name for subject in SUBJECTS for name in subject.inputs]

    assert sorted(named) == sorted([*(one.name for one in PURCHASE_INPUTS), *LAYOUT.names, *VELOCITY.names])
    assert len({subject.reason.code for subject in SUBJECTS}) == len(SUBJECTS)


@pytest.mark.parametrize(("probability", "decision"), [(0.0999, "approve"), (0.1, "review"), (0.2, "decline")])
def test_a_threshold_belongs_to_the_band_above(probability: float, decision: str) -> None:
    assert Bands(0.1, 0.2).decision(probability) == decision


def _columns() -> dict[str, object]:
    from bnpl_features.scoring.purchase import columns_of

    return columns_of(PURCHASE)
