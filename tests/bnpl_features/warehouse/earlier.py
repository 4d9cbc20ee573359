"""An earlier release at work in a DuckDB warehouse, as a program of its own: it uses nothing that came later.

python earlier.py FOLDER DAY     compute the groups and vectors of a day; print each table's columns
"""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

import bnpl_features
from bnpl_features.derive.query import group_query, vectors_query
from bnpl_features.derive.table import group_table, vectors_table
from bnpl_features.features.catalog import BEHAVIOURAL, GROUPS
from bnpl_features.warehouse.duckdb import DuckDBWarehouse


def main() -> None:
    folder, day = Path(sys.argv[1]), date.fromisoformat(sys.argv[2])
    warehouse = DuckDBWarehouse(folder)
    for group in GROUPS:
        warehouse.replace_partition(group_table(group), day, group_query(group, day), {})
    vectors = vectors_table(BEHAVIOURAL)  # type: ignore[call-arg]
    warehouse.replace_partition(vectors, day, vectors_query(BEHAVIOURAL, day), {})
    names = tuple(column.name for column in vectors.columns)
    rows = sum(batch.num_rows for batch in warehouse.read_partition(vectors, day, names, {}))
    print(json.dumps({"sources": bnpl_features.__file__, "columns": names, "rows": rows}))


if __name__ == "__main__":
    main()
