"""What one column's comparison means by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bnpl_features.derive.profiled import ProfiledColumn
from bnpl_features.drift.findings import INDEX, TRAILING, TRAINING, Place, Severity, column_findings
from bnpl_features.drift.limits import Limits
from bnpl_features.drift.sketch import Sketch

COLUMN = ProfiledColumn("days_since_first_txn", "days_since_first_txn", edges=(30.0, 60.0))
BEFORE, NOW = Sketch(1_000, 0, (600, 300, 100), 0.0, 90.0), Sketch(1_000, 0, (100, 300, 600), 0.0, 150.0)


@pytest.mark.parametrize(
    ("ages", "reference", "verdict"),
    [
        (False, TRAINING, Severity.WARN),
        (True, TRAINING, Severity.STABLE),
        (False, TRAILING, Severity.ERROR),
        (True, TRAILING, Severity.ERROR),
    ],
)
def test_what_grows_by_itself_drifts_from_yesterday_but_not_from_long_ago(
    ages: bool, reference: str, verdict: Severity
) -> None:
    found = column_findings(Place("volume", "all"), replace(COLUMN, ages=ages), NOW, {reference: BEFORE}, Limits())

    assert [one.verdict for one in found if one.measure == INDEX] == [verdict]
