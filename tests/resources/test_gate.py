"""The gate waits for the checks that block, and for no others."""

import dagster as dg

from definitions import asset_checks
from resources.gate import GateResource, gate_of


def test_every_blocking_check_gates_and_no_other_does() -> None:
    names = {key.to_user_string() for key in gate_of(asset_checks).check_keys()}

    blocking = {spec.key.to_user_string() for checks in asset_checks for spec in checks.check_specs if spec.blocking}
    assert names == blocking
    assert not names & {"published_features:consistency", "transactions:freshness"}


def test_asset_keys_of_several_parts_survive() -> None:
    gate = GateResource(checks=["lender/feature_volume:schema"])

    assert gate.check_keys() == [dg.AssetCheckKey(dg.AssetKey(["lender", "feature_volume"]), "schema")]
