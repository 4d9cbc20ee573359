"""`bnpl-features train`, `evaluate`, `promote` and `models`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from bnpl_features.features.segment import segment_named
from tests.bnpl_features.cli.conftest import CommandLine
from tests.lender import AS_OF, SPEC, Lender

TRAIN = ("train", "--as-of", AS_OF.isoformat())


@pytest.fixture
def trained(cli: CommandLine, lender: Lender, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    for name, value in lender.variables.items():
        monkeypatch.setenv(name, value)
    return cli


def test_models_are_trained_judged_promoted_and_listed(
    trained: CommandLine, lender: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = trained.done(*TRAIN)
    assert lender.training.fingerprint in printed
    assert "behavioural 1 is registered as challenger" in printed

    judged = trained.json("evaluate", "--segments", "--resamples", "2")
    assert judged["evaluation"]["training_set"] == lender.training.fingerprint
    assert judged["evaluation"]["figures"]["behavioural"]["roc_auc"]["value"] > 0.55
    assert {one["kind"] for one in judged["segments"]} == {"lifecycle_stage", "customer_credit_score_range"}
    assert "roc_auc" in trained.done("evaluate", "--segments", "--resamples", "0")

    promoted = trained.done("promote", "behavioural", "--reason", "the first", "--force")
    assert "version 1 of behavioural is the champion" in promoted
    assert "is the champion already" in trained.refused(
        "promote", "behavioural", "--version", "1", "--reason", "again", code=5
    )

    listed = trained.json("models", "--audit")
    assert [(one["name"], one["aliases"]) for one in listed["models"]] == [
        ("behavioural", ["champion"]),
        ("transaction_only", ["challenger"]),
        ("velocity", ["challenger"]),
    ]
    assert listed["promotions"][0]["reason"] == "the first"
    assert "the first" in trained.done("models", "--audit")
    acts = [(one["act"], one["reason"]) for one in trained.json("audit")["acts"]]
    assert acts == [("refuse to promote behavioural 1", "again"), ("promote behavioural 1", "the first")]

    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    trained.done("promote", "velocity", "--reason", "no store", "--force")
    assert trained.json("models", "--audit")["promotions"][0]["reason"] == "no store"

    exported = trained.done("training-set", "export", "latest", "training.parquet")
    assert f"{lender.training.rows:,} purchases of training set {lender.training.fingerprint}" in exported
    assert pq.read_metadata(trained.folder / "training.parquet").num_rows == lender.training.rows


def test_training_again_registers_the_same_model_as_another_version(trained: CommandLine) -> None:
    first, second = (trained.json(*TRAIN)["registered"] for _ in range(2))

    assert [one["number"] for one in second] == [2, 2, 2]
    assert [one["tags"]["fingerprint"] for one in first] == [one["tags"]["fingerprint"] for one in second]


def test_missing_features_end_with_5_and_the_command_that_computes_them(trained: CommandLine) -> None:
    said = trained.refused(*TRAIN, "--days", "18", code=5)

    assert f"bnpl-features backfill --from {SPEC.partitions[0] - timedelta(days=2)}" in said


def test_a_segments_own_model_is_trained_on_its_customers(
    trained: CommandLine, lender: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "name one in features/segment.py" in trained.refused(*TRAIN, "--segment", "at_risk", code=2)

    own = replace(segment_named("at_risk"), model="at_risk")
    monkeypatch.setattr("bnpl_features.cli.models.segment_named", lambda name: own)
    assert "BNPL_MODEL_FEATURE_SET=behavioural@2" in trained.refused(*TRAIN, "--segment", "at_risk", code=5)

    monkeypatch.setenv("BNPL_MODEL_FEATURE_SET", "behavioural@2")
    printed = trained.done(*TRAIN, "--segment", "at_risk")
    assert "at_risk 1 is registered as challenger" in printed
    assert "promote at_risk" in printed
    assert lender.training.fingerprint not in printed


def test_what_is_not_registered_ends_with_2(trained: CommandLine) -> None:
    assert "has no challenger" in trained.refused("evaluate")
    assert "has no 7" in trained.refused("promote", "behavioural", "--version", "7", "--reason", "why not")
    assert "is not one of" in trained.refused("promote", "rules", "--reason", "why not")


def test_a_registry_that_does_not_answer_ends_with_6(trained: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNPL_MODEL_REGISTRY_URL", "sqlite:////proc/nowhere.db")

    assert "BNPL_MODEL_REGISTRY_URL" in trained.refused("models", code=6)
