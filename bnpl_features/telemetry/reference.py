"""The catalogue -> docs/metrics.md, the page that people read."""

from __future__ import annotations

from collections.abc import Iterable

from bnpl_features.telemetry.metric import Metric, Teller

_HEAD = """# Metrics

Generated from `bnpl_features/telemetry/catalogue.py` by `make docs`; do not edit. How they are
collected, and what wakes whom: [monitoring.md](monitoring.md).
"""


def metrics_page(catalogue: Iterable[Metric]) -> str:
    metrics = tuple(catalogue)
    return _HEAD + "".join(_section(teller, [one for one in metrics if one.teller is teller]) for teller in Teller)


def _section(teller: Teller, metrics: list[Metric]) -> str:
    rows = "".join(
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.help} |\n"
        for one in metrics
    )
    told = f"\nTold by {teller.value}.\n\n"
    return f"\n## {teller.name.capitalize()}\n{told}| metric | type | labels | meaning |\n|---|---|---|---|\n{rows}"
