"""Rows that keep their declarations pass; each way of breaking one is counted under the column's name and the rule's.

And "declared once" is a fact: every feature's bounds, null and default go through all that is derived from it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import duckdb
import pandera.pandas as pandera
import pyarrow as pa
import pytest

from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.query import Query, group_query
from bnpl_features.derive.schema import schema_of, validate
from bnpl_features.derive.table import group_table
from bnpl_features.features.catalog import BEHAVIOURAL, GROUPS, PURCHASE_GROUPS, FeatureSet
from bnpl_features.features.feature import Feature, FeatureGroup, Kind, Value
from bnpl_features.features.shapes import count, number, share
from bnpl_features.features.storage import linear
from bnpl_features.store.codec import Codec
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.edge_cases import PARTITION

ARROW = {Kind.COUNT: pa.int64(), Kind.NUMBER: pa.float64(), Kind.NAME: pa.string()}
(STAGE,) = [feature for feature in BEHAVIOURAL.features if feature.kind is Kind.NAME]
FEATURES = (
    count("visits", "Visits.", "COUNT(*)", upper=30),
    share("night", "Night.", "AVG(x)"),
    number("spent", "Spent.", "USD", "SUM(x)", linear(0.0, 100.0, width_bytes=1), empty=0.0),
    number("slope", "Slope.", "USD/day", "x", linear(-1.0, 1.0, width_bytes=1), lower=None),
    STAGE,
)
GOOD: dict[str, Any] = {
    "customer_id": "a",
    "visits": 3,
    "night": 0.5,
    "spent": 10.0,
    "slope": -2.5,
    STAGE.name: "active",
}
TYPES = {"customer_id": pa.string()} | {feature.name: ARROW[feature.kind] for feature in FEATURES}
SCHEMA = schema_of("made up", FEATURES)


def batch(*rows: dict[str, Any], **types: pa.DataType) -> pa.RecordBatch:
    names = [name for name in {**TYPES, **types} if any(name in row for row in rows)]
    columns = {name: pa.array([row[name] for row in rows], {**TYPES, **types}[name]) for name in names}
    return pa.RecordBatch.from_pydict(columns)


def broken(**changes: Any) -> dict[tuple[str, str], int]:
    """What is wrong with a good row, a good row with changes, and a good row."""
    return dict(validate(SCHEMA, [batch(GOOD, GOOD | changes, GOOD)]).violations)


def test_good_rows_pass() -> None:
    nulls = GOOD | {"night": None, "slope": None}
    extremes = GOOD | {"visits": 30, "night": 1.0, "spent": 0.0}

    validation = validate(SCHEMA, [batch(GOOD, nulls, extremes)])

    assert validation.passed
    assert validation.rows == 3


@pytest.mark.parametrize(
    ("changes", "column", "rule"),
    [
        ({"visits": -1}, "visits", "greater_than_or_equal_to(0.0)"),
        ({"visits": 31}, "visits", "less_than_or_equal_to(30)"),
        ({"night": -0.001}, "night", "greater_than_or_equal_to(0.0)"),
        ({"night": 1.001}, "night", "less_than_or_equal_to(1.0)"),
        ({"visits": None}, "visits", "not_nullable"),
        ({"spent": None}, "spent", "not_nullable"),
        ({STAGE.name: None}, STAGE.name, "not_nullable"),
        ({"customer_id": None}, "customer_id", "not_nullable"),
        ({"customer_id": ""}, "customer_id", "str_length(1, None)"),
        ({"night": math.nan}, "night", "finite"),
        ({"slope": math.inf}, "slope", "finite"),
        ({"slope": -math.inf}, "slope", "finite"),
    ],
)
def test_a_broken_rule_is_counted_once_under_its_column(changes: dict[str, Any], column: str, rule: str) -> None:
    assert broken(**changes) == {(column, rule): 1}


def test_a_name_that_is_not_declared_is_counted() -> None:
    ((column, rule),) = broken(**{STAGE.name: "asleep"})

    assert column == STAGE.name
    assert rule.startswith("isin(")
    assert "'reactivated'" in rule


def test_infinity_breaks_its_bound_as_well() -> None:
    assert broken(night=math.inf) == {("night", "finite"): 1, ("night", "less_than_or_equal_to(1.0)"): 1}


def test_a_missing_column_is_named() -> None:
    rows = [{name: value for name, value in GOOD.items() if name != "spent"}]

    assert dict(validate(SCHEMA, [batch(*rows)]).violations) == {("spent", "column_in_dataframe"): 1}


def test_a_column_too_many_is_named() -> None:
    found = validate(SCHEMA, [batch(GOOD | {"extra": 1}, extra=pa.int64())])

    assert dict(found.violations) == {("extra", "column_in_schema"): 1}


@pytest.mark.parametrize(
    ("column", "kind", "value"),
    [
        ("visits", pa.float64(), 3.0),
        ("visits", pa.string(), "3"),
        ("spent", pa.int64(), 3),
        ("spent", pa.string(), "3.0"),
        (STAGE.name, pa.int64(), 1),
        ("customer_id", pa.int64(), 7),
    ],
)
def test_a_wrong_type_is_named(column: str, kind: pa.DataType, value: object) -> None:
    found = validate(SCHEMA, [batch(GOOD | {column: value}, **{column: kind})])

    assert any(name == column and rule.startswith("dtype(") for name, rule in found.violations), found


def test_counts_add_up_over_batches() -> None:
    bad = GOOD | {"visits": -1, "night": 2.0}
    batches = [batch(GOOD, bad, bad), batch(GOOD), batch(bad)]

    validation = validate(SCHEMA, batches)

    assert validation.rows == 5
    assert dict(validation.violations) == {
        ("visits", "greater_than_or_equal_to(0.0)"): 3,
        ("night", "less_than_or_equal_to(1.0)"): 3,
    }


def test_no_batches_are_no_rows_and_no_violations() -> None:
    validation = validate(SCHEMA, [])

    assert (validation.rows, validation.passed) == (0, True)


def test_what_is_no_broken_rule_raises() -> None:
    def breaking_off() -> Any:
        yield batch(GOOD)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        validate(SCHEMA, breaking_off())


@pytest.mark.parametrize("group", PURCHASE_GROUPS, ids=lambda group: group.name)
def test_features_of_the_edge_cases_keep_their_declarations(
    group: FeatureGroup, edge_case_warehouse: DuckDBWarehouse
) -> None:
    schema = schema_of(group.table, group.features)

    validation = validate(schema, edge_case_warehouse.read(group_query(group, PARTITION), {}))

    assert validation.rows > 100
    assert validation.violations == {}


def test_the_schema_carries_the_meaning() -> None:
    schema = schema_of("x", FEATURES)

    assert isinstance(schema, pandera.DataFrameSchema)
    assert schema.columns["visits"].description == "Visits."


# --- declared once ----------------------------------------------------------------------------------------------------


def extremes_of(feature: Feature) -> dict[str, Value]:
    """The values at the declaration's ends; where it has none, at those of what can be stored."""
    storage = feature.storage
    if feature.kind is Kind.NAME:
        found: dict[str, Value] = {"lower": storage.names[0], "upper": storage.names[-1]}
    else:
        lower = storage.low if feature.lower is None else feature.lower
        upper = storage.high if feature.upper is None else feature.upper
        as_kind = int if feature.kind is Kind.COUNT else float
        found = {"lower": as_kind(lower), "upper": as_kind(upper)}
    if feature.nullable:
        found["null"] = None
    if feature.default is not None:
        found["default"] = feature.default
    return found


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_bounds_null_and_default_of_every_feature_go_through_pandera_duckdb_and_the_codec(
    group: FeatureGroup, tmp_path: Path
) -> None:
    rows = [
        {"customer_id": f"{feature.name} {which}"}
        | {other.name: extremes_of(other).get("default", extremes_of(other)["lower"]) for other in group.features}
        | {feature.name: value}
        for feature in group.features
        for which, value in extremes_of(feature).items()
    ]
    types = {"customer_id": pa.string()} | {feature.name: ARROW[feature.kind] for feature in group.features}
    given = pa.Table.from_pylist(rows, schema=pa.schema(types))
    (tmp_path / "given" / "all").mkdir(parents=True)
    duckdb.from_arrow(given).write_parquet(str(tmp_path / "given" / "all" / "data.parquet"))
    warehouse, table = DuckDBWarehouse(tmp_path), group_table(group)
    layout = layout_of(FeatureSet("one group", (group,)))

    warehouse.replace_partition(table, PARTITION, Query("SELECT * FROM given", {}), {})
    columns = ("customer_id", *layout.names)
    read = list(warehouse.read_partition(table, PARTITION, columns, {}))
    validation = validate(schema_of(table.name, group.features), read)

    assert validation.violations == {}
    assert validation.rows == len(rows)
    codec, by_customer = Codec(layout), {row["customer_id"]: row for row in rows}
    assert pa.Table.from_batches(read).sort_by("customer_id") == given.sort_by("customer_id")
    for customers in customer_batches(read, layout):
        records = codec.encode(customers.columns).records
        for customer_id, record in zip(customers.customer_ids, records, strict=True):
            served = codec.decode_one(record.tobytes())
            assert served is not None
            for feature, value in zip(group.features, served, strict=True):
                assert_as_declared(feature, by_customer[customer_id][feature.name], value)


def assert_as_declared(feature: Feature, given: Value, served: Value) -> None:
    """The same, or as near as the declared storage promises; never outside the declared bounds."""
    if given is None or isinstance(given, (str, int)):
        assert served == given, feature.name
        assert type(served) is type(given), feature.name
        return
    assert isinstance(served, float), feature.name
    inside = min(max(given, feature.storage.low), feature.storage.high) if given else given
    error = feature.storage.largest_error(inside) + abs(given) * 1e-9
    assert abs(served - given) <= error, feature.name
    assert feature.lower is None or served >= feature.lower, feature.name
    assert feature.upper is None or served <= feature.upper, feature.name
