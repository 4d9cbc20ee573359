"""What trained the champion becomes the reference that later days are compared with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from assets.drift_reference import drift_reference
from bnpl_features.derive.profile import profile_query, profiles_table
from bnpl_features.derive.profiled import group_subject
from bnpl_features.drift.references import reference_in_force
from bnpl_features.features.catalog import GROUPS
from bnpl_features.risk_model.promotion import promote
from bnpl_features.risk_model.registry import open_registry, register
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource
from tests.lender import SPEC, Lender


def test_the_days_that_trained_the_champion_are_in_force_from_yesterday_on(lender: Lender, tmp_path: Path) -> None:
    lender = lender.copied_to(tmp_path / "lender")
    registry = open_registry("", tmp_path / "models")
    register(registry, lender.models["behavioural"], actor="tester")
    promote(registry, "behavioural", lender.training, actor="tester", reason="first", force=True, resamples=0)
    (tmp_path / "models" / "training-sets").symlink_to(lender.folder / "sets")
    subject = group_subject(GROUPS[0])
    for day in SPEC.partitions:
        lender.warehouse.replace_partition(profiles_table(subject), day, profile_query(subject, day), {})
    settings = SettingsResource(overrides=lender.variables | {"BNPL_MODEL_FOLDER": str(tmp_path / "models")})

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [*(dg.AssetSpec(key) for key in drift_reference.dependency_keys), drift_reference],
            instance=instance,
            resources={"settings": settings, "warehouse": WarehouseResource(settings=settings)},
        )

    [event] = result.get_asset_materialization_events()
    shown = {name: value.value for name, value in event.materialization.metadata.items()}
    assert (shown["model"], shown["days"]) == ("behavioural 1", f"{SPEC.partitions[0]} to {SPEC.partitions[-1]}")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    reference = reference_in_force(lender.warehouse, yesterday, {})
    assert reference is not None
    assert (reference.model, reference.first_day, reference.last_day) == (
        "behavioural 1",
        SPEC.partitions[0],
        SPEC.partitions[-1],
    )
    assert reference_in_force(lender.warehouse, yesterday - timedelta(days=1), {}) is None
