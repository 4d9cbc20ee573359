"""The statements of the daily job, in its order. Asset by asset as `assets` and `checks` ask; a test runs the job and
compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.partition import coverage_query, size_query
from bnpl_features.derive.profile import ALL, profile_query, profiles_table
from bnpl_features.derive.profiled import OUTCOMES, TRANSACTIONS, Subject, group_subject
from bnpl_features.derive.query import group_query, vectors_query
from bnpl_features.derive.table import CUSTOMER_COLUMN, Table, group_table, transactions_table, vectors_table
from bnpl_features.drift.classifier import customers_query, side_query
from bnpl_features.drift.comparison import compare
from bnpl_features.drift.findings import INDEX
from bnpl_features.drift.findings_table import FINDINGS, read_findings
from bnpl_features.drift.references import reference_in_force, references_table
from bnpl_features.drift.subjects import ALL_SUBJECTS, SEGMENTS, VECTORS
from bnpl_features.features.catalog import ALL_FEATURES, GROUPS, SETS
from bnpl_features.features.feature import FeatureGroup
from bnpl_features.plan.recorder import Recorder
from bnpl_features.plan.statement import Statement
from bnpl_features.warehouse.transactions import Source
from bnpl_features.warehouse.validate import problems_query
from bnpl_features.warehouse.volume import daily_volumes

HEAT_MAP_DAYS = 28
PROFILES_OF_PURCHASES = "transactions_profile"
_VECTORS = vectors_table()


@dataclass(frozen=True)
class Job:
    """What of the settings the statements depend on; `columns` are those of the source, with their types."""

    day: date
    source: Source = field(default_factory=Source)
    reference_days: int = 7
    maturity_days: int = 60
    columns: Mapping[str, str] = field(
        default_factory=lambda: {column.name: column.type for column in transactions_table().columns}
    )


def tables() -> dict[str, Table]:
    """Every table that a statement reads, by name."""
    profiles = (profiles_table(subject) for subject in ALL_SUBJECTS)
    found = (transactions_table(), *map(group_table, GROUPS), _VECTORS, *profiles, FINDINGS, references_table())
    return {table.name: table for table in found}


def daily_statements(job: Job) -> list[Statement]:
    asked = Recorder(job.columns)
    _purchases(asked, job)
    for group in GROUPS:
        _group(asked, job, group)
    _vectors(asked, job)
    _drift_report(asked, job)
    _publications(asked, job)
    return asked.statements


def _purchases(asked: Recorder, job: Job) -> None:
    daily_volumes(asked.told("transactions", "observed"), job.source, job.day, 0, {})
    asked.told("transactions", "check contract").read(problems_query(job.source, job.day), {})
    daily_volumes(asked.told("transactions", "check volume"), job.source, job.day, job.reference_days, {})
    daily_volumes(asked.told("transactions", "check freshness"), job.source, job.day, 0, {})
    source = job.source.checkout_sql(job.columns)
    matures = {"maturity_days": job.maturity_days}
    for subject, parameters in ((TRANSACTIONS, {}), (OUTCOMES, matures)):
        asked.told(PROFILES_OF_PURCHASES, f"profile of {subject.name}").replace_partition(
            profiles_table(subject), job.day, profile_query(subject, job.day, source, parameters), {}
        )
    reference_in_force(asked.told(PROFILES_OF_PURCHASES, "check drift, the reference"), job.day, {})
    _compare(asked.told(PROFILES_OF_PURCHASES, "check drift"), job, TRANSACTIONS)


def _group(asked: Recorder, job: Job, group: FeatureGroup) -> None:
    step, table, subject = group.table, group_table(group), group_subject(group)
    asked.told(step, "features").replace_partition(table, job.day, group_query(group, job.day, job.source.sql()), {})
    asked.told(step, "profile").replace_partition(profiles_table(subject), job.day, profile_query(subject, job.day), {})
    columns = (CUSTOMER_COLUMN, *(feature.name for feature in group.features))
    asked.told(step, "check schema").read_partition(table, job.day, columns, {})
    asked.told(step, "check unique_customer").read(size_query(table, job.day), {})
    for check in ("row_count", "nulls", "drift"):
        _compare(asked.told(step, f"check {check}"), job, subject)
    reference_in_force(asked.told(step, "check drift, the reference"), job.day, {})
    _compare(asked.told(step, "check drift, the purchases"), job, TRANSACTIONS)


def _vectors(asked: Recorder, job: Job) -> None:
    step, day = _VECTORS.name, job.day
    asked.told(step, "vectors").replace_partition(_VECTORS, day, vectors_query(ALL_FEATURES, day), {})
    for subject in (VECTORS, SEGMENTS):
        asked.told(step, f"profile of {subject.name}").replace_partition(
            profiles_table(subject), day, profile_query(subject, day), {}
        )
    columns = (CUSTOMER_COLUMN, *(feature.name for feature in ALL_FEATURES.features))
    asked.told(step, "check schema").read_partition(_VECTORS, day, columns, {})
    asked.told(step, "check completeness, the groups").read(coverage_query(GROUPS, day), {})
    asked.told(step, "check completeness, the vectors").read(size_query(_VECTORS, day), {})


def _drift_report(asked: Recorder, job: Job) -> None:
    step, day = "drift_report", job.day
    reference_in_force(asked.told(step, "the reference"), day, {})
    for subject in ALL_SUBJECTS:
        _compare(asked.told(step, f"compare {subject.name}"), job, subject)
    asked.told(step, "classifier, customers").read(customers_query(day), {})
    for one, half in ((day - timedelta(days=job.reference_days), 0), (day, 1)):
        asked.told(step, f"classifier, side {half}").read(side_query(one, half, 1.0), {})
    asked.told(step, "findings").replace_partition_rows(FINDINGS, day, iter(()), {})
    first = day - timedelta(days=HEAT_MAP_DAYS - 1)
    read_findings(asked.told(step, "heat map"), first, day, {}, segment=ALL, measure=INDEX)


def _publications(asked: Recorder, job: Job) -> None:
    """Each set that is published daily: read once to be published, once to be compared with what is served."""
    for one in SETS:
        if one.is_daily:
            step = f"publication of {one.name}"
            asked.told(step, "customers").read(size_query(_VECTORS, job.day), {})
            columns = (CUSTOMER_COLUMN, *layout_of(one).names)
            asked.told(step, "read").read_partition(_VECTORS, job.day, columns, {})
            asked.told(step, "check consistency").read_partition(_VECTORS, job.day, columns, {})


def _compare(asked: Recorder, job: Job, subject: Subject) -> None:
    compare(asked, subject, job.day, job.reference_days, {})
