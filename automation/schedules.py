"""The daily window opens at 02:00 UTC and closes at 06:00, when the freshness policy of the publication goes red.

What looks back, at predictions and what became of them, follows an hour later.
"""

import dagster as dg

from automation.jobs import compare_velocity, daily_features, review_experiments, watch_stream

daily_schedule = dg.build_schedule_from_partitioned_job(
    daily_features,
    name="daily_at_two",
    hour_of_day=2,
    minute_of_hour=0,
    description="Yesterday's partition, at 02:00 UTC.",
)

review_schedule = dg.build_schedule_from_partitioned_job(
    review_experiments,
    name="review_at_three",
    hour_of_day=3,
    minute_of_hour=0,
    description="Yesterday's predictions, the models' matured performance and the experiment's report, at 03:00 UTC.",
)

velocity_comparison_schedule = dg.build_schedule_from_partitioned_job(
    compare_velocity,
    name="velocity_at_three",
    hour_of_day=3,
    minute_of_hour=0,
    description="Yesterday's stream beside the warehouse, at 03:00 UTC, while its hours are remembered.",
)

stream_watch = dg.ScheduleDefinition(
    name="stream_every_five_minutes",
    job=watch_stream,
    cron_schedule="*/5 * * * *",
    description="The stream's health and lag.",
)

schedules = [daily_schedule, review_schedule, velocity_comparison_schedule, stream_watch]
