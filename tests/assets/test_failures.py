"""What is down is tried again, then named; the next run recovers."""

from threading import Timer

import dagster as dg
import pytest

from assets import failures
from bnpl_features.errors import QueryFailed, StoreUnavailable
from tests.bnpl_features.store.shop import free_port
from tests.code_location import DAY, CodeLocation, materialized, why


def test_missing_warehouse_is_tried_again_then_named_and_the_next_run_recovers(location: CodeLocation) -> None:
    before, folder = location.served(), location.folder / "elsewhere"
    lost = location.having(BNPL_WAREHOUSE_FOLDER=str(folder))

    result = lost.materialize("feature_volume")

    assert not result.success
    assert _attempts(result) == 1 + failures.MAX_RETRIES
    assert f"the warehouse folder {folder} does not exist" in why(result)
    assert "BNPL_WAREHOUSE_FOLDER" in why(result)
    assert location.served() == before
    assert location.materialize("feature_volume").success


def test_store_that_is_down_is_tried_again_then_named_and_the_next_run_recovers(location: CodeLocation) -> None:
    before, port = location.served(), free_port()

    result = location.having(REDIS_URL=f"redis://127.0.0.1:{port}/0").publish_alone()

    assert not result.success
    assert _attempts(result) == 1 + failures.MAX_RETRIES
    assert f"127.0.0.1:{port}" in why(result)
    assert location.served() == before
    assert location.publish_alone().success


def test_warehouse_that_comes_back_between_two_attempts_is_enough(
    location: CodeLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, hidden = location.folder / "warehouse", location.folder / "hidden"
    folder.rename(hidden)
    monkeypatch.setattr(failures, "RETRY_AFTER_SECONDS", 1.5)
    mending = Timer(1.5, hidden.rename, [folder])

    mending.start()
    result = location.materialize("feature_volume")
    mending.join()

    assert result.success
    assert materialized(result) == {"feature_volume"}


def test_partition_that_was_never_computed_is_not_tried_again(location: CodeLocation) -> None:
    result = location.run_check("feature_volume", "schema", DAY.replace(year=2025))

    assert not result.success
    assert _attempts(result) == 1
    assert "feature_volume has no partition 2025-03-10" in why(result)
    assert "materialise that partition first" in why(result)


def test_wrong_setting_is_named_and_not_tried_again(location: CodeLocation) -> None:
    result = location.having(BNPL_WAREHOUSE="oracle").materialize("feature_volume")

    assert not result.success
    assert _attempts(result) == 1
    assert "'oracle'" in why(result)
    assert "duckdb" in why(result)


@pytest.mark.parametrize(
    ("error", "becomes"), [(StoreUnavailable("down"), dg.RetryRequested), (QueryFailed("no"), dg.Failure)]
)
def test_library_error_becomes_what_dagster_acts_on(error: Exception, becomes: type[Exception]) -> None:
    with pytest.raises(becomes) as raised, failures.library_errors():
        raise error

    assert raised.value.__cause__ is error


def test_error_that_is_not_the_librarys_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), failures.library_errors():
        raise ZeroDivisionError


def _attempts(result: dg.ExecuteInProcessResult) -> int:
    started = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_RESTARTED}
    return len([event for event in result.all_events if event.event_type in started])
