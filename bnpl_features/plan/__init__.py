"""What the daily job asks of BigQuery: its statements, what each reads, and what that costs."""
