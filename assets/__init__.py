"""Dagster assets: partitions, dependencies and metadata; the work is the library's."""
