"""What is monitored beside a process's own counts: the store, drift, publications, runs, experiments."""
