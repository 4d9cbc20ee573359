"""From the warehouse to the publication's folder: encode, hash, divide by bucket range."""

from __future__ import annotations

import time
from collections.abc import Iterable

from bnpl_features.errors import VerificationFailed
from bnpl_features.store.codec import Codec
from bnpl_features.store.erasure import CarryOver
from bnpl_features.store.publishing.batches import CustomerBatch
from bnpl_features.store.publishing.plan import Filled, Plan
from bnpl_features.store.publishing.progress import Pace
from bnpl_features.store.publishing.verification import Sample
from bnpl_features.store.target import Target


def fill(target: Target, plan: Plan, batches: Iterable[CustomerBatch], pace: Pace) -> Filled:
    """Raises `VerificationFailed` where other than the counted customers are handed over."""
    began = time.perf_counter()
    pace.start("encode")
    codec = Codec(plan.layout)
    sample = Sample.of(plan.customers)
    carry_over = CarryOver(target.client, target.keyspace, target.key, target.previous_keys)
    saturated: dict[str, int] = {}
    spool = plan.spool
    for batch in batches:
        encoded = codec.encode(batch.columns)
        spool.add(target.key.digests(batch.customer_ids), encoded.records)
        sample.take(batch)
        carry_over.meet(batch.customer_ids)
        for name, count in encoded.saturated.items():
            saturated[name] = saturated.get(name, 0) + count
        pace.tell("encode", spool.customers, plan.customers)
    spool.close()
    if spool.customers != plan.customers:
        raise VerificationFailed(
            f"the warehouse counted {plan.customers} customers in partition {plan.partition} but handed over "
            f"{spool.customers}; the partition changed while it was read: publish again"
        )
    filled = Filled(spool.customers, saturated, sample.customers, time.perf_counter() - began)
    filled.save(plan)
    return filled
