"""Drift of the newest day computed."""

from __future__ import annotations

from deploy.monitoring.grafana import Dashboard, Panel

DASHBOARD = Dashboard(
    "drift",
    "BNPL drift",
    (
        Panel(
            "Features drifted",
            "none",
            (("{{severity}}", "sum by (severity) (bnpl_drift_features)"),),
            bound=1,
            is_stat=True,
        ),
        Panel(
            "Largest population stability index by group",
            "none",
            (("{{group}}", "max by (group) (bnpl_drift_largest_index)"),),
            "Warns from 0.1, blocks from 0.25, unless set otherwise; features by name are in Dagster's check results.",
            bound=0.25,
        ),
        Panel(
            "Features drifted by group",
            "none",
            (("{{group}} {{severity}}", "max by (group, severity) (bnpl_drift_features)"),),
        ),
    ),
)
