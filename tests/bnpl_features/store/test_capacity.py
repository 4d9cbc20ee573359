"""A plan follows from the preflight's estimate, and says what would be paid."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bnpl_features.errors import SettingsError
from bnpl_features.store.capacity import GIB, HEADROOM, SERVER_BYTES, Capacity, Demand, plan_capacity
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.prices import Offering, load_prices
from bnpl_features.store.publishing.preflight import estimate_bytes
from tests.bnpl_features.store.shop import LAYOUT

TEN_MILLION = Demand(10_000_000)
NODE = Offering("a cloud", "node.large", "here", usable_gib=10.0, usd_per_hour=0.2)


def plan(demand: Demand = TEN_MILLION, *offerings: Offering) -> Capacity:
    return plan_capacity(demand, LAYOUT, offerings or (NODE,), Keyspace())


def test_memory_is_the_preflights_estimate_for_each_version_and_for_the_one_being_staged() -> None:
    memory = plan().memory

    assert memory.one_version == estimate_bytes(LAYOUT, 10_000_000)
    assert memory.kept_versions == 2 * memory.one_version
    assert memory.with_staged_version == 3 * memory.one_version
    assert memory.needed == pytest.approx(memory.with_staged_version * (1 + HEADROOM) + SERVER_BYTES, abs=1)


def test_more_versions_and_more_customers_take_more() -> None:
    assert plan(replace(TEN_MILLION, versions=3)).memory.with_staged_version == 4 * plan().memory.one_version
    assert plan(Demand(20_000_000)).memory.one_version == 2 * plan().memory.one_version


def test_a_lookup_on_the_wire_is_its_request_its_reply_and_the_headers_of_two_packets() -> None:
    key = b"bnpl:b:9999:156249"
    request = b"*3\r\n$4\r\nHGET\r\n$%d\r\n%b\r\n$6\r\nabcdef\r\n" % (len(key), key)
    reply = b"$55\r\n" + bytes(55) + b"\r\n"

    network = plan().network

    assert network.lookup_bytes == len(request) + len(reply) + 2 * 66
    assert network.lookups_mbit == pytest.approx(network.lookup_bytes * 1_700 * 8 / 1e6)


def test_a_publication_is_written_read_back_and_sent_to_each_replica() -> None:
    without, with_two = (plan(replace(TEN_MILLION, replicas=replicas)).network for replicas in (0, 2))

    assert without.written_bytes > 10_000_000 * (6 + 55)
    assert 0.9 * without.written_bytes < without.read_back_bytes < without.written_bytes
    assert (without.replicated_bytes, with_two.replicated_bytes) == (0, 2 * without.written_bytes)
    assert with_two.publication_mbit > without.publication_mbit
    assert plan(replace(TEN_MILLION, publish_seconds=90.0)).network.publication_mbit == pytest.approx(
        plan().network.publication_mbit / 2
    )


def test_replicas_are_paid_for_like_primaries() -> None:
    (alone,), (doubled,) = (plan(replace(TEN_MILLION, replicas=replicas)).costs for replicas in (0, 1))

    assert (alone.shards, alone.nodes, doubled.nodes) == (1, 1, 2)
    assert alone.usd_per_month == pytest.approx(0.2 * 730)
    assert doubled.usd_per_month == 2 * alone.usd_per_month


def test_what_does_not_fit_one_node_is_spread_over_shards_that_hold_it() -> None:
    demand = Demand(200_000_000)

    found = plan(demand)

    (cost,) = found.costs
    assert cost.nodes == 2 * cost.shards
    data = found.memory.needed - found.memory.server
    assert (cost.shards - 1) * (10 * GIB - SERVER_BYTES) < data <= cost.shards * (10 * GIB - SERVER_BYTES)


def test_offerings_come_the_cheapest_first() -> None:
    dear = replace(NODE, node="dear", usd_per_hour=1.0)
    small = replace(NODE, node="small", usable_gib=0.5, usd_per_hour=0.15)

    found = plan(TEN_MILLION, dear, small, NODE)

    assert [cost.offering.node for cost in found.costs] == ["node.large", "dear", "small"]


def test_a_node_that_an_empty_server_fills_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"node\.large has 0\.05 usable GiB, no more than a server takes empty"):
        plan(TEN_MILLION, replace(NODE, usable_gib=0.05))


def test_ten_million_customers_with_two_versions_and_a_replica_cost_under_5000_dollars_a_month() -> None:
    found = plan(TEN_MILLION, *load_prices().offerings)

    assert all(cost.usd_per_month < 5_000 for cost in found.costs)
