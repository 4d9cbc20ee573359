"""A column of a file -> SQL for the contract's value of it, and for whether a value was there that is none."""

from __future__ import annotations

from dataclasses import dataclass

from bnpl_features.features.purchase import Column, ColumnType
from bnpl_features.warehouse.files import OpenFile

LARGEST_EXACT_FLOAT = 2**53
"""Above it a whole number given as FLOAT64 may be its neighbour."""

_CLOCK = r"[ T]\d{2}:\d{2}(:\d{2}([.]\d+)?)?"
_ZONED = rf"\d{{4}}-\d{{2}}-\d{{2}}{_CLOCK} ?(Z|UTC|[+-]\d{{2}}(:?\d{{2}})?)"
_NAIVE = rf"\d{{4}}-\d{{2}}-\d{{2}}({_CLOCK})?"


@dataclass(frozen=True)
class Converted:
    """SQL for a canonical value, for whether a value was there but not of its type, for whether it lacks a zone."""

    value: str
    failed: str = ""
    unzoned: str = ""


_DUCKDB = {
    ColumnType.STRING: "VARCHAR",
    ColumnType.TIMESTAMP: "TIMESTAMPTZ",
    ColumnType.FLOAT64: "DOUBLE",
    ColumnType.INT64: "BIGINT",
    ColumnType.BOOL: "BOOLEAN",
}


def null_of(column: Column) -> str:
    return f"CAST(NULL AS {_DUCKDB[column.type]})"


def convert(column: Column, own: str, file: OpenFile, kind: str, zone: str | None) -> Converted:
    if column.type is ColumnType.STRING:
        return Converted(f"CAST({own} AS VARCHAR)")
    given = f"NULLIF(TRIM({own}), '')" if file.is_text else own
    if column.type is ColumnType.TIMESTAMP:
        return _timestamp_from_text(given, zone) if file.is_text else _timestamp(own, kind, zone)
    if column.type is ColumnType.INT64:
        return _integer(given) if file.is_text or kind != "INT64" else _tried(given, "BIGINT")
    if column.type is ColumnType.FLOAT64:
        number = _tried(given, "DOUBLE")
        return number if column.required else Converted(_unless_nan(number.value), number.failed)
    return _tried(given, _DUCKDB[column.type])


def _tried(given: str, duckdb_type: str) -> Converted:
    value = f"TRY_CAST({given} AS {duckdb_type})"
    return Converted(value, f"{given} IS NOT NULL AND {value} IS NULL")


def _integer(given: str) -> Converted:
    """Whole numbers only, which may come as floats, with NaN for null."""
    number = _unless_nan(f"TRY_CAST({given} AS DOUBLE)")
    is_whole = f"{number} = TRUNC({number}) AND ABS({number}) < {LARGEST_EXACT_FLOAT}"
    unread = f"TRY_CAST({given} AS DOUBLE) IS NULL AND {given} IS NOT NULL"
    return Converted(f"IF({is_whole}, TRY_CAST({number} AS BIGINT), NULL)", f"{unread} OR NOT ({is_whole})")


def _unless_nan(number: str) -> str:
    return f"IF(ISNAN({number}), NULL, {number})"


def _timestamp(own: str, kind: str, zone: str | None) -> Converted:
    if kind == "DATETIME":
        return Converted(f"TIMEZONE('{zone}', CAST({own} AS TIMESTAMP))")
    return Converted(f"CAST({own} AS TIMESTAMPTZ)")


def _timestamp_from_text(given: str, zone: str | None) -> Converted:
    is_zoned, is_naive = (f"REGEXP_FULL_MATCH({given}, '{pattern}')" for pattern in (_ZONED, _NAIVE))
    naive = f"TIMEZONE('{zone}', TRY_CAST({given} AS TIMESTAMP))" if zone else "NULL"
    value = f"CASE WHEN {is_zoned} THEN TRY_CAST({given} AS TIMESTAMPTZ) WHEN {is_naive} THEN {naive} END"
    unzoned = "" if zone else is_naive
    failed = f"{given} IS NOT NULL AND ({value}) IS NULL" + (f" AND NOT {unzoned}" if unzoned else "")
    return Converted(value, failed, unzoned)
