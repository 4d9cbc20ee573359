"""When the graph runs: jobs and schedules."""
