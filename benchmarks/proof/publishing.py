"""A publication, a process of its own: python -m benchmarks.proof.publishing URL VECTORS CUSTOMERS PARTITION.

Prints the version, and between which moments of the monotonic clock the switch to it was.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import date

import pyarrow.parquet as pq

from benchmarks.store import KEY
from bnpl_features.derive.layout import layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import begin, finish, place
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.target import Target

NAMESPACE = "bench"


def target_at(url: str) -> Target:
    return Target(connect(url), Keyspace(NAMESPACE), CustomerKey(KEY))


def publish(url: str, vectors: str, customers: int, partition: date) -> tuple[int, float, float]:
    """The version, and the moments before and after its switch."""
    target, layout = target_at(url), layout_of(BEHAVIOURAL)
    batches = customer_batches(pq.ParquetFile(vectors, pre_buffer=False).iter_batches(), layout)
    provenance = Provenance("proof", actor="proof")
    plan = begin(target, layout, batches, partition=partition, customers=customers, provenance=provenance)
    place(target, plan, range(plan.ranges.count))
    before = time.monotonic()
    published = finish(target, plan)
    return published.manifest.version, before, time.monotonic()


if __name__ == "__main__":
    print(json.dumps(publish(sys.argv[1], sys.argv[2], int(sys.argv[3]), date.fromisoformat(sys.argv[4]))))
