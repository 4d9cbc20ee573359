"""A segment's own thresholds and model, and what is served for its customers' missing values."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from bnpl_features.derive.layout import Layout, layout_of
from bnpl_features.features.catalog import BEHAVIOURAL, SEGMENTED
from bnpl_features.features.segment import NEW, SEGMENT, SEGMENTS
from bnpl_features.scoring.core import Prediction, Rules, SegmentRules, score
from bnpl_features.scoring.decision import Bands, Decision
from bnpl_features.scoring.experiments.assignment import Assigned
from bnpl_features.scoring.fallback import Action, Policy
from bnpl_features.scoring.models import TRANSACTION_ONLY
from bnpl_features.scoring.purchase import parse_purchase
from bnpl_features.store.codec import Codec
from bnpl_features.store.publishing.verification import differences
from bnpl_features.store.reading.lookup import Answer, Status
from tests.bnpl_features.scoring.checkout import active, body, model

USUAL = {"amount_std_30d": 20.0, "gap_mean_hours_30d": 100.0}
WITH_DEFAULTS = replace(NEW, defaults=USUAL)
SET = replace(
    SEGMENTED,
    segments=tuple(WITH_DEFAULTS if one is NEW else one for one in SEGMENTS),
    unknown=WITH_DEFAULTS,
)
LAYOUT = layout_of(SET)
CODEC = Codec(LAYOUT)
NAMES = [one.name for one in SEGMENTS]
PURCHASE = parse_purchase(body())


def columns(segment: str, **values: float) -> dict[str, np.ndarray]:
    """One customer whose values are all missing, but for those given."""
    found = {one.name: np.array([values.get(one.name, np.nan)]) for one in LAYOUT.fields}
    return found | {SEGMENT: np.array([float(NAMES.index(segment))])}


def answer(segment: str | None, **values: float) -> Answer:
    record = None if segment is None else bytes(CODEC.encode(columns(segment, **values)).records[0])
    status = Status.UNKNOWN_CUSTOMER if segment is None else Status.FRESH
    return Answer(status, CODEC.whole, record, 7, date(2026, 11, 24))


def predicted(of: Answer, rules: Rules, **changes: object) -> Prediction:
    models = active(model(layout=LAYOUT), model(TRANSACTION_ONLY), model("cautious", version=5, layout=LAYOUT))
    return score("r", PURCHASE, of, LAYOUT, models, rules, **changes).prediction  # type: ignore[arg-type]


def test_missing_values_of_a_segment_are_its_defaults_in_records_and_in_training_alike() -> None:
    for segment, expected in (("new", USUAL), ("thin_file", dict.fromkeys(USUAL))):
        found = answer(segment)
        batch = CODEC.decode(CODEC.encode(columns(segment)).records)[0]

        assert {name: found[name] for name in USUAL} == expected
        assert found["amount_mean_30d"] is None
        np.testing.assert_array_equal(found.vector, batch)


def test_a_value_that_is_there_is_not_replaced() -> None:
    assert answer("new", amount_std_30d=3.0)["amount_std_30d"] == pytest.approx(3.0, rel=1e-3)


def test_a_projection_is_filled_as_the_whole_is() -> None:
    projection = CODEC.projection(("gap_mean_hours_30d", "amount_mean_30d"))
    record = answer("new").record

    assert projection.values(record) == (100.0, None)
    assert projection.vector(record).tolist()[0] == 100.0


def test_an_unknown_customer_is_like_the_unknown_segments() -> None:
    found = answer(None)

    assert found.segment == "new"
    assert {name: found[name] for name in USUAL} == USUAL
    assert found["txn_count_7d"] == 0


def test_a_set_without_segments_serves_as_before() -> None:
    layout = layout_of(BEHAVIOURAL)

    assert layout.segments == ()
    assert "segments" not in layout.to_json()
    assert Answer(Status.FRESH, Codec(layout).whole, None, 1, None).segment is None


def test_a_layout_carries_the_defaults_so_that_a_reader_needs_no_declarations() -> None:
    again = Layout.from_json(LAYOUT.to_json())

    assert again == LAYOUT
    assert again.fingerprint == layout_of(SEGMENTED).fingerprint  # defaults change no byte


def test_a_default_that_is_served_for_a_missing_value_is_no_mismatch() -> None:
    values = {name: float(column[0]) for name, column in columns("new").items()}
    served = answer("new").as_dict()

    assert list(differences(LAYOUT, values, served)) == []
    assert list(differences(LAYOUT, values, served | {"amount_std_30d": 21.0})) == [
        "amount_std_30d 21.0 instead of 20.0"
    ]


def test_a_segment_has_thresholds_of_its_own() -> None:
    strict = Rules(segments={"at_risk": SegmentRules(bands=Bands(0.0, 0.0))})

    assert predicted(answer("at_risk"), strict).decision is Decision.DECLINE
    assert predicted(answer("established"), strict) == predicted(answer("established"), Rules())
    assert predicted(answer("at_risk"), strict).segment == "at_risk"


def test_a_segment_has_a_model_of_its_own_where_one_is_promoted() -> None:
    own = Rules(segments={"at_risk": SegmentRules(model="cautious"), "new": SegmentRules(model="not_trained_yet")})

    assert [predicted(answer(name), own).model for name in ("at_risk", "new", "established")] == [
        "cautious",
        "behavioural",
        "behavioural",
    ]


def test_an_experiments_arm_comes_before_the_segments_model() -> None:
    own = Rules(segments={"at_risk": SegmentRules(model="cautious")})

    assert predicted(answer("at_risk"), own, assigned=Assigned("trial", "b", ("behavioural", 1))).model == "behavioural"


def test_an_unknown_customer_may_be_scored_as_a_new_one() -> None:
    rules = Rules(policy=Policy(unknown_customer=Action.BEHAVIOURAL))

    found = predicted(answer(None), rules)

    assert (found.model, found.segment, found.fallback) == ("behavioural", "new", None)
