"""What a catalogue shows of today is what the warehouse and the registry hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnpl_features.catalogue.entries import Catalogue
from bnpl_features.catalogue.observations import declared_catalogue, live_catalogue
from bnpl_features.derive.query import Query
from bnpl_features.drift.examination import Rules, examine_subject
from bnpl_features.drift.findings import INDEX, TRAILING, Severity
from bnpl_features.drift.limits import Limits
from bnpl_features.drift.subjects import GROUP_SUBJECTS
from bnpl_features.features.catalog import ALL_FEATURES, BEHAVIOURAL, SETS
from bnpl_features.risk_model.registry import open_registry
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.catalogue.conftest import DAYS, Observatory
from tests.lender import Lender


def test_the_distribution_is_that_of_the_newest_partition(live: Catalogue, observatory: Observatory) -> None:
    sql = (
        "SELECT COUNT(*) AS customers, COUNTIF(credit_utilization_30d IS NULL) AS nulls, "
        "COUNTIF(credit_utilization_30d >= 0.1 AND credit_utilization_30d < 0.316228) AS some\n"
        "FROM feature_volume WHERE partition_date = @day"
    )
    (row,) = next(iter(observatory.warehouse.read(Query(sql, {"day": DAYS[-1]}), {}))).to_pylist()

    shown = live.observed["credit_utilization_30d"].distribution

    assert shown is not None
    assert (shown.partition, shown.customers, shown.nulls) == (DAYS[-1], row["customers"], row["nulls"])
    assert {one.label: one.customers for one in shown.bins}["0.1–0.316"] == row["some"] > 0


@pytest.mark.parametrize("name", [feature.name for feature in ALL_FEATURES.features])
def test_every_customer_is_in_one_bin_or_null(name: str, live: Catalogue) -> None:
    shown = live.observed[name].distribution

    assert shown is not None
    assert shown.customers > 1_000
    assert sum(one.customers for one in shown.bins) + shown.nulls == shown.customers


def test_drift_is_the_index_of_the_drift_check(live: Catalogue, observatory: Observatory) -> None:
    for subject in GROUP_SUBJECTS:
        examined = examine_subject(observatory.warehouse, subject, DAYS[-1], Rules(reference_days=3), {})
        indices = [one for one in examined.of_all if (one.measure, one.reference) == (INDEX, TRAILING)]
        assert {one.feature for one in indices} == {column.name for column in subject.columns}
        for one in indices:
            shown = live.observed[one.feature].distribution
            assert shown is not None
            assert (shown.stability_index, shown.severity) == (one.value, one.verdict)


def test_the_thresholds_are_those_of_the_feature(observatory: Observatory) -> None:
    strict = Limits(by_feature={"txn_count_7d": (0.0, 0.0), "txn_count_30d": (0.0, 9.0)})

    found = observatory.catalogue(limits=strict).observed

    severities = [found[name].distribution.severity for name in ("txn_count_7d", "txn_count_30d", "txn_count_90d")]  # type: ignore[union-attr]
    assert severities == [Severity.ERROR, Severity.WARN, Severity.STABLE]


def test_importance_is_the_share_of_gain_in_the_champion(live: Catalogue, lender: Lender) -> None:
    model = lender.models["behavioural"]
    gains = dict(zip(model.inputs.names, model.booster.feature_importance("gain"), strict=True))

    assert live.champion == "behavioural 1 (challenger, champion)"
    for name in model.inputs.behavioural:
        found = live.observed[name].importance
        assert found is not None
        assert found.gain_share == pytest.approx(gains[name] / sum(gains.values()))
        assert found.place == 1 + sum(gain > gains[name] for gain in gains.values()) or gains[name] == 0
        assert found.inputs == len(gains)


def test_only_models_that_read_a_feature_are_named(live: Catalogue) -> None:
    of_set = {feature.name for feature in BEHAVIOURAL.features}
    reading = ("behavioural 1 (challenger, champion)", "velocity 1 (challenger)")
    assert {one.models for name, one in live.observed.items() if name in of_set} == {reading}
    assert live.observed["segment"].models == ()


def test_without_days_before_there_is_no_drift(observatory: Observatory) -> None:
    shown = observatory.catalogue(reference_days=0).observed["txn_count_7d"].distribution

    assert shown is not None
    assert shown.stability_index is None


def test_where_nothing_was_computed_or_trained_the_declarations_remain(tmp_path: Path) -> None:
    (tmp_path / "warehouse").mkdir()
    empty = DuckDBWarehouse(tmp_path / "warehouse")

    found = live_catalogue(SETS, empty, open_registry("", tmp_path / "models"), Rules())

    assert found.entries == declared_catalogue(SETS).entries
    assert found.champion == ""
    assert {(one.distribution, one.importance, one.models) for one in found.observed.values()} == {(None, None, ())}
