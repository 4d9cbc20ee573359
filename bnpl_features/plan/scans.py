"""A statement -> what it reads: columns of tables, on which days. From its text alone, with nothing connected.

Columns that no result needs are left out and conditions are moved to the tables they are about, as BigQuery does. A
day is read unless the conditions on the partition column exclude it; those that need another query exclude none, since
BigQuery does not know their value when it chooses partitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.pushdown_predicates import pushdown_predicates
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

from bnpl_features.derive.query import Parameter, Query
from bnpl_features.derive.table import Table

_DAY_PARTS = ("00:00:00", "12:00:00", "23:59:59.999999")
"""Times at which a condition on a timestamp is tried: a day is read if it may hold at one of them."""


@dataclass(frozen=True)
class Scan:
    """Of one table: the columns and the days that a statement reads."""

    table: str
    columns: frozenset[str]
    days: frozenset[date]


def scans_of(query: Query, tables: Mapping[str, Table], days: Sequence[date]) -> list[Scan]:
    """One a reference to a table; `days` are those that tables have. Raises sqlglot's errors for tables not given."""
    schema: dict[str, object] = {
        name: {column.name: column.type for column in table.columns} for name, table in tables.items()
    }
    parsed = sqlglot.parse_one(query.sql, dialect="bigquery")
    tree = pushdown_projections(pushdown_predicates(qualify(parsed, schema=schema, dialect="bigquery")))
    return [
        Scan(
            source.name,
            frozenset(column.name for column in scope.source_columns(alias)),
            _days(scope, alias, tables[source.name], query.parameters, days),
        )
        for scope in traverse_scope(tree)
        for alias, source in scope.sources.items()
        if isinstance(source, exp.Table)
    ]


def _days(
    scope: Scope, alias: str, table: Table, parameters: Mapping[str, Parameter], days: Sequence[date]
) -> frozenset[date]:
    conditions = [
        _with_values(condition, parameters).sql(dialect="duckdb")
        for condition in _conditions(scope)
        if _is_of_partition(condition, alias, table.partition_column)
    ]
    of_type = next(column.type for column in table.columns if column.name == table.partition_column)
    times = _DAY_PARTS if of_type == "TIMESTAMP" else _DAY_PARTS[:1]
    listed = ", ".join(f"(DATE '{day}', '{day} {time}')" for day in days for time in times)
    where = " AND ".join(f"({condition})" for condition in conditions) or "TRUE"
    kind = "TIMESTAMPTZ" if of_type == "TIMESTAMP" else "DATE"
    sql = (
        f"WITH tried(day, tried) AS (VALUES {listed}), days AS ("
        f'SELECT day, tried::{kind} AS "{table.partition_column}" FROM tried)'
        f"\nSELECT DISTINCT day FROM days WHERE {where}"
    )
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(sql).fetchall()
    return frozenset(row[0] for row in rows)


def _conditions(scope: Scope) -> Iterator[exp.Expr]:
    """All that every row that is read must meet: those of WHERE, and of the joins."""
    where = scope.expression.args.get("where")
    joined = [join.args.get("on") for join in scope.expression.args.get("joins") or ()]
    for condition in (where and where.this, *joined):
        if condition is not None:
            yield from condition.flatten() if isinstance(condition, exp.And) else (condition,)


def _is_of_partition(condition: exp.Expr, alias: str, partition_column: str) -> bool:
    columns = list(condition.find_all(exp.Column))
    only_it = all(column.table == alias and column.name == partition_column for column in columns)
    return bool(columns) and only_it and condition.find(exp.Query) is None


def _with_values(condition: exp.Expr, parameters: Mapping[str, Parameter]) -> exp.Expr:
    def put(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Parameter):
            return _literal(parameters[node.name])
        if isinstance(node, exp.Column):
            return exp.column(node.name, quoted=True)
        return node

    return condition.copy().transform(put)


def _literal(value: Parameter) -> exp.Expr:
    if isinstance(value, date) and not isinstance(value, datetime):
        return exp.cast(exp.Literal.string(value.isoformat()), "DATE")
    return exp.convert(value)
