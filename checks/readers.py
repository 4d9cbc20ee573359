"""Who still reads a set that is deprecated?"""

import dagster as dg

from assets.failures import library_errors
from assets.partitions import DAILY
from assets.publication import published_key
from bnpl_features.features.catalog import SETS, FeatureSet
from bnpl_features.store.readers import readers_of
from resources.store import StoreResource


def readers_check(feature_set: FeatureSet) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=published_key(feature_set),
        name="readers",
        description="Nobody reads the set any more, if it is deprecated; who does is listed in any case.",
        partitions_def=DAILY,
    )
    def check(store: StoreResource) -> dg.AssetCheckResult:
        with library_errors(), store.open() as target:
            readers = readers_of(target.client, target.keyspace, feature_set.name)
        is_over = feature_set.deprecated_on is not None and bool(readers)
        return dg.AssetCheckResult(
            passed=not is_over,
            severity=dg.AssetCheckSeverity.WARN,
            description=(
                f"{feature_set.name} is deprecated on {feature_set.deprecated_on}, but {len(readers)} readers read it "
                "within a day: move them to a newer set"
                if is_over
                else None
            ),
            metadata={"readers": [f"{one.name} ({one.release})" for one in readers]},
        )

    return check


reader_checks = [readers_check(one) for one in SETS]
