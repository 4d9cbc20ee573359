"""Which checks a publication waits for, as a Dagster resource."""

from collections.abc import Sequence

import dagster as dg


class GateResource(dg.ConfigurableResource[list[dg.AssetCheckKey]]):
    """The blocking checks of the code location, as `asset:check`; made by `gate_of`."""

    checks: list[str]

    def check_keys(self) -> list[dg.AssetCheckKey]:
        pairs = (name.rpartition(":") for name in self.checks)
        return [dg.AssetCheckKey(dg.AssetKey.from_user_string(asset), check) for asset, _, check in pairs]


def gate_of(asset_checks: Sequence[dg.AssetChecksDefinition]) -> GateResource:
    """Every check that blocks gates the publication: there is no second list to keep."""
    specs = [spec for definition in asset_checks for spec in definition.check_specs]
    return GateResource(checks=[f"{s.asset_key.to_user_string()}:{s.name}" for s in specs if s.blocking])
