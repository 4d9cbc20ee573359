"""Feast at work in a generated repository; runs in a virtual environment of its own, with this library on its path.

.venv-feast/bin/python feast_worker.py REPOSITORY < questions.json > answers.json
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from feast import FeatureStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_operations import apply_total

from bnpl_features.interop.feast_store import CustomerFeatureOnlineStore


def main(repository: str) -> None:
    asked = json.load(sys.stdin)
    # What `feast apply` does before it looks for definitions.
    os.chdir(repository)
    sys.path.insert(0, repository)
    store = FeatureStore(repo_path=repository)
    apply_total(store.config, store.repo_path, skip_source_validation=False)
    store = FeatureStore(repo_path=repository)
    service = store.get_feature_service("behavioural_1_vector")
    view = store.get_feature_view("behavioural_1")
    rows = [{"customer_id": one} for one in asked["customers"]]
    response = store.get_online_features(service, rows)
    some = store.get_online_features([f"behavioural_1:{name}" for name in asked["some"]], rows[:1])
    segments = store.get_online_features(["behavioural_2:segment"], rows)
    moments = pd.DataFrame(
        [(one, datetime.fromisoformat(at)) for at in asked["moments"] for one in asked["customers"]],
        columns=["customer_id", "event_timestamp"],
    )
    past = store.get_historical_features(moments, service).to_df()
    definitions: dict[str, Any] = {}
    exec(asked["bigquery"], definitions)
    online = CustomerFeatureOnlineStore()
    customer = EntityKey(join_keys=["customer_id"], entity_values=[Value(string_val=asked["customers"][0])])
    merchant = EntityKey(join_keys=["merchant_id"], entity_values=[Value(string_val="m-1")])
    print(
        json.dumps(
            {
                "online": response.to_dict(),
                "statuses": [list(map(int, one.statuses)) for one in response.proto.results],
                "known_from": [one.ToDatetime(UTC).isoformat() for one in response.proto.results[1].event_timestamps],
                "some": some.to_dict(),
                "segments": segments.to_dict()["segment"],
                "types": {one.name: str(one.dtype) for one in view.features},
                "described": {one.name: one.description for one in view.features},
                "owner": view.owner,
                "bigquery": definitions["behavioural_1"].batch_source.query,
                "past": json.loads(past.to_json(orient="records", date_format="iso", double_precision=15)),
                "refusals": {
                    "materialize": refusal(lambda: store.materialize(datetime(2024, 3, 1), datetime(2024, 3, 2))),
                    "teardown": refusal(store.teardown),
                    "merchant": refusal(lambda: online.online_read(store.config, view, [merchant])),
                    "down": refusal(
                        lambda: elsewhere("redis://127.0.0.1:1/0").online_read(store.config, view, [customer])
                    ),
                },
            }
        )
    )


def elsewhere(url: str) -> CustomerFeatureOnlineStore:
    os.environ["REDIS_URL"] = url
    return CustomerFeatureOnlineStore()


def refusal(act: Callable[[], Any]) -> str:
    try:
        act()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    main(sys.argv[1])
