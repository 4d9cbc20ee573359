"""After the switch: does the client serve what the warehouse holds?"""

from datetime import date

import dagster as dg

from assets.failures import library_errors
from assets.feature_vectors import VECTORS_TABLE
from assets.partitions import DAILY, labels
from assets.publication import published_key
from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.table import CUSTOMER_COLUMN
from bnpl_features.features.catalog import SETS, FeatureSet
from bnpl_features.store.erasure import erased_among
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.publishing.verification import Sample, differences
from bnpl_features.store.reading.lookup import Status
from resources.store import StoreResource
from resources.warehouse import WarehouseResource

SAMPLED_CUSTOMERS = 500
_MOST_SHOWN = 10


def consistency_check(feature_set: FeatureSet) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=published_key(feature_set),
        name="consistency",
        description=(
            "A sample read through the client equals the warehouse within each feature's stated error; "
            "customers who were erased are left out."
        ),
        partitions_def=DAILY,
    )
    def check(
        context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource, store: StoreResource
    ) -> dg.AssetCheckResult:
        day = date.fromisoformat(context.partition_key)
        layout = layout_of(feature_set)
        found: list[str] = []
        answers: dict[str, int] = {}
        with library_errors(), warehouse.open() as engine, store.reader() as reader:
            served = reader.follow(feature_set.name)
            serves = served.manifest.partition_date if served else "nothing"
            if serves != day:
                return dg.AssetCheckResult(
                    passed=False,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=f"the store serves {serves}, not {day}: there is nothing to compare",
                )
            columns = (CUSTOMER_COLUMN, *layout.names)
            asked_by = labels(context, published_key(feature_set).to_user_string(), day)
            sample = Sample.of(served.manifest.customers, SAMPLED_CUSTOMERS)
            for batch in customer_batches(engine.read_partition(VECTORS_TABLE, day, columns, asked_by), layout):
                sample.take(batch)
            with store.open() as target:
                erased = erased_among(target.client, target.keyspace, target.keys, sample.customers)
            for customer_id, values in sample.customers.items():
                if customer_id in erased:
                    continue
                answer = reader.get(customer_id, feature_set=feature_set.name)
                answers[answer.status.value] = answers.get(answer.status.value, 0) + 1
                if answer.status not in (Status.FRESH, Status.STALE):
                    found.append(f"{answer.status} {answer.reason}".strip())
                else:
                    found += differences(layout, values, answer.as_dict())
        return dg.AssetCheckResult(
            passed=not found and (bool(answers) or bool(erased)),
            severity=dg.AssetCheckSeverity.WARN,
            description="; ".join(found[:_MOST_SHOWN]) or None,
            metadata={"sampled": len(sample.customers) - len(erased), "mismatches": len(found), "answers": answers},
        )

    return check


consistency_checks = [consistency_check(one) for one in SETS]
