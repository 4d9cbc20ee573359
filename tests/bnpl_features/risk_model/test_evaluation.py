"""Models beside the rules, by segment, by feature group, as a picture."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bnpl_features.features.catalog import PURCHASE_GROUPS
from bnpl_features.risk_model.ablation import ablate
from bnpl_features.risk_model.evaluation import Evaluation, evaluate, score_rows
from bnpl_features.risk_model.metrics import METRICS, PROBABILITY_METRICS
from bnpl_features.risk_model.plots import evaluation_png, markdown_image
from bnpl_features.risk_model.rules import RULES, rules_approve, rules_score
from bnpl_features.risk_model.segments import by_segment, segments_of
from bnpl_features.risk_model.training import BEHAVIOURAL, TRANSACTION_ONLY, VELOCITY
from tests.lender import Lender


@pytest.fixture(scope="module")
def evaluation(lender: Lender) -> Evaluation:
    return evaluate(list(lender.models.values()), lender.training, resamples=20)


def test_every_score_has_every_metric_with_an_interval_around_it(evaluation: Evaluation) -> None:
    assert list(evaluation.figures) == [RULES, TRANSACTION_ONLY, BEHAVIOURAL, VELOCITY]
    for name, figures in evaluation.figures.items():
        assert set(METRICS) - set(figures) == (set(PROBABILITY_METRICS) if name == RULES else set())
        for metric in ("roc_auc", "pr_auc", "high_risk_precision", "default_rate_at_reference"):
            assert figures[metric].low <= figures[metric].value <= figures[metric].high, (name, metric)


def test_differences_are_those_of_the_figures_and_narrower_than_unpaired(evaluation: Evaluation) -> None:
    better, worse = evaluation.figures[BEHAVIOURAL]["brier"], evaluation.figures[TRANSACTION_ONLY]["brier"]
    paired = evaluation.differences[f"{BEHAVIOURAL} - {TRANSACTION_ONLY}"]["brier"]

    assert paired.value == pytest.approx(better.value - worse.value)
    assert paired.high - paired.low < (better.high - better.low) + (worse.high - worse.low)
    assert f"{BEHAVIOURAL} - {RULES}" in evaluation.differences


def test_the_rules_at_their_own_point_are_what_they_approve(lender: Lender, evaluation: Evaluation) -> None:
    rows = lender.training.test
    approved = rules_approve(lender.training, rows).astype(bool)

    figures = evaluation.figures[RULES]
    assert figures["approval_rate_at_reference"].value == pytest.approx(approved.mean())
    assert figures["default_rate_at_reference"].value == pytest.approx(lender.training.defaulted[rows][approved].mean())


def test_an_evaluation_survives_as_json(evaluation: Evaluation) -> None:
    assert Evaluation.from_json(json.loads(json.dumps(evaluation.to_json()))) == evaluation


def test_every_purchase_is_in_one_segment_of_each_kind(lender: Lender) -> None:
    rows = lender.training.test
    counted: dict[str, np.ndarray] = {}  # type: ignore[type-arg]
    for kind, _, inside in segments_of(lender.training, rows):
        counted[kind] = counted.get(kind, 0) + inside.astype(int)

    assert set(counted) == {"lifecycle_stage", "customer_credit_score_range"}
    assert all((count == 1).all() for count in counted.values())


def test_segments_have_figures_where_there_are_defaults_enough(lender: Lender) -> None:
    rows = lender.training.test
    scores = {BEHAVIOURAL: score_rows(lender.models[BEHAVIOURAL], lender.training, rows)}

    found = {one.name: one for one in by_segment(scores, lender.training, rows, resamples=5)}

    assert found["active"].figures["roc_auc"].value > 0.5
    assert found["not said"].figures == {}
    assert found["active"].defaults >= 30


def test_ablation_trains_without_each_group_and_with_it_alone(lender: Lender) -> None:
    found = ablate(lender.training, resamples=3)

    assert [one.group for one in found] == [group.name for group in PURCHASE_GROUPS]
    gains = {one.group: one.gained_alone["roc_auc"].value for one in found}
    assert max(gains.values()) > 0.0


def test_charts_are_one_picture(lender: Lender) -> None:
    rows = lender.training.test
    scores = {RULES: rules_score(lender.training, rows)} | {
        name: score_rows(model, lender.training, rows) for name, model in lender.models.items()
    }

    png = evaluation_png(scores, lender.training.defaulted[rows])

    assert png.startswith(b"\x89PNG")
    assert len(png) < 200_000
    assert markdown_image(png, "charts").startswith("![charts](data:image/png;base64,iVBOR")
