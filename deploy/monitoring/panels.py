"""Writes the dashboards that are declared to deploy/monitoring/dashboards, from where Grafana imports them.

python -m deploy.monitoring.panels
"""

from __future__ import annotations

import json
from pathlib import Path

from deploy.monitoring.declared import drift, pipeline, predictions, store
from deploy.monitoring.grafana import Dashboard, rendered

DASHBOARDS = (store.DASHBOARD, predictions.DASHBOARD, pipeline.DASHBOARD, drift.DASHBOARD)
FOLDER = Path(__file__).parent / "dashboards"


def written(dashboard: Dashboard) -> str:
    return json.dumps(rendered(dashboard), indent=2) + "\n"


if __name__ == "__main__":
    for one in DASHBOARDS:
        (FOLDER / f"{one.name}.json").write_text(written(one))
