"""What the figures ask of a warehouse is the same on BigQuery."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa

from bnpl_features.console.figures.drift import heat_map
from bnpl_features.console.figures.scores import recent_scores
from bnpl_features.drift.findings import Finding, Severity
from bnpl_features.drift.findings_table import write_findings
from bnpl_features.scoring.prediction_table import predictions_table
from bnpl_features.warehouse.arrow_types import arrow_schema
from bnpl_features.warehouse.bigquery import connect
from tests.bnpl_features.console.desk import KEY, NEWEST, record
from tests.emulator import Emulator


def test_bigquery_answers_as_the_embedded_warehouse(running_emulator: Emulator, tmp_path: Path) -> None:
    emulated = connect(
        "console_test",
        project="test-project",
        api_endpoint=running_emulator.api_endpoint,
        storage_endpoint=running_emulator.storage_endpoint,
    )
    emulated.client.create_dataset("console_test", exists_ok=True)
    assert heat_map(emulated).days == ()
    now = datetime.now(UTC)
    assert recent_scores(emulated, tmp_path, KEY, "cust_1", now.date()) == ()

    scored = [msgspec.structs.asdict(record(name, now, "champion", 0.15)) for name in ("cust_1", "cust_2")]
    batch = pa.RecordBatch.from_pylist(scored, arrow_schema(predictions_table()))
    emulated.replace_partition_rows(predictions_table(), now.date(), iter([batch]), {})
    index = Finding("volume", "all", "txn_count_7d", "psi", 0.12, "trailing", Severity.WARN)
    burst = Finding("volume", "all", "txn_count_7d", "null_burst", 0.4, "trailing", Severity.ERROR)
    write_findings(emulated, NEWEST, [index, burst], {})

    (score,) = recent_scores(emulated, tmp_path, KEY, "cust_1", now.date())
    assert (score.probability, [one.code for one in score.reasons]) == (0.15, ["R01", "R13"])
    (row,) = heat_map(emulated).rows
    assert row.cells[0] is not None
    assert (row.cells[0].index, row.cells[0].verdict, row.cells[0].signs) == (0.12, Severity.ERROR, ("null_burst",))
