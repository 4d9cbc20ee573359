"""A segment's own model: trained on its customers' purchases, and measured against the model that it replaces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bnpl_features.errors import PromotionRefused, TrainingRefused
from bnpl_features.features.catalog import BEHAVIOURAL as FIRST_SET
from bnpl_features.features.catalog import SEGMENTED
from bnpl_features.features.segment import SEGMENT, segment_named
from bnpl_features.risk_model.assembly import assemble
from bnpl_features.risk_model.model import Model
from bnpl_features.risk_model.promotion import PROMOTED, promote
from bnpl_features.risk_model.registry import CHAMPION, Registry, open_registry, register, versions
from bnpl_features.risk_model.segment_training import segment_inputs, segment_part
from bnpl_features.risk_model.training import BEHAVIOURAL, train
from bnpl_features.risk_model.training_set import TrainingSet, read_training_set
from bnpl_features.warehouse.transactions import Source
from tests.lender import SPEC, Lender

OWN = replace(segment_named("at_risk"), model="at_risk", feature_set=FIRST_SET.name)


@pytest.fixture(scope="module")
def everybody(lender: Lender, tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    folder = tmp_path_factory.mktemp("everybody")
    return read_training_set(assemble(lender.warehouse, Source(), SPEC, folder, feature_set=SEGMENTED))


@pytest.fixture(scope="module")
def part(everybody: TrainingSet, tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    return read_training_set(segment_part(everybody, OWN, tmp_path_factory.mktemp("part")))


@pytest.fixture(scope="module")
def own_model(part: TrainingSet) -> Model:
    return train(OWN.model, part, segment_inputs(OWN, part))


def test_the_part_holds_the_purchases_of_the_segments_customers_and_no_others(
    everybody: TrainingSet, part: TrainingSet
) -> None:
    late = everybody.behavioural[:, everybody.inputs.behavioural.index("missed_payments_90d")] > 0

    assert 0 < part.rows == late.sum() < everybody.rows
    assert (part.behavioural[:, part.inputs.behavioural.index("missed_payments_90d")] > 0).all()
    assert part.fingerprint != everybody.fingerprint


def test_the_model_reads_the_segments_feature_set(part: TrainingSet, own_model: Model) -> None:
    assert SEGMENT in part.inputs.behavioural
    assert own_model.inputs.behavioural == tuple(feature.name for feature in FIRST_SET.features)
    assert own_model.provenance["training_set"] == part.fingerprint


def test_a_training_set_without_segments_is_refused_with_the_setting_to_change(lender: Lender, tmp_path: Path) -> None:
    with pytest.raises(TrainingRefused, match="BNPL_MODEL_FEATURE_SET=behavioural@2"):
        segment_part(lender.training, OWN, tmp_path)


def test_its_first_champion_is_set_against_the_behavioural_one(
    lender: Lender, part: TrainingSet, own_model: Model, tmp_path: Path
) -> None:
    registry = _with_champion(lender, tmp_path)
    random = np.random.default_rng(0)
    blind = replace(part, defaulted=random.permutation(np.array(part.defaulted)))
    worse = train(OWN.model, blind, segment_inputs(OWN, part))

    register(registry, worse)
    with pytest.raises(PromotionRefused, match="roc_auc"):
        promote(registry, OWN.model, part, actor="ann", reason="a first one", resamples=40)

    register(registry, own_model)
    found = promote(registry, OWN.model, part, actor="ann", reason="judged", force=True, resamples=40)

    assert found.previous is None
    assert {finding.metric for finding in found.findings} > {"brier"}, "as against a model, not as against the rules"
    assert [one.aliases for one in versions(registry, OWN.model)] == [(CHAMPION,), ()]


def _with_champion(lender: Lender, folder: Path) -> Registry:
    registry = open_registry("", folder)
    register(registry, lender.models[BEHAVIOURAL])
    done = promote(registry, BEHAVIOURAL, lender.training, actor="ann", reason="the model of all", resamples=40)
    assert done.outcome == PROMOTED
    return registry
