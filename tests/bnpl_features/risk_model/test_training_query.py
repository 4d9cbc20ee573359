"""The point-in-time join against plain Python that shares nothing with it, and against leaks put there on purpose."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from google.cloud import bigquery

from bnpl_features.derive.query import Query
from bnpl_features.derive.table import vectors_table
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.risk_model.training_query import TrainingSpec, rows_query, size_query
from bnpl_features.simulator import Population, simulate
from bnpl_features.warehouse.bigquery import connect
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.transactions import Source
from bnpl_features.warehouse.warehouse import Warehouse
from tests import oracle
from tests.emulator import Emulator
from tests.lender import compute_features

LAST_DAY = date(2026, 3, 10)
MATURITY_DAYS = 30
SPEC = TrainingSpec(LAST_DAY + timedelta(days=MATURITY_DAYS), days=5, maturity_days=MATURITY_DAYS, seed=7)
POPULATION = Population(
    150, LAST_DAY - timedelta(days=60), LAST_DAY + timedelta(days=3), seed=2, purchases_per_year=150, default_hazard=8
)
Row = dict[str, Any]


@pytest.fixture(scope="module")
def purchases() -> pa.Table:
    return pa.Table.from_batches(simulate(POPULATION))


@pytest.fixture(scope="module")
def warehouse(purchases: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    return filled(DuckDBWarehouse(tmp_path_factory.mktemp("warehouse"), threads=1), purchases)


@pytest.fixture(scope="module")
def expected(purchases: pa.Table) -> dict[str, Row]:
    return plain_rows(purchases.to_pandas())


def test_every_row_has_the_features_of_the_day_before_and_what_became_of_it(
    warehouse: DuckDBWarehouse, expected: dict[str, Row]
) -> None:
    found = rows_of(warehouse, rows_query("transactions", BEHAVIOURAL, SPEC, 1.0))

    assert len(found) == len(expected) > 80
    assert sum(row["defaulted"] for row in expected.values()) > 5
    assert any(not row["is_known"] for row in expected.values())
    assert disagreements(found, expected) == []


def test_features_of_the_same_day_would_be_noticed(warehouse: DuckDBWarehouse, expected: dict[str, Row]) -> None:
    query = rows_query("transactions", BEHAVIOURAL, SPEC, 1.0)
    day_before = "INTERVAL 1 DAY) AS feature_date"
    leaking = replace(query, sql=query.sql.replace(day_before, day_before.replace("1", "0")))
    assert leaking != query

    assert disagreements(rows_of(warehouse, leaking), expected)


def test_an_outcome_hidden_in_a_feature_would_be_noticed(
    purchases: pa.Table, expected: dict[str, Row], tmp_path: Path
) -> None:
    """Missed payments are counted when they happen; here they are known on the day of purchase."""
    knowing = filled(DuckDBWarehouse(tmp_path, threads=1), purchases, SPEC.partitions)
    table = vectors_table(BEHAVIOURAL)
    listed = ", ".join(
        f"{name} + (SELECT COUNTIF(will_default) FROM transactions AS t WHERE t.customer_id = v.customer_id "
        f"AND DATE(t.transaction_timestamp) <= v.partition_date) AS {name}"
        if name == "missed_payments_90d"
        else name
        for name in (column.name for column in table.columns)
        if name != "partition_date"
    )
    for day in SPEC.partitions:
        leak = Query(f"SELECT {listed} FROM feature_vectors AS v WHERE partition_date = @day", {"day": day})
        knowing.replace_partition(table, day, leak, {})

    assert disagreements(rows_of(knowing, rows_query("transactions", BEHAVIOURAL, SPEC, 1.0)), expected)


def test_what_happens_after_a_purchase_changes_none_of_its_inputs(
    warehouse: DuckDBWarehouse, purchases: pa.Table, tmp_path: Path
) -> None:
    frame = purchases.to_pandas()
    first, before = SPEC.first_day, SPEC.first_day - timedelta(days=1)
    kept = frame[frame["transaction_timestamp"].dt.date <= first].copy()
    age_days = kept["transaction_timestamp"].dt.date.map(lambda day: (before - day).days)
    kept.loc[kept["days_to_first_missed_payment"] > age_days, "days_to_first_missed_payment"] = None
    known_then = pa.Table.from_pandas(kept, purchases.schema, preserve_index=False)
    past = filled(DuckDBWarehouse(tmp_path, threads=1), known_then, [before])
    query = rows_query(
        "transactions", BEHAVIOURAL, replace(SPEC, as_of=first + timedelta(days=MATURITY_DAYS), days=1), 1.0
    )

    with_future, without = rows_of(warehouse, query), rows_of(past, query)

    inputs = {name for row in without.values() for name in row} - {"defaulted"}
    assert {key: {n: _plain(row[n]) for n in inputs} for key, row in with_future.items()} == {
        key: {n: _plain(row[n]) for n in inputs} for key, row in without.items()
    }


def test_labels_count_only_after_they_had_time_to_mature(warehouse: DuckDBWarehouse) -> None:
    spec = TrainingSpec(LAST_DAY, days=5, maturity_days=14)

    found = rows_of(warehouse, rows_query("transactions", BEHAVIOURAL, spec, 1.0)).values()

    days = {datetime.fromtimestamp(row["timestamp_us"] / 1e6, UTC).date() for row in found}
    assert max(days) == spec.last_day == LAST_DAY - timedelta(days=14)
    assert min(days) == spec.first_day == LAST_DAY - timedelta(days=18)


def test_a_sample_is_a_part_of_the_whole_that_depends_on_the_seed(warehouse: DuckDBWarehouse) -> None:
    whole, half, again = (
        set(rows_of(warehouse, rows_query("transactions", BEHAVIOURAL, SPEC, share))) for share in (1.0, 0.5, 0.5)
    )

    assert half == again
    assert half < whole
    assert 0.3 < len(half) / len(whole) < 0.7


def test_unresolved_outcomes_are_counted_and_left_out(purchases: pa.Table, tmp_path: Path) -> None:
    frame = purchases.to_pandas()
    frame["will_default"] = frame["will_default"].astype(object)
    frame.loc[::2, "will_default"] = None
    half = filled(
        DuckDBWarehouse(tmp_path, threads=1),
        pa.Table.from_pandas(frame, purchases.schema, preserve_index=False),
        SPEC.partitions,
    )

    [size] = [row for batch in half.read(size_query("transactions", SPEC), {}) for row in batch.to_pylist()]

    assert size["unresolved"] > 20
    assert size["purchases"] == len(rows_of(half, rows_query("transactions", BEHAVIOURAL, SPEC, 1.0)))


def test_bigquery_gives_the_same_rows(
    running_emulator: Emulator, purchases: pa.Table, expected: dict[str, Row]
) -> None:
    engine = connect(
        "risk_model",
        project="lender",
        location="US",
        api_endpoint=running_emulator.api_endpoint,
        storage_endpoint=running_emulator.storage_endpoint,
    )
    engine.client.create_dataset(bigquery.Dataset("lender.risk_model"), exists_ok=True)
    filled(engine, purchases, SPEC.partitions)
    relation = Source().checkout_sql(engine.columns("transactions"))

    assert disagreements(rows_of(engine, rows_query(relation, BEHAVIOURAL, SPEC, 1.0)), expected) == []


def filled(warehouse: Any, purchases: pa.Table, days: list[date] | None = None) -> Any:
    warehouse.upsert_transactions(iter(purchases.to_batches()), {})
    for day in days or {*SPEC.partitions, LAST_DAY, *TrainingSpec(LAST_DAY, days=5, maturity_days=14).partitions}:
        compute_features(warehouse, day)
    return warehouse


def rows_of(warehouse: Warehouse, query: Query) -> dict[str, Row]:
    return {row["row_key"]: row for batch in warehouse.read(query, {}) for row in batch.to_pylist()}


def plain_rows(frame: pd.DataFrame) -> dict[str, Row]:
    """What the join should give, said in Python: nothing here comes from the library but the spec's numbers."""
    return dict(_plain_rows(frame))


def _plain_rows(frame: pd.DataFrame) -> Iterator[tuple[str, Row]]:
    days = [LAST_DAY - timedelta(days=n) for n in range(5)]
    names = ["customer_id", *(feature.name for feature in BEHAVIOURAL.features)]
    known = {day: oracle.features(frame, day - timedelta(days=1))[names].set_index("customer_id") for day in days}
    for row in frame.to_dict("records"):
        day = row["transaction_timestamp"].date()
        if row["status"] != "completed" or day not in known:
            continue
        micros = row["transaction_timestamp"].value // 1000  # nanoseconds, whatever the unit
        text = f"7|{row['transaction_id']}|{row['customer_id']}|{micros}"
        features = known[day].loc[row["customer_id"]].to_dict() if row["customer_id"] in known[day].index else {}
        missed = row["days_to_first_missed_payment"]
        yield (
            hashlib.md5(text.encode()).hexdigest()[:15],
            {
                **dict.fromkeys((feature.name for feature in BEHAVIOURAL.features), None),
                **features,
                "amount": row["amount"],
                "device_type": row["device_type"],
                "risk_level": row["risk_level"],
                "is_known": int(bool(features)),
                "defaulted": int(row["will_default"] and missed <= 30),
            },
        )


def disagreements(found: dict[str, Row], expected: dict[str, Row]) -> list[str]:
    if set(found) != set(expected):
        return ["other purchases"]
    return [
        f"{name}: {found[key][name]!r} is not {value!r}"
        for key, row in expected.items()
        for name, value in row.items()
        if not _same(found[key][name], value)
    ]


def _same(found: Any, wanted: Any) -> bool:
    found, wanted = _plain(found), _plain(wanted)
    if isinstance(found, (int, float)) and isinstance(wanted, (int, float)):
        return math.isclose(found, wanted, rel_tol=1e-6, abs_tol=1e-6)
    return bool(found == wanted)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
