"""A user's own table: what fits the contract, and how its columns get their canonical names."""

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bnpl_features.derive.query import group_query
from bnpl_features.errors import InputError, SettingsError
from bnpl_features.features.purchase import PURCHASE_COLUMNS
from bnpl_features.features.volume import VOLUME
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.transactions import ACCEPTED_TYPES, Source, check_columns
from tests.edge_cases import SCHEMA, row

PURCHASED = datetime.datetime(2026, 2, 1, 12, tzinfo=datetime.UTC)
FITTING = {column.name: str(column.type) for column in PURCHASE_COLUMNS}


def complaint(found: dict[str, str], **columns: str) -> str:
    with pytest.raises(InputError) as caught:
        check_columns(Source(columns=columns), found, "purchases.csv")
    return str(caught.value)


def without(*names: str, **others: str) -> dict[str, str]:
    return {name: kind for name, kind in FITTING.items() if name not in names} | others


# The map


def test_a_map_may_name_only_columns_of_the_contract() -> None:
    with pytest.raises(SettingsError, match=r"names 'amunt', which is not a column.*did you mean 'amount'"):
        Source(columns={"amunt": "total"})


@pytest.mark.parametrize("own", ["", "order total", "a; DROP TABLE b", "`a`", "1st", 7])
def test_own_names_are_plain_column_names(own: str) -> None:
    with pytest.raises(SettingsError, match="use a plain column name"):
        Source(columns={"amount": own})


@pytest.mark.parametrize("relation", ["", "a b", "a`; DROP", "(SELECT 1)", 7])
def test_a_relation_is_a_table_name(relation: str) -> None:
    with pytest.raises(SettingsError, match="use a table name"):
        Source(relation)


@pytest.mark.parametrize("relation", ["transactions", "lender.purchases", "my-project.lender.purchases_*"])
def test_relations_may_have_a_dataset_and_a_project(relation: str) -> None:
    assert relation in Source(relation).sql()


def test_the_canonical_relation_is_read_as_it_is() -> None:
    assert Source().sql() == "transactions"


def test_a_mapped_relation_yields_what_features_read_and_what_the_map_names() -> None:
    sql = Source("lender.purchases", {"amount": "order", "will_default": "defaulted"}).sql()

    assert "`order` AS amount" in sql
    assert "`defaulted` AS will_default" in sql
    assert "customer_state" not in sql
    assert sql.endswith("FROM `lender.purchases`)")


def test_features_of_a_mapped_table_are_computed_from_its_own_columns(tmp_path: Path) -> None:
    """Also where a name of the user's is a keyword."""
    told = [row("ada", "1", PURCHASED, {"amount": 20.0}), row("ada", "2", PURCHASED, {"amount": 30.5})]
    table = pa.Table.from_pylist(told, schema=SCHEMA)
    renamed = table.rename_columns({"amount": "order", "customer_id": "buyer"})
    (tmp_path / "own" / "day=1").mkdir(parents=True)
    pq.write_table(renamed, tmp_path / "own" / "day=1" / "data.parquet")
    source = Source("own", {"amount": "order", "customer_id": "buyer"})

    batches = DuckDBWarehouse(tmp_path).read(group_query(VOLUME, PURCHASED.date(), source.sql()), {})

    (found,) = pa.Table.from_batches(batches).to_pylist()
    assert (found["customer_id"], found["txn_count_7d"], found["amount_sum_30d"]) == ("ada", 2, 50.5)


# The check


def test_a_table_as_in_the_contract_fits() -> None:
    check_columns(Source(), FITTING, "transactions")


def test_columns_that_no_feature_reads_may_be_absent() -> None:
    check_columns(Source(), without("will_default", "customer_state", "product_price"), "transactions")


@pytest.mark.parametrize(
    "column", [column for column in PURCHASE_COLUMNS if column.feature_input], ids=lambda c: c.name
)
def test_each_column_that_a_feature_reads_must_be_there(column: object) -> None:
    name = column.name  # type: ignore[attr-defined]

    assert f"column {name!r}" in complaint(without(name))


def test_a_mapped_column_is_looked_for_under_its_own_name() -> None:
    check_columns(Source(columns={"amount": "total"}), without("amount", total="NUMERIC"), "transactions")

    assert "column 'total' (FLOAT64) is missing" in complaint(FITTING, amount="total")


def test_a_mapped_column_must_be_there_even_if_it_is_optional() -> None:
    assert "column 'defaulted' (BOOL) is missing" in complaint(FITTING, will_default="defaulted")


def test_the_alias_is_suggested_for_the_timestamp() -> None:
    found = without("transaction_timestamp", _timestamp="TIMESTAMP")

    assert "--column transaction_timestamp=_timestamp" in complaint(found)


def test_a_name_that_differs_only_in_case_is_suggested() -> None:
    message = complaint(without("customer_id", Customer_ID="STRING"))

    assert "'Customer_ID' differs from it only in case; map it with --column customer_id=Customer_ID" in message


def test_a_similar_name_is_suggested() -> None:
    assert "--column device_type=devicetype" in complaint(without("device_type", devicetype="STRING"))


def test_without_a_similar_name_the_mend_is_to_add_the_column() -> None:
    assert "column 'amount' (FLOAT64) is missing; add it" in complaint(without("amount"))


def test_timestamps_without_a_zone_come_with_their_mend() -> None:
    message = complaint({**FITTING, "transaction_timestamp": "DATETIME"})

    assert "--assume-timezone UTC" in message


def test_all_problems_are_told_at_once_under_the_name_of_the_table() -> None:
    message = complaint(without("amount", customer_id="INT64"))

    assert message.startswith("purchases.csv does not fit the source contract:\n- ")
    assert message.count("\n- ") == 2


@pytest.mark.parametrize(
    "kind", ["STRING", "BOOL", "DATE", "INT64", "FLOAT64", "NUMERIC", "DATETIME", "TIMESTAMP", "JSON"]
)
@pytest.mark.parametrize("name", ["customer_id", "amount", "installment_count", "device_is_trusted", "will_default"])
def test_types_that_are_not_accepted_are_refused(name: str, kind: str) -> None:
    column = next(column for column in PURCHASE_COLUMNS if column.name == name)
    found = {**FITTING, name: kind}

    if kind in ACCEPTED_TYPES[column.type]:
        check_columns(Source(), found, "transactions")
    else:
        assert f"column {name!r} is {kind}, but must be {column.type}" in complaint(found)


def test_every_required_column_is_an_input_of_features_or_a_part_of_the_identity() -> None:
    assert all(column.feature_input for column in PURCHASE_COLUMNS if column.required)
