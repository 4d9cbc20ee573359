"""Dagster resources: thin, they hand out the library's own objects."""
