"""Do features and sets still mean what the lock file records under their names?"""

from datetime import UTC, datetime

import dagster as dg

from assets.failures import library_errors
from assets.feature_vectors import VECTORS
from assets.partitions import DAILY
from bnpl_features.derive.lock import compare, declared, recorded


@dg.asset_check(
    asset=VECTORS,
    name="declarations",
    description="No feature or set means something else than features.lock.toml records under its name.",
    blocking=True,
    partitions_def=DAILY,
)
def declarations_check() -> dg.AssetCheckResult:
    with library_errors():
        found = compare(recorded(), declared(), datetime.now(UTC).date())
    return dg.AssetCheckResult(
        passed=not found.changes,
        severity=dg.AssetCheckSeverity.ERROR if found.refused else dg.AssetCheckSeverity.WARN,
        description=found.text or None,
        metadata={"changes": [str(change) for change in found.changes]},
    )
