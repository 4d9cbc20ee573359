"""The training job on the small lender: what each asset hands on and shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.training import training_assets
from automation.jobs import DAILY_JOB, TRAINING_JOB
from bnpl_features.risk_model.registry import CHALLENGER, load_model, open_registry
from definitions import defs
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource
from tests.code_location import materialized, why
from tests.lender import AS_OF, Lender


def run(lender: Lender, folder: Path, config: dict[str, Any]) -> dg.ExecuteInProcessResult:
    settings = SettingsResource(overrides=lender.variables | {"BNPL_MODEL_FOLDER": str(folder / "models")})
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        return dg.materialize(
            [dg.AssetSpec("transactions"), dg.AssetSpec("feature_vectors"), *training_assets],
            instance=instance,
            resources={"settings": settings, "warehouse": WarehouseResource(settings=settings)},
            run_config={"ops": {"training_set": {"config": config}}},
            raise_on_error=False,
        )


@pytest.fixture(scope="module")
def done(lender: Lender, tmp_path_factory: pytest.TempPathFactory) -> tuple[dg.ExecuteInProcessResult, Path]:
    folder = tmp_path_factory.mktemp("training")
    return run(lender, folder, {"as_of": AS_OF.isoformat()}), folder


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    [event] = [e for e in result.get_asset_materialization_events() if e.asset_key.path == [asset]]
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_models_are_trained_evaluated_and_registered(
    done: tuple[dg.ExecuteInProcessResult, Path], lender: Lender
) -> None:
    result, folder = done

    assert result.success, why(result)
    assert materialized(result) == {
        "training_set",
        "transaction_only_model",
        "behavioural_model",
        "velocity_model",
        "model_evaluation",
        "registered_models",
    }
    kept = load_model(open_registry("", folder / "models"), "behavioural", CHALLENGER)
    assert kept.fingerprint == lender.models["behavioural"].fingerprint


def test_what_is_handed_on_are_names_not_rows(done: tuple[dg.ExecuteInProcessResult, Path], lender: Lender) -> None:
    result, _ = done

    assert result.output_for_node("training_set") == lender.training.fingerprint
    assert result.output_for_node("behavioural_model") == lender.models["behavioural"].fingerprint


def test_a_person_sees_figures_and_charts(done: tuple[dg.ExecuteInProcessResult, Path], lender: Lender) -> None:
    result, _ = done

    evaluation = metadata(result, "model_evaluation")
    assert evaluation["charts"].startswith("![evaluation](data:image/png;base64,")
    assert "| discrimination_ratio |" in evaluation["figures"]
    assert evaluation["behavioural_roc_auc"] > 0.55
    assert metadata(result, "training_set")["dagster/row_count"] == lender.training.rows
    assert "missed_payments_90d" in metadata(result, "behavioural_model")["monotone_inputs"]
    assert metadata(result, "registered_models")["behavioural_version"] == 1


def test_a_set_that_cannot_be_made_fails_with_the_mend(lender: Lender, tmp_path: Path) -> None:
    result = run(lender, tmp_path, {"as_of": AS_OF.isoformat(), "days": 30})

    assert not result.success
    assert "bnpl-features backfill --from" in why(result)


def test_the_daily_job_trains_nothing_and_the_training_job_nothing_else() -> None:
    daily, training = (
        {key.to_user_string() for key in defs.resolve_job_def(name).asset_layer.selected_asset_keys}
        for name in (DAILY_JOB, TRAINING_JOB)
    )

    assert training == {asset.key.to_user_string() for asset in training_assets}
    assert not daily & training
