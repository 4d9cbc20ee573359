"""The rules that every purchase keeps, of files that are loaded and of a day of the user's own table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime

import duckdb

from bnpl_features.derive.query import Query
from bnpl_features.errors import InputError
from bnpl_features.features.purchase import COMPLETED, IDENTITY, PURCHASE_COLUMNS, TIMESTAMP_COLUMN, Column, ColumnType
from bnpl_features.warehouse.transactions import Source
from bnpl_features.warehouse.warehouse import Labels, Warehouse

STATUSES = (COMPLETED, "pending", "failed", "cancelled")

FILE, ROW = "file_number", "row_number"
UNREADABLE, UNZONED = "unreadable", "unzoned"
"""Columns beside the canonical ones: where a row is from, which of its values were not of their type (names between
commas), and whether its timestamp lacks a zone."""

EXAMPLES = 3

_NOT_OF_TYPE = {
    ColumnType.INT64: "not a whole number",
    ColumnType.FLOAT64: "not a number",
    ColumnType.BOOL: "neither true nor false",
    ColumnType.TIMESTAMP: "not a timestamp such as 2026-01-31T23:59:59Z",
}


@dataclass(frozen=True)
class Rule:
    """`broken` is true of rows that break it; `shown` is the value to show, never one that could name a customer."""

    says: str
    broken: str
    shown: str = "NULL"


def _readable(column: Column) -> Rule:
    broken = f"{UNREADABLE} <> '' AND CONTAINS({UNREADABLE}, ',{column.name},')"
    return Rule(f"{column.name} is {_NOT_OF_TYPE[column.type]}", broken)


def _given(column: Column) -> Rule:
    return Rule(f"{column.name} is null", f"{column.name} IS NULL AND {UNREADABLE} = '' AND NOT {UNZONED}")


RULES: tuple[Rule, ...] = (
    Rule(f"{TIMESTAMP_COLUMN} has no time zone; pass --assume-timezone UTC, or the zone's IANA name", UNZONED),
    *(_readable(column) for column in PURCHASE_COLUMNS if column.type is not ColumnType.STRING),
    *(_given(column) for column in PURCHASE_COLUMNS if column.required),
    Rule("customer_id is empty", "TRIM(customer_id) = ''"),
    Rule("amount is negative, NaN or infinite", "amount < 0 OR ISNAN(amount) OR ISINF(amount)", "amount"),
    Rule("risk_score is outside 0..1", "risk_score NOT BETWEEN 0 AND 1 OR ISNAN(risk_score)", "risk_score"),
    Rule(f"{TIMESTAMP_COLUMN} is in the future", f"{TIMESTAMP_COLUMN} > $now", TIMESTAMP_COLUMN),
    Rule(
        f"status is none of {', '.join(STATUSES)}",
        f"status NOT IN ({', '.join(repr(status) for status in STATUSES)})",
        # In a row whose values are shifted, or under a wrong column map, the status may be the customer.
        "IF(REGEXP_FULL_MATCH(status, '[A-Za-z _-]{0,20}') AND status IS DISTINCT FROM customer_id, status, NULL)",
    ),
    Rule(
        "days_to_first_missed_payment is negative",
        "days_to_first_missed_payment < 0",
        "days_to_first_missed_payment",
    ),
    Rule(
        "payment_credit_limit is negative or infinite",
        "payment_credit_limit < 0 OR ISINF(payment_credit_limit)",
        "payment_credit_limit",
    ),
)


def require_valid(
    connection: duckdb.DuckDBPyConnection, relation: str, now: datetime, file_names: Sequence[str]
) -> None:
    """Raise `InputError` with every rule that rows of `relation` break, how many do, and where the first ones are."""
    counts = ", ".join(f"COUNT(*) FILTER ({rule.broken})" for rule in RULES)
    row = connection.execute(f"SELECT {counts} FROM {relation}", {"now": now}).fetchone() or ()
    problems = [
        f"{rule.says}: {_rows(count)}, {_examples(connection, relation, rule, now, file_names)}"
        for rule, count in zip(RULES, row, strict=True)
        if count
    ]
    if problems:
        raise InputError(
            "nothing was loaded, because purchases break the source contract (docs/source.md); "
            "correct or remove these rows and load again:\n- " + "\n- ".join(problems)
        )


def _examples(
    connection: duckdb.DuckDBPyConnection, relation: str, rule: Rule, now: datetime, file_names: Sequence[str]
) -> str:
    # DuckDB refuses values for parameters that a statement does not mention.
    parameters = {"now": now} if "$now" in rule.broken else {}
    rows = connection.execute(
        f"SELECT {FILE}, {ROW}, {rule.shown} FROM {relation} WHERE {rule.broken} ORDER BY 1, 2 LIMIT {EXAMPLES}",
        parameters,
    ).fetchall()
    return ", ".join(
        f"{file_names[file]} row {position}" + (f" ({value})" if value is not None else "")
        for file, position, value in rows
    )


def _rows(count: int) -> str:
    return f"{count:,} row" + ("" if count == 1 else "s")


@dataclass(frozen=True)
class PurchaseProblems:
    """Purchases of one day that break the contract, by rule, of `rows` in all.

    `null_timestamps` counts in the whole table: such a row belongs to no day. `duplicates` counts the rows beyond the
    first of an identity.
    """

    rows: int
    completed_rows: int
    null_customer_ids: int
    null_timestamps: int
    bad_amounts: int
    duplicates: int
    future_timestamps: int

    def broken_rules(self) -> tuple[str, ...]:
        """A phrase for each rule that is broken; empty when the day is as the contract says."""
        return tuple(f"{_rows(count)} with {name}" for name, of in _PHRASES.items() if (count := of(self)))


_PHRASES: dict[str, Callable[[PurchaseProblems], int]] = {
    "a null or empty customer_id": lambda problems: problems.null_customer_ids,
    "a null timestamp": lambda problems: problems.null_timestamps,
    "a null, negative, NaN or infinite amount": lambda problems: problems.bad_amounts,
    "the identity of another row (transaction_id, customer_id, timestamp)": lambda problems: problems.duplicates,
    "a timestamp in the future": lambda problems: problems.future_timestamps,
}


def purchase_problems(
    warehouse: Warehouse, source: Source, partition: date, *, now: datetime | None = None, labels: Labels | None = None
) -> PurchaseProblems:
    """What is wrong with one day of the user's own table, in one statement; `now` is the warehouse's unless given."""
    (row,) = [
        row
        for batch in warehouse.read(problems_query(source, partition, now), labels or {})
        for row in batch.to_pylist()
    ]
    return PurchaseProblems(**{field.name: int(row[field.name]) for field in fields(PurchaseProblems)})


_COUNTED_APART = ("null_timestamps", "duplicates")


def problems_query(source: Source, partition: date, now: datetime | None = None) -> Query:
    in_day = (
        f"{TIMESTAMP_COLUMN} >= TIMESTAMP(@partition_date)\n"
        f"    AND {TIMESTAMP_COLUMN} < TIMESTAMP(DATE_ADD(@partition_date, INTERVAL 1 DAY))"
    )
    latest = "TIMESTAMP(@now)" if now else "CURRENT_TIMESTAMP()"
    counted = {
        "completed_rows": f"status = '{COMPLETED}'",
        "null_customer_ids": "customer_id IS NULL OR TRIM(customer_id) = ''",
        "bad_amounts": "amount IS NULL OR IS_NAN(amount) OR IS_INF(amount) OR amount < 0",
        "future_timestamps": f"{TIMESTAMP_COLUMN} > {latest}",
    }
    identity = ", ".join(IDENTITY)
    identified = " AND ".join(f"{name} IS NOT NULL" for name in IDENTITY)
    counts = ",\n    ".join(
        f"COUNT(IF({TIMESTAMP_COLUMN} IS NOT NULL AND ({broken}), 1, NULL)) AS {name}"
        for name, broken in counted.items()
    )
    totals = ",\n  ".join(
        f"CAST(COALESCE(SUM({name}), 0) AS INT64) AS `{total}`"
        for total, name in {"rows": "purchases", **{name: name for name in (*counted, *_COUNTED_APART)}}.items()
    )
    return Query(
        f"WITH purchases AS (\n"
        f"  SELECT {identity}, status, CAST(amount AS FLOAT64) AS amount\n"
        f"  FROM {source.sql()}\n"
        f"  WHERE ({in_day})\n"
        f"    OR {TIMESTAMP_COLUMN} IS NULL\n"
        f"),\n"
        f"identities AS (\n"
        f"  SELECT\n"
        f"    COUNT({TIMESTAMP_COLUMN}) AS purchases,\n"
        f"    {counts},\n"
        f"    COUNT(IF({TIMESTAMP_COLUMN} IS NULL, 1, NULL)) AS null_timestamps,\n"
        f"    IF({identified}, COUNT(*) - 1, 0) AS duplicates\n"
        f"  FROM purchases\n"
        f"  GROUP BY {identity}\n"
        f")\n"
        f"SELECT\n  {totals}\nFROM identities",
        {"partition_date": partition, **({"now": now.isoformat()} if now else {})},
    )
