"""The stream of purchase events, observed; and what it made of a day beside what the warehouse holds."""

import time
from datetime import UTC, date, datetime

import dagster as dg

from assets.failures import library_errors
from assets.feature_groups import WAREHOUSE_POOL
from assets.partitions import DAILY, labels
from assets.predictions import OWNERS
from assets.transactions import TRANSACTIONS
from bnpl_features.connect.streaming import open_source
from bnpl_features.store.reading.follower import CAUGHT_UP_SECONDS
from bnpl_features.streaming.comparison import compare
from resources.settings import SettingsResource
from resources.store import StoreResource
from resources.warehouse import WarehouseResource

STREAMING_GROUP = "streaming"
VELOCITY_STREAM = dg.AssetKey("velocity_stream")
PARITY = "parity"


@dg.observable_source_asset(
    key=VELOCITY_STREAM,
    group_name=STREAMING_GROUP,
    description="Purchase events on their way into velocity features: how many wait, and how old the oldest is.",
    tags={"dagster/kind/redis": ""},
)
def velocity_stream(settings: SettingsResource, store: StoreResource) -> dg.ObserveResult:
    """Healthy while a worker reports that all events until a minute ago have been applied."""
    with library_errors(), store.open() as target, open_source(settings.load().streaming, target) as source:
        lag = source.lag()
        caught_up = float(target.client.get(target.keyspace.caught_up) or 0)
        dead = target.client.xlen(target.keyspace.dead_letters)
    behind = time.time() - caught_up
    return dg.ObserveResult(
        metadata={
            "source": source.name,
            "waiting": "unknown" if lag.waiting is None else lag.waiting,
            "oldest_seconds": lag.oldest_seconds,
            "applied_until": datetime.fromtimestamp(caught_up, UTC).isoformat() if caught_up else "never",
            "healthy": behind <= CAUGHT_UP_SECONDS,
            "dead_letters": dead,
        }
    )


@dg.asset(
    name="velocity_comparison",
    partitions_def=DAILY,
    deps=[TRANSACTIONS],
    group_name=STREAMING_GROUP,
    owners=OWNERS,
    kinds={"redis"},
    code_version="1",
    pool=WAREHOUSE_POOL,
    description="A day's purchases and amounts by customer, as streamed, beside the warehouse's; by 06:00 UTC.",
    check_specs=[
        dg.AssetCheckSpec(
            PARITY,
            asset="velocity_comparison",
            description="Few customers differ: streaming.most_mismatched says how few.",
        )
    ],
)
def velocity_comparison(
    context: dg.AssetExecutionContext, settings: SettingsResource, store: StoreResource, warehouse: WarehouseResource
) -> dg.MaterializeResult:
    day = date.fromisoformat(context.partition_key)
    loaded = settings.load()
    with library_errors(), store.open() as target, warehouse.open() as engine:
        asked_by = labels(context, "velocity_comparison", day)
        found = compare(target, engine, loaded.source.sql(), day, now(), asked_by)
    figures = {
        "from_hour": found.from_hour,
        "customers": found.customers,
        "mismatched": found.mismatched,
        "only_in_the_warehouse": found.missing,
        "only_streamed": found.surplus,
        "purchases": found.purchases,
        "purchases_streamed": found.purchases_streamed,
    }
    return dg.MaterializeResult(
        metadata=figures,
        check_results=[
            dg.AssetCheckResult(
                check_name=PARITY,
                passed=found.mismatched_share <= loaded.streaming.most_mismatched,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"mismatched_share": found.mismatched_share},
            )
        ],
    )


def now() -> datetime:
    return datetime.now(UTC)


streaming_assets = [velocity_stream, velocity_comparison]
