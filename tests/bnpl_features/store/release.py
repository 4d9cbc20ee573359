"""What a release does with the store, as a program of its own: it runs under this release and under earlier ones.

    python tests/bnpl_features/store/release.py record URL NAMESPACE        publish a sample, print keys and answers
    python tests/bnpl_features/store/release.py read URL NAMESPACE [MODEL]  for each line on stdin: print what is read

With `PYTHONPATH` set to the sources of an earlier release it speaks for that one, so it uses nothing that came later.
"""

from __future__ import annotations

import base64
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import redis

import bnpl_features
from bnpl_features.derive.layout import layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.features.storage import Scale
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.publishing.batches import CustomerBatch
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.target import Target

SECRET = b"a secret of thirty-two bytes ...."[:32]
CUSTOMERS, PARTITION = 150, date(2026, 11, 24)
IDS = [f"customer-{number}" for number in range(CUSTOMERS)]
ASKED = (*IDS[:20], "nobody")


def sample(fields: Any, seed: int = 7) -> CustomerBatch:
    """Values over the range of each feature, a tenth of them null; the same in every release."""
    dice = np.random.default_rng(seed)
    columns = {}
    for field in fields:
        if field.storage.scale is Scale.NAMES:
            values = dice.integers(0, len(field.storage.names), CUSTOMERS).astype(float)
        elif field.storage.scale is Scale.EXACT:
            values = dice.integers(0, 60, CUSTOMERS).astype(float)
        else:
            values = np.round(dice.gamma(1.0, 0.2, CUSTOMERS), 4)
        nulls = dice.random(CUSTOMERS) < (0.1 if field.default is None else 0.0)
        columns[field.name] = np.where(nulls, np.nan, values)
    return CustomerBatch(IDS, columns)


def publish_sample(url: str, namespace: str) -> None:
    layout = layout_of(BEHAVIOURAL)
    publish(
        Target(connect(url), Keyspace(namespace), CustomerKey(SECRET)),
        layout,
        [sample(layout.fields)],
        partition=PARTITION,
        customers=CUSTOMERS,
        provenance=Provenance(run_id="golden", actor="tester"),
    )


def answers(reader: CustomerFeatureStore, model_folder: str = "") -> list[dict[str, Any]]:
    """Status, values and (with a model) the score of a fixed purchase, floats as hexadecimal: bit for bit."""
    found = []
    score = _scorer(reader, model_folder) if model_folder else None
    for answer in reader.get_many(ASKED):
        values = {name: value.hex() if isinstance(value, float) else value for name, value in answer.as_dict().items()}
        scored = score(answer).hex() if score else None
        status = "known" if answer.status.value in ("fresh", "stale") else answer.status.value
        found.append({"status": status, "values": values, "score": scored})
    return found


def _scorer(reader: CustomerFeatureStore, model_folder: str) -> Any:
    from bnpl_features.risk_model.model_files import read_model

    model = read_model(Path(model_folder))
    purchase = json.loads((Path(model_folder) / "purchase.json").read_text())
    assert reader.served is not None
    reading = model.reading(reader.served.manifest.layout)
    return lambda answer: model.score_one(purchase, reading(answer.values))


def open_reader(url: str, namespace: str) -> CustomerFeatureStore:
    return CustomerFeatureStore(url, namespace=namespace, customer_key=SECRET, budget_seconds=0.5)


def stored(url: str, namespace: str) -> dict[str, Any]:
    """Every key of the namespace but the lease, the trail and who read: name -> type and content in base64."""
    client = redis.Redis.from_url(url)
    found: dict[str, Any] = {}
    for key in sorted(client.scan_iter(b"*" + namespace.encode() + b"*", count=1000)):
        name, kind = key.decode(), client.type(key).decode()
        if name.rpartition(":")[2] in ("audit", "publisher", "readers"):
            continue
        if kind == "hash":
            content: Any = {_text(k): _text(v) for k, v in sorted(client.hgetall(key).items())}
        elif kind == "zset":
            content = [_text(member) for member in client.zrange(key, 0, -1)]
        else:
            content = _text(client.get(key))
        found[name] = [kind, content]
    return found


def restore(url: str, keys: dict[str, Any], old: str, new: str) -> None:
    """Write recorded keys, under another namespace."""
    client = redis.Redis.from_url(url)
    for name, (kind, content) in keys.items():
        key = name.replace(old, new, 1)
        if kind == "hash":
            client.hset(key, mapping={_bytes(k): _bytes(v) for k, v in content.items()})
        elif kind == "zset":
            client.zadd(key, {_bytes(member): 1 for member in content})
        else:
            client.set(key, _bytes(content))


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def main() -> None:
    act, url, namespace, *rest = sys.argv[1:]
    if act == "record":
        publish_sample(url, namespace)
        with open_reader(url, namespace) as reader:
            print(json.dumps({"keys": stored(url, namespace), "answers": answers(reader)}))
        return
    with open_reader(url, namespace) as reader:
        for _ in sys.stdin:
            assert reader.served is not None
            version = reader.served.manifest.version
            sources = bnpl_features.__file__
            found = {"sources": sources, "version": version, "answers": answers(reader, *rest)}
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
