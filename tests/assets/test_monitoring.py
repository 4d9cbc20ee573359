"""What the daily run leaves for Prometheus, published or not."""

from __future__ import annotations

from pathlib import Path

from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.monitoring.store import end_of
from bnpl_features.simulator import ConstantColumn
from tests.bnpl_features.monitoring.test_telling import samples
from tests.bnpl_features.store.test_publisher_tracing import STEPS
from tests.code_location import DAY, POPULATION, YESTERDAY, CodeLocation, why
from tests.receiver import receiver


def told(folder: Path) -> dict[str, float]:
    return samples("".join(file.read_text() for file in sorted(folder.glob("*.prom"))))


def test_a_run_that_publishes_tells_the_publication_and_the_state_it_leaves(
    location: CodeLocation, tmp_path: Path
) -> None:
    result = location.having(BNPL_TEXTFILE_FOLDER=str(tmp_path / "told")).daily(DAY)

    assert result.success, why(result)
    found = told(tmp_path / "told")
    served = location.served()
    assert served is not None
    assert found["bnpl_run_failed daily_features"] == 0
    published = found[f"bnpl_publication_customers {BEHAVIOURAL.name}"]
    assert published == served.customers == found[f"bnpl_active_customers {BEHAVIOURAL.name}"]
    assert found[f"bnpl_active_version {BEHAVIOURAL.name}"] == served.version
    assert found[f"bnpl_active_as_of_timestamp_seconds {BEHAVIOURAL.name}"] == end_of(DAY)
    assert found["bnpl_computed_as_of_timestamp_seconds volume"] == end_of(DAY)
    assert (found["bnpl_drift_features volume warn"], found["bnpl_drift_features volume error"]) == (0, 0)
    assert (found["bnpl_collected store"], found["bnpl_collected warehouse"]) == (1, 1)


def test_a_run_that_is_stopped_by_drift_tells_that_it_failed_and_what_drifted(
    location: CodeLocation, tmp_path: Path
) -> None:
    location.receive(ConstantColumn("device_id", "dev_1", POPULATION.first_day))

    result = location.having(BNPL_TEXTFILE_FOLDER=str(tmp_path / "told")).daily(DAY)

    assert not result.success
    found = told(tmp_path / "told")
    assert found["bnpl_run_failed daily_features"] == 1
    assert found["bnpl_run_end_timestamp_seconds daily_features"] > end_of(DAY)
    assert found["bnpl_drift_features device error"] >= 1
    assert found["bnpl_drift_largest_index device"] > 0.25
    assert found[f"bnpl_active_as_of_timestamp_seconds {BEHAVIOURAL.name}"] == end_of(YESTERDAY)


def test_a_run_sends_the_spans_of_its_publication_where_the_settings_say(location: CodeLocation) -> None:
    with receiver() as received:
        traced = location.having(OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=received.url)
        assert traced.publish_alone(DAY).success

    assert [span.name for span in sorted(received.spans, key=lambda s: s.start_time_unix_nano)] == STEPS
    assert len({span.trace_id for span in received.spans}) == 1
    assert received.services == {"bnpl-features"}


def test_metrics_that_cannot_be_told_fail_no_run(location: CodeLocation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    result = location.having(BNPL_TEXTFILE_FOLDER=str(tmp_path / "file")).daily(DAY)

    assert result.success, why(result)
