"""The daily run: whether it went well, and what the last publication was like."""

from __future__ import annotations

from deploy.monitoring.grafana import Dashboard, Panel

DASHBOARD = Dashboard(
    "pipeline",
    "BNPL daily run",
    (
        Panel(
            "Last run failed",
            "bool_yes_no",
            (("{{run}}", "max by (run) (bnpl_run_failed)"),),
            bound=1,
            is_stat=True,
        ),
        Panel("Since the last run", "s", (("", "time() - max(bnpl_run_end_timestamp_seconds)"),), is_stat=True),
        Panel(
            "Since the last publication",
            "s",
            (("", "time() - max(bnpl_publication_end_timestamp_seconds)"),),
            is_stat=True,
        ),
        Panel(
            "Parts that answer",
            "bool_yes_no",
            (("{{part}}", "min by (part) (bnpl_collected)"),),
            is_stat=True,
        ),
        Panel(
            "Duration of the last publication",
            "s",
            (
                ("{{step}}", "max by (step) (bnpl_publication_step_seconds)"),
                ("all", "max(bnpl_publication_seconds)"),
            ),
        ),
        Panel(
            "Customers of the last publication",
            "short",
            (("published", "max(bnpl_publication_customers)"), ("erased", "max(bnpl_publication_erased_customers)")),
        ),
        Panel("Bytes of the last publication", "bytes", (("", "max(bnpl_publication_bytes)"),)),
        Panel(
            "Values beyond their storage",
            "short",
            (("{{feature}}", "topk(10, max by (feature) (bnpl_publication_saturated_values))"),),
        ),
        Panel(
            "Age of what is computed, by group",
            "s",
            (("{{group}}", "time() - max by (group) (bnpl_computed_as_of_timestamp_seconds)"),),
            bound=26 * 3600,
        ),
        Panel("Since store and warehouse were asked", "s", (("", "time() - max(bnpl_collected_timestamp_seconds)"),)),
    ),
)
