"""Benchmarks: each prints a table with a peer or the physical limit beside ours, measured in one run."""
