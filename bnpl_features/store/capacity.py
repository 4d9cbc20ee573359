"""What a number of customers asks of a managed Redis: memory, network and cost. Pure computing, no server."""

from __future__ import annotations

from dataclasses import dataclass

from bnpl_features.derive.layout import Layout
from bnpl_features.errors import SettingsError
from bnpl_features.store.keyspace import FIELD_BYTES, Keyspace, bucket_count
from bnpl_features.store.prices import Offering
from bnpl_features.store.publishing.preflight import estimate_bytes

HOURS_PER_MONTH = 730
GIB = 2**30

HEADROOM = 0.25
"""Of the data, kept free: customers who will come, and what connections and replication take for a moment."""

SERVER_BYTES = 64 * 2**20
"""An empty server with its replication backlog and some hundred connections."""

PACKET_BYTES = 66
"""Ethernet, IP and TCP headers of one packet; a lookup is two."""

STREAM_OVERHEAD = 1.05
"""Headers and acknowledgements of a long stream of full packets."""

_BUCKET_COMMAND_BYTES = 200
"""MULTI, HSET, EXPIRE, EXEC, later PERSIST: about what surrounds the customers of a bucket."""

_LONG_VERSION = 9_999


@dataclass(frozen=True)
class Demand:
    """What is asked for: `versions` are kept, one more is being staged meanwhile; `replicas` a primary."""

    customers: int
    versions: int = 2
    replicas: int = 1
    lookups_per_second: float = 1_700.0
    publish_seconds: float = 45.0


@dataclass(frozen=True)
class Memory:
    """Bytes on a primary, and on each of its replicas. `needed` is what the server must be allowed to hold."""

    one_version: int
    kept_versions: int
    with_staged_version: int
    server: int
    headroom: int

    @property
    def needed(self) -> int:
        return self.with_staged_version + self.server + self.headroom


@dataclass(frozen=True)
class Network:
    """Bytes on the wire, headers included; megabits a second while lookups and a publication run.

    The publisher writes every record and reads every one back; each replica is sent what was written.
    """

    lookup_bytes: int
    lookups_mbit: float
    written_bytes: int
    read_back_bytes: int
    replicated_bytes: int
    publication_mbit: float


@dataclass(frozen=True)
class Cost:
    """One offering: `shards` primaries that share the buckets, each with its replicas."""

    offering: Offering
    shards: int
    nodes: int
    usd_per_month: float


@dataclass(frozen=True)
class Capacity:
    """The plan; `costs` are the offerings, the cheapest first."""

    demand: Demand
    memory: Memory
    network: Network
    costs: tuple[Cost, ...]


def plan_capacity(demand: Demand, layout: Layout, offerings: tuple[Offering, ...], keyspace: Keyspace) -> Capacity:
    """Bytes a customer are those of the preflight; raises `SettingsError` for an offering too small for any data."""
    memory = _memory(demand, layout)
    costs = sorted((_cost(offering, memory, demand) for offering in offerings), key=lambda cost: cost.usd_per_month)
    return Capacity(demand, memory, _network(demand, layout, keyspace), tuple(costs))


def _memory(demand: Demand, layout: Layout) -> Memory:
    one = estimate_bytes(layout, demand.customers)
    staged = one * (demand.versions + 1)
    return Memory(one, one * demand.versions, staged, SERVER_BYTES, int(staged * HEADROOM))


def _network(demand: Demand, layout: Layout, keyspace: Keyspace) -> Network:
    buckets = bucket_count(demand.customers)
    key = len(keyspace.bucket(_LONG_VERSION, buckets - 1))
    request = len(b"*3\r\n$4\r\nHGET\r\n") + _bulk(key) + _bulk(FIELD_BYTES)
    lookup = request + _bulk(layout.width_bytes) + 2 * PACKET_BYTES
    records = demand.customers * (_bulk(FIELD_BYTES) + _bulk(layout.width_bytes))
    written = int((records + buckets * (_BUCKET_COMMAND_BYTES + 3 * key)) * STREAM_OVERHEAD)
    read_back = int((records + buckets * (_BUCKET_COMMAND_BYTES // 2 + key)) * STREAM_OVERHEAD)
    replicated = written * demand.replicas
    return Network(
        lookup,
        _mbit(lookup * demand.lookups_per_second),
        written,
        read_back,
        replicated,
        _mbit((written + read_back + replicated) / demand.publish_seconds),
    )


def _cost(offering: Offering, memory: Memory, demand: Demand) -> Cost:
    """As many shards as hold the data, each with a server's own share of memory."""
    room = int(offering.usable_gib * GIB) - memory.server
    if room <= 0:
        raise SettingsError(
            f"{offering.provider} {offering.node} has {offering.usable_gib} usable GiB, no more than a server takes "
            f"empty; list kinds of nodes with more than {SERVER_BYTES / GIB:g} GiB"
        )
    data = memory.needed - memory.server
    shards = -(-data // room)
    nodes = shards * (1 + demand.replicas)
    return Cost(offering, shards, nodes, nodes * offering.usd_per_hour * HOURS_PER_MONTH)


def _bulk(size: int) -> int:
    """Bytes of a string of `size` bytes in the server's protocol."""
    return len(b"$%d\r\n" % size) + size + len(b"\r\n")


def _mbit(bytes_per_second: float) -> float:
    return bytes_per_second * 8 / 1e6
