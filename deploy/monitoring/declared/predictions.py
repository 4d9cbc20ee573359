"""The prediction service: decisions, arms, fallbacks, latency, error budget, the running experiment."""

from __future__ import annotations

from deploy.monitoring.grafana import Dashboard, Panel

DASHBOARD = Dashboard(
    "predictions",
    "BNPL predictions",
    (
        Panel("Services up", "none", (("", 'sum(up{job="bnpl-scoring"})'),), is_stat=True),
        Panel("Champion", "none", (("{{model}}", "max by (model) (bnpl_model_version)"),), is_stat=True),
        Panel(
            "Failed, last hour",
            "percentunit",
            (("", "bnpl:score_errors:ratio_rate1h"),),
            "The objective is 99.9 %.",
            bound=0.001,
            is_stat=True,
        ),
        Panel("Requests in flight", "none", (("", "sum(bnpl_requests_in_flight)"),), is_stat=True),
        Panel(
            "Predictions a second by decision",
            "ops",
            (("{{decision}}", "sum by (decision) (rate(bnpl_predictions_total[$__rate_interval]))"),),
        ),
        Panel(
            "Predictions a second by arm",
            "ops",
            (
                (
                    "{{arm}}: {{model}} {{version}}",
                    "sum by (arm, model, version) (rate(bnpl_predictions_total[$__rate_interval]))",
                ),
            ),
        ),
        Panel(
            "Fallback share by reason",
            "percentunit",
            (
                (
                    "{{fallback}}",
                    'sum by (fallback) (rate(bnpl_predictions_total{fallback!=""}[$__rate_interval]))'
                    " / ignoring (fallback) group_left sum(rate(bnpl_predictions_total[$__rate_interval]))",
                ),
            ),
        ),
        Panel(
            "Latency of a prediction",
            "s",
            tuple(
                (
                    f"p{share * 100:g}",
                    f"histogram_quantile({share}, sum by (le) "
                    '(rate(bnpl_request_seconds_bucket{path="/v1/score"}[$__rate_interval])))',
                )
                for share in (0.5, 0.99)
            ),
            bound=0.1,
        ),
        Panel(
            "Requests a second by status",
            "ops",
            (("{{path}} {{status}}", "sum by (path, status) (rate(bnpl_requests_total[$__rate_interval]))"),),
        ),
        Panel(
            "Error budget burnt, times as fast as allowed",
            "none",
            (
                ("1 h", "bnpl:score_errors:ratio_rate1h / 0.001"),
                ("6 h", "bnpl:score_errors:ratio_rate6h / 0.001"),
                ("3 d", "bnpl:score_errors:ratio_rate3d / 0.001"),
            ),
            bound=1,
        ),
        Panel(
            "Log of predictions",
            "none",
            (
                ("waiting", "sum(bnpl_prediction_log_queued)"),
                ("dropped", 'sum(bnpl_prediction_log_total{outcome="dropped"})'),
            ),
            bound=1,
        ),
        Panel(
            "Late reasons, requests never sent whole, shadows, a second",
            "ops",
            (
                ("late reasons", "sum(rate(bnpl_reasons_late_total[$__rate_interval]))"),
                ("timed out", "sum(rate(bnpl_requests_timed_out_total[$__rate_interval]))"),
                ("shadow {{outcome}}", "sum by (outcome) (rate(bnpl_shadow_total[$__rate_interval]))"),
            ),
        ),
        Panel(
            "Picked up, and looks that failed",
            "none",
            (
                ("{{what}} changed", "sum by (what) (increase(bnpl_changes_total[1h]))"),
                ("{{what}} failed", "sum by (what) (increase(bnpl_change_failures_total[1h]))"),
            ),
        ),
        Panel(
            "Experiment: customers by arm",
            "percentunit",
            (("{{experiment}} {{arm}}", "max by (experiment, arm) (bnpl_experiment_share)"),),
        ),
        Panel(
            "Experiment: approval and default rate",
            "percentunit",
            (
                ("{{arm}} approved", "max by (arm) (bnpl_experiment_approval_rate)"),
                ("{{arm}} defaulted", "max by (arm) (bnpl_experiment_default_rate)"),
            ),
        ),
        Panel(
            "Experiment: guardrails touched",
            "none",
            (("{{experiment}}", "max by (experiment) (bnpl_experiment_guardrails_touched)"),),
            bound=1,
        ),
    ),
)
