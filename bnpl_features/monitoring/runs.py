"""How the last run of a job ended, as metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bnpl_features.telemetry import catalogue
from bnpl_features.telemetry.metric import Family, by_label


def run_families(job: str, *, failed: bool) -> Iterator[Family]:
    yield by_label(catalogue.RUN_FAILED, {(job,): float(failed)})
    yield by_label(catalogue.RUN_END, {(job,): time.time()})
