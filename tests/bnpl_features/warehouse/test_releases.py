"""Tables that two releases write by turns: what one adds the other lives with, forwards and back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bnpl_features.derive.table import CUSTOMER_COLUMN, vectors_table
from bnpl_features.errors import RelationMissing
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.store.test_releases import LAST_OF_ONE_SET, sources_of
from tests.bnpl_features.warehouse import earlier
from tests.conftest import filled_warehouse
from tests.edge_cases import PARTITIONS
from tests.lender import compute_features

BEFORE, AFTER = PARTITIONS


def test_tables_are_written_by_an_earlier_release_by_this_one_and_by_the_earlier_one_again(tmp_path: Path) -> None:
    folder = tmp_path / "warehouse"
    warehouse = filled_warehouse(folder)
    sources = sources_of(LAST_OF_ONE_SET, tmp_path)
    columns = tuple(column.name for column in vectors_table().columns)

    earlier_columns = tuple(computed_by(sources, folder, BEFORE)["columns"])
    with pytest.raises(RelationMissing, match="materialise"):  # nulls would be published as if they were known
        vectors_of(warehouse, BEFORE, columns)
    compute_features(warehouse, AFTER)  # adds columns
    old_day, new_day = (vectors_of(warehouse, day, earlier_columns) for day in (BEFORE, AFTER))
    again = computed_by(sources, folder, AFTER)  # the upgrade is taken back
    compute_features(warehouse, BEFORE)

    assert 30 < len(earlier_columns) < len(columns)
    assert len(vectors_of(warehouse, BEFORE, columns)) == len(old_day)
    assert again["rows"] == len(new_day) > 100
    pd.testing.assert_frame_equal(vectors_of(warehouse, BEFORE, earlier_columns), old_day)
    pd.testing.assert_frame_equal(vectors_of(warehouse, AFTER, earlier_columns), new_day)


def computed_by(sources: Path, folder: Path, day: date) -> Any:
    program = shutil.copy(earlier.__file__, sources.parent / "earlier.py")
    environment = {**os.environ, "PYTHONPATH": str(sources)}
    words = [sys.executable, str(program), str(folder), day.isoformat()]
    done = subprocess.run(words, cwd=sources, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["sources"].startswith(str(sources))
    return found


def vectors_of(warehouse: DuckDBWarehouse, day: date, columns: tuple[str, ...]) -> pd.DataFrame:
    batches = warehouse.read_partition(vectors_table(), day, columns, {})
    frame = pd.concat([batch.to_pandas() for batch in batches])
    return frame.sort_values(CUSTOMER_COLUMN, ignore_index=True)
