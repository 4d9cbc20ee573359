"""A customer's figures are what the store serves, beside the day before and everybody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from bnpl_features.console.figures.customer import customer
from bnpl_features.console.figures.population import population, share_below
from bnpl_features.console.figures.scores import recent_scores
from bnpl_features.derive.profiled import ProfiledColumn
from bnpl_features.drift.sketch import Sketch
from bnpl_features.errors import InputError
from bnpl_features.store.erasure import erase
from bnpl_features.store.keyspace import CustomerKey
from tests.bnpl_features.console.desk import DAYS, FEATURE_SET, NEWEST, Desk, record
from tests.bnpl_features.store.shop import SECRET

NAME = "txn_count_30d"


def test_every_feature_is_served_today_and_yesterday(desk: Desk) -> None:
    found = customer(desk.shop.target, desk.known, FEATURE_SET.name)

    with desk.shop.reader(feature_set=FEATURE_SET.name) as reader:
        served = reader.get(desk.known).as_dict()
    assert (found.status, found.partition, found.before) == ("stale", NEWEST, DAYS[-2])
    assert {one.name: one.today for one in found.features} == {k: v for k, v in served.items() if k != "segment"}
    days = next(one for one in found.features if one.name == "days_since_first_txn")
    assert days.change == 1
    assert (found.segment, found.segment_meaning) == (served["segment"], found.segment_meaning)
    assert found.segment_meaning
    assert found.erased is None


def test_an_unknown_customer_has_the_defaults_and_no_yesterday(desk: Desk) -> None:
    found = customer(desk.shop.target, "nobody", FEATURE_SET.name)

    assert (found.status, found.is_known) == ("unknown_customer", False)
    assert all(one.yesterday is None and one.change is None for one in found.features)


def test_a_set_that_was_never_published_is_unavailable(desk: Desk) -> None:
    found = customer(desk.shop.target, desk.known, "behavioural@1")

    assert (found.status, found.reason) == ("unavailable", "no version of behavioural@1 is active")
    assert found.features == ()


def test_an_erased_customer_says_by_whom_and_why(desk: Desk) -> None:
    target = desk.shop.target
    erase(target.client, target.keyspace, target.keys, "cust_gone", actor="ann", reason="request 1")

    erased = customer(target, "cust_gone", FEATURE_SET.name).erased

    assert erased is not None
    assert (erased.actor, erased.reason) == ("ann", "request 1")


@pytest.mark.parametrize(
    ("customer_id", "feature_set"), [("", FEATURE_SET.name), ("x" * 201, FEATURE_SET.name), ("x", "y")]
)
def test_what_is_no_customer_or_no_set_is_refused(desk: Desk, customer_id: str, feature_set: str) -> None:
    with pytest.raises(InputError):
        customer(desk.shop.target, customer_id, feature_set)


def test_values_stand_among_everybody_and_among_the_segment(desk: Desk) -> None:
    found = customer(desk.shop.target, desk.known, FEATURE_SET.name)
    values = {one.name: one.today for one in found.features}

    standing = population(desk.warehouse, NEWEST, values, found.segment)[NAME]

    assert sum(one.share for one in standing.bins) == pytest.approx(1.0)
    assert standing.own is not None
    assert standing.below is not None
    assert standing.below > 0.9, "nobody bought more often"
    assert standing.below_in_segment is not None
    assert population(desk.warehouse, NEWEST, {NAME: None}, None)[NAME].own is None


def test_without_a_profile_there_is_no_population(desk: Desk) -> None:
    assert population(desk.warehouse, NEWEST + timedelta(days=90), {NAME: 1}, None) == {}


def test_the_share_below_is_straight_inside_a_bin() -> None:
    column = ProfiledColumn("x", "x", (10.0, 20.0))
    sketch = Sketch(100, 0, (50, 40, 10), 0.0, 40.0)

    assert share_below(15.0, column, sketch) == pytest.approx(0.7)
    assert share_below(0.0, column, sketch) == 0.0
    assert share_below(40.0, column, sketch) == 1.0
    assert share_below("name", column, sketch) is None


def test_scores_come_from_the_warehouse_and_from_the_end_of_the_log(desk: Desk, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    log = tmp_path / f"partition_date={now.date()}" / "host-1.ndjson.part"
    log.parent.mkdir()
    late = record(desk.known, now, "new", 0.5)
    other = record("somebody else", now, "new", 0.5)
    log.write_bytes(b"\n".join(map(msgspec.json.encode, (other, late))) + b'\n{"torn":')

    found = recent_scores(desk.warehouse, tmp_path, CustomerKey(SECRET), desk.known, now.date())

    assert [round(one.probability or 0, 2) for one in found] == [0.5, 0.05, 0.15, 0.25]
    assert [one.text for one in found[0].reasons] == ["Amount of the purchase", "Number of recent purchases"]
    assert recent_scores(desk.warehouse, tmp_path, CustomerKey(SECRET), "nobody", now.date()) == ()
