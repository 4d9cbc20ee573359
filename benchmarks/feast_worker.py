"""Feast's Redis online store, on the rows and the server that it is given; runs in a virtual environment of its own.

    .venv-feast/bin/python benchmarks/feast_worker.py REPOSITORY VECTORS.parquet HOST:PORT LOOKUPS

Prints one JSON object: rows a second written, server bytes a customer, microseconds by call.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import redis
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64, Int64, String


def main(folder: str, vectors: str, server: str, lookups: int) -> None:
    frame = pd.read_parquet(vectors)
    features = [name for name in frame.columns if name != "customer_id"]
    # Feast has no nulls in typed columns of its own, so whole numbers with nulls are numbers, as its users write them.
    types = {
        name: String if frame[name].dtype == object else Int64 if frame[name].dtype == "int64" else Float64
        for name in features
    }
    frame["event_timestamp"] = datetime.now(UTC) - timedelta(hours=1)
    source = Path(folder) / "source.parquet"
    frame.to_parquet(source)
    store = FeatureStore(
        config=RepoConfig(
            project="peer",
            registry=str(Path(folder) / "registry.db"),
            provider="local",
            online_store={"type": "redis", "connection_string": server},
            entity_key_serialization_version=3,
        )
    )
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
    view = FeatureView(
        name="behavioural",
        entities=[customer],
        ttl=timedelta(days=2),
        schema=[Field(name=name, dtype=kind) for name, kind in types.items()],
        source=FileSource(path=str(source), timestamp_field="event_timestamp"),
    )
    store.apply([customer, view])
    client = redis.Redis.from_url(f"redis://{server}")
    before = int(client.info("memory")["used_memory"])
    started = time.perf_counter()
    store.materialize(datetime.now(UTC) - timedelta(days=1), datetime.now(UTC))
    seconds = time.perf_counter() - started
    size = int(client.info("memory")["used_memory"]) - before
    wanted = [f"behavioural:{name}" for name in features]
    customers = frame["customer_id"].sample(lookups, random_state=0).tolist()

    def timed(identifiers: list[str]) -> float:
        began = time.perf_counter()
        store.get_online_features(wanted, [{"customer_id": one} for one in identifiers])
        return time.perf_counter() - began

    single = [timed([one]) for one in customers]
    hundred = [timed(customers[start : start + 100]) for start in range(0, min(lookups, 2_000), 100)]
    print(
        json.dumps(
            {
                "rows_per_second": len(frame) / seconds,
                "bytes": size / len(frame),
                "single": [float(np.percentile(single, p)) * 1e6 for p in (50, 99)],
                "hundred": [float(np.percentile(hundred, p)) * 1e6 for p in (50, 99)],
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
