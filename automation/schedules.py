"""The daily window opens at 02:00 UTC and closes at 06:00, when the freshness policy of the publication goes red."""

import dagster as dg

from automation.jobs import daily_features

daily_schedule = dg.build_schedule_from_partitioned_job(
    daily_features,
    name="daily_at_two",
    hour_of_day=2,
    minute_of_hour=0,
    description="Yesterday's partition, at 02:00 UTC.",
)
