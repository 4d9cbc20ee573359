"""The user's own table of purchases, mapped onto the source contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from bnpl_features.errors import InputError, SettingsError
from bnpl_features.features.purchase import PURCHASE_COLUMNS, Column, ColumnType

_RELATION = re.compile(r"^[A-Za-z0-9_./*:-]+$")
_COLUMN = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")

ACCEPTED_TYPES: dict[ColumnType, frozenset[str]] = {
    ColumnType.STRING: frozenset({"STRING"}),
    ColumnType.TIMESTAMP: frozenset({"TIMESTAMP"}),
    ColumnType.FLOAT64: frozenset({"FLOAT64", "NUMERIC", "BIGNUMERIC", "INT64"}),
    ColumnType.INT64: frozenset({"INT64", "FLOAT64", "NUMERIC"}),
    ColumnType.BOOL: frozenset({"BOOL"}),
}


@dataclass(frozen=True)
class Source:
    """Where purchases are: a relation of the warehouse, and its own names for columns of the contract."""

    relation: str = "transactions"
    columns: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.relation, str) or not _RELATION.match(self.relation):
            raise SettingsError(f"transactions relation {self.relation!r}: use a table name such as dataset.table")
        known = {column.name for column in PURCHASE_COLUMNS}
        for canonical, own in self.columns.items():
            if canonical not in known:
                hint = get_close_matches(canonical, known, n=1)
                raise SettingsError(
                    f"the column map names {canonical!r}, which is not a column of the source contract"
                    + (f"; did you mean {hint[0]!r}?" if hint else "; see docs/source.md")
                )
            if not isinstance(own, str) or not _COLUMN.match(own):
                raise SettingsError(f"the column map gives {canonical} the name {own!r}; use a plain column name")

    def own_name(self, column: Column) -> str:
        return self.columns.get(column.name, column.name)

    def sql(self) -> str:
        """The relation for a FROM clause: its name, or a query that renames its columns to the canonical ones."""
        if not self.columns:
            return f"`{self.relation}`" if self.relation != "transactions" else self.relation
        # Other columns may be absent, unless the map names them. Quoted, because a name of the user's may be a keyword.
        selected = ", ".join(
            column.name if self.own_name(column) == column.name else f"`{self.own_name(column)}` AS {column.name}"
            for column in PURCHASE_COLUMNS
            if column.feature_input or column.name in self.columns
        )
        return f"(SELECT {selected} FROM `{self.relation}`)"

    def checkout_sql(self, found: Mapping[str, str]) -> str:
        """Every canonical column, as its canonical type, null where `found` (the relation's own columns) lacks it.

        For a FROM clause, where what only the transaction-time model reads is needed as well.
        """
        selected = ", ".join(
            f"{_cast(column, self.own_name(column), found)} AS {column.name}" for column in PURCHASE_COLUMNS
        )
        return f"(SELECT {selected} FROM `{self.relation}`)"


def _cast(column: Column, own: str, found: Mapping[str, str]) -> str:
    if own not in found:
        return f"CAST(NULL AS {column.type})"
    # Bare where it can be: a cast of the timestamp would keep the warehouse from skipping days.
    return f"`{own}`" if found[own] == column.type else f"CAST(`{own}` AS {column.type})"


def check_columns(source: Source, found: Mapping[str, str], where: str) -> None:
    """Raise `InputError` unless `found`, by canonical type, has the columns that features read and the map names."""
    problems = []
    for column in PURCHASE_COLUMNS:
        own = source.own_name(column)
        if own not in found:
            if column.feature_input or column.name in source.columns:
                problems.append(_missing(column, own, found))
        elif found[own] not in ACCEPTED_TYPES[column.type]:
            problems.append(_mistyped(column, own, found[own]))
    if problems:
        raise InputError(f"{where} does not fit the source contract:\n- " + "\n- ".join(problems))


def _missing(column: Column, own: str, found: Mapping[str, str]) -> str:
    same_but_case = [name for name in found if name.casefold() == own.casefold()]
    if same_but_case:
        return (
            f"column {own!r} ({column.type}) is missing, but {same_but_case[0]!r} differs from it only in case; "
            f"map it with --column {column.name}={same_but_case[0]}"
        )
    candidates = [column.alias] if column.alias in found else get_close_matches(own, list(found), n=1, cutoff=0.6)
    mend = (
        f"map it with --column {column.name}={candidates[0]} (or [transactions.columns] in the settings file)"
        if candidates
        else "add it to the table, or map the column that holds it with --column"
    )
    return f"column {own!r} ({column.type}) is missing; {mend}"


def _mistyped(column: Column, own: str, found: str) -> str:
    if column.type is ColumnType.TIMESTAMP and found == "DATETIME":
        return (
            f"column {own!r} has timestamps without a time zone; if they are UTC pass --assume-timezone UTC "
            "(otherwise their IANA zone), or store them as TIMESTAMP"
        )
    return (
        f"column {own!r} is {found}, but must be {column.type}; cast it (in a view, or where the file is written), "
        "or map another column"
    )
