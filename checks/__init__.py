"""Dagster asset checks: which question gates which asset; the answers are the library's."""
