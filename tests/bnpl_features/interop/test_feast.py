"""The same features through Feast: a generated repository, its own `get_online_features`, a published version."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bnpl_features.cli.main import commands
from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.query import vectors_query
from bnpl_features.derive.table import vectors_table
from bnpl_features.features.catalog import BEHAVIOURAL, SEGMENTED, SETS, FeatureSet
from bnpl_features.features.feature import Kind
from bnpl_features.interop.feast_repository import bigquery_offline, offline_query, repository_files
from bnpl_features.settings import WarehouseSettings
from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.reading.lookup import Status
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.store.shop import SECRET, Shop, new_shop
from tests.conftest import filled_warehouse
from tests.edge_cases import PARTITION, PARTITIONS
from tests.lender import compute_features

ROOT = Path(__file__).parents[3]
FEAST = ROOT / ".venv-feast" / "bin" / "python"
PRESENT, NOT_FOUND = 1, 3
"""Feast's FieldStatus."""
UNKNOWN = "cust_nobody"
NAMES = [feature.name for feature in BEHAVIOURAL.features]


class Published:
    """A warehouse with two partitions, the later one published, and what Feast says of it."""

    def __init__(self, warehouse: DuckDBWarehouse, shop: Shop, folder: Path) -> None:
        self.warehouse = warehouse
        self.shop = shop
        self.folder = folder
        self.by_day = {day: self._vectors(day) for day in PARTITIONS}
        self.customers = [*self.by_day[PARTITION], UNKNOWN]
        # At midnight the day before has ended; a moment earlier it has not.
        midnight = datetime.combine(PARTITION + timedelta(days=1), datetime.min.time(), UTC)
        self.moments = {
            midnight - timedelta(seconds=1): PARTITIONS[0],
            midnight: PARTITION,
            midnight + timedelta(hours=23): PARTITION,
            midnight + timedelta(days=3): None,
        }

    def _vectors(self, day: date) -> dict[str, dict[str, Any]]:
        batches = self.warehouse.read(vectors_query(BEHAVIOURAL, day), {})
        rows = [row for batch in batches for row in batch.to_pylist()]
        return {row.pop("customer_id"): row for row in rows}

    def publish(self, feature_set: FeatureSet) -> None:
        layout = layout_of(feature_set)
        rows = self.warehouse.read_partition(vectors_table(), PARTITION, ("customer_id", *layout.names), {})
        vectors = customer_batches(rows, layout)
        self.shop.publish(len(self.by_day[PARTITION]), PARTITION, layout=layout, batches=vectors)

    @property
    def variables(self) -> dict[str, str]:
        return {
            "BNPL_WAREHOUSE_FOLDER": str(self.folder / "warehouse"),
            "REDIS_URL": self.shop.url,
            "BNPL_NAMESPACE": self.shop.namespace,
            "BNPL_CUSTOMER_KEY": SECRET.decode(),
        }

    def ask(self) -> dict[str, Any]:
        questions = {
            "customers": self.customers,
            "some": NAMES[3:5],
            "moments": [at.isoformat() for at in self.moments],
            "bigquery": of_bigquery()["features.py"],
        }
        done = subprocess.run(
            [str(FEAST), str(Path(__file__).with_name("feast_worker.py")), str(self.folder / "repository")],
            input=json.dumps(questions),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(ROOT), "FEAST_USAGE": "False"}
            | self.variables,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        answered: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answered


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    if not FEAST.exists():
        missing = "no Feast in .venv-feast; run `make .venv-feast/ready`"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("feast")
    warehouse = filled_warehouse(folder / "warehouse")
    for day in PARTITIONS:
        compute_features(warehouse, day)
    with embedded_store(folder / "store") as url:
        made = Published(warehouse, new_shop(url), folder)
        for one in SETS:
            made.publish(one)
        exported = CliRunner(env=made.variables).invoke(
            commands, ("feast", "export", str(folder / "repository")), catch_exceptions=False
        )
        assert exported.exit_code == 0, exported.output
        yield made


@pytest.fixture(scope="module")
def answered(published: Published) -> dict[str, Any]:
    return published.ask()


def test_every_value_is_the_one_that_this_projects_own_client_reads(
    published: Published, answered: dict[str, Any]
) -> None:
    with published.shop.reader() as reader:
        own = reader.get_many(published.customers)

    assert answered["online"]["customer_id"] == published.customers
    assert len(published.customers) > 100
    nulls = 0
    for row, answer in enumerate(own):
        if answer.status is Status.UNKNOWN_CUSTOMER:
            continue
        for name, value in answer.as_dict().items():
            found = answered["online"][name][row]
            assert found == value, (published.customers[row], name)
            assert type(found) is type(value), (published.customers[row], name)
            nulls += value is None
    assert nulls > 100


def test_another_set_is_a_view_of_its_own_read_from_its_own_version(
    published: Published, answered: dict[str, Any]
) -> None:
    with published.shop.reader() as reader:
        reader.follow(SEGMENTED.name)
        own = reader.get_many(published.customers, feature_set=SEGMENTED.name)

    expected = [None if answer.status is Status.UNKNOWN_CUSTOMER else answer.segment for answer in own]
    assert answered["segments"] == expected
    assert len(set(answered["segments"])) > 2


def test_a_null_is_present_and_an_unknown_customer_is_not_found(published: Published, answered: dict[str, Any]) -> None:
    at = answered["online"]["customer_id"].index(UNKNOWN)
    known = published.customers.index(next(iter(published.by_day[PARTITION])))

    assert {answered["online"][name][at] for name in NAMES} == {None}
    for statuses in answered["statuses"][1:]:
        assert statuses[at] == NOT_FOUND
        assert set(statuses[:at] + statuses[at + 1 :]) == {PRESENT}
    assert answered["known_from"][known] == "2024-03-02T00:00:00+00:00"


def test_some_features_may_be_asked_for(published: Published, answered: dict[str, Any]) -> None:
    assert set(answered["some"]) == {"customer_id", *NAMES[3:5]}
    for name in NAMES[3:5]:
        assert answered["some"][name] == answered["online"][name][:1]


def test_the_past_is_that_of_the_last_partition_that_had_ended(published: Published, answered: dict[str, Any]) -> None:
    by_moment = {(row["customer_id"], row["event_timestamp"][:19]): row for row in answered["past"]}
    asked = {(customer, at) for at in published.moments for customer in published.customers}

    compared = 0
    for customer, at in asked:
        day = published.moments[at]
        vector = published.by_day[day].get(customer, {}) if day else {}
        row = by_moment.get((customer, at.isoformat()[:19]))
        if row is None:
            # Feast's file store leaves a row out where a customer has features, but none inside the time to live.
            assert not vector, (customer, at)
            continue
        compared += bool(vector)
        for name in NAMES:
            expected, found = vector.get(name), row[name]
            if isinstance(expected, float) and math.isfinite(expected):
                assert found == pytest.approx(expected, rel=1e-12, abs=1e-12), (customer, at, name)
            else:
                assert found == expected, (customer, at, name)
    known_before = [one for one in published.customers if one in published.by_day[PARTITIONS[0]]]
    assert compared == len(known_before) + 2 * len(published.by_day[PARTITION])


def test_the_view_says_what_the_declarations_say(answered: dict[str, Any]) -> None:
    kinds = {Kind.COUNT: "Int64", Kind.NUMBER: "Float64", Kind.NAME: "String"}

    assert answered["types"] == {feature.name: kinds[feature.kind] for feature in BEHAVIOURAL.features}
    assert answered["described"] == {feature.name: feature.meaning for feature in BEHAVIOURAL.features}
    assert answered["owner"] == ", ".join(sorted({group.owner for group in BEHAVIOURAL.groups}))


def test_feast_can_neither_write_nor_tear_down_what_is_served(published: Published, answered: dict[str, Any]) -> None:
    for act in ("materialize", "teardown"):
        assert answered["refusals"][act].startswith("PublicationRefused: Feast reads this online store"), act
    assert published.shop.reads(1) == {"unknown_customer": 1}
    assert answered["refusals"]["merchant"].startswith("InputError: features are of customers")
    assert "not merchant_id" in answered["refusals"]["merchant"]


def test_a_store_that_is_down_is_an_error_not_a_row_of_nulls(answered: dict[str, Any]) -> None:
    assert answered["refusals"]["down"].startswith("StoreUnavailable")


def test_bigquery_is_read_where_the_vectors_are(answered: dict[str, Any]) -> None:
    expected = offline_query().sql.replace("FROM feature_vectors", "FROM `lender.features.feature_vectors`")

    assert answered["bigquery"] == expected
    offline = "offline_store:\n  type: bigquery\n  project_id: lender\n  dataset: features\n  location: EU\n"
    assert offline in of_bigquery()["feature_store.yaml"]


def of_bigquery() -> dict[str, str]:
    warehouse = WarehouseSettings(engine="bigquery", project="lender", dataset="features", location="EU")
    return repository_files(SETS, bigquery_offline(warehouse))
