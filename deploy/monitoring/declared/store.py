"""The online store: what is served, how lookups go, memory."""

from __future__ import annotations

from deploy.monitoring.grafana import Dashboard, Panel

DASHBOARD = Dashboard(
    "store",
    "BNPL feature store",
    (
        Panel("Active version", "none", (("", "max(bnpl_active_version)"),), is_stat=True),
        Panel(
            "Age of the features",
            "s",
            (("", "time() - min(bnpl_served_as_of_timestamp_seconds)"),),
            "From the end of the day served; 26 to 30 hours between 02:00 and 06:00 UTC is as planned.",
            bound=26 * 3600,
            is_stat=True,
        ),
        Panel("Customers", "short", (("", "max(bnpl_active_customers)"),), is_stat=True),
        Panel(
            "Circuits open",
            "none",
            (("", "sum(bnpl_circuit_open)"),),
            "Servers that are not asked, over all readers.",
            bound=1,
            is_stat=True,
        ),
        Panel(
            "Customers answered a second",
            "ops",
            (("{{status}}", "sum by (status) (rate(bnpl_lookup_answers_total[$__rate_interval]))"),),
        ),
        Panel(
            "Hit share",
            "percentunit",
            (
                (
                    "of those answered",
                    'sum(rate(bnpl_lookup_answers_total{status=~"fresh|stale"}[$__rate_interval]))'
                    ' / sum(rate(bnpl_lookup_answers_total{status!="unavailable"}[$__rate_interval]))',
                ),
            ),
            "Customers with features; under 90 % somebody is called.",
            bound=0.9,
        ),
        Panel(
            "Latency of a lookup",
            "s",
            tuple(
                (
                    f"p{share * 100:g}",
                    f"histogram_quantile({share}, sum by (le) "
                    '(rate(bnpl_lookup_seconds_bucket{status!="unavailable"}[$__rate_interval])))',
                )
                for share in (0.5, 0.99)
            ),
            bound=0.001,
        ),
        Panel(
            "Age of the pointer",
            "s",
            (("{{instance}}", "bnpl_pointer_age_seconds"),),
            "Since the store confirmed which version is active; a second or two is normal.",
        ),
        Panel(
            "Memory",
            "bytes",
            (
                ("{{server}} used", "bnpl_store_memory_bytes"),
                ("{{server}} limit", "bnpl_store_memory_limit_bytes"),
            ),
        ),
        Panel(
            "Keys lost in an hour",
            "none",
            (
                ("{{server}} evicted", "increase(bnpl_store_evicted_keys_total[1h])"),
                ("{{server}} expired", "increase(bnpl_store_expired_keys_total[1h])"),
            ),
            "Evictions should be 0; buckets of a failed publication expire.",
        ),
        Panel("Versions by state", "none", (("{{state}}", "max by (state) (bnpl_versions)"),)),
        Panel(
            "Records that were none", "ops", (("", "sum(rate(bnpl_lookup_corrupt_records_total[$__rate_interval]))"),)
        ),
        Panel(
            "Events of the stream a second",
            "ops",
            (("{{outcome}}", "sum by (outcome) (rate(bnpl_stream_events_total[$__rate_interval]))"),),
            "What came late or could not be taken is an outcome of its own.",
        ),
        Panel(
            "Lag of the stream",
            "s",
            (("oldest event", "max(bnpl_stream_lag_seconds)"),),
            "Velocity is stale from 60 s on.",
            bound=60.0,
        ),
    ),
)
