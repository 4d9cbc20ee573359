"""At 02:00 UTC the schedule asks for yesterday."""

from datetime import UTC, datetime

import dagster as dg

from automation.jobs import DAILY_JOB, EXPERIMENTS_JOB
from definitions import defs


def test_schedule_asks_for_yesterday_at_two() -> None:
    schedule = defs.resolve_schedule_def("daily_at_two")
    at_two = datetime(2026, 3, 11, 2, tzinfo=UTC)

    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=at_two, repository_def=defs.get_repository_def()
        )
        [request] = schedule.evaluate_tick(context).run_requests

    assert (schedule.cron_schedule, schedule.execution_timezone, schedule.job_name) == ("0 2 * * *", "UTC", DAILY_JOB)
    assert request.partition_key == "2026-03-10"


def test_schedule_asks_for_the_leap_day() -> None:
    schedule = defs.resolve_schedule_def("daily_at_two")

    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=datetime(2024, 3, 1, 2, tzinfo=UTC),
            repository_def=defs.get_repository_def(),
        )
        [request] = schedule.evaluate_tick(context).run_requests

    assert request.partition_key == "2024-02-29"


def test_an_hour_later_yesterday_is_reviewed() -> None:
    schedule = defs.resolve_schedule_def("review_at_three")

    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=datetime(2026, 3, 11, 3, tzinfo=UTC),
            repository_def=defs.get_repository_def(),
        )
        [request] = schedule.evaluate_tick(context).run_requests

    assert (schedule.cron_schedule, schedule.job_name) == ("0 3 * * *", EXPERIMENTS_JOB)
    assert request.partition_key == "2026-03-10"
